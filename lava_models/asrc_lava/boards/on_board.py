"""Lava's side of a board: reached, configured, probed. Only the worker imports this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.resources import Loihi2NeuroCore, NeuroCore
from lava.magma.core.run_configs import Loihi2HwCfg, RunConfig
from lava.utils import loihi

from asrc_lava.boards.board import Access, Measured, measured
from asrc_lava.graph.build import Wiring
from asrc_lava.graph.process import Neurons, Relay

ON_CHIP = (Neurons, Relay)
"""Processes that have to be on the chip for a run to say anything of it."""


class OffChip(Exception):
    """Neurons that would run on the host's CPU though a board was asked for."""


class Probes:
    """The extension's probes of power and execution time, for one run."""

    def __init__(self, steps: int) -> None:
        from lava.utils.loihi2_profiler import Loihi2ExecutionTime, Loihi2Power

        self._steps = steps
        self._power, self._time = Loihi2Power(num_steps=steps), Loihi2ExecutionTime()

    @property
    def callbacks(self) -> list[Any]:
        """What the run configuration takes."""
        return [self._power, self._time]

    def read(self) -> Measured:
        """What they measured, once the run is over."""
        return measured(self._power, self._time, self._steps)


def reach(wanted: Access) -> None:
    """Have Lava use the board. Raises ImportError or ValueError, as Lava puts it."""
    generation = loihi.ChipGeneration[wanted.generation]
    if wanted.host is not None:
        binary = {"host_binary_path": wanted.host_binary} if wanted.host_binary else {}
        loihi.use_ethernet_host(wanted.host, loihi_gen=generation, **binary)
    else:
        loihi.use_slurm_host(partition=wanted.partition, board=wanted.board, loihi_gen=generation)


def configuration(callbacks: list[Any]) -> Loihi2HwCfg:
    """Neuro-core models where there are any, then those for embedded cores, then fixed point on the host."""
    return Loihi2HwCfg(select_tag="fixed_pt", callback_fxs=callbacks)


def require_on_chip(graph: Wiring, config: RunConfig) -> None:
    """Raise OffChip, naming the processes, if the configuration would run neurons on the host.

    It falls back to a CPU model without a word, and the probes would then measure an idle board.
    """
    off = [name for name, model in selected(graph, config).items() if not runs_on_chip(model)]
    if off:
        raise OffChip(f"there is no neuro-core model of {', '.join(off)}: they would run on the host's CPU")


def selected(graph: Wiring, config: RunConfig) -> Mapping[str, type]:
    """The process model that the configuration selects for each process that has to be on the chip."""
    return {
        f"'{process.name}' ({type(process).__name__})": config.select(
            process, ProcGroupDiGraphs._find_proc_models(process)
        )
        for process in graph.processes
        if isinstance(process, ON_CHIP)
    }


def runs_on_chip(model: type) -> bool:
    """Whether the process model asks for a neuro-core."""
    needed = getattr(model, "required_resources", ())
    return NeuroCore in needed or Loihi2NeuroCore in needed
