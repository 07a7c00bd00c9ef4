"""Neurons as NIR's nodes, in forward Euler with our step: what a node's parameters say, and its metadata exactly.

    LIF      tau = dt / (1 - alpha), R = tau / dt, v_leak = 0, so u[t] = alpha v[t-1] + I[t]
    IF       R = 1 / dt, where no membrane leaks (alpha = 1)
    CubaLIF  the same behind  c[t] = beta c[t-1] + I[t]:  tau_syn = dt / (1 - beta), w_in = tau_syn / dt; what joins the
             membrane past the current is v_leak = b tau / dt
    LI, CubaLI  a readout that leaks: the same without a threshold

NIR fires above the threshold: for layers that fire at it, v_threshold is the largest float32 below theta, which makes
the two the same for a membrane in single precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_export.interop.nir.frameworks.readings import Reset
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer, FrozenNetwork

if TYPE_CHECKING:
    import nir

DT = 1e-3
"""One of our steps in NIR's seconds: a convention, written into every file."""
FIRING = ("lif", "late-reset", "cuba-lif")
"""Kinds that have a node."""
READOUTS = ("integrator", "peak")
RESETS: dict[str, Reset] = {
    "subtract the threshold": "soft",
    "to zero": "hard",
    "subtract the threshold a step later": "late",
}
"""What the metadata call them."""


def reset_of(layer: FrozenLayer) -> Reset:
    """What a spike does to the layer's membranes."""
    return "late" if layer.kind == "late-reset" else layer.reset


def kept(layer: FrozenLayer, current: bool = False) -> Floats:
    """The share of the membrane, or of the current, that a step keeps of each neuron; 0 of a current that has none."""
    otherwise = 0.0 if current else 1.0
    value = layer.constants.get("current_decay_factor" if current else "decay_factor", otherwise)
    return np.broadcast_to(np.asarray(value, np.float64), (layer.neurons,))


def at_once(layer: FrozenLayer) -> Floats:
    """What joins the layer's inputs in every step, and lasts where they do."""
    own: Floats = layer.constants["bias"] if not _lasts(layer) else layer.constants.get("current_bias", 0)
    return np.broadcast_to(np.asarray(own, np.float64), (layer.neurons,))


def why_no_node(layer: FrozenLayer, kinds: tuple[str, ...]) -> str | None:
    """What of the layer's neurons no node has, None if there is one."""
    if layer.kind not in kinds:
        has = "LIF, IF and CubaLIF fire" if kinds is FIRING else "LI and CubaLI read out"
        return f"has neurons of kind '{layer.kind}', and of NIR's nodes {has}"
    membrane = kept(layer) == 1
    if membrane.any() and not membrane.all():
        return "has neurons that leak beside some that do not, which are different nodes"
    if membrane.any() and _lasts(layer):
        return "has currents that last and membranes that do not leak, for which NIR has no node"
    if (kept(layer, current=True) == 1).any():
        return "has currents that never decay, for which NIR has no node"
    return None


def firing(nir: Any, layer: FrozenLayer, stated: dict[str, Any]) -> nir.NIRNode:
    """A node of neurons that fire. Its metadata hold all of it exactly, and what is ``stated``."""
    n = layer.neurons
    at = layer.fires == "at"
    exact = {
        **_exact(layer),
        "threshold": layer.threshold,
        "reset": next(said for said, reset in RESETS.items() if reset == reset_of(layer)),
        "fires": "v >= threshold" if at else "v > threshold",
        **stated,
    }
    theta = np.broadcast_to(np.asarray(layer.threshold, np.float64), (n,))
    threshold, zero = below(theta) if at else theta.astype(np.float32), np.zeros(n, np.float32)
    membrane = {"v_threshold": threshold, "v_reset": zero, "metadata": exact}
    if _lasts(layer):
        return nir.CubaLIF(**_currents(layer), **membrane)
    if (kept(layer) == 1).all():
        return nir.IF(np.full(n, 1 / DT, np.float32), **membrane)
    return nir.LIF(**_leak(layer, "tau"), **membrane)


def reading_out(nir: Any, layer: FrozenLayer) -> nir.NIRNode:
    """A node of a readout that leaks, or that adds up what arrives."""
    if _lasts(layer):
        return nir.CubaLI(**_currents(layer), metadata=_exact(layer))
    if (kept(layer) == 1).all():
        return nir.I(np.full(layer.neurons, 1 / DT, np.float32))
    return nir.LI(**_leak(layer, "tau"), metadata=_exact(layer))


def read_out(frozen: FrozenNetwork) -> FrozenLayer:
    """The readout as a layer."""
    if frozen.decides is not None:
        return frozen.decides
    source = FrozenConnection(frozen.layers[-1].name, frozen.readout_weight)
    return FrozenLayer("readout", (source,), "integrator", {"bias": frozen.readout_bias})


def order_lost(frozen: FrozenNetwork) -> list[str]:
    """What no graph says of the order of the steps."""
    if frozen.permutation is None:
        return []
    return ["the steps are fed in a permuted order, of which a graph knows nothing"]


def below(theta: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The largest float32 below theta: in single precision, u is above it exactly if u >= theta."""
    near = theta.astype(np.float32)
    return np.where(near >= theta, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def _lasts(layer: FrozenLayer) -> bool:
    return bool(kept(layer, current=True).any())


def _leak(layer: FrozenLayer, tau: str) -> dict[str, Any]:
    """Of tau, R and v_leak; what joins the membrane past a current is its leak potential."""
    share = 1 - kept(layer)
    past = layer.constants["bias"] / share if _lasts(layer) else np.zeros(layer.neurons)
    values = {tau: DT / share, "r": 1 / share, "v_leak": past}
    return {name: value.astype(np.float32) for name, value in values.items()}


def _currents(layer: FrozenLayer) -> dict[str, Any]:
    share = 1 - kept(layer, current=True)
    values = {"tau_syn": DT / share, "w_in": 1 / share}
    return {**_leak(layer, "tau_mem"), **{name: value.astype(np.float32) for name, value in values.items()}}


def _exact(layer: FrozenLayer) -> dict[str, Any]:
    exact: dict[str, Any] = {"decay": layer.constants.get("decay_factor", 1.0)}
    if _lasts(layer):
        exact |= {"current_decay": layer.constants["current_decay_factor"], "bias": layer.constants["bias"]}
    return exact
