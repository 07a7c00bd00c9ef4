"""How well a sweep uses the cores: its runs one after the other in one process, and side by side in the workers.

    python benchmarks/sweep.py
    python benchmarks/sweep.py --quick --json

`speed-up` is the time of one worker over the time of all; `of the cores` is that over the number of cores, 100 % where
the sum of the parts is had. Each sweep is whole: starting processes, loading PyTorch and data, training, reading the
checkpoints back. Medians over rounds in which both take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from asrc_train.settings import recipe
from asrc_train.sweep import grid, processes
from asrc_train.sweep.sweep import sweep


def seconds(runs: list[grid.Run], workers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        found = sweep(runs, Path(folder), lambda waiting, at: processes.train_all(waiting, at, workers))
        assert not found.failed, found.failed
        return time.perf_counter() - begin


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs-per-core", type=int, default=4, help="default: 4")
    parser.add_argument("--epochs", type=int, default=20, help="of each run (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--quick", action="store_true", help="under a minute: 2 runs for each core, 6 epochs, 1 round")
    parser.add_argument("--json", action="store_true", help="print all ratios as one object at the end")
    options = parser.parse_args()
    if options.quick:
        options.runs_per_core, options.epochs, options.rounds = 2, 6, 1
    cores = len(os.sched_getaffinity(0))
    seeds = range(cores * options.runs_per_core)
    runs = grid.runs(recipe.find("digits"), {"training": {"epochs": options.epochs}}, [{}], seeds)
    times: dict[int, list[float]] = {1: [], cores: []}
    for _ in range(options.rounds):
        for workers, taken in times.items():
            taken.append(seconds(runs, workers))
    medians = {workers: statistics.median(taken) for workers, taken in times.items()}
    speed_up = medians[1] / medians[cores]
    rows = [
        [f"{workers} workers", f"{taken:.1f} s", f"{medians[1] / taken:.2f}x"] for workers, taken in medians.items()
    ]
    print(tabulate(rows, [f"{len(runs)} runs, {options.epochs} epochs", "median", "speed-up"]))
    if options.json:
        print(json.dumps({"speed-up": round(speed_up, 3), "of the cores": round(speed_up / cores, 3), "cores": cores}))


if __name__ == "__main__":
    main()
