"""asrc-demo: the whole way on real digits, with no arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core import extras
from asrc_core.command import command_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asrc_core.contract.network import IntegerNetwork
    from asrc_export.report import Confirmation
    from asrc_lava.graph.plan import Graph

EXAMPLES = """\
  asrc-demo
  asrc-demo --seed 1 --out another
"""

SINGLE_GRAPH_SAMPLES = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    return command_line.run(parser, lambda: _demo(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-demo",
        "Train an ASRC network on real handwritten digits, freeze it, quantize it for Loihi 2, run it on Lava and "
        "report how it compares with the float model.",
        EXAMPLES,
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("demo"), help="default: demo")
    parser.add_argument("--seed", metavar="SEED", type=int, default=0)
    return parser


def _demo(options: argparse.Namespace) -> None:
    from asrc_core.errors import UnwritableOutput

    extras.require("report")
    folder: Path = options.out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(folder, error.strerror or str(error)) from error
    print("Loading PyTorch and Lava; the first time after an installation that takes up to a minute.", flush=True)

    from asrc_export import report
    from asrc_export.commands.printed.exported import print_layers
    from asrc_export.engines import select
    from asrc_export.exporting import export
    from asrc_export.report.render import formats
    from asrc_lava.host import interpreter
    from asrc_train.commands import train as cli_train

    interpreter.command()  # raises if there is none: before a minute of training, not after it

    model = folder / "model.pt"
    print("1. Train: ASRC on 8 x 8 digits, one pixel a step", flush=True)
    cli_train.train(["--data", "digits", "--connection", "asrc", "--seed", str(options.seed), "--out", str(model)])
    print("2. Freeze and quantize for Loihi 2", flush=True)
    exported = export(model, "loihi2", folder / "model.loihi2.safetensors")
    print_layers(exported)
    print("3. Run on Lava, step by step, and compare every integer", flush=True)
    confirmations = _confirm(exported.network)
    print("4. Report: both networks on all held-out digits, figures, five formats", flush=True)
    assert exported.path is not None, "a checkpoint's export is written"
    made = report.make_from_files(exported.path, model, select.engine(), confirmations=confirmations)
    written = [folder / f"report{suffix}" for suffix in formats.WRITERS]
    for path in written:
        report.write(made, path)
    print(f"\n{report.summary(made)}\n")
    for path in (model, exported.path, *written):
        print(path)


def _confirm(network: IntegerNetwork) -> list[Confirmation]:
    """Lava against the NumPy engine: all held-out digits in batches, some through the graph that maps to a chip."""
    import time

    from asrc_core.command import progress
    from asrc_core.contract.parity import require_equal
    from asrc_export.engines import numpy as reference
    from asrc_export.report import Confirmation
    from asrc_export.samples.dataset_samples import dataset_for
    from asrc_lava.host import run

    x = dataset_for(network).test_x
    done = []
    runs: list[tuple[Graph, NDArray[np.uint8]]] = [("single", x[:SINGLE_GRAPH_SAMPLES]), ("batched", x)]
    for graph, some in runs:
        started = time.perf_counter()
        with progress.bar(f"Lava, {graph} graph", 1) as update:
            on_lava = run.run(network, some, trace=True, graph=graph, progress=lambda d, t: update(d / t, ""))
        seconds = time.perf_counter() - started
        require_equal(network, on_lava, reference.run(network, some, trace=True), ("lava", "numpy"))
        done.append(Confirmation(backend=f"lava, {graph} graph", samples=len(some), differing=0, seconds=seconds))
        print(
            f"Lava, {graph} graph: {len(some)} digits, equal in every spike and membrane ({seconds:.1f} s)", flush=True
        )
    return done


if __name__ == "__main__":
    sys.exit(main())
