"""What one layer, the readout, the input and a whole run are to a kernel, and the checks that kernels rely on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train.kernels.delays.dynamics import Cuba
from asrc_train.kernels.layer import require_finite

ReadoutKind = Literal["weighted", "maximum", "first-spike"]
MOST_DELAY = 4095
"""Steps; memory of the kernels grows with the longest delay."""


class Synapses(NamedTuple):
    """Weights and delays of one connection, (N, I) both; delays are whole steps, int64."""

    weight: Tensor
    delay: Tensor


class DelayLayer(NamedTuple):
    """Synapses from what stands before, and from the layer itself or None; theta, or None of leaky integrators."""

    forward: Synapses
    back: Synapses | None
    threshold: float | None

    @property
    def neurons(self) -> int:
        """N."""
        return self.forward.weight.shape[0]

    @property
    def connections(self) -> list[Synapses]:
        """All there are."""
        return [self.forward] if self.back is None else [self.forward, self.back]

    @property
    def longest(self) -> int:
        """The longest delay that leads here."""
        return max(int(each.delay.max()) for each in self.connections)


class Readout(NamedTuple):
    """What the last layer answers with, (B, C).

    weighted: sum_t weights[t] V[t].  maximum: max_t V[t], from 0 on.  first-spike: the step of the first spike, T if
    there is none.
    """

    kind: ReadoutKind
    weights: Tensor | None = None


class Events(NamedTuple):
    """Input of a batch as events, sorted by sample and then by step.

    ``first`` (B + 1,) int64: where each sample's events begin. ``step``, ``channel`` (K,) int32; ``value`` (K,) what
    is weighed.
    """

    steps: int
    channels: int
    first: Tensor
    step: Tensor
    channel: Tensor
    value: Tensor

    @property
    def batch(self) -> int:
        """B."""
        return len(self.first) - 1


class Run(NamedTuple):
    """A forward pass that is asked for; ``keep`` what a backward pass needs."""

    events: Events
    layers: Sequence[DelayLayer]
    cuba: Cuba
    readout: Readout
    keep: bool


class Told(NamedTuple):
    """What a forward pass found beside its answers, whole numbers: spikes too close to grazing, arrivals too late."""

    grazing: int
    late: int


class Outcome(NamedTuple):
    """Answers (B, C); spike counts (B, N) of all layers but a readout that does not fire; a tape for `backward`."""

    answers: Tensor
    counts: list[Tensor]
    told: Told
    tape: Any


class Asked(NamedTuple):
    """Gradients of the answers (B, C), and of the counts (B, N) or None."""

    answers: Tensor
    counts: Sequence[Tensor | None]


class Kernel(Protocol):
    """What each kernel's module offers."""

    def why_not(self, run: Run) -> str | None:
        """Why this kernel cannot do it here, or None."""

    def forward(self, run: Run) -> Outcome:
        """The pass."""

    def backward(self, tape: Any, asked: Asked) -> list[list[Synapses]]:
        """Gradients of every layer's connections, (N, I) each, in floats; the delays' are of one step."""

    def spikes(self, tape: Any) -> list[Tensor]:
        """(K, 3) int64 of each layer that fires: sample, step and neuron of its spikes."""


def as_events(x: Tensor) -> Events:
    """What differs from 0 in an input (T, B, channels). Raises InvalidData for NaN and infinity."""
    if x.dim() != 3:
        raise InvalidData("input x", f"its shape is {tuple(x.shape)}", "give (T, B, channels)")
    require_finite("input x", x)
    rows = x.transpose(0, 1)
    return _found(rows, lambda at: rows[at])


def samples_as_events(samples: Tensor, scale: float, dtype: torch.dtype) -> Events:
    """The same of integer samples (B, T, channels), times ``scale``, without making floats of the zeros."""
    return _found(samples, lambda at: samples[at].to(dtype) * scale)


def _found(rows: Tensor, values: Any) -> Events:
    sample, step, channel = at = rows.nonzero(as_tuple=True)  # sorted by sample, then by step
    first = torch.searchsorted(sample, torch.arange(len(rows) + 1, device=rows.device))
    return Events(rows.shape[1], rows.shape[2], first, step.int(), channel.int(), values(at))


def require_valid(run: Run) -> None:
    """Raise InvalidData or InvalidSetting, naming layer and setting, unless every kernel could do it."""
    events, fan_in = run.events, run.events.channels
    if events.steps < 1 or events.batch < 1:
        raise InvalidData("input x", "it holds nothing", "give at least one step and sample")
    for i, layer in enumerate(run.layers):
        at, last = f"layer {i}", i + 1 == len(run.layers)
        _require_synapses(f"{at}, feedforward", layer.forward, (layer.neurons, fan_in), 0)
        if layer.back is not None:
            _require_synapses(f"{at}, recurrent", layer.back, (layer.neurons, layer.neurons), 1)
        if layer.threshold is None and not last:
            raise InvalidSetting(at, "it never fires, and another layer stands on it")
        if last and (layer.threshold is None) != (run.readout.kind != "first-spike"):
            raise InvalidSetting("readout", f"'{run.readout.kind}' does not go with what the last layer is")
        fan_in = layer.neurons
    weights = run.readout.weights
    if (run.readout.kind == "weighted") != (weights is not None) or (
        weights is not None and len(weights) != events.steps
    ):
        raise InvalidSetting(
            "readout", f"a weight for each of the {plural(events.steps, 'step')} belongs to 'weighted'"
        )


def _require_synapses(at: str, given: Synapses, shape: tuple[int, int], least: int) -> None:
    for name, tensor in given._asdict().items():
        if tuple(tensor.shape) != shape:
            raise InvalidSetting(f"{at}.{name}", f"its shape is {tuple(tensor.shape)} where {shape} fits")
    found = int(given.delay.min())
    if found < least:
        why = "does not exist, what comes back arrives a step later or more" if least and not found else "is below 0"
        raise InvalidSetting(f"{at}.delay", f"a delay of {found} {why}")
    if int(given.delay.max()) > MOST_DELAY:
        raise InvalidSetting(f"{at}.delay", f"a delay of {int(given.delay.max())} is beyond {MOST_DELAY} steps")
    broken = int((~given.weight.isfinite()).sum())
    if broken:
        raise InvalidSetting(f"{at}.weight", f"it holds {plural(broken, 'NaN or infinite value')}")
