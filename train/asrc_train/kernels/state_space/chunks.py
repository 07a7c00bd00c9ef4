"""The read-out chunk by chunk: products with a triangular matrix within a chunk, states handed on between them.

y[m + t] = sum_{j <= t} kernel[t - j] u[m + j] + sum_k Re(r_k a_k^(t+1) z_k[m - 1])     within the chunk from m
z_k[m + L - 1] = a_k^L z_k[m - 1] + sum_j a_k^(L-1-j) u[m + j]
"""

from __future__ import annotations

import torch
from torch import Tensor

from asrc_train.kernels.state_space import fft
from asrc_train.kernels.state_space.firing import spikes_of
from asrc_train.kernels.state_space.layer import Resonators

LENGTH = 32
"""Steps of a chunk."""


def why_not(u: Tensor, layer: Resonators) -> str | None:
    """Why this kernel cannot do it here, or None."""
    return fft.why_not(u, layer)


def spikes(u: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N)."""
    return spikes_of(read_out(u, layer), layer)


def read_out(u: Tensor, layer: Resonators) -> Tensor:
    """The read-out y (T, B, N)."""
    steps, batch, neurons = u.shape
    padded = torch.nn.functional.pad(u, (0, 0, 0, 0, 0, -steps % LENGTH))
    by_neuron = padded.view(-1, LENGTH, batch, neurons).permute(3, 0, 2, 1)  # (N, chunks, B, L)
    response = fft.impulse_response(layer, LENGTH)
    lag = torch.arange(LENGTH, device=u.device)
    behind = lag[:, None] - lag  # [t, j]: steps from j to t
    within = torch.where((behind >= 0)[..., None], response[behind.clamp(min=0)], 0)  # (L, L, N)
    y = torch.einsum("ncbj,tjn->ncbt", by_neuron, within)

    powers = fft.powers_of(layer, LENGTH + 1)  # (L + 1, N, K)
    to_end = powers[:LENGTH].flip(0)
    given = torch.complex(
        torch.einsum("ncbj,jnk->cbnk", by_neuron, to_end.real), torch.einsum("ncbj,jnk->cbnk", by_neuron, to_end.imag)
    )
    state = torch.zeros_like(given[0])
    begun = []
    for each in given:
        begun.append(state)
        state = state * powers[LENGTH] + each
    held = torch.stack(begun)
    reading = torch.complex(*layer.readout) * powers[1:]  # (L, N, K)
    y = (
        y
        + torch.einsum("cbnk,tnk->ncbt", held.real, reading.real)
        - torch.einsum("cbnk,tnk->ncbt", held.imag, reading.imag)
    )
    return y.permute(1, 3, 2, 0).reshape(-1, batch, neurons)[:steps]
