"""docs/rules.md, from the rules' docstrings."""

from __future__ import annotations

from asrc_export.chip.placement.budget import UNITS
from asrc_export.chip.rules.check import NUMBER_RULES, SHAPE_RULES
from asrc_export.chip.rules.finding import sentence


def page() -> str:
    """docs/rules.md: every rule's sentence, by what it can be asked about."""
    sections = (
        ("Rules about sizes", "Asked of a recipe before training, and at export.", SHAPE_RULES),
        ("Rules about numbers", "Asked at export, of the integer network.", NUMBER_RULES),
    )
    lines = [
        "# Hardware rules",
        "",
        "One function for each limit in `asrc_export.chip.rules`; its docstring is the sentence here and in findings.",
        "The limits themselves are a target's data, with their sources, in `export/asrc_export/chip/targets`.",
        "This page is generated: `python -m asrc_export.chip.rules > docs/rules.md`.",
    ]
    for title, note, rules in sections:
        lines += ["", f"## {title}", "", note, "", "| rule | sentence |", "| --- | --- |"]
        lines += [f"| `{rule.__name__}` | {sentence(rule)} |" for rule in rules]
    lines += [
        "",
        "## Budgets of a core",
        "",
        "What placement keeps, for each core and every target that limits it:",
        "",
    ]
    lines += [f"* {name.replace('_', ' ')} ({unit})" for name, unit in UNITS.items()]
    return "\n".join(lines) + "\n"
