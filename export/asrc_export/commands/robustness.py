"""asrc-robustness: accuracy of deployed and float networks while inputs, spikes, neurons and weights go wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from asrc_core import extras
from asrc_core.command import command_line
from asrc_export import engines

EXAMPLES = """\
  asrc-robustness model.loihi2.safetensors --float model.pt
  asrc-robustness a.loihi2.safetensors b.loihi2.safetensors --float a.pt b.pt -o curves.html -o curves.csv
  asrc-robustness model.loihi2.safetensors --only input-noise --levels 0.05 0.1 0.2 --draws 10 --limit 200
  asrc-robustness --list
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if not options.list and not options.networks:
        parser.error("name an integer network, or --list")
    body = _list if options.list else _measure
    return command_line.run(parser, lambda: body(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-robustness",
        "Run integer networks, and the float networks they came from, on test samples under growing perturbations, "
        "and show how accuracy falls. Networks of one variant that differ in their seed share a curve.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("networks", metavar="NETWORK.safetensors", nargs="*", help="integer networks written by asrc-export")
    add("--float", dest="models", metavar="MODEL.pt", nargs="+", default=[], help="their checkpoints, in any order")
    add("--data", metavar="NAME", help="data set (default: the one trained on)")
    command_line.add_data_folder(parser)
    add("--limit", metavar="N", type=command_line.positive, help="only the first N test samples")
    add("--draws", metavar="N", type=command_line.positive, help="random draws at each level (default: 3)")
    add("--seed", metavar="N", type=int, default=0, help="of the draws (default: 0)")
    add("--only", metavar="NAME[,NAME]", help="only these perturbations (default: all; --list shows them)")
    add("--levels", metavar="X", type=float, nargs="+", help="with a single perturbation: its levels, beside 0")
    add("--engine", choices=engines.names(), default="native", help="all give the same bits")
    add("--list", action="store_true", help="list the perturbations with their levels, and stop")
    command_line.add_outputs(parser, "the curves", ".html, .svg, .json, .csv, .md, .txt")
    return parser


def _measure(options: argparse.Namespace) -> None:
    extras.require("train")

    from asrc_core.command import progress
    from asrc_core.errors import InvalidSetting
    from asrc_core.files import by_suffix
    from asrc_core.files.atomic import require_writable
    from asrc_export.engines import select
    from asrc_export.robustness import formats, measure, pairs

    for path in options.out:
        by_suffix.require(path, formats.WRITERS)
        require_writable(path)
    if not 0 <= options.seed < 2**32:
        raise InvalidSetting("--seed", f"{options.seed} is outside 0 to {2**32 - 1}")
    only = [name.strip() for name in options.only.split(",")] if options.only else None
    asked = measure.chosen(only, options.levels)
    networks = pairs.load(options.networks, options.models)
    with progress.bar("robustness", 1) as update:
        report = measure.make(
            networks,
            asked,
            select.engine(options.engine).run,
            data_name=options.data,
            limit=options.limit,
            draws=options.draws or measure.DRAWS,
            seed=options.seed,
            progress=update,
        )
    if not options.out:
        print(formats.text(report), end="")
        return
    for path in options.out:
        formats.write(report, path)
        print(path)


def _list(options: argparse.Namespace) -> None:
    from tabulate import tabulate

    from asrc_export.robustness import perturbations

    found = [(name, perturbations.load(name)) for name in perturbations.names()]
    rows = [(name, each.title, each.axis, " ".join(f"{level:g}" for level in each.levels)) for name, each in found]
    print(tabulate(rows, ("name", "what goes wrong", "level", "default levels"), disable_numparse=True))


if __name__ == "__main__":
    sys.exit(main())
