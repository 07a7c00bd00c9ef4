"""The report as one HTML file that needs nothing else: no script, no network, light and dark, phone, desktop, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asrc_core import extras
from asrc_export.report.sections import Report, sections, summary

FOLDER = Path(__file__).parent / "template"


def page(report: Report) -> str:
    """The page; every text of the report is escaped."""
    extras.require("report", ["jinja2", "matplotlib"])
    import jinja2
    from markupsafe import Markup

    from asrc_export.report.figures import figures

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        summary=summary(report),
        headlines=_headlines(report),
        sections=list(sections(report)),
        figures=figures(report),
        drawing=Markup,  # our own figures: matplotlib has escaped their text
        numeric=_numeric,
    )


def _headlines(report: Report) -> list[tuple[str, str, str]]:
    """Figures that are read before anything else: value, what it is, beside what."""
    accuracy, bits = report["accuracy"], report["storage_bits"]
    smaller = bits["float"]["total"] / bits["deployed"]["total"]
    shown = [
        (f"{accuracy['deployed']:.1%}", "accuracy deployed", f"float {accuracy['float']:.1%}"),
        (f"{report['agreement']:.1%}", "same answer as float", f"on {report['samples']:,} test samples"),
        (f"{bits['deployed']['total'] / 8192:,.1f} KiB", "storage", f"{smaller:.1f} times less than float32"),
    ]
    placement = report.get("placement")
    if placement:
        cores, chips = len(placement["cores"]), placement["chips"]
        beside = f"on {chips:,} chip{'s' if chips != 1 else ''}, {report['provenance']['target']}"
        shown.append((f"{cores:,}", "core" if cores == 1 else "cores", beside))
    return shown


def _numeric(value: Any) -> bool:
    """Whether a table's cell is a number, to be set flush right."""
    return str(value)[:1].isdigit() or str(value)[:2].strip("-").isdigit()
