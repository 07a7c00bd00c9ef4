"""Training a baseline as its spiking network was trained: the same samples, split, epochs, batches, schedule and seed.

After each epoch the whole state is kept in a file; a training that was stopped goes on from it, and one that is done is
read from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asrc_core.counts import plural
from asrc_core.errors import TrainingDiverged, UnreadableFile
from asrc_core.files.atomic import replacing, require_writable
from asrc_train.baselines.recurrent import TITLES, DenseRecurrent, Kind, of_size, parameters
from asrc_train.data.dataset import Dataset, Labels, Samples, fingerprint, training_parts
from asrc_train.network.sparsity import absent
from asrc_train.settings.config import Config
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import BATCH, fed
from asrc_train.training.objective import class_weights
from asrc_train.training.schedule import seed_in, set_rates

CLIP = 1.0
"""Largest norm of the gradient where the spiking network's training states none: over long sequences the gradient of a
dense network explodes."""
TIMED_BATCHES = 3
"""So many batches tell how long the training will take."""

_KIND, _WAY_OUT = "baseline", "remove it, and the baseline is trained anew"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained baseline, of its best epoch on the validation part."""

    kind: Kind
    network: DenseRecurrent
    layers: int
    width: int
    epochs: int
    best_epoch: int
    validation_accuracy: float
    seconds: float
    scale: float
    zero: int

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return parameters(self.network)

    def predictions(self, x: Samples) -> Labels:
        """(n,) answers for integer samples (n, T, channels)."""
        return _predictions(self.network, x, self.scale, self.zero)


def fit(
    kind: Kind,
    trained: Checkpoint,
    dataset: Dataset,
    folder: str | Path,
    *,
    epochs: int | None = None,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> Fitted:
    """Train a baseline with as many parameters as ``trained`` learned, spans left out, on the data set's training part.

    The data set's steps are in the network's order. ``epochs`` are the checkpoint's own unless given. ``say`` is told
    once how large the network is and how long it will take; ``progress`` gets the share done. The state is kept in
    ``folder`` under a name of its settings. Raises UnwritableOutput, UnreadableFile, TrainingDiverged, InvalidSetting.
    """
    config = trained.config
    if epochs is not None:
        config = config.model_copy(update={"training": config.training.model_copy(update={"epochs": epochs})})
    run = _Run(kind, config, dataset, learned(trained), Path(folder))
    run.restore()
    if run.epochs_done < config.training.epochs:
        require_writable(run.path)
    while run.epochs_done < config.training.epochs:
        run.train_epoch(say, progress)
        run.store()
    return run.fitted()


def learned(trained: Checkpoint) -> int:
    """How many parameters a checkpoint's network has, absent weights and what chose its spans left out."""
    named = trained.network().named_parameters()
    return sum(each.numel() for name, each in named if ".connection." not in name) - absent(trained.tensors)


class _Run:
    """One training under way."""

    def __init__(self, kind: Kind, config: Config, dataset: Dataset, size: int, folder: Path) -> None:
        self.kind, self.config, self.dataset = kind, config, dataset
        torch.manual_seed(config.training.seed)
        self.depth = len(config.network.hidden)
        self.network = of_size(kind, dataset.channels, self.depth, dataset.classes, size)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=config.training.weight_decay)
        (x, y), (self.held_x, self.held_y) = training_parts(dataset, config.data.validation_fraction)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.weights = class_weights(self.y, dataset.classes, config)
        self.key = self._key(x, y)
        self.path = folder / f"baseline-{kind}-{self.key[:12]}.pt"
        self.history: list[dict[str, float]] = []
        self.best = 0
        self.best_tensors: dict[str, Tensor] = {}
        self.seconds = 0.0
        self._resumed_at = 0

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    def _key(self, x: Samples, y: Labels) -> str:
        """Of all that the result depends on."""
        training, size, name = self.config.training.model_dump_json(), parameters(self.network), self.config.data.name
        stated = json.dumps([self.kind, self.depth, size, training, name, fingerprint(x, y, self.held_x, self.held_y)])
        return hashlib.sha256(stated.encode()).hexdigest()

    def train_epoch(self, say: Callable[[str], None], progress: Callable[[float, str], None]) -> None:
        training, epoch = self.config.training, self.epochs_done
        draw = torch.Generator().manual_seed(seed_in(self.config, epoch))
        batches = torch.randperm(len(self.y), generator=draw).split(training.batch_size)  # type: ignore[no-untyped-call]
        began, total, note = time.perf_counter(), 0.0, self._note()
        self.network.train()
        for i, batch in enumerate(batches):
            set_rates(self.optimizer, self.config, epoch + i / len(batches))
            self.optimizer.zero_grad(set_to_none=True)
            x = fed(self.x[batch], self.dataset.scale, zero=self.dataset.shape.zero)
            logits, labels = self.network(x), self.y[batch]
            # Divided by how many samples there are, and not by their weights, as the spiking network's loss is.
            loss = nn.functional.cross_entropy(logits, labels, weight=self.weights, reduction="sum") / len(batch)
            if not math.isfinite(loss.item()):
                raise TrainingDiverged(epoch + 1, "loss of the baseline", self.path if self.history else None)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), training.gradient_clip or CLIP)
            self.optimizer.step()
            total += loss.item() * len(batch)
            if i + 1 == min(TIMED_BATCHES, len(batches)):
                self._tell(say, (time.perf_counter() - began) / (i + 1) * len(batches))
            progress((epoch + (i + 1) / len(batches)) / training.epochs, note)
        self.network.eval()
        held = _predictions(self.network, self.held_x, self.dataset.scale, self.dataset.shape.zero)
        validation = float((held == self.held_y).mean())
        self.history.append({"loss": total / len(self.y), "validation": validation})
        if validation >= self.history[self.best]["validation"]:
            self.best = epoch
            self.best_tensors = {name: each.detach().clone() for name, each in self.network.state_dict().items()}
        self.seconds += time.perf_counter() - began

    def _tell(self, say: Callable[[str], None], seconds_an_epoch: float) -> None:
        """How long all of it takes, once in a process."""
        if self.epochs_done != self._resumed_at:
            return
        left = self.config.training.epochs - self.epochs_done
        minutes = max(1, round(left * seconds_an_epoch / 60))
        took = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
        say(
            f"Training a {TITLES[self.kind]} ({self.depth} x {self.network.layers.hidden_size:,} neurons, "
            f"{plural(parameters(self.network), 'parameter')}) for {plural(left, 'epoch')}: about {took}. "
            "After each epoch it is kept "
            f"in '{self.path}'; stopped, it goes on from there."
        )

    def _note(self) -> str:
        if not self.history:
            return ""
        return f"loss {self.history[-1]['loss']:.4f}  validation {self.history[-1]['validation']:.1%}"

    def store(self) -> None:
        """Keep everything that the next epoch depends on."""
        content = {
            "key": self.key,
            "history": json.dumps(self.history),
            "best": self.best,
            "best_tensors": self.best_tensors,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "seconds": self.seconds,
        }
        with replacing(self.path) as temporary:
            torch.save(content, temporary)

    def restore(self) -> None:
        """Go on from what is kept, if anything is."""
        if not self.path.exists():
            return
        content: dict[str, Any] = checkpoint.read_tensors_only(self.path, _KIND, _WAY_OUT)
        try:
            if content["key"] != self.key:
                raise ValueError("of other settings")
            history = json.loads(content["history"])
            self.history = [{name: float(value) for name, value in each.items()} for each in history]
            self.best, self.best_tensors = int(content["best"]), content["best_tensors"]
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.seconds = float(content["seconds"])
            self.history[self.best]["validation"]
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
            raise UnreadableFile(self.path, _KIND, "its parts do not fit together", _WAY_OUT) from error
        self._resumed_at = self.epochs_done

    def fitted(self) -> Fitted:
        """The network of the best epoch."""
        self.network.load_state_dict(self.best_tensors)
        self.network.eval()
        return Fitted(
            kind=self.kind,
            network=self.network,
            layers=self.depth,
            width=self.network.layers.hidden_size,
            epochs=self.epochs_done,
            best_epoch=self.best + 1,
            validation_accuracy=self.history[self.best]["validation"],
            seconds=self.seconds,
            scale=self.dataset.scale,
            zero=self.dataset.shape.zero,
        )


@torch.no_grad()
def _predictions(network: DenseRecurrent, x: Samples, scale: float, zero: int) -> Labels:
    parts = [network(fed(x[i : i + BATCH], scale, zero=zero)).argmax(1) for i in range(0, len(x), BATCH)]
    best: Labels = torch.cat(parts).numpy()
    return best
