"""asrc-sweep: many trainings of a grid of settings, all cores at work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_core import extras
from asrc_core.command import command_line

if TYPE_CHECKING:
    from asrc_train.sweep.grid import Run
    from asrc_train.sweep.sweep import Trainer

OPTIONS = {
    "data": "data.name",
    "permute": "data.permute",
    "connection": "network.connection",
    "epochs": "training.epochs",
}
"""Which keys other options than --set give, by the option."""

EXAMPLES = """\
  asrc-sweep --data digits --permute --connection vanilla src asrc --seed 0 1 2 -o sweep/
  asrc-sweep --data digits --set network.kernel_length=8,16,32 --set network.decay=0,0.5 -o sweep/
  asrc-sweep --data digits --set network.hidden=[64,64],[128] --epochs 20 -o sweep/
  asrc-sweep sweep.toml --seed 0 1 2 3 4 -o sweep/        grids in a file
  asrc-sweep sweep.toml -o sweep/                         once more: finished runs are kept, the others go on
  asrc-sweep sweep.toml -o /shared/sweep/ --ray auto      as tasks of a Ray cluster

a sweep file holds a recipe's sections, and beside them:
  recipe = "digits"            what the sections go on top of
  seeds = [0, 1, 2]
  [[grid]]                     a list holds the values to try; several grids are joined
  network.connection = "src"
  network.span = [2, 4, 8]
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    return command_line.run(parser, lambda: _sweep(parser.parse_args(argv)))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-sweep",
        "Train every combination of settings with every seed, one process with one thread for each core. Each run "
        "is a checkpoint in the folder, named by its settings; results.csv and results.json say what all came to. "
        "Interrupted, the same command goes on to the same bits.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("file", metavar="SWEEP.toml", nargs="?", type=Path, help="grids, seeds and fixed settings in a file")
    add("--data", metavar="NAME", help="data set; its recipe is what the settings go on top of")
    command_line.add_data_folder(parser)
    add("--recipe", metavar="NAME_OR_TOML", help="another recipe, by name or a path ending in .toml")
    add("--connection", metavar="NAME", nargs="+", help="recurrent connections to try")
    add("--seed", metavar="SEED", nargs="+", type=int, help="seeds (default: 0)")
    add(
        "--set",
        metavar="KEY=V,V,...",
        dest="grid",
        action="append",
        default=[],
        help="values to try for any key of a recipe, as network.span=2,4,8; repeatable, all combinations are trained",
    )
    add("--permute", action="store_true", help="feed the steps in one fixed random order")
    add("--epochs", metavar="N", type=command_line.positive)
    add("-o", "--out", metavar="FOLDER", type=Path, default=Path("sweep"), help="default: sweep")
    add("--list", action="store_true", help="print the runs and train nothing")
    add("--workers", metavar="N", type=command_line.positive, help="processes (default: one for each core)")
    add("--ray", metavar="ADDRESS", help="train on a Ray cluster instead: its address, auto, or local")
    return parser


def runs(options: argparse.Namespace) -> list[Run]:
    """The runs that the options ask for. Raises UnknownName, and InvalidSetting for a key that is given twice, too."""
    from asrc_core.errors import InvalidSetting, UnknownName
    from asrc_train import data
    from asrc_train.sweep import grid

    more = _to_try(options)
    fixed: dict[str, dict[str, Any]] = {}
    if options.permute:
        fixed["data"] = {"permute": True}
    if options.epochs:
        fixed["training"] = {"epochs": options.epochs}
    if options.file:
        if options.data or options.recipe:
            raise InvalidSetting("--data and --recipe", f"'{options.file}' names them already")
        return grid.from_file(options.file, fixed, more, options.seed)
    if not (options.data or options.recipe):
        raise InvalidSetting("--data", f"name a data set ({', '.join(data.names())}), a --recipe or a sweep file")
    if options.data:
        if not data.is_known(options.data):
            raise UnknownName("data set", options.data, data.names(), data.OWN)
        fixed.setdefault("data", {})["name"] = options.data
    return grid.runs(options.recipe or options.data, fixed, [more], options.seed or [0])


def _to_try(options: argparse.Namespace) -> dict[str, list[Any]]:
    from asrc_core.errors import InvalidSetting
    from asrc_train.sweep import keys

    found: dict[str, list[Any]] = {"network.connection": options.connection} if options.connection else {}
    by_option = {key: option for option, key in OPTIONS.items() if getattr(options, option)}
    for key, values in map(keys.parse, options.grid):
        if key in by_option:
            raise InvalidSetting(
                f"setting '{key}'", f"both --{by_option[key]} and --set give it; leave one of them out"
            )
        if key in found:
            raise InvalidSetting(f"setting '{key}'", f"--set gives it twice; name all values at once, as {key}=A,B,C")
        found[key] = values
    return found


def _sweep(options: argparse.Namespace) -> None:
    planned = runs(options)
    if options.list:
        print("\n".join(run.name for run in planned))
        return

    extras.require("train")
    from tabulate import tabulate

    from asrc_core.command import progress
    from asrc_core.errors import RunsFailed
    from asrc_train.sweep.result import summary
    from asrc_train.sweep.sweep import sweep

    with progress.bar("sweep", len(planned)) as update:
        found = sweep(planned, options.out, _trainer(options), update)
    if found.results:
        rows = summary(list(found.results.values()), found.swept)
        print(tabulate(rows, headers="keys", disable_numparse=True))
    print(options.out / "results.csv")
    if found.failed:
        raise RunsFailed(found.failed, len(planned), options.out)


def _trainer(options: argparse.Namespace) -> Trainer:
    from asrc_train.sweep import on_ray, processes

    if options.ray:
        return lambda waiting, folder: on_ray.train_all(waiting, folder, options.ray)
    return lambda waiting, folder: processes.train_all(waiting, folder, options.workers)


if __name__ == "__main__":
    sys.exit(main())
