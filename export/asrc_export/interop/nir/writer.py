"""A frozen float network as a NIR graph.

    input -> scale -> layer0_in -> layer0 -> layer1_in -> layer1 -> ... -> readout -> sum -> output
                                   layer0 -> layer0_delay -> layer0_rec -> layer0

    layer<i>        LIF, IF or CubaLIF (`nodes`)
    layer<i>_in     Affine(W, b): what it hears at once of what stands before
    layer<i>_delay  Delay(span dt), before the recurrent weights: y(t) = s(t - span dt)
    layer<i>_rec    Linear(U); a layer whose U is all zero has no loop
    readout, sum    Affine(W_o, b_o), then the integrator I(R = 1/dt): the logits summed over time; or LI, CubaLI where
                    the readout leaks

Each further connection is a Linear of its own, behind a Delay where it is not heard at once: one for each tap of
several; with a delay for each synapse, one Delay with a value for each source where all that hear it hear it then, else
one for each different delay.

The time step, the discretisation, and each layer's exact alpha, theta, span, kind of reset and comparison stand in
the metadata, and `reader` reads them back bit for bit. What a reader that knows NIR only would get wrong is refused
unless the caller accepts it: a soft or late reset (NIR's neurons reset to a fixed potential), a permutation of the
steps, and how a readout that leaks decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir import nir_file, nodes
from asrc_export.interop.nir.frameworks import readers
from asrc_export.interop.nir.nir_graph import MAX_LAGS
from asrc_export.interop.nir.nodes import DT
from asrc_train.trained.frozen import AT_ONCE, Floats, FrozenConnection, FrozenLayer, FrozenNetwork

if TYPE_CHECKING:
    import nir


def save(model: str | Path, path: str | Path, *, lossy: bool = False, nir_for: str | None = None) -> list[str]:
    """Write a checkpoint's frozen network as NIR; returns what readers other than ours will not see.

    ``nir_for``: for the reader of that framework alone (`frameworks.readers`). Raises InvalidSetting if there is such a
    thing and ``lossy`` is not given, and for layers that the graph has no form for; UnknownName, UnreadableFile,
    NonFiniteWeights, UnwritableOutput, ExtraMissing.
    """
    from asrc_train.trained.freeze import freeze_file  # which needs PyTorch; an integer network's floats do not

    return save_frozen(freeze_file(model), path, lossy=lossy, nir_for=nir_for)


def save_frozen(
    frozen: FrozenNetwork,
    path: str | Path,
    *,
    lossy: bool = False,
    lost: Sequence[str] = (),
    nir_for: str | None = None,
) -> list[str]:
    """Write a frozen network as NIR, of which ``lost`` is lost already; raises and returns as `save` does."""
    if not isinstance(lossy, bool):
        raise InvalidSetting("lossy", f"{lossy!r} is neither True nor False")
    told = losses(frozen) if nir_for is None else readers.losses(frozen, nir_for)
    lost = [*lost, *told]
    if lost and not lossy:
        listed = "; ".join(lost)
        raise InvalidSetting(
            "NIR graph", f"it cannot say all of this network: {listed}; `lossy=True` writes it all the same"
        )
    graph = to_graph(frozen) if nir_for is None else readers.to_graph(frozen, nir_for)
    nir_file.write(graph, path)
    return lost


def losses(frozen: FrozenNetwork) -> list[str]:
    """One sentence for each thing that only our metadata says."""
    lost = []
    for reset, said in (("soft", "subtract theta"), ("late", "subtract theta a step later")):
        named = [layer.name for layer in frozen.layers if layer.kind in nodes.FIRING and nodes.reset_of(layer) == reset]
        if named:
            lost.append(f"{', '.join(named)} {said} when they fire, NIR's neurons reset to zero")
    lost += nodes.order_lost(frozen)
    answer, weights = answer_of(frozen.decides)
    if answer != "last":
        said = {"sum": "it is summed over time", "maximum": "its greatest counts"}[answer]
        what = "its steps are weighted" if weights else said
        lost.append(f"a readout that leaks shows its membrane, and {what} for the logits")
    return lost


def answer_of(decides: FrozenLayer | None) -> tuple[str, list[float] | None]:
    """What of a readout's membrane over time is the logits; weights of the steps where they differ."""
    if decides is None or not _leaks(decides):
        return "last", None
    if decides.kind == "peak":
        return "maximum", None
    weights = decides.constants.get("time_weights")
    if weights is None:
        return "last", None
    listed = [float(each) for each in np.asarray(weights).reshape(-1)]
    return "sum", listed if len(set(listed)) > 1 else None


def to_graph(frozen: FrozenNetwork) -> nir.NIRGraph:
    """The graph of the module's docstring. Raises ExtraMissing, and InvalidSetting, naming the layer, for others."""
    for layer in frozen.layers:
        _require(layer, nodes.FIRING)
    if frozen.decides is not None:
        _require(frozen.decides, nodes.READOUTS)
    package = nir_file.package()
    channels = np.array([frozen.channels])
    made: dict[str, Any] = {
        "input": package.Input({"input": channels}),
        "scale": package.Scale(np.full(frozen.channels, frozen.scale)),
    }
    edges = [("input", "scale")]
    known = {INPUT: "scale", **{layer.name: f"layer{i}" for i, layer in enumerate(frozen.layers)}}
    for layer in frozen.layers:
        name = known[layer.name]
        made[name] = nodes.firing(package, layer, _span(layer))
        _connect(package, made, edges, name, layer, known)
    last = nodes.read_out(frozen)
    made["sum"] = nodes.reading_out(package, last)
    _connect(package, made, edges, "sum", last, known)
    made["output"] = package.Output({"output": np.array([len(frozen.readout_bias)])})
    edges.append(("sum", "output"))
    return package.NIRGraph(made, edges, metadata=_metadata(frozen))


def _require(layer: FrozenLayer, kinds: tuple[str, ...]) -> None:
    why = nodes.why_no_node(layer, kinds)
    more = layer.kind == "peak" or layer.constants.get("time_weights") is not None
    if why is None and layer.kind in nodes.READOUTS and more and not _leaks(layer):
        why = "answers with more than its sum and does not leak, for which NIR has no node"
    if why is None and any(len(_paths(each)) > MAX_LAGS for each in layer.connections):
        why = f"hears one source with more than {MAX_LAGS} different delays, and we read back no more"
    if why is not None:
        raise InvalidSetting("NIR graph", f"layer '{layer.name}' {why}")


def _leaks(layer: FrozenLayer) -> bool:
    return bool((nodes.kept(layer) < 1).any() or nodes.kept(layer, current=True).any())


def _span(layer: FrozenLayer) -> dict[str, Any]:
    """The span of a layer's recurrence, also where its weights are all zero."""
    own = [each for each in layer.connections if each.source == layer.name]
    return {"span": own[0].span} if len(own) == 1 and own[0].delays is None and len(own[0].taps) == 1 else {}


def _connect(
    package: Any,
    made: dict[str, Any],
    edges: list[tuple[str, str]],
    name: str,
    layer: FrozenLayer,
    known: dict[str, str],
) -> None:
    """Nodes and edges from all that a layer hears; what joins in every step is the first one's bias."""
    heard = [each for each in layer.connections if each.source != layer.name or each.weight.any()]
    constant: Floats | None = nodes.at_once(layer)
    for each in heard or layer.connections[:1]:
        source, own = known[each.source], each.source == layer.name
        for weight, lags in _paths(each):
            single = weight.astype(np.float32)
            base = "readout" if name == "sum" else f"{name}_{'rec' if own else 'in'}"
            through = _free(made, base)
            if constant is None:
                made[through] = package.Linear(single)
            else:
                made[through] = package.Affine(single, constant.astype(np.float32))
                constant = None
            at = source
            if lags.any():
                at = _free(made, "readout_delay" if name == "sum" else f"{name}_delay")
                made[at] = package.Delay(lags * DT)
                edges.append((source, at))
            edges += [(at, through), (through, name)]


def _free(made: dict[str, Any], base: str) -> str:
    return next(name for name in (base, *(f"{base}{k}" for k in range(1, len(made) + 2))) if name not in made)


def _paths(connection: FrozenConnection) -> list[tuple[Floats, Floats]]:
    """Weights (N, I), and how many steps later what each source sends is heard, (I,): together the connection."""
    weight, sources = connection.weight, connection.weight.shape[1]
    if connection.delays is None:
        return [(tap.weight * weight, np.full(sources, float(tap.span))) for tap in connection.taps or AT_ONCE]
    there = weight != 0
    latest = np.where(there, connection.delays, 0).max(axis=0)
    if (connection.delays == latest)[there].all() if there.any() else True:
        return [(weight, latest.astype(np.float64))]
    return [
        (np.where(connection.delays == lag, weight, 0), np.full(sources, float(lag)))
        for lag in np.unique(connection.delays[there])
    ]


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
    if frozen.decides is not None and _leaks(frozen.decides):
        content["answer"], weights = answer_of(frozen.decides)
        if weights:
            content["time_weights"] = np.array(weights)
    return content
