"""A stack of GRU or plain tanh layers with as many parameters as another network has."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting

Kind = Literal["gru", "rnn"]
KINDS: tuple[Kind, ...] = ("gru", "rnn")
TITLES: dict[Kind, str] = {"gru": "float32 GRU", "rnn": "float32 dense RNN (tanh)"}


class DenseRecurrent(nn.Module):
    """logits = W_o mean_t h[t] + b_o over the outputs h of the last layer, as the spiking network's readout sums its
    spikes over time. The layers are PyTorch's `nn.GRU` or `nn.RNN`, all of one width.
    """

    def __init__(self, kind: Kind, channels: int, width: int, layers: int, classes: int) -> None:
        super().__init__()
        made = nn.GRU if kind == "gru" else nn.RNN
        self.layers = made(channels, width, layers)
        self.readout = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) for real input (T, B, channels)."""
        outputs, _ = self.layers(x)
        logits: Tensor = self.readout(outputs.mean(0))
        return logits


def parameters(network: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(each.numel() for each in network.parameters())


def of_size(kind: Kind, channels: int, layers: int, classes: int, most: int) -> DenseRecurrent:
    """The widest network of so many layers that has no more than ``most`` parameters.

    Raises InvalidSetting if not even one neuron in each layer fits.
    """
    width = 1
    while _count(kind, channels, width + 1, layers, classes) <= most:
        width += 1
    if _count(kind, channels, width, layers, classes) > most:
        raise InvalidSetting(
            "`baseline`", f"no network of {plural(layers, 'layer')} has as few as {plural(most, 'parameter')}"
        )
    return DenseRecurrent(kind, channels, width, layers, classes)


def _count(kind: Kind, channels: int, width: int, layers: int, classes: int) -> int:
    with torch.device("meta"):  # shapes without numbers
        return parameters(DenseRecurrent(kind, channels, width, layers, classes))
