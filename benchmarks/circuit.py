"""Cycles a step of networks as circuits, simulated; every spike, membrane, logit and saturation compared.

    python benchmarks/circuit.py --device ice40up5k --samples 20
    python benchmarks/circuit.py model.loihi2.safetensors --device ecp5-25f --samples 360
    python benchmarks/circuit.py --shd shd.safetensors --device ecp5-85f --samples 2

The circuit is the one that `asrc-export --verilog FOLDER --build DEVICE` places and routes, which prints the clock.
`--shd FILE` writes a network of the shape that circuits for Spiking Heidelberg Digits have (700-256-20, in each synapse
a delay of up to 15 steps), with drawn weights, and takes that: its size and speed are real, its answers mean nothing.
Samples are those of the network's data set, or drawn over the whole range of the input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tabulate import tabulate

from asrc_core.command import command_line
from asrc_core.contract import interpreter
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.parity import require_equal
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_export.chip import devices
from asrc_export.chip.devices.fpga import Fpga
from asrc_export.commands.circuits import samples_of
from asrc_export.engines import rtl
from asrc_export.rtl.simulation.circuit import Circuit
from asrc_export.rtl.synthesis.build import shape_for

EXAMPLE = Path(__file__).parents[1] / "examples" / "psmnist-asrc.loihi2.safetensors"
CHUNK = 20
"""Samples at once, to bound memory."""


def shd_shaped() -> IntegerNetwork:
    """700 channels of spikes, 256 LIF neurons, 20 classes, 100 steps; weights of 8 bits and delays of 0 to 15 steps."""
    rng, grid = np.random.default_rng(0), WeightGrid(8)

    def connection(source: str, neurons: int, inputs: int) -> Connection:
        weights = grid.nearest(rng.normal(0, 60, (neurons, inputs)).clip(grid.low, grid.high))
        return Connection(source, weights, 0, 8, (), rng.integers(0, 16, (neurons, inputs)), "synaptic-delay")

    hidden = {"activation_shift": 6, "bias": 0, "decay": 2048, "threshold": 60_000, "reset": "soft", "fires": "at"}
    layers = (
        Layer("hidden", (connection(INPUT, 256, 700),), Neuron("lif", hidden)),
        Layer("readout", (connection("hidden", 20, 256),), Neuron("integrator", {"bias": 0})),
    )
    return IntegerNetwork(InputFormat(700, 0, 1, 1.0), layers, "loihi2", 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="integer networks (default: the psmnist example)")
    parser.add_argument("--shd", metavar="FILE", help="write the network of SHD's shape, and take it")
    parser.add_argument("--device", default="ecp5-25f", help="the FPGA (default: ecp5-25f)")
    parser.add_argument("--samples", type=command_line.positive, default=4, help="of each network (default: 4)")
    options = parser.parse_args()
    if options.shd:
        network_file.save(shd_shaped(), options.shd)
    device = devices.load(options.device)
    assert isinstance(device, Fpga)
    shape, rows = shape_for(device), []
    for path in [*options.networks, *([options.shd] if options.shd else [])] or [EXAMPLE]:
        network = network_file.load(path)
        circuit, x = Circuit(network, shape), samples_of(network, options.samples)
        cycles = updates = saturations = 0
        for part in (x[at : at + CHUNK] for at in range(0, len(x), CHUNK)):
            done = circuit.run(part)
            expected = interpreter.run(network, part, trace=True)
            given = rtl.result(network, part.astype(np.int32), done, trace=True)
            require_equal(network, given, expected, ("rtl", "numpy"))
            cycles, updates = cycles + done.cycles, updates + done.shown.size
            saturations += sum(each.saturations for each in expected.counts)
        a_step = cycles / (len(x) * network.steps)
        of = (len(x), f"{updates:,}", f"{saturations:,}", f"{a_step:,.1f}")
        rows.append((Path(path).name, device.name, f"{shape.lanes}, {shape.pipes}", *of))
    headers = ("network", "device", "lanes, pipes", "samples", "updates equal", "saturations", "cycles a step")
    print(tabulate(rows, headers, disable_numparse=True))


if __name__ == "__main__":
    main()
