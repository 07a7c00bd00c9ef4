"""State-space neurons over all steps, by the kernel that `kernels.choice` chooses."""

from __future__ import annotations

from torch import Tensor

from asrc_train.kernels.choice import choose_state_space
from asrc_train.kernels.state_space.layer import Normalizes, Resonators, require_valid


def normalized_spikes(
    x: Tensor, layer: Resonators, gamma: Tensor, beta: Tensor, epsilon: float, where: str = ""
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Spikes for the batch-normalised x, with its mean and biased variance (N,), where a kernel does both at once.

    None where no such kernel runs. Raises as `state_space_spikes` does.
    """
    require_valid(x, layer, where)
    kernel = choose_state_space(x, layer)
    return kernel.normalized_spikes(x, layer, gamma, beta, epsilon) if isinstance(kernel, Normalizes) else None


def state_space_spikes(u: Tensor, layer: Resonators, where: str = "", *, kernel: str | None = None) -> Tensor:
    """Spikes (T, B, N) for the current ``u``, with gradients for it and for all tensors of ``layer``.

    ``where`` names the layer in errors. Raises InvalidData, InvalidSetting, UnknownName and BackendMissing.
    """
    require_valid(u, layer, where)
    return choose_state_space(u, layer, kernel).spikes(u, layer)
