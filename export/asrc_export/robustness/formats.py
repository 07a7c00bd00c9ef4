"""The curves as text, Markdown, JSON, CSV, a figure or a page, chosen by the output's suffix."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from asrc_core import extras
from asrc_core.counts import plural
from asrc_core.files import by_suffix
from asrc_export.report.render.figures.canvas import Figure
from asrc_export.report.render.formats import as_json
from asrc_export.report.render.page import environment, numeric
from asrc_export.report.render.spreadsheet import harmless
from asrc_export.report.render.text import as_markdown, as_text
from asrc_export.report.table import Table
from asrc_export.robustness import figure
from asrc_export.robustness.report import VERSIONS, Curve, PerturbationCurves, RobustnessReport

CAPTION = (
    "Accuracy over the level; solid lines are the deployed integers, dashed ones the float network. Bands: a standard "
    "deviation of deployed."
)
FOLDER = Path(__file__).parent / "template"


def title(report: RobustnessReport) -> str:
    """The heading of every format."""
    return f"Robustness on {report.data}"


def summary(report: RobustnessReport) -> str:
    """What was run, in a sentence or two."""
    return (
        f"{plural(len(report.networks), 'network')} on {plural(report.samples, 'test sample')} of "
        f"{plural(report.steps, 'step')}, "
        f"{plural(report.draws, 'draw')} of each perturbation (seed {report.seed}). Accuracy in percent, plus or minus "
        "one standard deviation over the networks of a variant, or over draws where it has a single network."
    )


def tables(report: RobustnessReport) -> Iterator[Table]:
    """Tables: what each perturbation costs at a glance, then each of them level by level, then the networks."""
    yield _at_a_glance(
        report, "mean_loss", "Points lost, mean over the levels above 0", "Below the same network unperturbed."
    )
    yield _at_a_glance(
        report,
        "mean_kept",
        "Accuracy kept, mean over the levels above 0",
        "In percent of that of the same network unperturbed: networks that have little to lose lose few points.",
    )
    for panel in report.perturbations:
        yield Table(
            panel.name,
            panel.title.capitalize(),
            ("network", "version", *(f"{level:g}" for level in panel.levels)),
            [
                (
                    curve.variant,
                    curve.version,
                    *(_percent(mean, spread) for mean, spread in zip(curve.mean, _spreads(curve), strict=True)),
                )
                for curve in panel.curves
            ],
            f"Columns: {panel.axis}.{_notes(panel)}",
        )
    yield Table(
        "networks",
        "Networks",
        ("file", "variant", "seed", "spans", "deployed", "float"),
        [
            (
                each.file,
                each.variant,
                "" if each.seed is None else each.seed,
                "/".join(map(str, each.spans)),
                *(f"{each.accuracy[version]:.1%}" if version in each.accuracy else "" for version in VERSIONS),
            )
            for each in report.networks
        ],
        "Accuracy without any perturbation.",
    )


def _at_a_glance(report: RobustnessReport, key: str, title: str, note: str) -> Table:
    columns = list(dict.fromkeys((c.variant, c.version) for panel in report.perturbations for c in panel.curves))
    rows = []
    for panel in report.perturbations:
        each = {(c.variant, c.version): _percent(getattr(c, key), getattr(c, f"{key}_spread")) for c in panel.curves}
        rows.append((panel.title, *(each[column] for column in columns)))
    headers = ("perturbation", *(f"{variant}, {version}" for variant, version in columns))
    return Table(key.replace("_", "-"), title, headers, rows, note)


def _spreads(curve: Curve) -> Sequence[float | None]:
    return curve.spread or [None] * len(curve.mean)


def _percent(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return "none"
    return f"{100 * mean:.1f}" if spread is None else f"{100 * mean:.1f} ± {100 * spread:.1f}"


def _notes(panel: PerturbationCurves) -> str:
    return "".join(
        f" {name.capitalize()}, share: {', '.join(f'{share:.2g}' for share in shares)}."
        for name, shares in panel.notes.items()
    )


def text(report: RobustnessReport) -> str:
    """For a terminal."""
    return as_text(title(report), summary(report), tables(report))


def markdown(report: RobustnessReport) -> str:
    """As GitHub Markdown."""
    return as_markdown(title(report), summary(report), tables(report))


def rows(report: RobustnessReport) -> str:
    """CSV, one accuracy a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("perturbation", "level", "variant", "version", "network", "draw", "accuracy"))
    for panel in report.perturbations:
        for curve in panel.curves:
            for index, levels in zip(curve.networks, curve.accuracy, strict=True):
                file = report.networks[index].file
                for level, draws in zip(panel.levels, levels, strict=True):
                    for draw, share in enumerate(draws):
                        names = panel.name, level, curve.variant, curve.version, file
                        writer.writerow((*map(harmless, names), draw, share))
    return out.getvalue()


def page(report: RobustnessReport) -> str:
    """One HTML file that needs nothing else; every text is escaped."""
    extras.require("report", ["jinja2", "matplotlib"])
    from markupsafe import Markup

    drawn = figure.on_page(report)
    return (
        environment(FOLDER)
        .get_template("robustness.html.j2")
        .render(
            title=title(report),
            summary=summary(report),
            tables=list(tables(report)),
            drawn={name: Figure(each, f"Accuracy over {name}", CAPTION) for name, each in drawn.items()},
            drawing=Markup,  # our own figures: matplotlib has escaped their text
            numeric=numeric,
            asrc=report.asrc,
        )
    )


WRITERS: dict[str, Callable[[RobustnessReport], str]] = {
    ".html": page,
    ".svg": figure.svg,
    ".json": as_json,
    ".csv": rows,
    ".md": markdown,
    ".txt": text,
}


def write(report: RobustnessReport, path: str | Path) -> None:
    """Write in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(report, path, WRITERS)
