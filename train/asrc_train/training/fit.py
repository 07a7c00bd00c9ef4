"""Training: one function, from a configuration to a checkpoint on disk."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asrc_core import __version__, preprocessing
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting, TrainingDiverged, UnreadableFile
from asrc_core.files.atomic import require_writable
from asrc_core.files.paths import as_path
from asrc_train import data
from asrc_train.data.dataset import (
    Dataset,
    Shape,
    fingerprint,
    permutation,
    permuted,
    training_parts,
)
from asrc_train.kernels.native import reuse
from asrc_train.network.connections.connection import learns_spans
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.float_network import FloatNetwork, new_network
from asrc_train.network.graph_network import GraphNetwork
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.settings.config import Config
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training import distributed
from asrc_train.training.augmentation import blended, shifted, shifted_images
from asrc_train.training.distributed import World
from asrc_train.training.evaluate import Evaluation, evaluate, fed_to
from asrc_train.training.objective import class_weights, objective_of
from asrc_train.training.schedule import seed_in, set_rates, temperature_in


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Accuracies are shares, 0 to 1; validation is with hard-max spans."""

    epoch: int
    loss: float
    training_accuracy: float
    validation_accuracy: float
    temperature: float
    learning_rate: float
    spans: list[int]
    skip_weights: list[list[float]]
    """What each lag weighs in each layer, for the heat map over training; empty lists where the span is fixed."""
    figures: dict[str, float] = field(default_factory=dict)
    """What else this kind of network has to tell of the epoch (`objective`)."""


@dataclass(frozen=True)
class BatchDone:
    """Progress within an epoch."""

    epoch: int
    batch: int
    batches: int


Observer = Callable[[Epoch | BatchDone], None]


@dataclass(frozen=True, eq=False)
class Start:
    """A network to go on training in place of a fresh one, and where it comes from.

    ``network`` is of the architecture configured, and is changed by training; a class of its own may compute its
    spikes in its own way (quantized, say). ``provenance`` is JSON-like and becomes part of the checkpoint's.
    """

    network: FloatNetwork
    provenance: Mapping[str, Any] = field(default_factory=dict)
    dataset: Dataset | None = None
    """What to train on, read as the network's checkpoint states; None: the data set configured."""


def fit(
    config: Config,
    out: str | Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    observers: tuple[Observer, ...] = (),
    start: Start | None = None,
    progress: bool = False,
) -> Checkpoint:
    """Train as configured and write the checkpoint of the best epoch to ``out``.

    The best epoch has the highest accuracy on the official validation split or else on the validation part of the
    training split, with hard-max spans, the latest of equals. The test split is read once, at the end. After each
    epoch the whole state is kept beside ``out`` (`resume_path`), from which ``resume`` goes on to the same result, bit
    for bit. Same seed, same device, same number of threads: same bits. Under torchrun, each process takes its share of
    every batch. ``start`` gives a network to go on with; ``progress`` shows a bar, on a terminal or in a notebook.

    Raises UnknownName (data set), UnwritableOutput, InvalidSetting (resume), TrainingDiverged, UnreadableFile.
    """
    if not isinstance(config, Config):
        raise InvalidSetting("config", f"it is a {type(config).__name__}; give a Config, such as configured('digits')")
    if config.network.graph:
        why = "a graph of another tool's layers is run and deployed, and has no gradients"
        raise InvalidSetting("graph", f"{why}; train it where it came from, and import it again")
    if start is not None and not isinstance(start, Start):
        raise InvalidSetting("start", f"it is a {type(start).__name__}; give a Start, with the network to go on with")
    _require_device(device)
    if progress:
        from asrc_train.training import training_progress  # which knows this module

        with training_progress.shown(config) as observer:
            return fit(config, out, resume=resume, device=device, observers=(*observers, observer), start=start)
    require_writable(as_path(out, "the checkpoint to write"))
    dataset = dataset_of(config, start)
    _require_movable(dataset, config)
    order = permutation(dataset.steps, config.data.permutation_seed) if config.data.permute else None
    state = resume_path(out)
    with distributed.joined(device) as (world, own_device):
        _require_whole_batches(config, world)
        run = _Run(config, dataset, order, torch.device(own_device), world, start)
        if resume:
            run.restore(state)
            world.wait()  # nobody writes a new state while others still read the old
        while run.epochs_done < config.training.epochs:
            run.train_epoch(observers if world.writes else (), kept=state)
            if world.writes:
                run.store(state)
        trained = run.finish()
        reuse.clear()
        if world.writes:
            checkpoint.save(trained, out)
            state.unlink(missing_ok=True)
        world.wait()
    return trained


def dataset_of(config: Config, start: Start | None) -> Dataset:
    """What a training is on: the samples it starts with, else the data set configured. Raises what `data.load` does."""
    if start is not None and start.dataset is not None:
        return start.dataset
    return data.load(config.data.name, config.network.dt, config.data.validation_fraction)


def _require_device(device: object) -> None:
    """Raise InvalidSetting for a device that is not here."""
    try:
        if not isinstance(device, str):
            raise ValueError(f"{device!r} is no device's name")
        torch.zeros(1, device=device).item()  # `meta` holds no numbers
    # PyTorch's own: AssertionError from a build without CUDA, NotImplementedError for a backend that holds no data.
    except (RuntimeError, ValueError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0].split(". ")[0].rstrip(".")
        raise InvalidSetting("`device`", f"'{device}' is not available here ({why}); use 'cpu'") from error


def resume_path(out: str | Path) -> Path:
    """Where the state of an unfinished training is kept."""
    return Path(f"{out}.training")


class _Run:
    """One training under way: the network, its optimizer, and the best epoch so far."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        order: np.ndarray[Any, np.dtype[np.int64]] | None,
        device: torch.device,
        world: World,
        start: Start | None,
    ) -> None:
        self.config, self.dataset, self.order, self.device, self.world = config, dataset, order, device, world
        torch.manual_seed(config.training.seed)
        begun = start or Start(new_network(dataset.channels, dataset.classes, config.network, dataset.steps))
        self.zero = 0 if start else dataset.shape.zero  # a network that is given takes x * scale, as trained ones do
        self.network, self.origin = begun.network.to(device), dict(begun.provenance)
        if self.zero:
            _require_bias(self.network, dataset.shape)
        self.optimizer = make_optimizer(self.network, config)
        (x, y), (held_x, self.held_y) = training_parts(dataset, config.data.validation_fraction)
        self.samples = fingerprint(x, y, held_x, self.held_y)
        self.train_x = torch.from_numpy(permuted(x, order)).to(device)
        self.train_y = torch.from_numpy(y).to(device)
        self.held_x = permuted(held_x, order)
        self.objective = objective_of(self.network, config, class_weights(self.train_y, dataset.classes, config))
        self.history: list[Epoch] = []
        self.best = 0
        self.best_tensors: dict[str, Tensor] = {}

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    def train_epoch(self, observers: tuple[Observer, ...], kept: Path) -> None:
        """One pass over the training part, then validation with hard-max spans."""
        training = self.config.training
        epoch = self.epochs_done
        temperature = temperature_in(self.config, epoch)
        self.network.train()
        draw = torch.Generator().manual_seed(seed_in(self.config, epoch))
        torch.manual_seed(seed_in(self.config, epoch) + (self.world.rank << 52))  # dropout, noise
        order = torch.randperm(len(self.train_y), generator=draw)
        batches = order.to(self.device).split(training.batch_size)  # type: ignore[no-untyped-call]
        total_loss = correct = 0.0
        weights = [p for group in self.optimizer.param_groups[:1] for p in group["params"]]
        for i, batch in enumerate(batches):
            rate = set_rates(self.optimizer, self.config, epoch + i / len(batches))
            self.optimizer.zero_grad(set_to_none=True)
            figures = self._joint_gradient(batch, temperature)
            loss, right = figures[:2].tolist()
            if not math.isfinite(loss):
                raise TrainingDiverged(epoch + 1, "loss", kept if self.history else None)
            if training.gradient_clip is not None:
                nn.utils.clip_grad_norm_(weights, training.gradient_clip)
            self.optimizer.step()
            self.objective.after_step(self.optimizer, figures)
            self._require_finite(kept)
            total_loss += loss * len(batch)
            correct += right
            for observe in observers:
                observe(BatchDone(epoch + 1, i + 1, len(batches)))
        before = [each.figures for each in self.history]
        told = self.objective.after_epoch(epoch + 1, before, kept if self.history else None)
        held = self._evaluate(self.held_x)
        done = Epoch(
            epoch=epoch + 1,
            loss=total_loss / len(order),
            training_accuracy=correct / len(order),
            validation_accuracy=held.accuracy(self.held_y),
            temperature=temperature,
            learning_rate=rate,
            spans=self.network.spans,
            skip_weights=self.network.weight_of_lags(temperature),
            figures={**told, **self._firing(held)},
        )
        self.history.append(done)
        if done.validation_accuracy >= self.history[self.best].validation_accuracy:
            self.best = epoch
            self.best_tensors = self._tensors()
        for observe in observers:
            observe(done)

    def _firing(self, held: Evaluation) -> dict[str, float]:
        """Spikes a neuron and step of each layer of state-space neurons, on the validation part."""
        if not isinstance(self.network, SkipRecurrentNetwork):
            return {}
        places = len(self.held_y) * self.dataset.steps
        layers = enumerate(zip(self.network.hidden_layers(), held.spikes_per_layer, strict=True))
        return {
            f"firing_layer{i}": spikes / (places * layer.neuron.neurons)
            for i, (layer, spikes) in layers
            if isinstance(layer, StateSpaceLayer)
        }

    def _joint_gradient(self, batch: Tensor, temperature: float) -> Tensor:
        """Back-propagate the batch's mean loss, each process its share; the loss and how many were right."""
        mine = self.world.share(batch)
        figures = self.objective.figures(self.device)
        if len(mine):
            x = fed_to(self.network, self._augmented(mine), self.dataset.scale, self.device, self.zero)
            loss, figures = self.objective.judged(x, self.train_y[mine], len(batch), temperature)
            loss.backward()  # type: ignore[no-untyped-call]
        return self.world.sum_gradients(self.network.parameters(), figures)

    def _augmented(self, batch: Tensor) -> Tensor:
        """Samples of the training part, blended and shifted as configured."""
        x, y, training, shape = self.train_x[batch], self.train_y, self.config.training, self.dataset.shape
        if training.blend:
            x = blended(x, y[batch], training.blend, self.train_x, y, shape.of_place, shape.zero)
        if shape.image and training.shift:
            order = None if self.order is None else torch.from_numpy(self.order).to(self.device)
            return shifted_images(x, training.shift, shape.image, order, shape.zero)
        return shifted(x, training.shift, shape.of_place, shape.zero)

    def finish(self) -> Checkpoint:
        """The best epoch as a checkpoint, with its accuracies: here, once, the test split is read."""
        self.network.load_state_dict(self.best_tensors)
        if self.zero:
            absorb_zero(self.network, self.dataset.shape)
            self.zero, self.best_tensors = 0, self._tensors()
        best = self.history[self.best]
        test_x, test_y = permuted(self.dataset.test_x, self.order), self.dataset.test_y
        test = self._evaluate(test_x)
        mixture = self._evaluate(test_x, best.temperature) if learns_spans(self.config.network) else test
        scores = {
            "validation": best.validation_accuracy,
            "test": test.accuracy(test_y),
            "test_mixture": mixture.accuracy(test_y),
        }
        return Checkpoint(
            config=self.config,
            channels=self.dataset.channels,
            classes=self.dataset.classes,
            steps=self.dataset.steps,
            scale=self.dataset.scale,
            maximum=self.dataset.maximum,
            spans=tuple(self.network.spans),
            temperature=best.temperature,
            tensors=self.best_tensors,
            permutation=self.order,
            history=[asdict(epoch) for epoch in self.history],
            scores=scores,
            provenance={
                **self.origin,
                **({"data_notes": list(self.dataset.notes)} if self.dataset.notes else {}),
                **preprocessing.stated(self.dataset.preprocessing, self.dataset.class_names),
                **self._told_of_samples(),
                "best_epoch": best.epoch,
                "asrc": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "threads": torch.get_num_threads(),
            },
        )

    def _told_of_samples(self) -> dict[str, str]:
        """Which samples of one's own these were, since a path may hold others by now; published ones are known."""
        return {"samples_sha256": self.dataset.samples_sha256} if data.is_path(self.config.data.name) else {}

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def store(self, path: Path) -> None:
        """Keep everything that the next epoch depends on."""
        content = {
            "config": self.config.model_dump_json(),
            "origin": json.dumps(self.origin),
            "samples": self.samples,
            "history": json.dumps([asdict(epoch) for epoch in self.history]),
            "best": self.best,
            "best_tensors": self.best_tensors,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.write(content, path)

    def restore(self, path: Path) -> None:
        """Go on from a stored state.

        Raises InvalidSetting if there is none or it is of other settings, another network or other samples;
        UnreadableFile.
        """
        if not path.exists():
            raise InvalidSetting(
                "`resume`", f"no unfinished training is kept in '{path}', leave `resume` away to start"
            )
        kind = "training state"
        way_out = "remove it and start without `resume`"
        content = checkpoint.read_tensors_only(path, kind, way_out)
        try:
            stored = Config.model_validate_json(content["config"])
            if stored != self.config:
                raise InvalidSetting(
                    "`resume`", f"'{path}' was started with other settings ({_differences(stored, self.config)})"
                )
            if json.loads(content.get("origin", "{}")) != self.origin:
                raise InvalidSetting("`resume`", f"'{path}' was started from another network")
            if content.get("samples", self.samples) != self.samples:  # states of earlier versions state none
                why = f"'{path}' was started on other samples of '{self.dataset.name}', train without `resume`"
                raise InvalidSetting("`resume`", f"{why}, or bring the old ones back")
            self.history = [Epoch(**epoch) for epoch in json.loads(content["history"])]
            self.best, self.best_tensors = int(content["best"]), content["best_tensors"]
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise UnreadableFile(path, kind, "its parts do not fit together", way_out) from error

    def _evaluate(self, x: Any, temperature: float | None = None) -> Evaluation:
        self.network.eval()
        scale = self.dataset.scale
        return evaluate(self.network, x, scale, temperature=temperature, device=self.device, zero=self.zero)

    def _require_finite(self, kept: Path) -> None:
        for name, tensor in self.network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise TrainingDiverged(self.epochs_done + 1, name, kept if self.history else None)


def fresh(dataset: Dataset, config: Config) -> FloatNetwork:
    """An untrained network that takes the data set's x * scale, as trained ones do."""
    network = new_network(dataset.channels, dataset.classes, config.network, dataset.steps)
    absorb_zero(network, dataset.shape)
    return network


def absorb_zero(network: FloatNetwork, shape: Shape) -> None:
    """Make a network that takes (x - zero) * scale one that takes x * scale, by the biases of its first layer.

    Raises InvalidSetting for a network with delays, which has no bias.
    """
    if shape.zero:
        _require_bias(network, shape)
        first = network.layers[0]
        assert isinstance(first, SkipRecurrentLayer | StateSpaceLayer)
        with torch.no_grad():
            first.feedforward.bias.sub_(first.feedforward.weight.sum(1) * (shape.zero * shape.scale))


def _require_bias(network: FloatNetwork, shape: Shape) -> None:
    if isinstance(network, DelayNetwork):
        why = f"the data set has {shape.zero} for zero, and a network with delays takes what differs from 0 as events"
        raise InvalidSetting("connection 'delays'", why)


def _require_movable(dataset: Dataset, config: Config) -> None:
    """Raise InvalidSetting for samples that cannot be moved, or blended, as is asked for."""
    image, shift = dataset.shape.image, config.training.shift
    if shift and image is None and dataset.channels <= dataset.shape.of_place:
        why = f"samples of '{dataset.name}' are no images, and their channels stand along no axis such as pitch"
        raise InvalidSetting("shift", f"{why}; leave the shift out")
    if image is not None and shift >= min(image):
        why = f"{shift} pixels lead out of images of {image[0]} x {image[1]}"
        raise InvalidSetting("shift", f"{why}; take less than {min(image)}")
    if image is not None and config.training.blend:
        why = f"samples of '{dataset.name}' are images, read pixel by pixel, and blending moves events in time"
        raise InvalidSetting("blend", f"{why}; leave it out")


def _require_whole_batches(config: Config, world: World) -> None:
    wanted = {"batch_norm": config.network.batch_norm, "rate_strength": bool(config.training.rate_strength)}
    for name in (name for name, asked in wanted.items() if asked and world.size > 1):
        why = f"its statistics are those of a whole batch, which {plural(world.size, 'process')} would share out"
        raise InvalidSetting(name, why)


def make_optimizer(network: FloatNetwork, config: Config) -> torch.optim.AdamW:
    """AdamW with the skip logits in a group of their own: faster, and without weight decay (paper, Table 2).

    Batch normalisation's gains and shifts and the neurons' own constants do not decay either; those of state-space
    neurons have rates of their own.
    """
    training = config.training
    if isinstance(network, DelayNetwork):
        return _delay_optimizer(network, config)
    assert not isinstance(network, GraphNetwork), "fit refuses what has no gradients"
    skip, constants, timing, reading = (
        found() for found in (network.skip_logits, network.constants, network.timing, network.reading)
    )
    apart = {id(p) for p in (*skip, *constants, *timing, *reading)}
    others = [p for p in network.parameters() if id(p) not in apart]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": training.weight_decay, "factor": 1.0}]
    if constants:
        groups.append({"params": constants, "weight_decay": 0.0, "factor": 1.0})
    rate = training.learning_rate
    if timing:
        groups.append({"params": timing, "weight_decay": 0.0, "factor": training.pole_learning_rate / rate})
    if reading:
        factor = (training.mode_learning_rate or rate) / rate
        groups.append({"params": reading, "weight_decay": 0.0, "factor": factor})
    if skip:
        groups.append({"params": skip, "weight_decay": 0.0, "factor": training.skip_learning_rate_factor})
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def _delay_optimizer(network: DelayNetwork, config: Config) -> torch.optim.AdamW:
    """Weights as above, and delays at a rate of their own in steps, without decay; what does not learn is left out."""
    training = config.training
    weights, delays = ([p for p in found if p.requires_grad] for found in (network.weights(), network.delays()))
    factor = training.delay_learning_rate / training.learning_rate
    groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": training.weight_decay, "factor": 1.0}]
    if delays:
        groups.append({"params": delays, "weight_decay": 0.0, "factor": factor})
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def _differences(a: Config, b: Config) -> str:
    def flat(config: Config) -> Iterator[tuple[str, Any]]:
        for section, values in config.model_dump().items():
            for key, value in values.items():
                yield f"{section}.{key}", value

    pairs = zip(flat(a), flat(b), strict=True)
    return ", ".join(f"{key} {mine} instead of {theirs}" for (key, mine), (_, theirs) in pairs if mine != theirs)
