"""Instructions a step, flash and RAM of networks as C on emulated cores, every spike, membrane and logit compared.

    python benchmarks/microcontroller.py
    python benchmarks/microcontroller.py model.loihi2.safetensors --samples 360 --core cortex-m4
    python benchmarks/microcontroller.py model.loihi2.safetensors --samples 360 --core host

`host` is this machine, where the address and undefined behaviour sanitizers watch; nothing is counted there.
Instructions are counted by QEMU at one a nanosecond; they are not cycles. Without a network file it takes the trained
examples. Needs the cross compilers and QEMU (docs/how-to/microcontroller.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tabulate import tabulate

from asrc_core.command import command_line
from asrc_core.contract.file import network_file
from asrc_export.codegen.mcu.program import program
from asrc_export.emulation import cores, emulate
from asrc_export.samples.dataset_samples import dataset_for

CORES = {**cores.CORES, "host": cores.HOST}
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.loihi2.safetensors"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=EXAMPLES, help="integer networks that name their data set")
    parser.add_argument("--samples", type=command_line.positive, default=3, help="test samples of each (default: 3)")
    parser.add_argument("--core", choices=CORES, action="append", help="one or several (default: all but host)")
    options = parser.parse_args()
    rows = []
    for path in options.networks:
        network = network_file.load(path)
        x, printed = dataset_for(network).test_x[: options.samples], program(network)
        for name in options.core or cores.CORES:
            core = CORES[name]
            done, counted = emulate.emulate(network, x, core), ("", "", "")
            if core is not cores.HOST:
                taken = emulate.sizes(printed, core)
                counted = tuple(f"{each:,.0f}" for each in (done.per_step, taken.flash, taken.ram))
            numbers = (*counted, f"{printed.weights:,}", f"{done.compared:,}")
            rows.append((Path(path).name, name, done.samples, *numbers))
    headers = ("network", "core", "samples", "instructions a step", "flash", "RAM", "weights, bytes", "numbers equal")
    print(tabulate(rows, headers, disable_numparse=True))


if __name__ == "__main__":
    main()
