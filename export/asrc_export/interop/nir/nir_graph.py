"""What a NIR graph computes between its neurons: every path of linear nodes as one affine map.

Each neuron is fed  sum over (source, delay) of  M s_source[t - delay]  +  c  with a matrix M (or a diagonal, kept as a
vector) and a constant c. Computed in one pass in topological order, neurons taken as sources, so a loop that
passes through no neuron is found and named, and neither deep nor wide graphs cost more than their nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir import images
from asrc_export.interop.nir.nir_file import MAX_DEPTH
from asrc_export.interop.nir.numbers import broken, numbers
from asrc_train.trained.frozen import Floats

if TYPE_CHECKING:
    import nir

SOURCES = ("LIF", "CubaLIF", "IF")
"""Nodes that fire."""
LEAKY = ("LI", "CubaLI")
"""Nodes that integrate, leak and never fire: readouts."""
IMAGES = ("Conv1d", "Conv2d", "SumPool2d", "AvgPool2d")
"""Nodes that know where their values lie beside each other."""
LINEAR = ("Input", "Output", "Flatten", "Linear", "Affine", "Scale", "Delay", "I", *IMAGES)
"""Nodes that pass on an affine function of what they are fed."""
MAX_SQUARE = 8192
"""Widest layer for which a matrix that the file does not hold is written out: N x N of zeros, or a diagonal."""
MAX_WIDTH = 65_536
"""Most values that a node says at each step."""
MAX_PRODUCT = 2**27
"""Most entries of the product of two matrices in a row."""
MAX_LAGS = 64
"""Most different delays with which one node's values are passed on."""
_CLOSEST = {"Threshold": "a threshold without a membrane; the closest is IF"}

Lagged = tuple[str, float]
"""A source and its delay in the graph's unit of time."""


@dataclass(frozen=True, eq=False)
class Signal:
    """An affine function of what the sources send: ``maps`` (width, K) or diagonals (K,), ``constant`` (width,).

    ``shape``: how its values lie, channels first; they are counted in this order. ``convolution``: where the weights of
    its maps lie, if a kernel's became them.
    """

    shape: tuple[int, ...]
    maps: dict[Lagged, Floats]
    constant: Floats
    convolution: Convolution | None = None

    @property
    def width(self) -> int:
        """Values, all dimensions together."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Flat:
    """A graph without nesting. ``before`` lists each node's predecessors."""

    nodes: dict[str, Any]
    edges: list[tuple[str, str]]
    inputs: list[str]
    output: str
    before: dict[str, list[str]] = field(default_factory=dict)


def flatten(graph: nir.NIRGraph) -> Flat:
    """The graph with its subgraphs laid out, names joined by dots. Raises InvalidSetting naming node or edge."""
    nodes, edges = _laid_out(graph, "", 0)
    ends: dict[str, list[str]] = {"Input": [], "Output": []}
    for name, node in nodes.items():
        if type(node).__name__ in ends and name in graph.nodes:
            ends[type(node).__name__].append(name)
    if len(ends["Output"]) != 1:
        found = plural(len(ends["Output"]), "Output node")
        raise InvalidSetting("NIR graph", f"it has {found}, and our networks have one")
    if not ends["Input"]:
        raise InvalidSetting("NIR graph", "it has no Input node")
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        if a in before[b]:
            raise InvalidSetting("NIR graph", f"the edge from '{a}' to '{b}' stands in it twice")
        before[b].append(a)
    return Flat(nodes, edges, ends["Input"], ends["Output"][0], before)


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
        if type(node).__name__ in (*SOURCES, *LEAKY) or name in flat.inputs:
            if name in flat.inputs and flat.before[name]:
                raise broken(name, "something feeds the graph's input")
            said[name] = _source(name, shape_of(flat, name))
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
        if type(node).__name__ in (*SOURCES, *LEAKY):
            fed[name] = _sum(name, flat, said)
    fed[flat.output] = said[flat.output]
    return fed


def _require_known(flat: Flat) -> None:
    """Raise InvalidSetting for the first node of a type that has no place, before its shape can look wrong."""
    for name, node in flat.nodes.items():
        kind = type(node).__name__
        if kind not in (*SOURCES, *LEAKY, *LINEAR):
            close = _CLOSEST.get(kind, "no node of ours is close")
            raise broken(name, f"{kind} has no place in our networks: {close}")


def past_the_recurrence(flat: Flat) -> None:
    """Let what enters a recurrent subgraph reach its neurons, where the file leads it through the recurrent weights."""
    for name, node in flat.nodes.items():
        after = [b for a, b in flat.edges if a == name]
        doors = [each for each in flat.before[name] if type(flat.nodes[each]).__name__ == "Input"]
        if type(node).__name__ != "Linear" or len(after) != 1 or len(doors) != 1 or doors[0] in flat.inputs:
            continue
        neurons = after[0]
        if sorted(flat.before[name]) == sorted([doors[0], neurons]):
            flat.edges[flat.edges.index((doors[0], name))] = (doors[0], neurons)
            flat.before[name].remove(doors[0])
            flat.before[neurons].append(doors[0])


def width_of(flat: Flat, name: str) -> int:
    """Values that a source says at each step."""
    return math.prod(shape_of(flat, name))


def shape_of(flat: Flat, name: str) -> tuple[int, ...]:
    """How the values lie that a source says at each step: as its parameters do or, where they are scalars, as many as
    the layer before it gives.
    """
    node = flat.nodes[name]
    if name in flat.inputs:
        stated = np.asarray(node.input_type["input"]).astype(int).flatten().tolist()
        shape = tuple(stated)
        while len(shape) > 1 and shape[0] == 1 and not _image_follows(flat, name, len(shape)):
            shape = shape[1:]  # Norse writes the batch of one that it was traced with
        spread = [size for size in shape if size != 1]
        followers = [flat.nodes[b] for a, b in flat.edges if a == name]
        matrices = [each for each in followers if type(each).__name__ in ("Linear", "Affine")]
        if len(spread) > 1 and matrices:
            if len(matrices) == len(followers) and {np.shape(each.weight)[-1] for each in matrices} == {shape[-1]}:
                return (
                    shape[-1],
                )  # a matrix takes the last axis; Sinabs writes the steps it was traced with before it
            why = "only a Flatten, a convolution, pooling or neurons may follow more than one dimension"
            raise broken(name, f"its shape is {tuple(stated)}; {why}")
        return shape if len(spread) > 1 or len(shape) > 1 else (math.prod(shape),)
    shape = np.shape(node.r)
    if shape not in ((), (1,)):
        return shape
    before = _shapes_before(flat, name)
    if len(before) != 1:
        raise broken(name, "its parameters are scalars and no node before it says how many neurons it has")
    return before.pop()


def _image_follows(flat: Flat, name: str, dimensions: int) -> bool:
    """Whether a node follows at once that takes as many dimensions as the values of a source have."""
    wanted = {"Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}
    return any(wanted.get(type(flat.nodes[b]).__name__) == dimensions for a, b in flat.edges if a == name)


def _shapes_before(flat: Flat, name: str) -> set[tuple[int, ...]]:
    """What the nearest Linear and Affine nodes before a node bring, past nodes that keep the width."""
    shapes: set[tuple[int, ...]] = set()
    waiting, seen = list(flat.before[name]), {name}
    while waiting:
        at = waiting.pop()
        node = flat.nodes[at]
        if type(node).__name__ in ("Linear", "Affine"):
            shapes.add((int(np.shape(node.weight)[0]) if np.ndim(node.weight) else 0,))
        elif type(node).__name__ in LINEAR and type(node).__name__ not in IMAGES and at not in seen:
            seen.add(at)
            waiting += flat.before[at]
    return shapes


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


def _source(name: str, shape: tuple[int, ...]) -> Signal:
    width = math.prod(shape)
    if width < 1:
        raise broken(name, f"it has {plural(width, 'value')}")
    if width > MAX_WIDTH:
        raise broken(name, f"it has {plural(width, 'value')}, more than {MAX_WIDTH}")
    return Signal(shape, {(name, 0.0): np.ones(width)}, np.zeros(width))


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
    shapes = [each.shape for each in parts]
    convolution = parts[0].convolution if len({each.convolution for each in parts}) == 1 else None
    return Signal(max(shapes, key=len), maps, np.sum([each.constant for each in parts], axis=0), convolution)


def _as_matrix(matrix: Floats, name: str) -> Floats:
    return dense(Signal((len(matrix),), {("", 0.0): matrix}, matrix), ("", 0.0), name)


def _passed(name: str, flat: Flat, signal: Signal, dt: float, after: list[str]) -> Signal:
    """What a node makes of what it is fed."""
    node, kind = flat.nodes[name], type(flat.nodes[name]).__name__
    if kind in ("Input", "Output"):
        return signal
    if kind == "Flatten":
        return replace(signal, shape=images.flattened(name, node, signal.shape))
    if kind in ("Linear", "Affine"):
        return _affine(name, node, signal)
    if kind in IMAGES:
        unrolled = images.unrolled(name, node, signal.shape, MAX_PRODUCT)
        direct = all(m.ndim == 1 for m in signal.maps.values())
        moved = unrolled.convolution if direct else images.in_a_row(signal.convolution, unrolled.convolution)
        made = _multiplied(name, signal, unrolled.weight, unrolled.bias, unrolled.shape)
        return replace(made, convolution=moved)
    if kind == "Scale":
        return _scaled(vector(name, "scale", node.scale, signal.shape), signal)
    if kind == "Delay":
        return _delayed(name, node, signal)
    if kind == "I" and after == [flat.output]:
        return _scaled(vector(name, "r", node.r, signal.shape) * dt, signal)
    if kind == "I":
        raise broken(name, "an integrator that never fires is our readout, so the output must follow it")
    raise AssertionError(f"{kind} is known and not handled")


def _affine(name: str, node: Any, signal: Signal) -> Signal:
    weight = numbers(name, "weight", node.weight)
    if weight.ndim != 2 or 0 in weight.shape:
        raise broken(name, f"its weights have shape {weight.shape}, expected two dimensions of at least 1")
    if weight.shape[1] != signal.width:
        raise broken(name, f"its weights take {plural(weight.shape[1], 'value')} and it is fed {signal.width}")
    if sum(size > 1 for size in signal.shape) > 1:
        raise broken(name, f"it is fed values of shape {signal.shape}; put a Flatten in front")
    many = (len(weight),)
    bias = vector(name, "bias", node.bias, many) if hasattr(node, "bias") else np.zeros(len(weight))
    return _multiplied(name, signal, weight, bias, many)


def _multiplied(name: str, signal: Signal, weight: Floats, bias: Floats, shape: tuple[int, ...]) -> Signal:
    for m in signal.maps.values():
        if m.ndim == 2 and len(weight) * m.shape[1] > MAX_PRODUCT:
            raise broken(
                name,
                f"its product with the matrix before has {len(weight):,} x {m.shape[1]:,} entries, too many",
            )
    maps = {fed: weight * m if m.ndim == 1 else weight @ m for fed, m in signal.maps.items()}
    return Signal(shape, maps, weight @ signal.constant + bias)


def _scaled(scale: Floats, signal: Signal) -> Signal:
    maps = {fed: m * (scale if m.ndim == 1 else scale[:, None]) for fed, m in signal.maps.items()}
    return replace(signal, maps=maps, constant=signal.constant * scale)


def _delayed(name: str, node: Any, signal: Signal) -> Signal:
    """Each value later by its own delay: what is delayed alike stays together."""
    delays = vector(name, "delay", node.delay, signal.shape)
    if (delays < 0).any():
        raise broken(name, f"its delay is {delays.min():g}, in the future")
    if signal.constant[delays > 0].any():
        raise broken(name, "it delays a bias, which leaves open what comes before the bias arrives; delay the spikes")
    different = np.unique(delays)
    if len(different) * len(signal.maps) > MAX_LAGS:
        raise broken(name, f"its values are delayed in {len(different)} ways, more than {MAX_LAGS}")
    largest = max((m.size for m in signal.maps.values()), default=0)
    if len(different) > 1 and len(different) * largest > MAX_PRODUCT:
        raise broken(name, f"{len(different)} delays of {largest} weights each are too many to lay out")
    maps: dict[Lagged, Floats] = {}
    for later in different.tolist():
        there = delays == later
        for (source, delay), m in signal.maps.items():
            maps[source, delay + later] = m if there.all() else np.where(there if m.ndim == 1 else there[:, None], m, 0)
    return replace(signal, maps=maps)


def vector(node: str, parameter: str, values: Any, shape: tuple[int, ...]) -> Floats:
    """A parameter of one value for each of those that lie in ``shape``, in their order; a scalar is repeated."""
    array, width = numbers(node, parameter, values), math.prod(shape)
    if array.size == 1:
        return np.full(width, array.reshape(-1)[0])
    if array.shape != shape and array.shape != (width,):
        raise broken(node, f"its {parameter} has shape {array.shape} where {plural(width, 'value')} pass")
    return array.reshape(-1)
