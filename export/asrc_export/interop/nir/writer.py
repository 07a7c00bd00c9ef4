"""A frozen float network as a NIR graph.

    input -> scale -> layer0_in -> layer0 -> layer1_in -> layer1 -> ... -> readout -> sum -> output
                                   layer0 -> layer0_delay -> layer0_rec -> layer0

    layer<i>_in     Affine(W, b)
    layer<i>        LIF with forward Euler, u[t] = v[t-1] + dt/tau (v_leak - v[t-1] + R I[t]):
                    tau = dt / (1 - alpha), R = tau / dt, v_leak = 0, so u[t] = alpha v[t-1] + I[t];
                    IF(R = 1/dt) where alpha = 1. NIR fires above the threshold, we at it: v_threshold is the
                    largest float32 below theta, which makes the two the same for a membrane in single precision,
                    and theta itself for layers that fire above it.
    layer<i>_delay  Delay(span dt), before the recurrent weights: y(t) = s(t - span dt)
    layer<i>_rec    Linear(U); a layer whose U is all zero has no loop
    readout, sum    Affine(W_o, b_o), then the integrator I(R = 1/dt): the logits summed over time

The time step, the discretisation, and each layer's exact alpha, theta, span, kind of reset and comparison stand in
the metadata, and `reader` reads them back bit for bit. What a reader that knows NIR only would get wrong is refused
unless the caller accepts it: a soft reset (NIR's neurons reset to a fixed potential) and a permutation of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir import nir_file
from asrc_train.trained.frozen import AT_ONCE, FrozenConnection, FrozenLayer, FrozenNetwork

if TYPE_CHECKING:
    import nir

DT = 1e-3
"""One of our steps in NIR's seconds: a convention, written into every file."""


def save(model: str | Path, path: str | Path, *, lossy: bool = False) -> list[str]:
    """Write a checkpoint's frozen network as NIR; returns what readers other than ours will not see.

    Raises InvalidSetting if there is such a thing and ``lossy`` is not given, and for layers that the graph has no form
    for; UnreadableFile, NonFiniteWeights, UnwritableOutput, ExtraMissing.
    """
    from asrc_train.trained.freeze import freeze_file  # which needs PyTorch; an integer network's floats do not

    return save_frozen(freeze_file(model), path, lossy=lossy)


def save_frozen(frozen: FrozenNetwork, path: str | Path, *, lossy: bool = False, lost: Sequence[str] = ()) -> list[str]:
    """Write a frozen network as NIR, of which ``lost`` is lost already; raises and returns as `save` does."""
    if not isinstance(lossy, bool):
        raise InvalidSetting("lossy", f"{lossy!r} is neither True nor False")
    lost = [*lost, *losses(frozen)]
    if lost and not lossy:
        listed = "; ".join(lost)
        raise InvalidSetting(
            "NIR graph", f"it cannot say all of this network: {listed}; `lossy=True` writes it all the same"
        )
    nir_file.write(to_graph(frozen), path)
    return lost


def losses(frozen: FrozenNetwork) -> list[str]:
    """One sentence for each thing that only our metadata says."""
    soft = [layer.name for layer in frozen.layers if layer.reset == "soft"]
    lost = []
    if soft:
        lost.append(f"{', '.join(soft)} subtract theta when they fire, NIR's neurons reset to zero")
    if frozen.permutation is not None:
        lost.append("the steps are fed in a permuted order, of which a graph knows nothing")
    return lost


def to_graph(frozen: FrozenNetwork) -> nir.NIRGraph:
    """The graph of the module's docstring. Raises ExtraMissing, and InvalidSetting, naming the layer, for others."""
    for layer, source in zip(frozen.layers, (INPUT, *(each.name for each in frozen.layers)), strict=False):
        why = _why_not(layer, source)
        if why is not None:
            raise InvalidSetting("NIR graph", f"layer '{layer.name}' {why}")
    nir = nir_file.package()
    channels = np.array([frozen.channels])
    nodes: dict[str, Any] = {
        "input": nir.Input({"input": channels}),
        "scale": nir.Scale(np.full(frozen.channels, frozen.scale)),
    }
    edges = [("input", "scale")]
    before = "scale"
    for i, layer in enumerate(frozen.layers):
        name = f"layer{i}"
        nodes[f"{name}_in"] = nir.Affine(_single(layer.weight), _single(layer.bias))
        nodes[name] = _neuron(nir, layer)
        edges += [(before, f"{name}_in"), (f"{name}_in", name)]
        loop = _loop(layer)
        if loop is not None:
            nodes[f"{name}_delay"] = nir.Delay(np.full(len(layer.bias), loop.span * DT))
            nodes[f"{name}_rec"] = nir.Linear(_single(loop.weight))
            edges += [(name, f"{name}_delay"), (f"{name}_delay", f"{name}_rec"), (f"{name}_rec", name)]
        before = name
    classes = len(frozen.readout_bias)
    nodes["readout"] = nir.Affine(_single(frozen.readout_weight), _single(frozen.readout_bias))
    nodes["sum"] = nir.I(np.full(classes, 1 / DT, np.float32))
    nodes["output"] = nir.Output({"output": np.array([classes])})
    edges += [(before, "readout"), ("readout", "sum"), ("sum", "output")]
    return nir.NIRGraph(nodes, edges, metadata=_metadata(frozen))


def _loop(layer: FrozenLayer) -> FrozenConnection | None:
    """The connection from the layer itself, unless its weights are all zero."""
    return next((each for each in layer.connections if each.source == layer.name and each.weight.any()), None)


def _why_not(layer: FrozenLayer, source: str) -> str | None:
    """What of the layer the graph of the module's docstring has not, None if it has all of it."""
    if layer.kind != "lif":
        return f"has neurons of kind '{layer.kind}', and the graph's are LIF and IF"
    if np.ndim(layer.decay) or np.ndim(layer.threshold):
        return "has a decay or a threshold for each neuron, and what is written here is read back as one for all"
    before = [each for each in layer.connections if each.source != layer.name]
    if [each.source for each in before] != [source] or len(layer.connections) > 2:
        return f"does not have one connection from '{source}' and one from itself at most"
    if before[0].delays is not None or before[0].taps != AT_ONCE:
        return "delays what comes from before, and the graph has delays in loops only"
    loop = _loop(layer)
    if loop is not None and (loop.delays is not None or len(loop.taps) > 1):
        return "taps several spans at once, and the graph has one delay a layer"
    return None


def _neuron(nir: Any, layer: FrozenLayer) -> nir.NIRNode:
    n, loop = len(layer.bias), next((each for each in layer.connections if each.source == layer.name), None)
    exact = {
        "decay": layer.decay,
        "threshold": layer.threshold,
        "span": 1 if loop is None else loop.span,
        "reset": "subtract the threshold" if layer.reset == "soft" else "to zero",
        "fires": "v >= threshold" if layer.fires == "at" else "v > threshold",
    }
    threshold = np.full(n, below(layer.threshold) if layer.fires == "at" else np.float32(layer.threshold))
    if layer.decay == 1:
        return nir.IF(np.full(n, 1 / DT, np.float32), threshold, np.zeros(n, np.float32), metadata=exact)
    tau = DT / (1 - layer.decay)
    return nir.LIF(
        tau=np.full(n, tau, np.float32),
        r=np.full(n, tau / DT, np.float32),
        v_leak=np.zeros(n, np.float32),
        v_threshold=threshold,
        v_reset=np.zeros(n, np.float32),
        metadata=exact,
    )


def below(theta: float) -> np.float32:
    """The largest float32 below theta: in single precision, u is above it exactly if u >= theta."""
    near = np.float32(theta)
    return np.nextafter(near, np.float32(-np.inf)) if near >= theta else near


def _metadata(frozen: FrozenNetwork) -> dict[str, Any]:
    content: dict[str, Any] = {
        nir_file.MARK: nir_file.VERSION,
        "dt": DT,
        "integration": "euler",
        "steps": frozen.steps,
        "input_maximum": frozen.maximum,
        "input_scale": frozen.scale,
    }
    if frozen.provenance.get("data") is not None:
        content["data"] = frozen.provenance["data"]
    if frozen.permutation is not None:
        content["permutation"] = frozen.permutation
    return content


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)
