"""The integer network on Intel's Lava: processes, process models, and the runner that keeps Lava at arm's length.

Importable without lava-nc; only the modules that build a graph need it. Nothing outside this package imports Lava.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core import front_door

if TYPE_CHECKING:
    from asrc_lava.host.run import run, run_each, run_on_board

__all__ = ["run", "run_each", "run_on_board"]

__getattr__ = front_door.opened(__name__, dict.fromkeys(("run", "run_each", "run_on_board"), "asrc_lava.host.run"))
