"""NIR graphs of other frameworks as float networks of ours.

NIR's neurons live in continuous time; ours step. With the time step dt, which NIR does not state, and one of the two
discretisations in use,

    tau dv/dt = (v_leak - v) + R I        LIF
    euler    k = dt / tau                 snnTorch, Norse, SpikingJelly
    exact    k = 1 - exp(-dt / tau)       Sinabs, Rockpool: the solution for an input constant over the step
    u[t] = (1 - k) v[t-1] + k R I[t] + k v_leak

so alpha = 1 - k, rows of W and U are multiplied by k R, and k v_leak joins the bias; where v_reset is v_leak the
membrane is measured from there instead. It starts at 0, or there. IF: alpha = 1, rows times dt R.
CUBA-LIF puts  tau_syn dI/dt = -I + w_in S  in front; where the current does not outlive the step (euler: tau_syn = dt)
it is an LIF whose rows are multiplied by w_in, too. A membrane that fires is reset to zero, or loses theta where
``reset`` says so. NIR fires above the threshold and we at it, so theta is the next larger float32; under a soft reset
theta itself is kept, which differs only for a membrane that equals it.

A layer is a neuron node that hears the layer before it through Linear, Affine and Scale nodes, and its own spikes
through such nodes and a Delay of span dt. A loop without a Delay is refused unless the caller gives its span. The
output is the last layer's spikes through Linear or Affine, summed over time (an I node at the end says so itself), or
the last layer itself, whose spike counts then decide. Thresholds may differ from neuron to neuron (rows are
rescaled), time constants may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asrc_core import __version__
from asrc_core.errors import InvalidSetting, NonFiniteWeights
from asrc_export.interop import nir_file
from asrc_export.interop.imported import Feed, Imported, settle
from asrc_export.interop.nir_graph import Flat, Signal, broken, dense, flatten, numbers, signals, square, width_of
from asrc_train.settings.config import validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import Floats

Integration = Literal["euler", "exact"]
Reset = Literal["soft", "hard"]
TOLERANCE = 1e-5
"""Relative; NIR's parameters are mostly single precision, and quotients of them."""


@dataclass(frozen=True)
class Reading:
    """How a graph is to be read. ``ours`` if the file says so itself."""

    dt: float
    integration: Integration
    reset: Reset
    loop_span: int | None
    ours: bool


@dataclass(frozen=True, eq=False)
class Neurons:
    """A neuron node in steps: alpha, theta, what its input is multiplied by and what joins its bias."""

    decay: float
    threshold: float
    gain: Floats
    offset: Floats
    reset: Reset


@dataclass(frozen=True, eq=False)
class _Layer:
    name: str
    weight: Floats
    recurrent: Floats
    bias: Floats
    neurons: Neurons
    span: int


def read(
    path: str | Path,
    asked: Feed,
    *,
    dt: float | None = None,
    integration: Integration = "euler",
    reset: Reset | None = None,
    loop_span: int | None = None,
) -> Imported:
    """The network of a NIR file; what the file leaves open and how it was settled is among the notes.

    ``dt`` is in the unit of the graph's time constants. Raises UnreadableFile (see `nir_file.read`), InvalidSetting
    naming the node, what it asks for and what comes closest, NonFiniteWeights, ExtraMissing, and what
    `imported.settle` raises.
    """
    graph = nir_file.read(path)
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    ours = nir_file.MARK in metadata
    if ours and str(metadata[nir_file.MARK]) != nir_file.VERSION:
        nir_file.refuse(path, f"its metadata are of version {metadata[nir_file.MARK]!s:.20}, this package knows 1")
    reading = _own_reading(metadata, dt, reset, loop_span) if ours else _reading(dt, integration, reset, loop_span)
    notes = [] if ours else _notes(reading)
    flat = flatten(graph)
    scale = _without_scale(flat, metadata) if ours else None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named by _tensors
        heard = signals(flat, reading.dt)
        layers = list(_chain(flat, heard, reading, notes))
        weight, bias = _readout(flat, heard[flat.output], layers[-1], notes)
        tensors = _tensors(layers, weight, bias)
    stated = _stated(metadata, scale) if ours else Feed()
    channels, classes = width_of(flat, flat.input), len(bias)
    feed = settle(asked, stated, channels, classes)
    order = _order(metadata) if ours else None
    return Imported(
        Checkpoint(
            config=_config(layers, feed.data, order is not None),
            channels=channels,
            classes=classes,
            steps=feed.steps,
            scale=feed.scale,
            maximum=feed.maximum,
            spans=tuple(layer.span for layer in layers),
            temperature=1.0,
            tensors=tensors,
            permutation=order,
            history=[],
            scores={},
            provenance={
                "asrc": __version__,
                "imported_from": "nir",
                "source_sha256": checkpoint.fingerprint(path),
                "import_notes": "; ".join(notes),
            },
        ),
        tuple(notes),
    )


def _reading(dt: float | None, integration: Integration, reset: Reset | None, loop_span: int | None) -> Reading:
    if dt is None:
        raise InvalidSetting(
            "`dt`",
            "NIR states time constants and no time step; give the one the network was trained with (snnTorch 1e-4)",
        )
    if not 0 < dt < float("inf"):
        raise InvalidSetting("`dt`", f"{dt} is not a positive number")
    return Reading(dt, integration, reset or "hard", loop_span, ours=False)


def _own_reading(metadata: dict[str, Any], dt: float | None, reset: Reset | None, loop_span: int | None) -> Reading:
    if (dt, reset, loop_span) != (None, None, None):
        raise InvalidSetting(
            "NIR graph", "this file states step, resets and spans; leave `dt`, `reset`, `loop_span` away"
        )
    return Reading(_number(metadata, "dt", "the graph"), "euler", "hard", None, ours=True)


def _notes(reading: Reading) -> list[str]:
    told = {"euler": "1 - dt/tau", "exact": "exp(-dt/tau)"}[reading.integration]
    kind = {"hard": "to zero, as NIR defines", "soft": "by subtraction, as told"}[reading.reset]
    fires = {"hard": "exactly", "soft": "but for a membrane that equals the threshold"}[reading.reset]
    return [
        f"decay factors are {told} with dt = {reading.dt:g}",
        f"membranes that fire are reset {kind}",
        f"firing above the threshold is taken as firing at it, {fires}",
    ]


def discretised(name: str, node: Any, width: int, reading: Reading) -> Neurons:
    """The equations of the module's docstring for one node. Raises InvalidSetting for what they do not cover."""
    kind = type(node).__name__

    def each(parameter: str) -> Floats:
        values = numbers(name, parameter, getattr(node, parameter))
        if values.shape not in ((), (1,), (width,)):
            raise broken(name, f"its {parameter} has shape {values.shape} and it has {width} neurons")
        return np.broadcast_to(values, (width,)).astype(np.float64)

    thresholds, rest = each("v_threshold"), each("v_reset")
    leak = np.zeros(width) if kind == "IF" else each("v_leak")
    if reading.reset == "hard" and rest.any() and (rest == leak).all():  # measured from there, all of it is ours
        thresholds, leak = thresholds - leak, np.zeros(width)
    elif rest.any():
        raise broken(name, "v_reset is neither 0 nor v_leak; our membranes are reset to where they rest, or by theta")
    if (thresholds <= 0).any():
        raise broken(name, "a v_threshold is not positive, so neurons would fire without input")
    if kind == "IF":
        kept, gain, offset = np.ones(width), each("r") * reading.dt, np.zeros(width)
    else:
        step = _step(name, "tau" if kind == "LIF" else "tau_mem", each("tau" if kind == "LIF" else "tau_mem"), reading)
        kept, gain, offset = 1 - step, each("r") * step, leak * step
    if kind == "CubaLIF":
        gain = gain * each("w_in") * _jump(name, each("tau_syn"), reading)
    if np.ptp(kept) > 0:
        raise broken(
            name,
            f"its time constants differ from neuron to neuron (decay factors {kept.min():.4g} to {kept.max():.4g}) "
            "and a layer of ours has one; the closest is a layer for each constant",
        )
    common = float(thresholds[0])
    ratio = common / thresholds  # a membrane in other units fires just the same
    theta = common if reading.reset == "soft" else float(np.nextafter(np.float32(common), np.float32(np.inf)))
    return Neurons(float(kept[0]), theta, gain * ratio, offset * ratio, reading.reset)


def _step(name: str, parameter: str, tau: Floats, reading: Reading) -> Floats:
    """The share k of each neuron that a step replaces."""
    if (tau <= 0).any():
        raise broken(name, f"its {parameter} is not positive")
    if reading.integration == "exact":
        forgotten: Floats = -np.expm1(-reading.dt / tau)
        return forgotten
    k = reading.dt / tau
    if (k > 1 + TOLERANCE).any():
        raise broken(
            name,
            f"its {parameter} of {tau.min():g} does not fit the step of {reading.dt:g}: Euler's decay factor would be "
            "negative; give a smaller `dt`, or `integration='exact'`",
        )
    return np.minimum(k, 1.0)


def _jump(name: str, tau: Floats, reading: Reading) -> Floats:
    """By how much a spike raises the synaptic current, if all of it is gone by the next step."""
    k = _step(name, "tau_syn", tau, reading)
    kept = float((1 - k).max())
    if kept > TOLERANCE:
        raise broken(
            name,
            f"its synaptic current lasts (it keeps {kept:.3g} of itself from step to step) and our neurons have none; "
            "the closest is LIF, or tau_syn equal to the step",
        )
    return k


def _chain(flat: Flat, heard: dict[str, Signal], reading: Reading, notes: list[str]) -> Iterator[_Layer]:
    """The layers from the input on."""
    feeds: dict[str, str] = {}
    for name in heard:
        if name == flat.output:
            continue
        outside = sorted({(source, delay) for source, delay in heard[name].maps if source != name})
        if len(outside) != 1:
            who = " and ".join(f"'{source}'" for source, _ in outside) or "nothing but itself"
            raise broken(name, f"it hears {who}; a layer of ours hears the one before it and its own past")
        source, delay = outside[0]
        if delay > 0:
            raise broken(name, f"what it hears from '{source}' is delayed; our delays are in the recurrence only")
        if source in feeds:
            raise broken(source, f"it feeds both '{feeds[source]}' and '{name}'; our layers form a chain")
        feeds[source] = name
    if flat.input not in feeds:
        raise InvalidSetting("NIR graph", "its input feeds no spiking neurons")
    at, found = flat.input, 0
    while at in feeds:
        before, at = at, feeds[at]
        found += 1
        yield _layer(at, before, flat, heard[at], reading, notes)
    if found != len(feeds):
        missing = sorted(set(feeds.values()) - {at})
        raise InvalidSetting("NIR graph", f"the input reaches {found} of {len(feeds)} spiking nodes ({missing[0]} ...)")


def _layer(name: str, before: str, flat: Flat, signal: Signal, reading: Reading, notes: list[str]) -> _Layer:
    node = flat.nodes[name]
    width = width_of(flat, name)
    if signal.width != width:
        raise broken(name, f"it has {width} neurons and is fed {signal.width} values")
    neurons = discretised(name, node, width, reading)
    if len(np.unique(numbers(name, "v_threshold", node.v_threshold))) > 1:
        notes.append(f"'{name}': thresholds differ, so each neuron's weights are rescaled to the first one's")
    loops = [(source, delay) for source, delay in signal.maps if source == name]
    if len(loops) > 1:
        raise broken(name, f"it hears itself with {len(loops)} delays, and a layer of ours has one span")
    span = _span(name, loops[0][1], reading, notes) if loops else 1
    recurrent = dense(signal, loops[0], name) if loops else np.zeros((square(name, width), width))
    if reading.ours:
        span, neurons = _exact(name, node, span if loops else None, neurons)
    gain = neurons.gain[:, None]
    return _Layer(
        name,
        gain * dense(signal, (before, 0.0), name),
        gain * recurrent,
        neurons.gain * signal.constant + neurons.offset,
        neurons,
        span,
    )


def _span(name: str, delay: float, reading: Reading, notes: list[str]) -> int:
    if delay == 0:
        if reading.loop_span is None:
            raise broken(
                name,
                "it hears itself in a cycle without a Delay, which leaves open when; `loop_span=1` reads it as the "
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
    decay, threshold, own_span = (_number(said, key, where) for key in ("decay", "threshold", "span"))
    resets: dict[str, Reset] = {"subtract the threshold": "soft", "to zero": "hard"}
    reset = resets.get(str(said.get("reset")))
    agree = (
        reset is not None
        and abs(decay - computed.decay) <= TOLERANCE
        and abs(threshold - computed.threshold) <= TOLERANCE * threshold
        and (span is None or own_span == span)
        and own_span >= 1
        and bool((abs(computed.gain - 1) <= TOLERANCE).all())
        and not computed.offset.any()
    )
    if reset is None or not agree:
        raise broken(name, "its metadata and its parameters disagree; the file was changed after asrc-export wrote it")
    return int(own_span), Neurons(decay, threshold, np.ones_like(computed.gain), computed.offset, reset)


def _without_scale(flat: Flat, metadata: dict[str, Any]) -> float:
    """Take the input's Scale out of a graph of ours: it is the scale of the integers fed."""
    after = [b for a, b in flat.edges if a == flat.input]
    node = flat.nodes[after[0]] if len(after) == 1 else None
    scale = _number(metadata, "input_scale", "the graph")
    if node is None or type(node).__name__ != "Scale" or (np.asarray(node.scale) != scale).any():
        raise InvalidSetting("NIR graph", "its metadata and its input disagree; the file was changed after asrc-export")
    node.scale = np.ones_like(node.scale)
    return scale


def _readout(flat: Flat, signal: Signal, last: _Layer, notes: list[str]) -> tuple[Floats, Floats]:
    if set(signal.maps) != {(last.name, 0.0)}:
        who = ", ".join(sorted({f"'{source}'" for source, _ in signal.maps})) or "nothing"
        raise broken(flat.output, f"it hears {who}; our readout hears the last layer ('{last.name}'), undelayed")
    matrix = signal.maps[last.name, 0.0]
    if matrix.ndim == 1 and (matrix == 1).all() and not signal.constant.any():
        notes.append(f"the output is '{last.name}' itself: its spike counts are the logits")
    elif not any(type(flat.nodes[each]).__name__ == "I" for each in flat.before[flat.output]):
        notes.append("the output is not integrated in the graph: its sum over time is the logits")
    return dense(signal, (last.name, 0.0), flat.output), signal.constant


def _stated(metadata: dict[str, Any], scale: float | None) -> Feed:
    data = metadata.get("data")
    steps, maximum = (_number(metadata, key, "the graph") for key in ("steps", "input_maximum"))
    return Feed(str(data) if data is not None else None, int(steps), int(maximum), scale)


def _order(metadata: dict[str, Any]) -> NDArray[np.int64] | None:
    order = metadata.get("permutation")
    if order is None:
        return None
    steps = int(_number(metadata, "steps", "the graph"))
    array = np.asarray(order)
    if array.dtype.kind not in "iu" or not np.array_equal(np.sort(array, axis=None), np.arange(steps)):
        raise InvalidSetting("NIR graph", f"its metadata's permutation is not an order of {steps} steps")
    return array.astype(np.int64)


def _number(metadata: dict[str, Any], key: str, where: str) -> float:
    value = metadata.get(key)
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= value < 2**31:
        raise InvalidSetting("NIR graph", f"metadata '{key}' of {where} is missing or not a number")
    return float(value)


def _config(layers: list[_Layer], data: str | None, permuted: bool) -> Any:
    own = [
        {
            "span": layer.span,
            "decay": layer.neurons.decay,
            "threshold": layer.neurons.threshold,
            "reset": layer.neurons.reset,
        }
        for layer in layers
    ]
    network = {"connection": "src", "hidden": [len(layer.bias) for layer in layers], "layers": own}
    return validated({"data": {"name": data, "permute": permuted}, "network": network}, "NIR graph")


def _tensors(layers: list[_Layer], weight: Floats, bias: Floats) -> dict[str, Any]:
    import torch

    named: dict[str, Floats] = {}
    for i, layer in enumerate(layers):
        named[f"layers.{i}.feedforward.weight"] = layer.weight
        named[f"layers.{i}.feedforward.bias"] = layer.bias
        named[f"layers.{i}.recurrent.weight"] = layer.recurrent
    named |= {"readout.weight": weight, "readout.bias": bias}
    single = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in named.items()}
    for name, array in single.items():
        infinite = int((~np.isfinite(array)).sum())
        if infinite:
            raise NonFiniteWeights(name, infinite)
    return {name: torch.from_numpy(array) for name, array in single.items()}
