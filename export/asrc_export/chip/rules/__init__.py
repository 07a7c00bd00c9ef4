"""Hardware limits: one function each, whose docstring is the sentence that users read.

A rule about sizes takes a network's shape, which a recipe gives before training; a rule about numbers takes the integer
network. Each yields its findings, and ``check`` runs all of them. A finding that blocks stops the export; one that does
not is written beside the result. `python -m asrc_export.chip.rules` prints docs/rules.md.
"""

from asrc_export.chip.rules.check import NUMBER_RULES, RULES, SHAPE_RULES, check, check_shape, passed, require
from asrc_export.chip.rules.finding import Finding, NumberRule, ShapeRule
from asrc_export.chip.rules.page import page

__all__ = [
    "NUMBER_RULES",
    "RULES",
    "SHAPE_RULES",
    "Finding",
    "NumberRule",
    "ShapeRule",
    "check",
    "check_shape",
    "page",
    "passed",
    "require",
]
