"""From floats to integers, and all that is known of an integer network.

`quantization/` makes one from a frozen float network within a target's formats, `engines/` run it, `checks/` and
`robustness/` try it, `chip/` knows the targets, `report/` tells what it costs and how well it answers. Nothing heavy is
imported before a name is asked for, and nothing imports Lava.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core import front_door

if TYPE_CHECKING:
    from asrc_export import report
    from asrc_export.checks.check import Checked, check
    from asrc_export.chip.targets import Target
    from asrc_export.exporting import Exported, export
    from asrc_export.simulator import Simulator, Stream, load, run, stream
    from asrc_export.windows import Decision

__all__ = [
    "Checked",
    "Decision",
    "Exported",
    "Simulator",
    "Stream",
    "Target",
    "check",
    "export",
    "load",
    "report",
    "run",
    "stream",
]

__getattr__ = front_door.opened(
    __name__,
    {
        "Decision": "asrc_export.windows",
        "report": "asrc_export.report",
        "Target": "asrc_export.chip.targets",
        **dict.fromkeys(("Checked", "check"), "asrc_export.checks.check"),
        **dict.fromkeys(("Exported", "export"), "asrc_export.exporting"),
        **dict.fromkeys(("Simulator", "Stream", "load", "run", "stream"), "asrc_export.simulator"),
    },
)
