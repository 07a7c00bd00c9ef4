"""One run of a sweep: started, gone on with, or found finished; errors become sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core.errors import AsrcError, InvalidSetting
from asrc_train.sweep.grid import Run

if TYPE_CHECKING:
    from asrc_train.data.dataset import Dataset


@dataclass(frozen=True)
class Outcome:
    """How a run ended: no ``error`` if its checkpoint is there, else the sentence that says what went wrong."""

    run: Run
    error: str | None = None


def train(run: Run, folder: Path, on_progress: Callable[[float], None] = lambda share: None) -> Outcome:
    """Train one run to its checkpoint in ``folder``, on one thread, from its kept state where there is one.

    ``on_progress`` is told the share of the run that is done, after each batch. Whatever goes wrong with the run is
    its outcome; what ``on_progress`` raises stops the run and passes through if it is no ordinary Exception.
    """
    import torch

    from asrc_train.training.fit import BatchDone, Epoch, fit, resume_path

    torch.set_num_threads(1)
    epochs = run.config.training.epochs

    def observe(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone):
            on_progress((event.epoch - 1 + event.batch / event.batches) / epochs)

    out = run.checkpoint(folder)
    try:
        fit(run.config, out, resume=resume_path(out).exists(), observers=(observe,))
    except AsrcError as error:
        return Outcome(run, str(error))
    except MemoryError:
        return Outcome(run, "it ran out of memory.")
    except Exception as error:  # one run's fault must not take the others with it
        return Outcome(run, f"it stopped with {type(error).__name__}: {error}")
    return Outcome(run)


def is_finished(run: Run, folder: Path) -> bool:
    """Whether its checkpoint is there.

    Raises InvalidSetting if one is there that was trained with other settings, or on other samples of one's own.
    """
    from asrc_train.sweep import keys
    from asrc_train.trained import checkpoint

    out = run.checkpoint(folder)
    if not out.exists():
        return False
    kept = checkpoint.load(out)
    found = kept.config
    differing = keys.differing([run.config, found])
    if differing:
        theirs, ours = (f"{keys.shown(keys.value(config, differing[0]))}" for config in (found, run.config))
        why = f"it was trained with other settings ({differing[0]} {theirs} instead of {ours}); choose another folder"
        raise InvalidSetting(f"checkpoint '{out}'", why)
    stated = kept.provenance.get("samples_sha256")
    samples = None if stated is None else _own_data(run)
    if samples is not None and samples.samples_sha256 != stated:
        why = f"'{run.config.data.name}' held other samples when it was trained; choose another folder"
        raise InvalidSetting(f"checkpoint '{out}'", why)
    return True


def require_samples(runs: Iterable[Run]) -> None:
    """Read what samples of one's own the runs take, so that what is wrong with them is told once, before any run.

    Raises what `data.load` raises.
    """
    for run in runs:
        _own_data(run)


def _own_data(run: Run) -> Dataset | None:
    """What a run trains on now, if these are samples of one's own; None for a published data set."""
    from asrc_train import data

    asked = run.config.data
    if not data.is_own(asked.name):
        return None
    return data.load(asked.name, run.config.network.dt, asked.validation_fraction)
