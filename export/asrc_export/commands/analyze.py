"""asrc-analyze with the analysis that deploys networks: accuracy against what it costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core.command import command_line
from asrc_train.commands import analyze

if TYPE_CHECKING:
    from asrc_train.analysis.analysis import Analysis

EXAMPLES = """\
  asrc-analyze pareto sweep/ --cost energy -o pareto.svg -o pareto.csv
  asrc-analyze pareto sweep/ --bits 8 6 4 --cost storage -o storage.svg
"""
COSTS = ("energy", "latency", "storage", "neurons", "cores")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return analyze.run(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser, add = analyze.parser(EXAMPLES)
    pareto = add("pareto", _pareto, "Test accuracy of the deployed networks against what they cost on a target.")
    analyze.add_checkpoints(pareto)
    pareto.add_argument("--cost", choices=COSTS, default="energy", help="the cost along the axis (default: energy)")
    pareto.add_argument(
        "--bits", metavar="N", nargs="+", type=command_line.positive, default=[8], help="weight bits (default: 8)"
    )
    pareto.add_argument("--target", metavar="NAME_OR_TOML", default="loihi2", help="default: loihi2")
    pareto.add_argument(
        "--mapping", choices=["delay-line", "synaptic-delay"], default="delay-line", help="where past spikes are kept"
    )
    pareto.add_argument("--data", metavar="NAME", help="data set (default: the one each was trained on)")
    command_line.add_data_folder(pareto)
    pareto.add_argument("--limit", metavar="N", type=command_line.positive, help="only the first N test samples")
    return parser


def _pareto(options: argparse.Namespace) -> Analysis:
    from asrc_core.command import progress
    from asrc_core.contract.rounding.grid import require_bits
    from asrc_export.chip import targets
    from asrc_export.engines import select
    from asrc_export.what_if import pareto
    from asrc_export.what_if.measure import Setting
    from asrc_train.sweep.result import checkpoints_in

    for bits in options.bits:
        require_bits(bits)
    paths: list[Path] = checkpoints_in(options.checkpoints)
    setting = Setting(targets.load(options.target), select.engine().run, mapping=options.mapping, limit=options.limit)
    with progress.bar("deploying", len(paths)) as update:
        found, refused = pareto.points(paths, setting, options.bits, options.cost, data=options.data, progress=update)
    return pareto.pareto(found, refused, options.cost)


if __name__ == "__main__":
    sys.exit(main())
