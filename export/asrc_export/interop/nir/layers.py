"""A flat graph as layers of ours one after the other, and a readout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Fires, Reset
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir.metadata import number
from asrc_export.interop.nir.neurons import Neurons, discretised
from asrc_export.interop.nir.nir_graph import Flat, Signal, broken, dense, numbers, square, width_of
from asrc_export.interop.nir.reading import TOLERANCE, Reading
from asrc_train.trained.frozen import Floats


@dataclass(frozen=True, eq=False)
class NeuronLayer:
    """A neuron node with what leads to it: W, U, b in its units, and the span of its recurrence."""

    name: str
    weight: Floats
    recurrent: Floats
    bias: Floats
    neurons: Neurons
    span: int


def chained(flat: Flat, fed: dict[str, Signal], reading: Reading, notes: list[str]) -> Iterator[NeuronLayer]:
    """The layers from the input on."""
    feeds: dict[str, str] = {}
    for name in fed:
        if name == flat.output:
            continue
        outside = sorted({(source, delay) for source, delay in fed[name].maps if source != name})
        if len(outside) != 1:
            who = " and ".join(f"'{source}'" for source, _ in outside) or "nothing but itself"
            raise broken(name, f"it is fed by {who}; a layer of ours is fed by the one before it and by its own past")
        source, delay = outside[0]
        if delay > 0:
            raise broken(name, f"what it gets from '{source}' is delayed; our delays are in the recurrence only")
        if source in feeds:
            raise broken(source, f"it feeds both '{feeds[source]}' and '{name}'; our layers form a chain")
        feeds[source] = name
    if flat.input not in feeds:
        raise InvalidSetting("NIR graph", "its input feeds no spiking neurons")
    at, found = flat.input, 0
    while at in feeds:
        before, at = at, feeds[at]
        found += 1
        yield _layer(at, before, flat, fed[at], reading, notes)
    if found != len(feeds):
        missing = sorted(set(feeds.values()) - {at})
        raise InvalidSetting("NIR graph", f"the input reaches {found} of {len(feeds)} spiking nodes ({missing[0]} ...)")


def _layer(name: str, before: str, flat: Flat, signal: Signal, reading: Reading, notes: list[str]) -> NeuronLayer:
    node = flat.nodes[name]
    width = width_of(flat, name)
    if signal.width != width:
        raise broken(name, f"it has {plural(width, 'neuron')} and is fed {plural(signal.width, 'value')}")
    neurons = discretised(name, node, width, reading)
    if _differ(numbers(name, "v_threshold", node.v_threshold)):
        notes.append(f"'{name}': thresholds differ, so each neuron's weights are rescaled to the first one's")
    loops = [(source, delay) for source, delay in signal.maps if source == name]
    if len(loops) > 1:
        raise broken(name, f"it feeds itself with {plural(len(loops), 'delay')}, and a layer of ours has one span")
    span = _span(name, loops[0][1], reading, notes) if loops else 1
    recurrent = dense(signal, loops[0], name) if loops else np.zeros((square(name, width), width))
    if reading.ours:
        span, neurons = _exact(name, node, span if loops else None, neurons)
    gain = neurons.gain[:, None]
    return NeuronLayer(
        name,
        gain * dense(signal, (before, 0.0), name),
        gain * recurrent,
        neurons.gain * signal.constant + neurons.offset,
        neurons,
        span,
    )


def _differ(thresholds: Floats) -> bool:
    return bool(np.ptp(thresholds) > TOLERANCE * np.abs(thresholds).max())


def _span(name: str, delay: float, reading: Reading, notes: list[str]) -> int:
    if delay == 0:
        if reading.loop_span is None:
            raise broken(
                name,
                "it feeds itself in a cycle without a Delay, which leaves open when; `loop_span=1` reads it as the "
                "step before, which is what snnTorch, Norse and SpikingJelly compute",
            )
        notes.append(f"'{name}': the recurrence without a Delay has span {reading.loop_span}, as told")
        return reading.loop_span
    steps = delay / reading.dt
    span = round(steps)
    if span < 1 or abs(steps - span) > TOLERANCE * span:
        raise broken(name, f"the delay of its recurrence, {delay:g}, is not a whole number of steps of {reading.dt:g}")
    return span


def _exact(name: str, node: Any, span: int | None, computed: Neurons) -> tuple[int, Neurons]:
    """A layer of our own file: its metadata in full precision, once they agree with the node."""
    said = node.metadata if isinstance(node.metadata, dict) else {}
    where = f"node '{name}'"
    decay, threshold, own_span = (number(said, key, where) for key in ("decay", "threshold", "span"))
    resets: dict[str, Reset] = {"subtract the threshold": "soft", "to zero": "hard"}
    comparisons: dict[str, Fires] = {"v >= threshold": "at", "v > threshold": "above"}
    reset, fires = resets.get(str(said.get("reset"))), comparisons.get(str(said.get("fires")))
    agree = (
        reset is not None
        and fires is not None
        and abs(decay - computed.decay) <= TOLERANCE
        and abs(threshold - computed.threshold) <= TOLERANCE * threshold
        and (span is None or own_span == span)
        and own_span >= 1
        and bool((abs(computed.gain - 1) <= TOLERANCE).all())
        and not computed.offset.any()
    )
    if reset is None or fires is None or not agree:
        raise broken(name, "its metadata and its parameters disagree; the file was changed after asrc-export wrote it")
    return int(own_span), Neurons(decay, threshold, np.ones_like(computed.gain), computed.offset, reset, fires)


def read_out(flat: Flat, signal: Signal, last: NeuronLayer, notes: list[str]) -> tuple[Floats, Floats]:
    """W_o and b_o of what leads to the output. Raises InvalidSetting unless that is the last layer alone."""
    if set(signal.maps) != {(last.name, 0.0)}:
        who = ", ".join(sorted({f"'{source}'" for source, _ in signal.maps})) or "nothing"
        why = f"it is fed by {who}; our readout is fed by the last layer ('{last.name}'), undelayed"
        raise broken(flat.output, why)
    matrix = signal.maps[last.name, 0.0]
    if matrix.ndim == 1 and (matrix == 1).all() and not signal.constant.any():
        notes.append(f"the output is '{last.name}' itself: its spike counts are the logits")
    elif not any(type(flat.nodes[each]).__name__ == "I" for each in flat.before[flat.output]):
        notes.append("the output is not integrated in the graph: its sum over time is the logits")
    return dense(signal, (last.name, 0.0), flat.output), signal.constant
