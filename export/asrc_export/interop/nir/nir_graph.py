"""What a NIR graph computes between its neurons: every path of linear nodes as one affine map.

Each neuron is fed  sum over (source, delay) of  M s_source[t - delay]  +  c  with a matrix M (or a diagonal, kept as a
vector) and a constant c. Computed in one pass in topological order, neurons taken as sources, so a loop that
passes through no neuron is found and named, and neither deep nor wide graphs cost more than their nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir.nir_file import MAX_DEPTH
from asrc_train.trained.frozen import Floats

if TYPE_CHECKING:
    import nir

SOURCES = ("LIF", "CubaLIF", "IF")
"""Nodes that fire."""
LINEAR = ("Input", "Output", "Flatten", "Linear", "Affine", "Scale", "Delay", "I")
"""Nodes that pass on an affine function of what they are fed."""
MAX_SQUARE = 8192
"""Widest layer for which a matrix that the file does not hold is written out: N x N of zeros, or a diagonal."""
MAX_PRODUCT = 2**27
"""Most entries of the product of two matrices in a row."""
_CLOSEST = {
    "LI": "a readout that leaks; ours adds up without a leak, as the node I does",
    "CubaLI": "a readout that leaks; ours adds up without a leak, as the node I does",
    "Threshold": "a threshold without a membrane; the closest is IF",
    "Conv1d": "a convolution; write it out as a Linear",
    "Conv2d": "a convolution; write it out as a Linear",
    "SumPool2d": "pooling; write it out as a Linear",
    "AvgPool2d": "pooling; write it out as a Linear",
}

Lagged = tuple[str, float]
"""A source and its delay in the graph's unit of time."""


@dataclass(frozen=True, eq=False)
class Signal:
    """An affine function of what the sources send: ``maps`` (width, K) or diagonals (K,), ``constant`` (width,)."""

    width: int
    maps: dict[Lagged, Floats]
    constant: Floats


@dataclass(frozen=True, eq=False)
class Flat:
    """A graph without nesting. ``before`` lists each node's predecessors."""

    nodes: dict[str, Any]
    edges: list[tuple[str, str]]
    input: str
    output: str
    before: dict[str, list[str]] = field(default_factory=dict)


def broken(node: str, why: str) -> InvalidSetting:
    """The error for a node that our networks have no place for."""
    return InvalidSetting(f"NIR node '{node}'", why)


def flatten(graph: nir.NIRGraph) -> Flat:
    """The graph with its subgraphs laid out, names joined by dots. Raises InvalidSetting naming node or edge."""
    nodes, edges = _laid_out(graph, "", 0)
    ends: dict[str, list[str]] = {"Input": [], "Output": []}
    for name, node in nodes.items():
        if type(node).__name__ in ends and name in graph.nodes:
            ends[type(node).__name__].append(name)
    for kind, found in ends.items():
        if len(found) != 1:
            raise InvalidSetting("NIR graph", f"it has {plural(len(found), f'{kind} node')}, and our networks have one")
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        if a in before[b]:
            raise InvalidSetting("NIR graph", f"the edge from '{a}' to '{b}' stands in it twice")
        before[b].append(a)
    return Flat(nodes, edges, ends["Input"][0], ends["Output"][0], before)


def _laid_out(graph: nir.NIRGraph, prefix: str, depth: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    nodes: dict[str, Any] = {}
    inner: dict[str, tuple[str, str]] = {}
    edges: list[tuple[str, str]] = []
    if depth > MAX_DEPTH:
        raise InvalidSetting("NIR graph", f"it is nested deeper than {MAX_DEPTH}")
    for name, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            if prefix + name in nodes:
                raise broken(prefix + name, "the name stands for two nodes")
            nodes[prefix + name] = node
            continue
        below, within = _laid_out(node, f"{prefix}{name}.", depth + 1)
        doors = [[f"{prefix}{name}.{key}" for key in each] for each in (node.inputs, node.outputs)]
        if any(len(each) != 1 for each in doors):
            raise broken(prefix + name, "it is a subgraph without exactly one input and one output")
        inner[name] = doors[0][0], doors[1][0]
        if nodes.keys() & below.keys():
            raise broken(prefix + name, "its nodes' names are taken outside of it")
        nodes |= below
        edges += within
    for a, b in graph.edges:
        for end in (a, b):
            if end not in graph.nodes:
                raise InvalidSetting("NIR graph", f"an edge from '{a}' to '{b}', but there is no node '{end}'")
        start = inner[a][1] if a in inner else prefix + a
        edges.append((start, inner[b][0] if b in inner else prefix + b))
    return nodes, edges


def signals(flat: Flat, dt: float) -> dict[str, Signal]:
    """What each neuron and the output are fed, by name. Raises InvalidSetting naming the node that cannot be."""
    after: dict[str, list[str]] = {name: [] for name in flat.nodes}
    for a, b in flat.edges:
        after[a].append(b)
    waiting = {name: len(preds) for name, preds in flat.before.items()}
    _require_known(flat)
    said: dict[str, Signal] = {}
    fed: dict[str, Signal] = {}
    ready = []
    for name, node in flat.nodes.items():
        if type(node).__name__ in SOURCES or name == flat.input:
            if name == flat.input and flat.before[name]:
                raise broken(name, "something feeds the graph's input")
            said[name] = _source(name, width_of(flat, name))
            ready.append(name)
    done = set(ready)
    while ready:
        for name in after[ready.pop()]:
            waiting[name] -= 1
            if waiting[name] == 0 and name not in done:
                done.add(name)
                said[name] = _passed(name, flat, _sum(name, flat, said), dt, after[name])
                ready.append(name)
    loose = sorted(set(flat.nodes) - done)
    if loose:
        for name in loose:
            if not flat.before[name]:
                raise broken(name, "nothing feeds it")
        raise broken(loose[0], f"it is in or behind a cycle through no neuron ({', '.join(loose[:4])})")
    for name, node in flat.nodes.items():
        if type(node).__name__ in SOURCES:
            fed[name] = _sum(name, flat, said)
    fed[flat.output] = said[flat.output]
    return fed


def _require_known(flat: Flat) -> None:
    """Raise InvalidSetting for the first node of a type that has no place, before its shape can look wrong."""
    for name, node in flat.nodes.items():
        kind = type(node).__name__
        if kind not in (*SOURCES, *LINEAR):
            close = _CLOSEST.get(kind, "no node of ours is close")
            raise broken(name, f"{kind} has no place in a skip-recurrent network: {close}")


def width_of(flat: Flat, name: str) -> int:
    """Values that a source says at each step: from its parameters or, where they are scalars, the layer before."""
    node = flat.nodes[name]
    if name == flat.input:
        shape = np.asarray(node.input_type["input"]).astype(int).flatten().tolist()
        followers = [flat.nodes[b] for a, b in flat.edges if a == name]
        spread = [size for size in shape if size != 1]  # Norse writes the batch of one that it was traced with
        if len(spread) > 1 and any(type(each).__name__ != "Flatten" for each in followers):
            raise broken(name, f"its shape is {tuple(shape)}; only a Flatten may follow more than one dimension")
        return int(np.prod(shape))
    shape = np.shape(node.v_threshold)
    if len(shape) > 1:
        raise broken(name, f"its parameters have shape {shape}, expected one value for each neuron")
    if shape not in ((), (1,)):
        return int(shape[0])
    widths = _widths_before(flat, name)
    if len(widths) != 1:
        raise broken(name, "its parameters are scalars and no Linear or Affine before it says how many neurons it has")
    return widths.pop()


def _widths_before(flat: Flat, name: str) -> set[int]:
    """How many values the nearest Linear and Affine nodes before a node bring, past nodes that keep the width."""
    widths, waiting, seen = set(), list(flat.before[name]), {name}
    while waiting:
        at = waiting.pop()
        node = flat.nodes[at]
        if type(node).__name__ in ("Linear", "Affine"):
            widths.add(int(np.shape(node.weight)[0]) if np.ndim(node.weight) else 0)
        elif type(node).__name__ in LINEAR and at not in seen:
            seen.add(at)
            waiting += flat.before[at]
    return widths


def dense(signal: Signal, fed: Lagged, name: str) -> Floats:
    """The map of one (source, delay), a diagonal written out."""
    matrix = signal.maps[fed]
    if matrix.ndim == 2:
        return matrix
    square(name, len(matrix))
    return np.diag(matrix)


def square(name: str, width: int) -> int:
    """The width, if a matrix of that size squared may be made. Raises InvalidSetting."""
    if width > MAX_SQUARE:
        raise broken(
            name,
            f"{plural(width, 'neuron')} without weights of their own are more than {MAX_SQUARE}, too many to connect",
        )
    return width


def _source(name: str, width: int) -> Signal:
    if width < 1:
        raise broken(name, f"it has {plural(width, 'value')}")
    return Signal(width, {(name, 0.0): np.ones(width)}, np.zeros(width))


def _sum(name: str, flat: Flat, said: dict[str, Signal]) -> Signal:
    parts = [said[each] for each in flat.before[name]]
    if not parts:
        raise broken(name, "nothing feeds it")
    width = parts[0].width
    maps: dict[Lagged, Floats] = {}
    for each, before in zip(parts, flat.before[name], strict=True):
        if each.width != width:
            raise broken(
                name, f"'{flat.before[name][0]}' gives it {plural(width, 'value')} and '{before}' {each.width}"
            )
        for fed, matrix in each.maps.items():
            if fed not in maps:
                maps[fed] = matrix
                continue
            both = [
                _as_matrix(m, name) if m.ndim != max(matrix.ndim, maps[fed].ndim) else m for m in (maps[fed], matrix)
            ]
            maps[fed] = both[0] + both[1]
    return Signal(width, maps, np.sum([each.constant for each in parts], axis=0))


def _as_matrix(matrix: Floats, name: str) -> Floats:
    return dense(Signal(len(matrix), {("", 0.0): matrix}, matrix), ("", 0.0), name)


def _passed(name: str, flat: Flat, signal: Signal, dt: float, after: list[str]) -> Signal:
    """What a node makes of what it is fed."""
    node, kind = flat.nodes[name], type(flat.nodes[name]).__name__
    if kind in ("Input", "Output", "Flatten"):
        return signal
    if kind in ("Linear", "Affine"):
        return _affine(name, node, signal)
    if kind == "Scale":
        return _scaled(name, _vector(name, "scale", node.scale, signal.width), signal)
    if kind == "Delay":
        return _delayed(name, node, signal)
    if kind == "I" and after == [flat.output]:
        return _scaled(name, _vector(name, "r", node.r, signal.width) * dt, signal)
    if kind == "I":
        raise broken(name, "an integrator that never fires is our readout, so the output must follow it")
    raise AssertionError(f"{kind} is known and not handled")


def _affine(name: str, node: Any, signal: Signal) -> Signal:
    weight = numbers(name, "weight", node.weight)
    if weight.ndim != 2 or 0 in weight.shape:
        raise broken(name, f"its weights have shape {weight.shape}, expected two dimensions of at least 1")
    if weight.shape[1] != signal.width:
        raise broken(name, f"its weights take {plural(weight.shape[1], 'value')} and it is fed {signal.width}")
    bias = _vector(name, "bias", node.bias, len(weight)) if hasattr(node, "bias") else np.zeros(len(weight))
    for m in signal.maps.values():
        if m.ndim == 2 and len(weight) * m.shape[1] > MAX_PRODUCT:
            raise broken(
                name,
                f"its product with the matrix before has {len(weight):,} x {m.shape[1]:,} entries, too many",
            )
    maps = {fed: weight * m if m.ndim == 1 else weight @ m for fed, m in signal.maps.items()}
    return Signal(len(weight), maps, weight @ signal.constant + bias)


def _scaled(name: str, scale: Floats, signal: Signal) -> Signal:
    maps = {fed: m * (scale if m.ndim == 1 else scale[:, None]) for fed, m in signal.maps.items()}
    return Signal(signal.width, maps, signal.constant * scale)


def _delayed(name: str, node: Any, signal: Signal) -> Signal:
    delays = _vector(name, "delay", node.delay, signal.width)
    delay = float(delays[0])
    if (delays != delay).any():
        raise broken(name, f"its delays differ ({delays.min():g} to {delays.max():g}) and a layer of ours has one span")
    if delay < 0:
        raise broken(name, f"its delay is {delay:g}, in the future")
    if delay > 0 and signal.constant.any():
        raise broken(name, "it delays a bias, which leaves open what comes before the bias arrives; delay the spikes")
    return Signal(signal.width, {(source, d + delay): m for (source, d), m in signal.maps.items()}, signal.constant)


def numbers(node: str, parameter: str, values: Any) -> Floats:
    """A parameter in double precision. Raises InvalidSetting unless it is finite numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise broken(node, f"its {parameter} is not numbers")
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        raise broken(node, f"its {parameter} holds NaN or infinity")
    return wide


def _vector(node: str, parameter: str, values: Any, width: int) -> Floats:
    """A parameter of one value for each of ``width``, a scalar repeated."""
    array = numbers(node, parameter, values)
    if array.shape in ((), (1,)):
        return np.full(width, array.reshape(-1)[0])
    if array.shape != (width,):
        raise broken(node, f"its {parameter} has shape {array.shape} where {plural(width, 'value')} pass")
    return array
