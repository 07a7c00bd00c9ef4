"""State-space neurons over all steps, by the kernel that `kernels.choice` chooses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from asrc_train.kernels.choice import choose_state_space
from asrc_train.kernels.state_space.layer import (
    Driven,
    Drives,
    Resonators,
    Statistics,
    require_driven,
    require_valid,
)


def takes_weights(x: Tensor, layer: Resonators) -> bool:
    """Whether the kernel that runs such neurons on such input takes the weights, too: `driven_spikes`."""
    return isinstance(choose_state_space(x, layer), Drives)


def driven_spikes(
    x: Tensor, layers: Sequence[Driven], *, summed: bool = False
) -> tuple[Tensor, list[Statistics | None]]:
    """Spikes (T, B, N) of the last of ``layers``, each on the one before it and the first on ``x`` (T, B, I), with
    gradients for x and for all tensors of the layers; with ``summed``, their sum over time, (B, N). Beside them the
    statistics of each layer that is normalised.

    Only where `takes_weights`. Raises InvalidData, InvalidSetting, UnknownName and BackendMissing.
    """
    kernel = choose_state_space(x, layers[0].neurons)
    assert isinstance(kernel, Drives), "takes_weights comes first"
    require_driven(x, layers)
    return kernel.driven(x, layers, summed)


def state_space_spikes(u: Tensor, layer: Resonators, where: str = "", *, kernel: str | None = None) -> Tensor:
    """Spikes (T, B, N) for the current ``u``, with gradients for it and for all tensors of ``layer``.

    ``where`` names the layer in errors. Raises InvalidData, InvalidSetting, UnknownName and BackendMissing.
    """
    require_valid(u, layer, where)
    return choose_state_space(u, layer, kernel).spikes(u, layer)
