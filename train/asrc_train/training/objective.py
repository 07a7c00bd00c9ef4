"""What a network is trained to do: the loss of a batch, and what happens after each step and epoch besides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asrc_core.errors import TrainingSilent
from asrc_train.kernels.delays.differentiable import Answered
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.float_network import FloatNetwork
from asrc_train.network.graph_network import GraphNetwork
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.settings.config import Config

PATIENCE = 10
"""Epochs in a row that a layer may be silent while its neurons are being revived."""
_RIGHT = 2
"""Figures of a batch that every objective has: its loss, and how many were right."""


class Summed:
    """Cross entropy of the readout summed over time: skip-recurrent and state-space networks."""

    def __init__(self, network: SkipRecurrentNetwork, weights: Tensor | None) -> None:
        self._network, self._weights = network, weights

    def figures(self, device: torch.device) -> Tensor:
        """Of no samples."""
        return torch.zeros(_RIGHT, device=device)

    def judged(self, x: Any, labels: Tensor, whole: int, temperature: float) -> tuple[Tensor, Tensor]:
        """The loss of this share of a batch of ``whole`` samples, with its gradient, and the figures."""
        logits = self._network(x, temperature)
        loss = nn.functional.cross_entropy(logits, labels, weight=_as(logits, self._weights), reduction="sum") / whole
        return loss, torch.stack([loss.detach(), (logits.argmax(1) == labels).sum()])

    def after_step(self, optimizer: torch.optim.Optimizer, figures: Tensor) -> None:
        """Nothing."""

    def after_epoch(self, epoch: int, before: Sequence[dict[str, float]], kept: Path | None) -> dict[str, float]:
        """How many modes of each layer of state-space neurons alias."""
        layers = enumerate(self._network.hidden_layers())
        return {f"aliased_layer{i}": float(of.neuron.aliased()) for i, of in layers if isinstance(of, StateSpaceLayer)}


class Delayed:
    """Losses of networks with delays: cross entropy of their answers, or first spikes; and the firing-rate term.

    first spike: 1/2 sum_{i != c} (t_i - t_c - D)^2 over the other classes, in milliseconds (Meszaros et al. 2025).
    rate: k / 2 sum_n (spikes_n - target)^2 over the hidden neurons' mean spikes in the batch.
    """

    def __init__(self, network: DelayNetwork, config: Config, weights: Tensor | None) -> None:
        training = config.training
        self._network, self._training, self._weights = network, training, weights
        network.differentiate(training.gradient, training.delay_gradient, training.grazing)
        network.learn(training.learn)
        self._widths = [len(layer.feedforward.weight) for layer in network.hidden_layers()]
        self._seen = torch.zeros(0)

    def figures(self, device: torch.device) -> Tensor:
        """Of no samples."""
        return torch.zeros(_RIGHT + 3 + sum(self._widths), dtype=torch.float64, device=device)

    def judged(self, x: Any, labels: Tensor, whole: int, temperature: float) -> tuple[Tensor, Tensor]:
        """The loss of this share of a batch of ``whole`` samples, with its gradient, and the figures: also grazing
        spikes, late arrivals, samples, and each hidden neuron's spikes.
        """
        done = self._network.run(x)
        logits, counts = self._network.logits(done.answers), self._network.hidden_counts(done)
        loss = self._decided(done, logits, labels) / whole
        if self._training.rate_strength:
            means = torch.cat([each.mean(0) for each in counts])
            term = (means - self._training.rate_target).square().sum() / 2
            loss = loss + self._training.rate_strength * term * len(labels) / whole
        told = torch.tensor([done.told.grazing, done.told.late, len(labels)], device=logits.device)
        fired = [each.detach().sum(0) for each in counts]
        right = (logits.argmax(1) == labels).sum()
        return loss, torch.cat([torch.stack([loss.detach(), right]), told, *fired]).double()

    def after_step(self, optimizer: torch.optim.Optimizer, figures: Tensor) -> None:
        """Delays go back within their limits, and Adam's moments of those that had left them to 0: otherwise these
        would go on to push.
        """
        more = figures[_RIGHT:]
        self._seen = more if not len(self._seen) else self._seen + more
        for each in self._network.synapses():
            if each.delay.requires_grad:
                outside = each.clamped()
                for name in ("exp_avg", "exp_avg_sq"):
                    optimizer.state[each.delay][name][outside] = 0

    def after_epoch(self, epoch: int, before: Sequence[dict[str, float]], kept: Path | None) -> dict[str, float]:
        """Revive the silent; what the epoch came to, a sample. Raises TrainingSilent for a layer that stays silent."""
        grazing, late, samples, *_ = self._seen.tolist()
        counts = list(torch.split(self._seen[3:], self._widths)) if self._widths else []
        self._seen = torch.zeros(0)
        found = {"grazing_spikes": grazing / samples, "late_arrivals": late / samples}
        for i, spikes in enumerate(counts):
            found[f"spikes_layer{i}"] = float(spikes.sum()) / samples
            found[f"silent_layer{i}"] = float((spikes == 0).sum())
            self._require_life(i, epoch, [*before, found], kept)
        if self._revival:
            self._network.revive(counts, self._revival)
        return found

    @property
    def _revival(self) -> float:
        """What weights of silent neurons gain; nothing where weights do not learn."""
        return 0.0 if self._training.learn == "delays" else self._training.revival

    def _decided(self, done: Answered, logits: Tensor, labels: Tensor) -> Tensor:
        if self._network.readout_kind != "first-spike":
            return nn.functional.cross_entropy(logits, labels, weight=_as(logits, self._weights), reduction="sum")
        first = -logits
        right = first.gather(1, labels[:, None])
        others = torch.ones_like(first).scatter(1, labels[:, None], 0)
        gaps = first - right - self._training.first_spike_margin
        each = (others * gaps.square()).sum(1) / 2
        return (each if self._weights is None else each * self._weights[labels]).sum()

    def _require_life(self, layer: int, epoch: int, history: Sequence[dict[str, float]], kept: Path | None) -> None:
        patience = PATIENCE if self._revival else 1
        last = [each.get(f"spikes_layer{layer}", 1.0) for each in history[-patience:]]
        if len(last) == patience and not any(last):
            raise TrainingSilent(epoch, f"layers.{layer}", patience, kept)


Objective = Summed | Delayed


def class_weights(y: Tensor, classes: int, config: Config) -> Tensor | None:
    """N / (C n_c) of each class c, (C,), from labels (n,); None where all samples weigh the same."""
    if config.training.class_weights == "none":
        return None
    counts = torch.bincount(y, minlength=classes).clamp(min=1)
    return len(y) / (classes * counts.to(torch.get_default_dtype()))


def objective_of(network: FloatNetwork, config: Config, weights: Tensor | None) -> Objective:
    """What the network is trained to do as configured; ``weights`` (C,) of the classes in the loss, or None."""
    if isinstance(network, DelayNetwork):
        return Delayed(network, config, weights)
    assert not isinstance(network, GraphNetwork), "fit refuses what has no gradients"
    return Summed(network, weights)


def _as(logits: Tensor, weights: Tensor | None) -> Tensor | None:
    """The classes' weights in the logits' type: those of a network that is fine-tuned are double."""
    return None if weights is None else weights.to(logits.dtype)
