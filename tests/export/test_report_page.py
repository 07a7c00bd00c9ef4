"""The page people show: one file, nothing from outside, no text of a file that could run, readable on a phone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from asrc_export.engines.select import engine
from asrc_export.exporting import Exported
from asrc_export.report import Report, make_from_files, tables
from asrc_export.report.cost.latency import UnknownLatency
from asrc_export.report.cost.placement import CoreShare, PlacedCore, ReportedPlacement
from asrc_export.report.render.figures import figures
from asrc_export.report.render.page import coded, page

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>$\\frac{'
PLACEMENT = ReportedPlacement(
    target="loihi2",
    mapping="delay-line",
    cores_used=5,
    cores_available=6,
    lower_bound=4,
    chips=2,
    limits={"neurons": 8, "synapses": 100},
    cores=tuple(
        PlacedCore(
            chip=i // 3,
            core=i % 3,
            tile_row=None,
            tile_column=None,
            shares=(CoreShare(layer=HOSTILE, first=0, neurons=7),),
            used={"neurons": 7},
        )
        for i in range(5)
    ),
    routes=(),
    mesh=None,
    mappings={},
)


@pytest.fixture(scope="module")
def report(exported: Exported, checkpoint_path: Path) -> Report:
    return make_from_files(exported.path, checkpoint_path, engine("numpy"), limit=30)


@pytest.fixture(scope="module")
def placed(report: Report) -> Report:
    return report.model_copy(update={"placement": PLACEMENT})


@pytest.fixture(scope="module")
def written(placed: Report) -> str:
    return page(placed)


class Elements(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_is_one_file_that_asks_for_nothing(written: str) -> None:
    assert len(written.encode()) <= 2 * 2**20
    for tag, attributes in Elements(written).found:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\((?!#)|@import", written)
    assert "default-src 'none'" in written


def test_the_page_has_one_title_unique_ids_and_links_that_lead_somewhere(written: str) -> None:
    found = Elements(written).found
    assert [tag for tag, _ in found].count("h1") == 1
    ids = [attributes["id"] for tag, attributes in found if "id" in attributes and tag not in ("path", "clippath")]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] for tag, attributes in found if tag == "a"]
    assert links
    assert {link[1:] for link in links if link} <= set(ids)
    for tag, attributes in found:
        if tag == "div" and attributes.get("class") == "drawing":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_figures_stand_where_their_numbers_are_and_are_well_formed(placed: Report, written: str) -> None:
    drawn = figures(placed)
    for key in ("ablation", "confusion", "divergence", "neurons", "kernels", "placement", "storage", "energy"):
        assert f'<section id="{key}"' in written
        assert drawn[key]
        for figure in drawn[key]:
            ElementTree.fromstring(figure.svg)
            assert figure.caption.endswith(".")
            assert "#0101" not in figure.svg
            assert "currentColor" in figure.svg or "var(--" in figure.svg


def test_without_a_placement_or_learned_spans_their_figures_are_left_out(report: Report) -> None:
    layers = tuple(layer.model_copy(update={"weights": None}) for layer in report.kernels.layers)
    kernels = report.kernels.model_copy(update={"layers": layers})
    drawn = figures(report.model_copy(update={"placement": None, "kernels": kernels}))
    assert "placement" not in drawn
    assert "kernels" not in drawn


@pytest.mark.filterwarnings("error")
def test_a_network_of_one_step_and_a_few_bytes_is_drawn_all_the_same(report: Report) -> None:
    drift = tuple(each.model_copy(update={"per_step": each.per_step[:1]}) for each in report.ablation.drift)
    ablation = report.ablation.model_copy(update={"drift": drift, "steps": 1})
    few = report.storage.deployed.model_copy(
        update={"weights": 80, "biases": 40, "state": 72, "history": 0, "total": 192}
    )
    storage = report.storage.model_copy(update={"deployed": few, "in_float": few})
    tiny = report.model_copy(update={"ablation": ablation, "storage": storage})
    (drawn,) = figures(tiny)["storage"]
    assert "24 bytes" in drawn.svg
    assert "<strong>24 bytes</strong>" in page(tiny)
    assert "takes 24 bytes instead of 24 bytes" in tables.summary(tiny)


def test_the_card_of_an_energy_that_is_not_known_says_why_and_of_which_samples_it_all_is(report: Report) -> None:
    none = {"estimates": (), "targets_without_such_neurons": ("loihi1",)}
    changed = {"energy": report.energy.model_copy(update=none), "test_samples": report.samples + 1}
    written = page(report.model_copy(update=changed))
    assert "no prices of loihi2 have been published; loihi1 has no such neurons" in written
    assert f"on the first {report.samples} of {report.samples + 1} test samples" in written


def test_the_card_of_a_time_that_is_not_known_says_why(report: Report) -> None:
    unknown = tuple(
        UnknownLatency(target=target, why=why, basis=None)  # type: ignore[arg-type]
        for target, why in (("loihi2", "no published times"), ("loihi1", "does not fit"))
    )
    energy = report.energy.model_copy(update={"latency": unknown})
    written = page(report.model_copy(update={"energy": energy}))
    assert "no time per event of loihi2 has been published; the network does not fit loihi1" in written


def test_what_stands_in_backticks_is_code_and_escaped_all_the_same(written: str) -> None:
    assert coded("use `a='b'` < c`") == "use <code>a=&#39;b&#39;</code> &lt; c`"
    assert coded(f"`{HOSTILE}`").count("<") == 2
    assert "`" not in re.sub(r"<(style|svg).*?</\1>", "", written, flags=re.DOTALL)


def test_texts_from_files_are_escaped_wherever_they_stand(placed: Report) -> None:
    renamed = json.dumps(placed.model_dump(mode="json")).replace("layer0", json.dumps(HOSTILE)[1:-1])
    of_files = ("data", "target", "engine", "asrc", "torch", "python", "imported_from", "import_notes")
    provenance = placed.provenance.model_copy(update=dict.fromkeys(of_files, HOSTILE))
    text = page(Report.model_validate_json(renamed).model_copy(update={"provenance": provenance}))
    assert "&lt;script&gt;" in text
    tags = [tag for tag, _ in Elements(text).found]
    assert "script" not in tags
    assert "img" not in tags


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium, headless."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its driver here (Debian: apt-get install chromium chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_in_a_browser_nothing_fails_and_nothing_sticks_out(
    browser: Any, written: str, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(written, encoding="utf-8")
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [preference]})
    browser.get(file.as_uri())
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    root = "document.documentElement"
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script(f"return {root}.scrollWidth - {root}.clientWidth") == 0
    beyond = "return [...document.querySelectorAll('main *, header *')].filter(e => getComputedStyle(e).position !== "
    beyond += "'absolute' && !e.closest('thead') && e.getBoundingClientRect().right > innerWidth + 1).length"
    assert width > 500 or browser.execute_script(beyond) == 0, "on a phone nothing is cut off, nor hidden in a scroller"
    lines = "return [...document.querySelectorAll('.headlines strong')].map(e => [e.textContent, e.getClientRects()[0]"
    lines += ".height, parseFloat(getComputedStyle(e).lineHeight)])"
    for told, height, line in browser.execute_script(lines):
        assert height < 1.5 * line, f"the figure '{told}' takes more than a line"
    dark = "return getComputedStyle(document.body).backgroundColor"
    assert (browser.execute_script(dark) == "rgb(255, 255, 255)") == (scheme == "light")
    inked = "return [...document.querySelectorAll('svg text')].every(t => getComputedStyle(t).fill === arguments[0])"
    assert browser.execute_script(inked, browser.execute_script("return getComputedStyle(document.body).color"))
