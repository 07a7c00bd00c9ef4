"""The report as one HTML file that needs nothing else: no script, no network, light and dark, phone, desktop, print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_core.counts import plural
from asrc_export.report import comparison, tables, verdict
from asrc_export.report.accuracy.scores import span
from asrc_export.report.comparison import Comparison
from asrc_export.report.report import Report
from asrc_export.report.table import memory

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

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
            headline=tables.headline(report),
            verdicts=verdict.verdict(report),
            cards=_cards(report),
            groups=tables.groups(report),
            figures=figures(report),
            drawing=Markup,  # our own figures: matplotlib has escaped their text
            numeric=numeric,
        )
    )


def comparison_page(found: Comparison) -> str:
    """Several reports on one page, side by side first."""
    from markupsafe import Markup

    from asrc_export.report.render.figures import figures

    networks = [
        (f"n{i}-", name, tables.groups(each), verdict.verdict(each), _cards(each), figures(each))
        for i, (name, each) in enumerate(zip(found.names, found.reports, strict=True))
    ]
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            title=comparison.title(found),
            summary=comparison.summary(found),
            table=comparison.table(found),
            networks=networks,
            drawing=Markup,
            numeric=numeric,
            asrc=found.reports[0].provenance.asrc,
        )
    )


def environment(*folders: Path) -> Environment:
    """Templates of the folders, and this one's style; whatever is filled in is escaped."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["coded"] = coded
    return made


def coded(text: object) -> Markup:
    """A text, escaped, in which what stands in backticks is code."""
    from markupsafe import Markup

    parts = re.split("`([^`]+)`", str(text))  # what matched is every second one; joining escapes the others
    return Markup("").join(Markup("<code>{}</code>").format(each) if i % 2 else each for i, each in enumerate(parts))


def _cards(report: Report) -> list[tuple[str, str, str]]:
    """Figures that are read before anything else: what it is, value, beside what."""
    accuracy = report.accuracy
    interval = span(report.scores.accuracy["deployed"])
    shown = [
        ("accuracy deployed", f"{accuracy.deployed:.1%}", f"{interval}; float {accuracy.in_float:.1%}"),
        ("same answer as float", f"{report.agreement:.1%}", f"on {verdict.of_samples(report)}"),
    ]
    if report.placement is not None:
        beside = f"on {plural(report.placement.chips, 'chip')}, {report.provenance.target}"
        shown.append(("cores", verdict.of_cores(report).removesuffix(" cores"), beside))
    shown.append(("memory", memory(report.storage.deployed.total), verdict.beside_float(report)))
    for what, found, why_not in (
        ("energy a sample", verdict.energy(report), verdict.no_energy(report)),
        ("time a sample", verdict.time(report), verdict.no_time(report)),
    ):
        value, _, of = (found or "unknown").partition(" (")
        unbroken = value.replace(" to ", "\N{EN DASH}").replace(" ", "\N{NO-BREAK SPACE}")
        shown.append((what, unbroken, f"modelled, {of.removesuffix(')')}" if found else why_not))
    return shown


def numeric(value: Any) -> bool:
    """Whether a table's cell is a number, or says that there is none, to be set flush right."""
    return value == "none" or str(value)[:1].isdigit() or str(value)[:2].strip("-").isdigit()
