"""State-space neurons as the integer contract's `resonator` takes them: discrete constants in float64, window folded.

A window W over a diagonal state space is another read-out and weights on delayed currents, exactly:

    h[t] = sum_j W_j y[t-j] = sum_k Re(r'_k z_k[t]) + sum_{i < w} g_i u[t-i]
    r'_k = r_k sum_j W_j a_k^-j
    g_i  = W_i D - sum_{j > i} W_j sum_k Re(r_k a_k^(i-j))

because z[t-j] = a^-j (z[t] - sum_{i < j} a^i u[t-i]), from the first step on if u is 0 before it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import CannotFreeze

if TYPE_CHECKING:
    from asrc_train.network.state_space.neurons import StateSpaceNeurons

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]


class FrozenResonators(NamedTuple):
    """N neurons: z[t] = pole z[t-1] + u[t], h[t] = sum_k Re(readout_k z_k[t]) + direct u[t] + sum_i taps_i u[t-1-i].

    ``pole`` and ``readout`` (N, K), ``direct`` (N,), ``taps`` (N, w - 1): of the currents 1 to w - 1 steps ago. These
    are 0 before the first step, the bias too. A neuron fires at h >= ``threshold`` unless it fired in the last
    ``period`` steps.
    """

    pole: Complex
    readout: Complex
    direct: Floats
    taps: Floats
    threshold: float
    period: int


def folded(neurons: StateSpaceNeurons, where: str = "state-space neurons") -> FrozenResonators:
    """The constants of trained neurons. Raises CannotFreeze naming layer and neuron of a pole that does not fade."""
    of = copy.deepcopy(neurons).double().resonators()
    pole, readout = (
        part[0].detach().cpu().numpy() + 1j * part[1].detach().cpu().numpy() for part in (of.pole, of.readout)
    )
    direct: Floats = of.direct.detach().cpu().numpy()
    outside = np.argwhere(~(np.abs(pole) < 1))
    if len(outside):
        neuron, mode = (int(i) for i in outside[0])
        which = f"the pole of neuron {neuron}, mode {mode}, has the size {abs(pole[neuron, mode]):.9g}"
        raise CannotFreeze(where, f"{which}, and states fade below 1 only; train with a smaller pole_learning_rate")
    if of.window is None:
        taps = np.zeros((len(direct), 0))
    else:
        readout, direct, taps = fold_window(pole, readout, direct, of.window.detach().cpu().numpy())
    return FrozenResonators(pole, readout, direct, taps, float(of.threshold), of.period)


def fold_window(pole: Complex, readout: Complex, direct: Floats, window: Floats) -> tuple[Complex, Floats, Floats]:
    """Read-out (N, K), weight of the current (N,) and of those before it (N, w - 1), for a window (N, w)."""
    back = [pole**-j for j in range(window.shape[1])]
    read = readout * sum(window[:, j, None] * back[j] for j in range(window.shape[1]))
    once = np.stack([(readout * each).sum(1).real for each in back], 1)  # sum_k Re(r_k a_k^-j), (N, w)
    weights = window * direct[:, None]
    for i in range(window.shape[1]):
        for j in range(i + 1, window.shape[1]):
            weights[:, i] -= window[:, j] * once[:, j - i]
    return read, weights[:, 0], weights[:, 1:]
