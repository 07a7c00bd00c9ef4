"""asrc-analyze: figures and numbers of what trained networks and sweeps show."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core import extras
from asrc_core.command import command_line

if TYPE_CHECKING:
    from asrc_train.analysis.analysis import Analysis
    from asrc_train.trained.checkpoint import Checkpoint

    Add = Callable[[str, Callable[[argparse.Namespace], Analysis], str], argparse.ArgumentParser]

EXAMPLES = """\
  asrc-analyze gradients vanilla.pt src.pt asrc.pt -o gradients.svg
  asrc-analyze skip-kernel asrc.pt -o kernel.png
  asrc-analyze delays yin-yang.pt -o delays.svg
  asrc-analyze training vanilla.pt src.pt asrc.pt -o training.svg -o training.csv
  asrc-analyze sweep sweep/ --x network.span --where network.connection=src -o spans.svg
  asrc-analyze sweep sweep/ --x network.max_delay --line network.recurrent -o delays.svg
  asrc-analyze sweep sweep/ --x network.decay --line network.connection -o decay.pdf
  asrc-analyze sweep sweep/ --x network.kernel_length --metric spans -o chosen.svg
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(_parser(), argv)


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse the options and do what they ask for; the exit status."""
    return command_line.run(parser, lambda: _analyze(parser.parse_args(argv)))


def _parser() -> argparse.ArgumentParser:
    return parser()[0]


def parser(more_examples: str = "") -> tuple[argparse.ArgumentParser, Add]:
    """The command's parser, and how another package adds an analysis: its name, function and description."""
    examples = EXAMPLES + more_examples
    made = command_line.parser(
        "asrc-analyze", "Draw what trained networks and sweeps show, and write the numbers beside.", examples
    )
    kinds = made.add_subparsers(metavar="ANALYSIS", required=True)

    def add(name: str, analysis: Callable[[argparse.Namespace], Analysis], described: str) -> argparse.ArgumentParser:
        own = [line for line in examples.splitlines() if f" {name} " in line]
        kind = kinds.add_parser(
            name,
            help=described,
            description=described,
            epilog="\n".join(["examples:", *own]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        kind.set_defaults(analysis=analysis)
        kind.add_argument(
            "-o",
            "--out",
            metavar="FILE",
            action="append",
            default=[],
            help="a figure (.svg, .png, .pdf) or its numbers (.csv, .json); repeatable. Without it, a short table only",
        )
        return kind

    gradients = add("gradients", _gradients, "How far back in time each layer's gradient reaches.")
    add_checkpoints(gradients)
    gradients.add_argument(
        "--samples", metavar="N", type=command_line.positive, default=128, help="validation samples (default: 128)"
    )
    gradients.add_argument("--data", metavar="PATH", help="where your own samples are now, if not where they were")
    command_line.add_data_folder(gradients)
    kernel = add("skip-kernel", _skip_kernel, "Heat map of an ASRC network's mixture over spans, epoch by epoch.")
    kernel.add_argument("checkpoint", metavar="MODEL.pt", type=Path)
    delays = add("delays", _delays, "Histogram of the delays that a network's synapses have learned.")
    delays.add_argument("checkpoint", metavar="MODEL.pt", type=Path)
    add_checkpoints(add("training", _training, "Loss, accuracy and spans, epoch by epoch."))
    sweep = add("sweep", _sweep, "A metric over a swept setting, mean and band over the seeds.")
    add_checkpoints(sweep)
    sweep.add_argument("--x", metavar="KEY", required=True, help="the setting along the axis, as network.span")
    sweep.add_argument("--line", metavar="KEY", nargs="+", default=[], help="a line for each value of these settings")
    sweep.add_argument(
        "--where",
        metavar="KEY=V,V,...",
        action="append",
        default=[],
        help="only runs with one of these values, as network.connection=src; repeatable",
    )
    sweep.add_argument("--metric", default="test", help="test (default), validation, test_mixture or spans")
    return made, add


def add_checkpoints(kind: argparse.ArgumentParser) -> None:
    """The checkpoints that an analysis is of."""
    kind.add_argument("checkpoints", metavar="MODEL.pt", nargs="+", type=Path, help="or folders of checkpoints")


def _analyze(options: argparse.Namespace) -> None:
    extras.require("train")
    from tabulate import tabulate

    from asrc_core.files.atomic import require_writable
    from asrc_train.analysis import analysis

    for path in options.out:
        analysis.require_format(path)
        require_writable(path)
    made: Analysis = options.analysis(options)
    print(tabulate(list(made.summary), headers="keys", disable_numparse=True))
    for note in made.notes:
        command_line.say(f"note: {note}")
    for path in options.out:
        analysis.write(made, path)
        print(path)


def _gradients(options: argparse.Namespace) -> Analysis:
    from asrc_train.analysis.gradients import gradients

    return gradients(_loaded(options.checkpoints), options.samples, options.data)


def _skip_kernel(options: argparse.Namespace) -> Analysis:
    from asrc_train.analysis.skip_kernel import skip_kernel
    from asrc_train.trained import checkpoint

    return skip_kernel(str(options.checkpoint), checkpoint.load(options.checkpoint))


def _delays(options: argparse.Namespace) -> Analysis:
    from asrc_train.analysis.delays import delays
    from asrc_train.trained import checkpoint

    return delays(str(options.checkpoint), checkpoint.load(options.checkpoint))


def _training(options: argparse.Namespace) -> Analysis:
    from asrc_train.analysis.curves import curves

    return curves(_loaded(options.checkpoints))


def _sweep(options: argparse.Namespace) -> Analysis:
    from asrc_train.analysis.swept import swept
    from asrc_train.sweep import keys
    from asrc_train.sweep.result import checkpoints_in, read, where

    wanted = dict(keys.parse(assignment) for assignment in options.where)
    results = where(map(read, checkpoints_in(options.checkpoints)), wanted)
    return swept(results, options.x, options.line, options.metric)


def _loaded(paths: Sequence[Path]) -> dict[str, Checkpoint]:
    from asrc_train.sweep.result import checkpoints_in
    from asrc_train.trained import checkpoint

    return {str(path): checkpoint.load(path) for path in checkpoints_in(paths)}


if __name__ == "__main__":
    sys.exit(main())
