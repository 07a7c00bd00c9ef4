"""An integer network as network.c wants it.

`Code` holds what all threads share: the compiled steps, weights, delays and constants. A `Program` adds the memory that
one thread works in: states, event lists, rings of sums and counts.
"""

from __future__ import annotations

import ctypes as c
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.numbers import Ints
from asrc_core.contract.result import LayerCounts
from asrc_core.contract.synapses.connection import Connection
from asrc_export.codegen.c import binding, cache
from asrc_export.codegen.c.binding import LAGS, TILE
from asrc_export.codegen.c.step import FUNCTION, PrintedStep, printed

Array = NDArray[Any]
Order: TypeAlias = "Ints | None"
"""Of each neuron as they lie here, its place in the network's own order; None where that is the same."""

FEW_BLOCKS = 1 / 4
"""Share of blocks that hold a weight beyond which whole rows are added faster: four of them at once are."""
MANY_BLOCKS = 8
"""Fewer blocks in a row are added faster than they are looked for."""


class Blocks(NamedTuple):
    """Weights where most are absent: for each source the blocks of TILE neurons that hold any, in runs of those that
    follow on one another, with weights that do.
    """

    starts: Array
    """(I + 1): where the runs of each source begin, int32."""
    runs: Array
    """(runs, 3): the first neuron, which weights are the first block's, and how many blocks, int32."""
    weights: Array
    """(different ones, TILE), int32."""


@dataclass(frozen=True, eq=False)
class Synapses:
    """A connection's constants: halved weights and lags in 8 bits, a row for each neuron that sends."""

    weights: Array | None
    sparse: Blocks | None
    """In their place, where most are absent."""
    tiles: Array | None
    """With a delay for each synapse, (tiles of neurons, I, 2, TILE): weights, then lags, beside each other."""
    fan_out: Array | None
    spans: Array
    tap_weights: Array

    @classmethod
    def of(cls, connection: Connection, into: Order = None, source: Order = None) -> Synapses:
        """Those of a connection: weights on the contract's grid are even. ``into``, ``source``: in which order the
        neurons lie that hear, and those that send.
        """
        spans, times = (np.array([tap[i] for tap in connection.taps], np.int32) for i in (0, 1))
        weights = _ordered((connection.weights // 2).astype(np.int8), into, source)
        if connection.delays is None:
            sparse = blocks_of(weights)
            dense = np.ascontiguousarray(weights.T) if sparse is None else None
            return cls(dense, sparse, None, None, spans, times)
        delays = _ordered(connection.delays, into, source)
        places = (np.arange(connection.inputs) * LAGS + delays).ravel()
        fan_out = np.bincount(places, minlength=connection.inputs * LAGS).astype(np.int32)
        parts = _tiles(weights.view(np.uint8)), _tiles(delays.astype(np.uint8))
        return cls(None, None, np.ascontiguousarray(np.stack(parts, axis=2)), fan_out, spans, times)


def order_of(layer: Layer) -> Order:
    """The order in which a layer's neurons lie here: those of a convolution place by place, and not channel by channel,
    since a spike reaches all channels of few places. None for the network's own order, which a readout keeps.
    """
    if layer.neuron.sends is None:
        return None
    shapes = (each.convolution.layer for each in layer.connections if each.convolution is not None)
    channels, *places = next(shapes, (1,))
    if channels == 1 or math.prod(places) == 1:
        return None
    return np.arange(layer.neurons).reshape(channels, -1).T.ravel()


def _ordered(synapses: Array, into: Order, source: Order) -> Array:
    """(N, I) in other orders."""
    rows = synapses if into is None else synapses[into]
    return rows if source is None else rows[:, source]


def blocks_of(weights: Array) -> Blocks | None:
    """The blocks of (N, I) weights that hold any; None where they are too many to gain by it."""
    neurons, inputs = weights.shape
    count = -(-neurons // TILE)
    padded = np.zeros((count * TILE, inputs), np.int8)
    padded[:neurons] = weights
    tiled = padded.reshape(count, TILE, inputs)
    used = (tiled != 0).any(axis=1).T  # (I, blocks)
    if np.count_nonzero(used) > FEW_BLOCKS * used.size or count < MANY_BLOCKS:
        return None
    sources, found = np.nonzero(used)
    values, which = _different(np.ascontiguousarray(tiled[found, :, sources]), sources)
    follows = (np.diff(sources) == 0) & (np.diff(found) == 1) & (np.diff(which) == 1)
    first = np.flatnonzero(np.concatenate([[True], ~follows])[: len(sources)])  # none of a matrix without weights
    lengths = np.diff(first, append=len(sources))
    runs = np.stack([found[first] * TILE, which[first], lengths], axis=1)
    starts = np.searchsorted(sources[first], np.arange(inputs + 1))
    return Blocks(starts.astype(np.int32), runs.astype(np.int32), values.astype(np.int32))


def _different(values: Array, sources: Array) -> tuple[Array, Array]:
    """The different blocks among all, (blocks, TILE) in 8 bits, and which of them each is. They come as they do of the
    sources with most blocks, within an image and not at its border: what one source needs lies together.
    """
    order = np.argsort(-np.bincount(sources)[sources], kind="stable")
    _, first, found = np.unique(values[order].view(np.int64).ravel(), return_index=True, return_inverse=True)
    which = np.empty_like(order)
    which[order] = np.argsort(np.argsort(first))[found]
    return values[order[np.sort(first)]], which


class Code:
    """A network compiled. Raises CannotBuild."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.library = binding.library()
        self.orders = [order_of(layer) for layer in network.layers]
        self.found = [None if order is None else np.argsort(order) for order in self.orders]
        """Of each neuron of the network, where it lies here."""
        self.steps: list[PrintedStep] = [
            printed(*each) for each in zip(network.layers, network.ranges, self.orders, strict=True)
        ]
        loaded = cache.libraries([step.text for step in self.steps])
        self.functions = [c.cast(getattr(each, FUNCTION), c.c_void_p).value for each in loaded]
        self.synapses = [
            [Synapses.of(each, order, self._order_of(each.source)) for each in layer.connections]
            for layer, order in zip(network.layers, self.orders, strict=True)
        ]
        self.constants = [_addresses(step.constants) for step in self.steps]
        self.lists = [self._kept_steps(place) for place in range(len(network.layers))]
        connections = [each for layer in network.layers for each in layer.connections]
        self.delayed = {network.place(each.source) + 1 for each in connections if each.delays is not None}
        """Sources that some connection with delays hears."""

    def _order_of(self, source: str) -> Order:
        place = self.network.place(source)
        return None if place < 0 else self.orders[place]

    def _kept_steps(self, source: int) -> int:
        """For how many steps the events of a source are kept: the input is source 0, the first layer 1."""
        spans = [
            each.longest_lag
            for layer in self.network.layers
            for each in layer.connections
            if each.delays is None and self.network.place(each.source) == source - 1
        ]
        return _power_of_two(1 + max(spans, default=0))


class Program:
    """A network, ready for one thread, at the beginning of a sample in each of 1 or LANES lanes."""

    def __init__(self, code: Code, lanes: int = 1) -> None:
        network = code.network
        self.code, self._lanes = code, lanes
        self._kept: list[Array] = []
        self.frame = self._zeros(network.input.channels, np.int32)
        self.sent = [self._zeros(lanes * layer.neurons, np.int8) for layer in network.layers]
        self.shown = [self._zeros(lanes * layer.neurons, np.int32) for layer in network.layers]
        self.counts = (binding.Counts * len(network.layers))()
        sizes = [network.input.channels, *(layer.neurons for layer in network.hidden)]
        sent = [network.input.range, *(layer.neuron.sends for layer in network.hidden)]
        self._sources = (binding.Source * len(sizes))()
        for place, (to, size, steps, each) in enumerate(zip(self._sources, sizes, code.lists, sent, strict=True)):
            to.size, to.mask = size, steps - 1
            to.binary = each is not None and each.is_bit
            to.counts = _address(self._zeros(lanes * steps, np.int32))
            to.places = _address(self._zeros(lanes * steps * size, np.int32))
            to.values = _address(self._zeros(lanes * steps * size, np.int32))
            if place in code.delayed:
                to.together = _address(self._zeros(lanes * size, np.int32))
                to.heard = _address(self._zeros(size, np.int32))
                to.touched = _address(self._zeros(size, np.int32))
        self._connections = [self._described(place) for place in range(len(network.layers))]
        self._layers = (binding.Layer * len(network.layers))()
        for place, to in enumerate(self._layers):
            self._fill(to, place)
        layers, sources = (c.cast(each, c.POINTER(each._type_)) for each in (self._layers, self._sources))
        self.described = binding.Network(0, 0, lanes, network.input.channels, len(network.layers), sources, layers)
        code.library.asrc_begin(self.described)

    def layer_counts(self, steps: int) -> tuple[LayerCounts, ...]:
        """What was counted over so many steps of all samples together."""
        return tuple(
            LayerCounts(each.spikes, each.feedforward, each.recurrent, steps * layer.neurons, each.saturations)
            for each, layer in zip(self.counts, self.code.network.layers, strict=True)
        )

    def sent_by(self, place: int) -> Array:
        """What a layer sent in this step, in the network's order."""
        sent, found = self.sent[place], self.code.found[place]
        return sent if found is None else sent[found]

    def clear_counts(self) -> None:
        """Nothing has been counted."""
        c.memset(self.counts, 0, c.sizeof(self.counts))

    def _fill(self, to: binding.Layer, place: int) -> None:
        layer, step = self.code.network.layers[place], self.code.steps[place]
        states = [[self._zeros(layer.neurons, each) for each in step.states] for _ in range(self._lanes)]
        to.neurons, to.sends = layer.neurons, layer.neuron.sends is not None
        to.connection_count, to.connections = len(layer.connections), self._connections[place]
        to.step = self.code.functions[place]
        to.state_count = len(step.states)
        to.state_bytes = _address(self._keep(np.array([each.nbytes for each in states[0]], np.int64)))
        to.states = _address(self._keep(_addresses([each for lane in states for each in lane])))
        to.constants = _address(self.code.constants[place])
        to.sum = _address(self._zeros(-(-layer.neurons // TILE) * TILE, np.int32))
        to.total = _address(self._zeros(self._lanes * layer.neurons, np.int32))
        to.shown, to.sent = _address(self.shown[place]), _address(self.sent[place])
        order = self.code.orders[place]
        if order is not None:
            to.order = _address(self._keep(order.astype(np.int32)))

    def _described(self, place: int) -> c.Array[binding.Connection]:
        network = self.code.network
        layer = network.layers[place]
        described = (binding.Connection * len(layer.connections))()
        rings = self._rings(layer)
        for i, (to, each, synapses) in enumerate(
            zip(described, layer.connections, self.code.synapses[place], strict=True)
        ):
            to.source, to.recurrent = network.place(each.source) + 1, network.is_recurrent(place, i)
            to.exponent = each.exponent + 1
            if synapses.weights is not None:
                to.weights = _address(synapses.weights)
            if synapses.sparse is not None:
                to.starts, to.runs, to.block_weights = (_address(each) for each in synapses.sparse)
            if synapses.tiles is not None and synapses.fan_out is not None:
                to.tiles, to.fan_out = _address(synapses.tiles), _address(synapses.fan_out)
                slots, ring = rings[each.exponent]
                to.ring_mask, to.ring = slots - 1, _address(ring)
                to.arriving = _address(self._zeros(LAGS, np.int32))
            to.tap_count = len(each.taps)
            to.spans, to.tap_weights = _address(synapses.spans), _address(synapses.tap_weights)
            if len(each.taps) > 1:
                to.message = _address(self._zeros(each.inputs, np.int32))
                to.touched = _address(self._zeros(each.inputs + 1, np.int32))
        return described

    def _rings(self, layer: Layer) -> dict[int, tuple[int, Array]]:
        """By exponent, the steps and the sums of what is under way to a layer: connections of an exponent share a ring,
        which halves what the cache has to hold of a recurrent layer. Whichever comes first takes the sum of all.
        """
        longest: dict[int, int] = {}
        for each in layer.connections:
            if each.delays is not None:
                longest[each.exponent] = max(longest.get(each.exponent, 0), each.longest_lag)
        slots = {exponent: _power_of_two(1 + lag) for exponent, lag in longest.items()}
        tiled = -(-layer.neurons // TILE) * TILE
        return {
            exponent: (steps, self._zeros(tiled * steps * self._lanes, np.int32)) for exponent, steps in slots.items()
        }

    def _zeros(self, size: int, dtype: Any) -> Array:
        return self._keep(np.zeros(size, dtype))

    def _keep(self, array: Array) -> Array:
        """For as long as this lives: the structures only know where it is."""
        self._kept.append(array)
        return array


def _tiles(synapses: Array) -> Array:
    """(N, I) as (tiles, I, TILE), with zeros for the neurons that the last tile has not."""
    neurons, inputs = synapses.shape
    padded = np.zeros((-(-neurons // TILE) * TILE, inputs), synapses.dtype)
    padded[:neurons] = synapses
    return padded.reshape(-1, TILE, inputs).swapaxes(1, 2)


def _address(array: Array) -> int:
    return array.ctypes.data


def _addresses(arrays: Sequence[Array]) -> Array:
    return np.array([_address(each) for each in arrays], np.uintp)


def _power_of_two(least: int) -> int:
    """The smallest power of two that is at least so much."""
    return 1 << (least - 1).bit_length()
