"""The deployed network beside the float model it came from: `make` runs both, `write` writes what came out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asrc_export.report.compare import make, make_from_files
    from asrc_export.report.comparison import Comparison, compared
    from asrc_export.report.origin.confirmations import Confirmation
    from asrc_export.report.render.formats import write
    from asrc_export.report.report import Report
    from asrc_export.report.tables import summary

__all__ = ["Comparison", "Confirmation", "Report", "compared", "make", "make_from_files", "summary", "write"]

_HOMES = {
    "Comparison": "comparison",
    "compared": "comparison",
    "Confirmation": "origin.confirmations",
    "Report": "report",
    "make": "compare",
    "make_from_files": "compare",
    "summary": "tables",
    "write": "render.formats",
}


def __getattr__(name: str) -> Any:
    """Public names, imported when they are asked for: making a report loads torch, reading and drawing one does not."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
