"""Predictions and accuracy of a float network on integer samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train.data.dataset import Labels, Samples
from asrc_train.kernels.delays.layer import Events, samples_as_events
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.float_network import FloatNetwork
from asrc_train.network.graph_network import GraphNetwork
from asrc_train.network.model import SkipRecurrentNetwork

BATCH = 256


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Logits (n, classes) of a network on samples, and the spikes of each layer summed over all of them."""

    logits: NDArray[np.float32]
    spikes_per_layer: list[int]

    @property
    def predictions(self) -> Labels:
        """(n,) class of the greatest logit."""
        best: Labels = self.logits.argmax(axis=1)
        return best

    def accuracy(self, labels: Labels) -> float:
        """Share of samples whose prediction is the label, 0 to 1."""
        return float((self.predictions == labels).mean())


def fed(x: Samples | Tensor, scale: float, device: torch.device | str = "cpu", zero: int = 0) -> Tensor:
    """Integer samples (n, T, channels) as the network takes them: real values (x - zero) * scale, time first."""
    samples = torch.as_tensor(x).to(device).transpose(0, 1).to(torch.get_default_dtype())
    return (samples - zero if zero else samples) * scale


def fed_to(
    network: FloatNetwork, x: Samples | Tensor, scale: float, device: torch.device | str = "cpu", zero: int = 0
) -> Any:
    """The same as this network takes it: one with delays gets what differs from 0 as events."""
    if not isinstance(network, DelayNetwork):
        return fed(x, scale, device, zero)
    assert not zero, "where nothing is sent there is 0"
    events: Events = samples_as_events(torch.as_tensor(x).to(device), scale, network.readout.weight.dtype)
    return events


@torch.no_grad()
def traced(network: FloatNetwork, x: Any, temperature: float | None = None) -> tuple[Tensor, list[NDArray[np.uint8]]]:
    """Logits (B, classes) for what `fed_to` makes, and the spikes of every layer, (T, B, N) zeros and ones."""
    packed = network.packed(x, temperature) if isinstance(network, SkipRecurrentNetwork) else None
    if packed is not None and isinstance(network, SkipRecurrentNetwork):
        logits, bits = packed
        return logits, [_unpacked(words, width) for words, width in zip(bits, network.widths, strict=True)]
    logits, spikes = network.traced(x, temperature)
    return logits.cpu(), [each.cpu().numpy().astype(np.uint8) for each in spikes]


def _unpacked(words: Tensor, neurons: int) -> NDArray[np.uint8]:
    """(T, B, N) of bits (B, T, words of 64), the lowest bit first."""
    octets = words.numpy().astype("<i8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=neurons, bitorder="little").swapaxes(0, 1)


@torch.no_grad()
def evaluate(
    network: FloatNetwork,
    x: Samples | Tensor,
    scale: float,
    *,
    temperature: float | None = None,
    device: torch.device | str = "cpu",
    zero: int = 0,
) -> Evaluation:
    """Run the network over samples (n, T, channels): hard-max spans, or the mixture at a temperature.

    Raises InvalidSetting for what is no network, InvalidData for what are no samples.
    """
    if not isinstance(network, SkipRecurrentNetwork | DelayNetwork | GraphNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give a SkipRecurrentNetwork")
    if not isinstance(x, np.ndarray | Tensor) or x.ndim != 3 or not len(x):
        shown = f"of shape {tuple(x.shape)}" if isinstance(x, np.ndarray | Tensor) else f"a {type(x).__name__}"
        raise InvalidData("samples", f"they are {shown}", "give integers (n, T, channels)")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < abs(scale) < 1e30:
        raise InvalidSetting("scale", f"{scale!r} is not a number in use; it is the real value of one integer step")
    scale = float(scale)
    logits, totals = [], [0] * len(network.layers)
    for start in range(0, len(x), BATCH):
        given = fed_to(network, x[start : start + BATCH], scale, device, zero)
        answers, spikes = network.tallied(given, temperature)
        logits.append(answers.cpu())
        totals = [total + more for total, more in zip(totals, spikes, strict=True)]
    return Evaluation(torch.cat(logits).numpy(), totals)
