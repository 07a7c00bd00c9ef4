"""A NIR graph for one framework's own reader: in the terms in which that reader makes the same network of it.

NIR's equations do not say how a reader steps them, and readers differ: by the step that measures time constants, by
what R is good for, by the comparison and the reset of their neurons. A row of `READERS` says what one does, as read and
tried in the version named; what it does not know is refused by layer, with the reason.

    input -> layer0_in -> layer0 -> layer1_in -> ... -> readout -> output        layer0 -> layer0_rec -> layer0

The input is fed as real values, the integers times their scale. A recurrence of span 1 is a cycle without a Delay, as
these readers have it. The output are the currents of the readout in each step (their sum over time is the logits), or
the membranes of a readout that leaks. The file is not for our own reader, which takes the graph of `writer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asrc_core import __version__
from asrc_core.contract.numbers import Fires
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting, UnknownName
from asrc_export.interop.nir import nir_file, nodes
from asrc_export.interop.nir.frameworks.readings import Reset
from asrc_train.trained.frozen import AT_ONCE, Floats, FrozenConnection, FrozenLayer, FrozenNetwork

if TYPE_CHECKING:
    import nir


class Membrane(NamedTuple):
    """What a node of the framework's says of alpha (and beta): its parameters, and what weights are multiplied by."""

    parameters: dict[str, Floats]
    gain: Floats


@dataclass(frozen=True)
class Reader:
    """One framework's reader.

    ``resets`` and ``fires`` are those of the neurons that it makes. ``one``: which constants are one for a layer:
    "all" of them, or "thresholds". ``nothing_kept``: whether a membrane may forget all in a step. Nodes that are None
    it does not know. ``loops``: kinds that may feed themselves. ``subgraph``: such a layer is a graph of its own.
    ``late``: each layer hears the one before a step later.
    """

    title: str
    version: str
    dt: float
    fires: Fires
    resets: Mapping[str, Reset]
    lif: Callable[[Floats, float], Membrane] | None = None
    cuba: Callable[[Floats, Floats, float], Membrane] | None = None
    leakless: Callable[[int, float], Floats] | None = None
    leaky: Callable[[Floats, float], Membrane] | None = None
    one: str = ""
    nothing_kept: bool = True
    loops: Sequence[str] = ()
    subgraph: bool = False
    late: bool = False
    unsaid: str = ""


def _shares(kept: Floats, dt: float) -> Membrane:
    """Euler: tau = dt / (1 - alpha), R = tau / dt."""
    return Membrane({"tau": dt / (1 - kept), "r": 1 / (1 - kept)}, np.ones_like(kept))


def _shares_of_both(kept: Floats, current: Floats, dt: float) -> Membrane:
    """Euler, twice: R = tau_mem / dt, w_in = tau_syn / dt."""
    values = {"tau_mem": dt / (1 - kept), "r": 1 / (1 - kept), "tau_syn": dt / (1 - current), "w_in": 1 / (1 - current)}
    return Membrane(values, np.ones_like(kept))


def _norse(kept: Floats, dt: float) -> Membrane:
    """Euler, R not read: weights are divided by what is left of an input."""
    return Membrane({"tau": _inverted(1 - kept, dt), "r": np.ones_like(kept)}, 1 / (1 - kept))


def _norse_both(kept: Floats, current: Floats, dt: float) -> Membrane:
    values = {"tau_mem": _inverted(1 - kept, dt), "tau_syn": _inverted(1 - current, dt)}
    return Membrane({**values, "r": 1 / (1 - kept), "w_in": 1 / (1 - current)}, np.ones_like(kept))


def _inverted(share: Floats, dt: float) -> Floats:
    """Tau such that dt (1 / tau), computed in single precision, is the share exactly where any tau makes it so."""
    near = (dt / share).astype(np.float32)
    tried = np.stack([near, *(_beside(near, far) for far in (np.inf, -np.inf))])
    made = np.float32(dt) * (np.float32(1) / tried)
    best: Floats = np.take_along_axis(tried, np.abs(made - share).argmin(axis=0)[None], axis=0)[0].astype(np.float64)
    return best


def _beside(values: Any, towards: float) -> Any:
    return np.nextafter(values, np.float32(towards))


def _sinabs(kept: Floats, dt: float) -> Membrane:
    """The decay is exp(-1 / tau), R not read and inputs taken as they are, which NIR's R = 1 / (1 - alpha) says."""
    return Membrane({"tau": -dt / np.log(kept), "r": 1 / (1 - kept)}, np.ones_like(kept))


def _sinabs_leaky(kept: Floats, dt: float) -> Membrane:
    """R has to be 1, and inputs are taken as they are."""
    return Membrane({"tau": -dt / np.log(kept), "r": np.ones_like(kept)}, np.ones_like(kept))


def _rockpool(kept: Floats, current: Floats, dt: float) -> Membrane:
    """It takes tau / (1 + R) for its step, and an input decays before it is heard."""
    mem, syn = -dt / np.log(kept), -dt / np.log(current)
    return Membrane({"tau_mem": mem, "r": mem / dt - 1, "tau_syn": syn, "w_in": np.ones_like(kept)}, 1 / current)


def _spyx(kept: Floats, dt: float) -> Membrane:
    """R is the decay factor in what it writes, and not read."""
    return Membrane({"tau": dt / (1 - kept), "r": kept}, np.ones_like(kept))


def _spyx_both(kept: Floats, current: Floats, dt: float) -> Membrane:
    values = {"tau_mem": dt / (1 - kept), "r": kept, "tau_syn": dt / (1 - current), "w_in": np.ones_like(kept)}
    return Membrane(values, np.ones_like(kept))


def _one(neurons: int, dt: float) -> Floats:
    return np.ones(neurons)


def _per_step(neurons: int, dt: float) -> Floats:
    return np.full(neurons, 1 / dt)


_HARD: Mapping[str, Reset] = {"lif": "hard", "cuba-lif": "hard"}
_ALL = ("LIF", "IF", "CubaLIF")
READERS: Mapping[str, Reader] = {
    "snntorch": Reader("snnTorch", "1.0.0", 1e-4, "above", _HARD, _shares, _shares_of_both, one="thresholds"),
    "norse": Reader("Norse", "1.1.0", 1e-3, "above", _HARD, _norse, _norse_both, _one, loops=_ALL),
    "sinabs": Reader(
        "Sinabs",
        "3.1.3",
        1.0,
        "at",
        {"lif": "soft"},
        _sinabs,
        leakless=_one,
        leaky=_sinabs_leaky,
        nothing_kept=False,
        unsaid="neurons send several spikes in a step in which their membrane reaches twice its threshold; without a "
        "leak, membranes do not sink below minus their threshold",
    ),
    "rockpool": Reader(
        "Rockpool",
        "3.1.0",
        1e-3,
        "at",
        {"cuba-lif": "soft"},
        cuba=_rockpool,
        one="all",
        nothing_kept=False,
        loops=("CubaLIF",),
        subgraph=True,
        unsaid="neurons send several spikes in a step in which their membrane reaches twice its threshold",
    ),
    "spikingjelly": Reader(
        "SpikingJelly",
        "2.0.0",
        1e-4,
        "at",
        _HARD,
        _shares,
        _shares_of_both,
        _per_step,
        one="all",
        nothing_kept=False,
        loops=_ALL,
    ),
    "spyx": Reader(
        "spyx",
        "1.0.0",
        1.0,
        "above",
        {"lif": "late", "cuba-lif": "soft"},
        _spyx,
        _spyx_both,
        _one,
        loops=_ALL,
        late=True,
        unsaid="each layer is heard a step later, so that the output comes a step later for each of them",
    ),
}
"""By the name that `nir_for` takes."""


def reader(name: str) -> Reader:
    """The row of a framework's reader. Raises UnknownName for one that has none."""
    if name not in READERS:
        raise UnknownName("framework to write for", name, READERS, "leave `nir_for` away for NIR's own terms")
    return READERS[name]


def losses(frozen: FrozenNetwork, name: str) -> list[str]:
    """One sentence for each thing that the framework's reader does not see."""
    row = reader(name)
    return [*nodes.order_lost(frozen), *([f"{row.title} {row.version}: {row.unsaid}"] if row.unsaid else [])]


def to_graph(frozen: FrozenNetwork, name: str) -> nir.NIRGraph:
    """The graph of the module's docstring. Raises InvalidSetting naming the layer, UnknownName, ExtraMissing."""
    row = reader(name)
    sources = [INPUT, *(layer.name for layer in frozen.layers)]
    last = nodes.read_out(frozen)
    for layer, source in zip((*frozen.layers, last), sources, strict=True):
        why = nodes.why_no_node(layer, nodes.READOUTS if layer is last else nodes.FIRING)
        why = why or _why_no_chain(layer, source)
        why = why or (_why_no_readout(row, layer) if layer is last else _why_not(row, layer, first=source == INPUT))
        if why is not None:
            raise InvalidSetting(f"NIR graph for {row.title}", f"layer '{layer.name}' {why}")
    package = nir_file.package()
    made: dict[str, Any] = {"input": package.Input({"input": np.array([frozen.channels])})}
    edges: list[tuple[str, str]] = []
    before = "input"
    for i, layer in enumerate(frozen.layers):
        before = _add(package, made, edges, before, f"layer{i}", layer, row)
    leaks = bool((nodes.kept(last) < 1).any())
    membrane = row.leaky(nodes.kept(last), row.dt) if leaks and row.leaky is not None else None
    made["readout"] = _affine(package, last, np.ones(last.neurons))
    path = [before, "readout"]
    if membrane is not None:
        zero = np.zeros(last.neurons, np.float32)
        made["leak"] = package.LI(**_single(membrane.parameters), v_leak=zero)
        path.append("leak")
    made["output"] = package.Output({"output": np.array([last.neurons])})
    edges += zip(path, [*path[1:], "output"], strict=True)
    said = {"written_for": name, "exporter": f"asrc-export {__version__}", "dt": row.dt, "input_scale": frozen.scale}
    return package.NIRGraph(made, edges, metadata=said)


def _add(
    package: Any,
    made: dict[str, Any],
    edges: list[tuple[str, str]],
    before: str,
    name: str,
    layer: FrozenLayer,
    row: Reader,
) -> str:
    """The nodes of a layer behind another; returns what the next one is fed by."""
    node, gain = _neurons(package, row, layer)
    made[f"{name}_in"] = _affine(package, layer, gain)
    edges.append((before, f"{name}_in"))
    loop = _loop(layer)
    if loop is None:
        made[name] = node
        edges.append((f"{name}_in", name))
        return name
    back = package.Linear((gain[:, None] * loop.weight).astype(np.float32))
    if row.subgraph:
        ends = np.array([layer.neurons])
        inner = {"input": package.Input({"input": ends}), "neurons": node, "again": back}
        inner["output"] = package.Output({"output": ends})
        path = [("input", "neurons"), ("neurons", "again"), ("again", "neurons"), ("neurons", "output")]
        made[name] = package.NIRGraph(inner, path)
        edges.append((f"{name}_in", name))
        return name
    made |= {name: node, f"{name}_rec": back}
    edges += [(f"{name}_in", name), (name, f"{name}_rec"), (f"{name}_rec", name)]
    return name


def _affine(package: Any, layer: FrozenLayer, gain: Floats) -> Any:
    weight = (gain[:, None] * layer.weight).astype(np.float32)
    return package.Affine(weight, (gain * nodes.at_once(layer)).astype(np.float32))


def _neurons(package: Any, row: Reader, layer: FrozenLayer) -> tuple[Any, Floats]:
    """The node, and what the layer's weights are multiplied by."""
    n, kept, current = layer.neurons, nodes.kept(layer), nodes.kept(layer, current=True)
    zero = np.zeros(n, np.float32)
    common = {"v_threshold": _threshold(row, layer), "v_reset": zero}
    which = _node(layer)
    if which == "IF":
        assert row.leakless is not None
        return package.IF(row.leakless(n, row.dt).astype(np.float32), **common), np.ones(n)
    if which == "CubaLIF":
        assert row.cuba is not None
        made = row.cuba(kept, current, row.dt)
        return package.CubaLIF(**_single(made.parameters), v_leak=zero, **common), made.gain
    assert row.lif is not None
    made = row.lif(kept, row.dt)
    return package.LIF(**_single(made.parameters), v_leak=zero, **common), made.gain


def _threshold(row: Reader, layer: FrozenLayer) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Theta, or its neighbour in single precision where neurons there compare it otherwise than ours."""
    theta = np.broadcast_to(np.asarray(layer.threshold, np.float64), (layer.neurons,))
    if layer.fires == row.fires:
        return theta.astype(np.float32)
    return nodes.below(theta) if layer.fires == "at" else -nodes.below(-theta)


def _single(parameters: Mapping[str, Floats]) -> dict[str, Any]:
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def _node(layer: FrozenLayer) -> str:
    if nodes.kept(layer, current=True).any():
        return "CubaLIF"
    return "IF" if (nodes.kept(layer) == 1).all() else "LIF"


def _loop(layer: FrozenLayer) -> FrozenConnection | None:
    return next((each for each in layer.connections if each.source == layer.name and each.weight.any()), None)


def _why_no_chain(layer: FrozenLayer, source: str) -> str | None:
    """What of the layer's connections these readers do not know."""
    before = [each for each in layer.connections if each.source != layer.name]
    if [each.source for each in before] != [source]:
        return f"does not have one connection from '{source}', and these readers make chains"
    if before[0].delays is not None or before[0].taps != AT_ONCE:
        return "delays what comes from before, and no framework's reader knows NIR's Delay"
    own = [each for each in layer.connections if each.source == layer.name and each.weight.any()]
    if len(own) > 1 or any(each.delays is not None or len(each.taps) > 1 or each.span != 1 for each in own):
        return "recalls more than the step before, and no framework's reader knows NIR's Delay"
    return None


def _why_not(row: Reader, layer: FrozenLayer, *, first: bool) -> str | None:
    """What of the layer's neurons the framework's have not."""
    which = _node(layer)
    made = {"LIF": row.lif, "CubaLIF": row.cuba, "IF": row.leakless}[which]
    known = [name for name, how in (("LIF", row.lif), ("CubaLIF", row.cuba), ("IF", row.leakless)) if how is not None]
    if made is None:
        return f"would be {which}, and the reader of {row.title} {row.version} makes its neurons of {', '.join(known)}"
    kept, current = nodes.kept(layer), nodes.kept(layer, current=True)
    reset, theirs = nodes.reset_of(layer), row.resets["cuba-lif" if which == "CubaLIF" else "lif"]
    words = {value: said for said, value in nodes.RESETS.items()}
    if reset != theirs:
        return f"is reset {words[reset]}, and the neurons that {row.title} makes {words[theirs]}"
    if reset != "hard" and layer.fires != row.fires:
        return f"fires {layer.fires} the threshold that it subtracts, and the neurons of {row.title} {row.fires} it"
    if not row.nothing_kept and ((kept == 0).any() or (which == "CubaLIF" and (current == 0).any())):
        return f"keeps nothing of a step, and the reader of {row.title} has no such time constant"
    if which == "CubaLIF" and np.any(layer.constants["bias"]):
        return (
            "has a bias that joins the membrane past its current, which is a v_leak that these readers do not take so"
        )
    if row.late and not first and nodes.at_once(layer).any():
        return f"has biases, which {row.title} adds up in the steps before the layer hears anything"
    if row.one and np.ptp(np.asarray(layer.threshold)):
        return f"has a threshold for each neuron, and the reader of {row.title} takes one for all"
    if row.one == "all" and (np.ptp(kept) or np.ptp(current)):
        return f"has a time constant for each neuron, and the reader of {row.title} takes one for all"
    if _loop(layer) is not None and which not in row.loops:
        return f"feeds itself, and the reader of {row.title} {row.version} knows no such layer of {which}"
    return None


def _why_no_readout(row: Reader, layer: FrozenLayer) -> str | None:
    if nodes.kept(layer, current=True).any():
        return "leaks behind a current that lasts, and none of these readers knows CubaLI"
    if (nodes.kept(layer) == 1).all():
        return None
    if row.leaky is None:
        return f"leaks, and the reader of {row.title} {row.version} knows no LI"
    return "forgets all in a step" if (nodes.kept(layer) == 0).any() else None
