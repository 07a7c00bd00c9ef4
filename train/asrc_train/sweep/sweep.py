"""A sweep whole: what is finished already is kept, the rest is trained, and the results are written as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from asrc_core.errors import UnwritableOutput
from asrc_core.files import table_file
from asrc_core.files.atomic import require_writable
from asrc_train.sweep import keys
from asrc_train.sweep.grid import Run
from asrc_train.sweep.processes import Progress
from asrc_train.sweep.result import Result, read
from asrc_train.sweep.train import Outcome, is_finished, require_samples

Trainer = Callable[[Sequence[Run], Path], Generator[Progress | Outcome, None, None]]
"""Something that trains runs: `processes.train_all`, or Ray."""


@dataclass
class Found:
    """What a sweep has come to so far: results and errors by the run's name, and the keys that were swept."""

    swept: list[str]
    results: dict[str, Result] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write `results.csv` and `results.json`, a row for each run that ended."""
        rows = [result.row(self.swept) for result in self.results.values()]
        rows += [{"name": name, "error": error} for name, error in self.failed.items()]
        for suffix in table_file.WRITERS:
            table_file.write(rows, folder / f"results{suffix}")


def sweep(
    runs: Sequence[Run],
    folder: Path,
    train_all: Trainer,
    update: Callable[[float, str], None] = lambda done, note: None,
) -> Found:
    """Train the runs that have no checkpoint in ``folder`` yet and tell what all of them came to.

    Unfinished ones go on from their last epoch. Results are in the order of ``runs``. Raises UnwritableOutput,
    InvalidSetting (a checkpoint of that name was trained with other settings or on other samples), what is wrong with
    samples of one's own, and what ``train_all`` raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(folder, error.strerror or str(error)) from error
    require_writable(folder / "results.csv")
    swept = list(dict.fromkeys(key for run in runs for key in run.swept if key != keys.SEED))
    found = Found([*swept, keys.SEED])
    ended = {run.name: Outcome(run) for run in runs if is_finished(run, folder)}
    waiting = [run for run in runs if run.name not in ended]
    require_samples(waiting)
    under_way: dict[str, float] = {}
    _record(found, runs, ended, folder)
    update(len(ended), "")
    with closing(train_all(waiting, folder)) as events:
        for event in events:
            if isinstance(event, Progress):
                under_way[event.run.name] = event.share
            else:
                ended[event.run.name] = event
                under_way.pop(event.run.name, None)
                _record(found, runs, ended, folder)
            update(len(ended) + sum(under_way.values()), f"{len(found.failed)} failed" if found.failed else "")
    return found


def _record(found: Found, runs: Sequence[Run], ended: dict[str, Outcome], folder: Path) -> None:
    """Add the runs that have ended to what was found, and write it."""
    results: dict[str, Result] = {}
    for run in runs:
        outcome = ended.get(run.name)
        if outcome is None:
            continue
        if outcome.error is None:
            results[run.name] = found.results.get(run.name) or read(run.checkpoint(folder))
        else:
            found.failed[run.name] = outcome.error
    found.results = results
    found.write(folder)
