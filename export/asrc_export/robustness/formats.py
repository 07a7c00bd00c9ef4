"""The curves as text, Markdown, JSON, CSV, a figure or a page, chosen by the output's suffix."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asrc_core import extras
from asrc_core.files import by_suffix
from asrc_export.report.flat import harmless
from asrc_export.report.formats import as_json, as_markdown, as_text
from asrc_export.report.page import FOLDER as REPORT_FOLDER
from asrc_export.report.sections import Section
from asrc_export.robustness import figure

Content = dict[str, Any]
FOLDER = Path(__file__).parent / "template"


def title(content: Content) -> str:
    """The heading of every format."""
    return f"Robustness on {content['data']}"


def summary(content: Content) -> str:
    """What was run, in a sentence or two."""
    count = len(content["networks"])
    return (
        f"{count} network{'s' if count != 1 else ''} on {content['samples']:,} test samples of {content['steps']:,} "
        f"steps, {content['draws']} draw{'s' if content['draws'] != 1 else ''} of each perturbation (seed "
        f"{content['seed']}). Accuracy in percent, plus or minus one standard deviation over the networks of a "
        "variant, or over draws where it has a single network."
    )


def sections(content: Content) -> Iterator[Section]:
    """Tables: what each perturbation costs at a glance, then each of them level by level, then the networks."""
    yield _at_a_glance(
        content, "mean_loss", "Points lost, mean over the levels above 0", "Below the same network unperturbed."
    )
    yield _at_a_glance(
        content,
        "mean_kept",
        "Accuracy kept, mean over the levels above 0",
        "In percent of that of the same network unperturbed: networks that have little to lose lose few points.",
    )
    for panel in content["perturbations"]:
        yield Section(
            panel["name"],
            panel["title"].capitalize(),
            ("network", "version", *(f"{level:g}" for level in panel["levels"])),
            [
                (
                    curve["variant"],
                    curve["version"],
                    *(_percent(mean, spread) for mean, spread in zip(curve["mean"], _spreads(curve), strict=True)),
                )
                for curve in panel["curves"]
            ],
            f"Columns: {panel['axis']}.{_notes(panel)}",
        )
    yield Section(
        "networks",
        "Networks",
        ("file", "variant", "seed", "spans", "deployed", "float"),
        [
            (
                each["file"],
                each["variant"],
                "" if each["seed"] is None else each["seed"],
                "/".join(map(str, each["spans"])),
                *(f"{each['accuracy'][version]:.1%}" if version in each["accuracy"] else "" for version in _VERSIONS),
            )
            for each in content["networks"]
        ],
        "Accuracy without any perturbation.",
    )


_VERSIONS = ("deployed", "float")


def _at_a_glance(content: Content, key: str, title: str, note: str) -> Section:
    columns = list(
        dict.fromkeys((c["variant"], c["version"]) for panel in content["perturbations"] for c in panel["curves"])
    )
    rows = []
    for panel in content["perturbations"]:
        each = {(c["variant"], c["version"]): _percent(c[key], c[f"{key}_spread"]) for c in panel["curves"]}
        rows.append((panel["title"], *(each[column] for column in columns)))
    headers = ("perturbation", *(f"{variant}, {version}" for variant, version in columns))
    return Section(key.replace("_", "-"), title, headers, rows, note)


def _spreads(curve: dict[str, Any]) -> list[float | None]:
    return curve["spread"] or [None] * len(curve["mean"])


def _percent(mean: float, spread: float | None) -> str:
    return f"{100 * mean:.1f}" if spread is None else f"{100 * mean:.1f} ± {100 * spread:.1f}"


def _notes(panel: dict[str, Any]) -> str:
    return "".join(
        f" {name.capitalize()}, share: {', '.join(f'{share:.2g}' for share in shares)}."
        for name, shares in panel["notes"].items()
    )


def text(content: Content) -> str:
    """For a terminal."""
    return as_text(title(content), summary(content), sections(content))


def markdown(content: Content) -> str:
    """As GitHub Markdown."""
    return as_markdown(title(content), summary(content), sections(content))


def rows(content: Content) -> str:
    """CSV, one accuracy a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("perturbation", "level", "variant", "version", "network", "draw", "accuracy"))
    for panel in content["perturbations"]:
        for curve in panel["curves"]:
            for index, levels in zip(curve["networks"], curve["accuracy"], strict=True):
                file = content["networks"][index]["file"]
                for level, draws in zip(panel["levels"], levels, strict=True):
                    for draw, share in enumerate(draws):
                        names = panel["name"], level, curve["variant"], curve["version"], file
                        writer.writerow((*map(harmless, names), draw, share))
    return out.getvalue()


def page(content: Content) -> str:
    """One HTML file that needs nothing else; every text is escaped."""
    extras.require("report", ["jinja2", "matplotlib"])
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([FOLDER, REPORT_FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = figure.svg(content)
    return environment.get_template("robustness.html.j2").render(
        title=title(content),
        summary=summary(content),
        sections=list(sections(content)),
        drawing=Markup(drawn[drawn.index("<svg") :]),  # noqa: S704 - our own figure: matplotlib has escaped its text
        asrc=content["asrc"],
    )


WRITERS: dict[str, Callable[[Content], str]] = {
    ".html": page,
    ".svg": figure.svg,
    ".json": as_json,
    ".csv": rows,
    ".md": markdown,
    ".txt": text,
}


def write(content: Content, path: str | Path) -> None:
    """Write in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(content, path, WRITERS)
