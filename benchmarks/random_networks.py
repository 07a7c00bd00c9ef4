"""Random networks of all kinds through the printed C or the printed circuit; all compared with the interpreter.

    python benchmarks/random_networks.py c --networks 1000
    python benchmarks/random_networks.py verilator --networks 200

Every spike, membrane, logit, count and saturation has to be equal; the first difference ends the run with the network's
number. `c` compiles the file for microcontrollers for this machine. `verilator` simulates the circuits of five shapes;
since all but the compiler's time is small here, they are compiled without optimization, what they share only once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from asrc_core.command import command_line
from asrc_core.contract import interpreter
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network
from asrc_core.contract.result import Result
from asrc_core.counts import plural
from asrc_core.errors import AsrcError
from asrc_export.engines import c, rtl
from asrc_export.rtl.plan import Shape
from asrc_export.rtl.simulation import circuit, verilator
from asrc_export.rtl.simulation.tool import HERE, MAKES, ran

SHAPES = (Shape(1), Shape(4, 2), Shape(3, 1, loadable=True), Shape(8, 2, sliced=True), Shape(16))
SHARED = '#include "verilated.h"\n#include <fstream>\n#include <memory>\n#include <string>\n#include <vector>\n'
STEPS = 80
"""At most, so that what was sent 62 steps ago, the longest lag, is heard in some of them."""
Engine = Callable[[int, IntegerNetwork, Ints], Result]


class Quickly:
    """Verilator's circuit as one C++ file, not optimized, beside headers and a run-time library compiled once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        root = subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=True)
        include = Path(root.stdout.strip()) / "include"
        defined = [f"-DVM_{each}=0" for each in ("COVERAGE", "SC", "TRACE")]
        paths = [f"-I{each}" for each in (folder, include, include / "vltstd")]
        self._compiler = [*MAKES.compiler(), "-std=c++17", "-O0", "-w", *defined, *paths]
        (folder / "shared.h").write_text(SHARED)
        self._compile("-x", "c++-header", "shared.h", "-o", "shared.h.gch")
        self._runtime = [folder / f"{name}.o" for name in ("verilated", "verilated_threads")]
        for each in self._runtime:
            self._compile("-c", str(include / f"{each.stem}.cpp"), "-o", each.name)

    def missing(self) -> str | None:
        """What is missing here; None if nothing is."""
        return verilator.missing()

    def build(self, folder: Path, sources: Sequence[str], flags: Sequence[str]) -> Path:
        """Make the program of the circuit in a folder."""
        making = [each for each in verilator.ARGUMENTS.read_text().split() if each not in ("--exe", "--build")]
        ran(["verilator", *making, *sources], folder, "Verilator")
        made = folder / "obj_dir"
        parts = ["shared.h", *sorted(path.name for path in made.glob("*.cpp")), str(HERE / "harness.cpp")]
        (made / "all.cc").write_text("".join(f'#include "{each}"\n' for each in parts))
        defined = [*flags, f'-DCIRCUIT="{HERE / "verilator.h"}"']
        files = [str(made / "all.cc"), *map(str, self._runtime), "-o", str(folder / "sim")]
        self._compile(f"-I{made}", *defined, *files, "-lpthread")
        return folder / "sim"

    def _compile(self, *arguments: str) -> None:
        ran([*self._compiler, *arguments], self._folder, "the C++ compiler")


def through_verilator(folder: Path) -> Engine:
    circuit.SIMULATORS["quickly"] = Quickly(folder)

    def run(seed: int, network: IntegerNetwork, x: Ints) -> Result:
        built = circuit.Circuit(network, SHAPES[seed % len(SHAPES)], "quickly")
        return rtl.result(network, x.astype(np.int32), built.run(x, stalls=seed % 2 * seed), trace=True)

    return run


def through_c(folder: Path) -> Engine:
    os.environ["ASRC_CACHE"] = str(folder / "compiled")
    return lambda seed, network, x: c.run(network, x, trace=True)


def drawn(seed: int, network: IntegerNetwork, samples: int) -> Ints:
    entry = network.input
    shape = (samples, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


def features(network: IntegerNetwork, expected: Result) -> Iterator[str]:
    """What a network has, each thing once."""
    yield from {f"kind {layer.neuron.kind}" for layer in network.layers}
    connections = [each for layer in network.layers for each in layer.connections]
    if network.input.minimum < 0:
        yield "negative input"
    if network.input.maximum > 1:
        yield "graded input"
    if any(len(each.taps) > 1 for each in connections):
        yield "weighted taps"
    if any(each.delays is not None for each in connections):
        yield "a delay for each synapse"
    for lag in (1, 32):
        if any(lag < each.longest_lag < network.steps for each in connections):
            yield f"lags beyond {plural(lag, 'step')} that come to be heard"
    if any(source != "before" for place in range(len(network.layers)) for source in network.sources(place)):
        yield "recurrence"
    if any(each.saturations for each in expected.counts):
        yield "saturations"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("c", "verilator"))
    parser.add_argument("--networks", type=command_line.positive, default=20, help="how many (default: 20)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (default: 0)")
    options = parser.parse_args()
    having: Counter[str] = Counter()
    updates = 0
    with tempfile.TemporaryDirectory(prefix="asrc-") as name:
        run = {"c": through_c, "verilator": through_verilator}[options.engine](Path(name))
        for seed in range(options.first, options.first + options.networks):
            network = any_network(seed, max_steps=STEPS)
            x = drawn(seed, network, samples=2)
            expected = interpreter.run(network, x, trace=True)
            try:
                require_equal(network, run(seed, network, x), expected, (options.engine, "numpy"))
            except AsrcError as error:
                raise SystemExit(f"network {seed}: {error}") from error
            having.update(features(network, expected))
            updates += sum(each.neuron_updates for each in expected.counts)
            if not (seed + 1 - options.first) % 50:
                command_line.say(f"{seed + 1 - options.first} of {options.networks} networks are equal")
    print(tabulate(sorted(having.items()), ("networks with", "of them"), disable_numparse=True))
    print(f"{options.networks} networks, {updates:,} updates of neurons: every spike, membrane and logit equal")


if __name__ == "__main__":
    main()
