"""A flat graph as layers of ours: neuron nodes in an order of computation, what leads to each, and a readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Fires
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir.metadata import each_number, number
from asrc_export.interop.nir.neurons import Neurons, discretised
from asrc_export.interop.nir.nir_graph import LEAKY, SOURCES, Flat, Signal, dense, square, width_of
from asrc_export.interop.nir.nodes import RESETS
from asrc_export.interop.nir.numbers import broken, numbers
from asrc_export.interop.nir.reading import TOLERANCE, Reading
from asrc_train.trained.frozen import Floats

CHANGED = "its metadata and its parameters disagree; the file was changed after asrc-export wrote it"


@dataclass(frozen=True, eq=False)
class Incoming:
    """Weights (N, I) of what a source, the input or a node, sent ``lag`` steps ago; where they lie, if a kernel's."""

    source: str
    lag: int
    weight: Floats
    convolution: Convolution | None = None


@dataclass(frozen=True, eq=False)
class NeuronLayer:
    """A neuron node with what leads to it. ``constant`` joins what the connections bring in every step."""

    name: str
    incoming: tuple[Incoming, ...]
    constant: Floats
    neurons: Neurons

    @property
    def forward(self) -> Incoming:
        """The one connection from another node, of a layer of a chain."""
        return next(each for each in self.incoming if each.source != self.name)

    @property
    def back(self) -> Incoming | None:
        """The connection from itself, of a layer of a chain."""
        return next((each for each in self.incoming if each.source == self.name), None)


@dataclass(frozen=True, eq=False)
class ReadOut:
    """What leads to the output, and the leaky integrators there, if there are any."""

    incoming: tuple[Incoming, ...]
    constant: Floats
    neurons: Neurons | None = None


@dataclass(frozen=True, eq=False)
class Layers:
    """Neuron nodes in the order in which they are computed, and the readout."""

    hidden: tuple[NeuronLayer, ...]
    readout: ReadOut


def layered(flat: Flat, fed: dict[str, Signal], reading: Reading, notes: list[str]) -> Layers:
    """The neuron nodes, ordered so that what is not delayed comes from before; notes tell what was settled.

    Raises InvalidSetting naming the node that has no place.
    """
    firing = [name for name in fed if type(flat.nodes[name]).__name__ in SOURCES]
    for name in fed:
        for source, _ in fed[name].maps:
            if type(flat.nodes[source]).__name__ in LEAKY and name != flat.output:
                why = "its membrane is passed on, and ours send spikes; a leaky integrator stands before the output"
                raise broken(source, why)
    if not firing:
        raise InvalidSetting("NIR graph", "its input feeds no spiking neurons")
    _require_reached(flat, fed, firing)
    lags = {name: {each: _lag(flat, name, each, reading) for each in fed[name].maps} for name in (*firing, flat.output)}
    order = _ordered(flat, lags, firing, reading, notes)
    hidden = tuple(_layer(name, flat, fed[name], lags[name], reading, notes) for name in order)
    return Layers(hidden, _read_out(flat, fed, order, reading, notes))


def is_chain(flat: Flat, layers: Layers) -> bool:
    """Whether the layers are fed one by the one before, and by their own past with one span, all of them plain LIF
    neurons, and the output adds up what the last sends: the form in which our own networks are.
    """
    if any(hasattr(node, "stride") for node in flat.nodes.values()) or len(flat.inputs) > 1:
        return False  # such matrices have few entries, and a chain stores more
    before = INPUT
    for layer in layers.hidden:
        outside = [(each.source, each.lag) for each in layer.incoming if each.source != layer.name]
        own = layer.neurons
        plain = (
            own.current_decay is None and own.reset != "late" and not np.ndim(own.decay) and not np.ndim(own.threshold)
        )
        if outside != [(before, 0)] or len(layer.incoming) - len(outside) > 1 or not plain:
            return False
        before = layer.name
    ends = [(each.source, each.lag) for each in layers.readout.incoming]
    return ends == [(before, 0)] and layers.readout.neurons is None


def _lag(flat: Flat, name: str, fed: tuple[str, float], reading: Reading) -> int:
    """The delay in whole steps, with what a framework's neurons fire later than their membranes say."""
    source, delay = fed
    steps = delay / reading.dt
    lag = round(steps) if steps < 2**31 else 2**31
    if abs(steps - lag) > TOLERANCE * max(lag, 1):
        what = "its recurrence" if source == name else f"what it gets from '{source}'"
        raise broken(name, f"the delay of {what}, {delay:g}, is not a whole number of steps of {reading.dt:g}")
    neurons = type(flat.nodes[source]).__name__ in SOURCES
    return lag + (reading.late if neurons and source != name else 0)


def _require_reached(flat: Flat, fed: dict[str, Signal], firing: Sequence[str]) -> None:
    reached, waiting = set(flat.inputs), list(flat.inputs)
    after: dict[str, list[str]] = {}
    for name in firing:
        for source, _ in fed[name].maps:
            after.setdefault(source, []).append(name)
    while waiting:
        for name in after.get(waiting.pop(), ()):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    missing = sorted(set(firing) - reached)
    if missing:
        raise InvalidSetting(
            "NIR graph",
            f"the input reaches {len(firing) - len(missing)} of {len(firing)} spiking nodes ({missing[0]} ...)",
        )


def _ordered(
    flat: Flat,
    lags: dict[str, dict[tuple[str, float], int]],
    firing: Sequence[str],
    reading: Reading,
    notes: list[str],
) -> list[str]:
    """An order in which what arrives undelayed comes from before; undelayed cycles get the span that was told."""
    for name in firing:
        if any(source == name and lag == 0 for (source, _), lag in lags[name].items()):
            _delay_loop(lags[name], name, name, reading, notes)
    order: list[str] = []
    depth = _depths(flat, lags, firing)
    while len(order) < len(firing):
        left = [name for name in firing if name not in order]
        waits = {
            name: sorted({source for (source, _), lag in lags[name].items() if lag == 0 and source in left})
            for name in left
        }
        ready = [name for name in left if not waits[name]]
        if not ready:
            ready = [min(left, key=lambda name: (depth[name], name))]
            for source in waits[ready[0]]:
                _delay_loop(lags[ready[0]], ready[0], source, reading, notes)
        order += sorted(ready, key=lambda name: (depth[name], name))[:1]
    return order


def _depths(flat: Flat, lags: dict[str, dict[tuple[str, float], int]], firing: Sequence[str]) -> dict[str, int]:
    """How many neuron nodes are passed on the shortest way from the input."""
    depth = dict.fromkeys(flat.inputs, 0)
    for step in range(1, len(firing) + 1):
        for name in firing:
            if name not in depth and any(depth.get(source, step) < step for source, _ in lags[name]):
                depth[name] = step
    return {name: depth.get(name, len(firing)) for name in firing}


def _delay_loop(own: dict[tuple[str, float], int], name: str, source: str, reading: Reading, notes: list[str]) -> None:
    """Let what closes a cycle without a Delay be as old as was told."""
    if reading.loop_span is None:
        where = "it feeds itself" if source == name else f"'{source}' feeds it back"
        raise broken(
            name,
            f"{where} in a cycle without a Delay, which leaves open when; `loop_span=1` reads it as the "
            "step before, which is what snnTorch, Norse and SpikingJelly compute",
        )
    for each in [fed for fed, lag in own.items() if fed[0] == source and lag == 0]:
        own[each] = reading.loop_span
    which = f"'{name}': the recurrence" if source == name else f"'{name}': what comes back from '{source}'"
    notes.append(f"{which} without a Delay has span {reading.loop_span}, as told")


def _layer(
    name: str,
    flat: Flat,
    signal: Signal,
    lags: dict[tuple[str, float], int],
    reading: Reading,
    notes: list[str],
) -> NeuronLayer:
    node = flat.nodes[name]
    width = width_of(flat, name)
    if signal.width != width:
        raise broken(name, f"it has {plural(width, 'neuron')} and is fed {plural(signal.width, 'value')}")
    neurons = discretised(name, node, width, reading)
    if _differ(numbers(name, "v_threshold", node.v_threshold)) and not np.ndim(neurons.threshold):
        notes.append(f"'{name}': thresholds differ, so each neuron's weights are rescaled to the first one's")
    if reading.ours:
        neurons, stated = _exact(name, node, neurons, [lag for (source, _), lag in lags.items() if source == name])
    incoming = _incoming(name, flat, signal, lags, neurons.gain)
    if reading.ours and stated is not None and not any(each.source == name for each in incoming):
        incoming = (*incoming, Incoming(name, stated, np.zeros((square(name, width), width))))
    return NeuronLayer(name, incoming, signal.constant, neurons)


def _incoming(
    name: str, flat: Flat, signal: Signal, lags: dict[tuple[str, float], int], gain: Floats
) -> tuple[Incoming, ...]:
    """One for each source and lag, all Input nodes side by side as one source; what comes first is from before."""
    found: dict[tuple[str, int], Floats] = {}
    start = 0
    columns = {}
    for each in flat.inputs:
        columns[each] = slice(start, start := start + width_of(flat, each))
    for (source, delay), lag in lags.items():
        matrix = gain[:, None] * dense(signal, (source, delay), name)
        key = (INPUT if source in columns else source, lag)
        if source in columns and len(columns) > 1:
            wide = np.zeros((len(matrix), start))
            wide[:, columns[source]] = matrix
            matrix = wide
        found[key] = found[key] + matrix if key in found else matrix
    side_by_side = len(columns) > 1
    made = [
        Incoming(source, lag, matrix, None if source == INPUT and side_by_side else signal.convolution)
        for (source, lag), matrix in found.items()
    ]
    return tuple(sorted(made, key=lambda each: (each.source == name, each.lag, each.source != INPUT)))


def _differ(thresholds: Floats) -> bool:
    return bool(np.ptp(thresholds) > TOLERANCE * np.abs(thresholds).max())


def _exact(name: str, node: Any, computed: Neurons, loops: Sequence[int]) -> tuple[Neurons, int | None]:
    """A layer of our own file: its metadata in full precision, once they agree with the node; and its span, if it has
    one.
    """
    said = node.metadata if isinstance(node.metadata, dict) else {}
    where = f"node '{name}'"
    threshold = each_number(said, "threshold", where, len(computed.gain))
    own_span = number(said, "span", where) if "span" in said else None
    comparisons: dict[str, Fires] = {"v >= threshold": "at", "v > threshold": "above"}
    reset, fires = RESETS.get(str(said.get("reset"))), comparisons.get(str(said.get("fires")))
    agree = (
        reset is not None
        and fires is not None
        and bool(np.all(abs(threshold - np.asarray(computed.threshold)) <= TOLERANCE * np.asarray(threshold)))
        and (own_span is None or (own_span >= 1 and (not loops or list(loops) == [own_span])))
    )
    ours = _as_stated(name, node, computed)
    if reset is None or fires is None or not agree:
        raise broken(name, CHANGED)
    return replace(ours, threshold=threshold, reset=reset, fires=fires), None if own_span is None else int(own_span)


def _as_stated(name: str, node: Any, computed: Neurons) -> Neurons:
    """What leaks, and what joins the membrane, in full precision, once the metadata of our own file agree with it."""
    said = node.metadata if isinstance(node.metadata, dict) else {}
    where, width = f"node '{name}'", len(computed.gain)
    decay = each_number(said, "decay", where, width)
    current, offset = None, np.zeros(width)
    if "current_decay" in said:
        current = each_number(said, "current_decay", where, width)
        offset = np.broadcast_to(each_number(said, "bias", where, width, signed=True), (width,)).astype(np.float64)
    lasting, found = (np.asarray(0.0 if each is None else each) for each in (current, computed.current_decay))
    agree = (
        bool(np.all(abs(decay - np.asarray(computed.decay)) <= TOLERANCE))
        and bool(np.all(abs(lasting - found) <= TOLERANCE))
        and bool((abs(computed.gain - 1) <= TOLERANCE).all())
        and bool((abs(computed.offset - offset) <= TOLERANCE * np.maximum(1, abs(offset))).all())
    )
    if not agree:
        raise broken(name, CHANGED)
    return replace(computed, decay=decay, gain=np.ones(width), offset=offset, current_decay=current)


def _read_out(flat: Flat, fed: dict[str, Signal], order: Sequence[str], reading: Reading, notes: list[str]) -> ReadOut:
    """What leads to the output: spikes, added up, or leaky integrators that are fed by them."""
    signal = fed[flat.output]
    leaky = [source for source, _ in signal.maps if type(flat.nodes[source]).__name__ in LEAKY]
    if leaky:
        return _leaky(leaky[0], flat, fed, reading)
    if not signal.maps or any(source in flat.inputs for source, _ in signal.maps):
        who = ", ".join(sorted({f"'{source}'" for source, _ in signal.maps})) or "nothing"
        raise broken(flat.output, f"it is fed by {who}; our readout is fed by neurons")
    lags = {each: _lag(flat, flat.output, each, reading) for each in signal.maps}
    last = order[-1]
    matrix = signal.maps.get((last, 0.0))
    alone = len(signal.maps) == 1 and matrix is not None
    if alone and matrix is not None and matrix.ndim == 1 and (matrix == 1).all() and not signal.constant.any():
        notes.append(f"the output is '{last}' itself: its spike counts are the logits")
    elif not any(type(flat.nodes[each]).__name__ == "I" for each in flat.before[flat.output]):
        notes.append("the output is not integrated in the graph: its sum over time is the logits")
    return ReadOut(_incoming(flat.output, flat, signal, lags, np.ones(signal.width)), signal.constant)


def _leaky(name: str, flat: Flat, fed: dict[str, Signal], reading: Reading) -> ReadOut:
    """An integrator that leaks, which is the output itself."""
    outward = fed[flat.output]
    matrix = outward.maps.get((name, 0.0))
    if len(outward.maps) > 1 or matrix is None or matrix.ndim != 1 or (matrix != 1).any() or outward.constant.any():
        raise broken(name, "what it sends is changed or joined by others before the output, where ours is the output")
    signal, width = fed[name], width_of(flat, name)
    if signal.width != width:
        raise broken(name, f"it has {width} neurons and is fed {signal.width} values")
    if not signal.maps or any(source in flat.inputs for source, _ in signal.maps):
        raise broken(name, "it is not fed by spiking neurons, and our readout is")
    neurons = discretised(name, flat.nodes[name], width, reading)
    if reading.ours:
        neurons = _as_stated(name, flat.nodes[name], neurons)
    lags = {each: _lag(flat, name, each, reading) for each in signal.maps}
    return ReadOut(_incoming(name, flat, signal, lags, neurons.gain), signal.constant, neurons)
