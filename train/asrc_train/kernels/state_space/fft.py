"""The read-out as a convolution with each neuron's kernel, by FFT.

    y = kernel * u,  kernel[t] = sum_k Re(r_k a_k^t) + D [t = 0]

Both are padded to 2 T, so that the end does not come round to the beginning.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asrc_train.kernels.state_space.firing import spikes_of
from asrc_train.kernels.state_space.layer import Resonators


def why_not(u: Tensor, layer: Resonators) -> str | None:
    """Why this kernel cannot do it here, or None."""
    if u.dtype not in (torch.float32, torch.float64):
        return f"torch transforms float32 and float64 here, not {str(u.dtype).removeprefix('torch.')}"
    return None


def spikes(u: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N)."""
    return spikes_of(convolved(u, impulse_response(layer, len(u))), layer)


def impulse_response(layer: Resonators, steps: int) -> Tensor:
    """What a neuron's y does after a current of 1 at step 0, (T, N)."""
    powers = powers_of(layer, steps)
    response = (torch.complex(*layer.readout) * powers).sum(-1).real
    at_once = torch.zeros_like(response)
    at_once[0] = 1
    return response + at_once * layer.direct


def powers_of(layer: Resonators, steps: int) -> Tensor:
    """a^t (steps, N, K) for t = 0, 1, ..."""
    pole = torch.complex(*layer.pole)
    found = torch.ones_like(pole)[None]
    while len(found) < steps:  # doubling: log(T) products, where a power each would need the logarithm of 0
        found = torch.cat([found, found * (found[-1] * pole)])
    return found[:steps]


def convolved(u: Tensor, response: Tensor) -> Tensor:
    """sum_j response[j] u[t - j], (T, B, N)."""
    steps = len(u)
    spectrum = torch.fft.rfft(u, 2 * steps, dim=0) * torch.fft.rfft(response, 2 * steps, dim=0)[:, None]
    whole: Tensor = torch.fft.irfft(spectrum, 2 * steps, dim=0)
    return whole[:steps]
