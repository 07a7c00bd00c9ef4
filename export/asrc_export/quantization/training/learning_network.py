"""A network of any kinds that learns, computing in PyTorch exactly what its integer network computes.

Its parameters are floats in the float network's units: weights, and constants of the neurons such as biases. At every
call they are rounded, at scales and exponents fixed beforehand, and the layers run on the integers so found.
`QuantizedNetwork` does the same for skip-recurrent LIF layers in the training kernels, which are faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.rounding.constants import Rounding
from asrc_export.quantization.training.learned_integers import LayerFloats, learned_layers
from asrc_export.quantization.training.torch_network import TorchArithmetic, TorchNetwork, require_exact, run


class LearningNetwork(nn.Module):
    """Any integer network whose weights, and some of whose neurons' constants, learn.

    It starts at the network's own integers, or at ``floats`` that stand for them. ``learned`` names constants of kinds
    (`Kind.constants`). ``roundings``, ``widths``: see `learned_layers`. ``detach_reset`` keeps the gradient from
    flowing through the reset's spike. Raises InvalidSetting if double precision could not hold a register.
    """

    def __init__(
        self,
        network: IntegerNetwork,
        floats: Sequence[LayerFloats] | None = None,
        *,
        learned: Sequence[str] = ("bias",),
        roundings: Sequence[Rounding] | None = None,
        widths: Sequence[float] | None = None,
        detach_reset: bool = False,
    ) -> None:
        super().__init__()
        require_exact(network)
        self._network, self._detach_reset = network, detach_reset
        self._learned = learned_layers(network, roundings, widths)
        start = floats or [layer.floats(learned) for layer in self._learned]
        self.weights = nn.ModuleList(nn.ParameterList(_copied(each) for each in layer.weights) for layer in start)
        self.constants = nn.ModuleList(
            nn.ParameterDict({name: _copied(value) for name, value in layer.constants.items()}) for layer in start
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes), float64, for real input (T, B, channels)."""
        return self.traced(x)[0]

    def traced(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and what every layer sends, (T, B, N) each."""
        y, sent = self.accumulated(torch.round(x / self._network.input.scale))
        return y / self._network.readout.scale, sent

    def accumulated(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the readout shows at last, (B, classes), whole numbers in float64, and what every layer sends, for
        integer input (T, B, channels).
        """
        layers = zip(self._learned, self._floats(), strict=True)
        return self._run(TorchNetwork(tuple(layer.rounded(floats) for layer, floats in layers)), x, unrounded=False)

    def unrounded(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`accumulated` with nothing rounded, cut off or saturated, the parameters neither."""
        layers = zip(self._learned, self._floats(), strict=True)
        return self._run(TorchNetwork(tuple(layer.unrounded(floats) for layer, floats in layers)), x, unrounded=True)

    def integers(self) -> IntegerNetwork:
        """The network that the parameters now stand for. Raises InvalidNetwork if they have outgrown its registers."""
        layers = zip(self._learned, self._floats(), strict=True)
        return replace(self._network, layers=tuple(layer.integers(floats) for layer, floats in layers))

    def _run(self, network: TorchNetwork, x: Tensor, *, unrounded: bool) -> tuple[Tensor, list[Tensor]]:
        arithmetic = TorchArithmetic(network, unrounded=unrounded, detach_reset=self._detach_reset)
        return run(network, x.double(), arithmetic)

    def _floats(self) -> list[LayerFloats]:
        return [
            LayerFloats(list(weights), dict(constants.items()))
            for weights, constants in zip(self.weights, self.constants, strict=True)
            if isinstance(weights, nn.ParameterList) and isinstance(constants, nn.ParameterDict)
        ]


def _copied(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().clone())
