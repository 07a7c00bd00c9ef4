"""The report as one HTML file that needs nothing else: no script, no network, light and dark, phone, desktop, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_export.report import tables
from asrc_export.report.report import Report
from asrc_export.report.table import plural

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "template"


def page(report: Report) -> str:
    """The page; every text of the report is escaped."""
    from markupsafe import Markup

    from asrc_export.report.render.figures import figures

    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            summary=tables.summary(report),
            headlines=_headlines(report),
            tables=list(tables.tables(report)),
            figures=figures(report),
            drawing=Markup,  # our own figures: matplotlib has escaped their text
            numeric=_numeric,
        )
    )


def environment(*folders: Path) -> Environment:
    """Templates of the folders, and this one's style; whatever is filled in is escaped."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _headlines(report: Report) -> list[tuple[str, str, str]]:
    """Figures that are read before anything else: value, what it is, beside what."""
    accuracy, deployed, in_float = report.accuracy, report.storage.deployed.total, report.storage.in_float.total
    shown = [
        (f"{accuracy.deployed:.1%}", "accuracy deployed", f"float {accuracy.in_float:.1%}"),
        (f"{report.agreement:.1%}", "same answer as float", f"on {report.samples:,} test samples"),
        (f"{deployed / 8192:,.1f} KiB", "storage", f"{in_float / deployed:.1f} times less than float32"),
    ]
    placement = report.placement
    if placement is not None:
        cores = len(placement.cores)
        beside = f"on {plural(placement.chips, 'chip')}, {report.provenance.target}"
        shown.append((f"{cores:,}", "core" if cores == 1 else "cores", beside))
    return shown


def _numeric(value: Any) -> bool:
    """Whether a table's cell is a number, to be set flush right."""
    return str(value)[:1].isdigit() or str(value)[:2].strip("-").isdigit()
