"""State-space neurons over all steps, by the kernel that `kernels.choice` chooses."""

from __future__ import annotations

from torch import Tensor

from asrc_train.kernels.choice import choose_state_space
from asrc_train.kernels.state_space.layer import Resonators, require_valid


def state_space_spikes(u: Tensor, layer: Resonators, where: str = "", *, kernel: str | None = None) -> Tensor:
    """Spikes (T, B, N) for the current ``u``, with gradients for it and for all tensors of ``layer``.

    ``where`` names the layer in errors. Raises InvalidData, InvalidSetting, UnknownName and BackendMissing.
    """
    require_valid(u, layer, where)
    return choose_state_space(u, layer, kernel).spikes(u, layer)
