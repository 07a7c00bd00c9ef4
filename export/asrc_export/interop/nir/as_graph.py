"""Layers of a NIR graph that form no chain, as what a checkpoint of a graph says of them, and its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.file.forms import ConvolutionForm
from asrc_core.contract.numbers import MAX_SPAN
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.contract.synapses.convolution import Convolution
from asrc_export.interop.nir.frameworks.readings import Answer
from asrc_export.interop.nir.layers import Incoming, Layers, NeuronLayer, ReadOut
from asrc_export.interop.nir.neurons import Neurons
from asrc_export.interop.nir.numbers import broken
from asrc_train.trained.frozen import Floats

MOST_STEPS = max(MAX_SPAN.values())
"""The longest delay that a connection has."""
SPARSE = 0.5
"""Share of absent weights from which on they are left out of the file, of matrices that are large."""
LARGE = 4096

Arrays = dict[str, NDArray[Any]]


class Synapses(NamedTuple):
    """Weights (N, I) from one source with a lag in common, or (N, I) lags."""

    source: str
    weight: Floats
    lag: int | None
    lags: NDArray[np.int64] | None = None
    convolution: Convolution | None = None


def graph_of(
    layers: Layers, answer: Answer, notes: list[str], time_weights: Sequence[float] | None = None
) -> tuple[dict[str, Any], Arrays]:
    """The settings of the network, and its tensors by name; notes tell which layer is which node.

    ``time_weights``: what each step counts for in a sum over time, if not the same.
    """
    names = {INPUT: INPUT, **{layer.name: f"layer{i}" for i, layer in enumerate(layers.hidden)}}
    forms: list[dict[str, Any]] = []
    tensors: Arrays = {}
    for i, layer in enumerate(layers.hidden):
        form, arrays = _layer(layer, names)
        forms.append(form)
        tensors |= {f"layers.{i}.{key}": array for key, array in arrays.items()}
    form, arrays = _readout(layers.readout, names, answer, time_weights)
    forms.append(form)
    tensors |= {f"readout.{key}": array for key, array in arrays.items()}
    notes.append("; ".join(f"{ours} is '{theirs}'" for theirs, ours in names.items() if theirs != INPUT))
    if layers.readout.neurons is not None:
        said = {"sum": "summed over time", "last": "at the last step", "maximum": "at its greatest"}[answer]
        notes.append(f"the output leaks: its membrane {said} is the logits")
    return {"hidden": [len(layer.constant) for layer in layers.hidden], "graph": forms}, tensors


def _layer(layer: NeuronLayer, names: dict[str, str]) -> tuple[dict[str, Any], Arrays]:
    neurons = layer.neurons
    shared: dict[str, Any] = {"fires": neurons.fires}
    kind = "lif" if neurons.current_decay is None else "cuba-lif"
    if neurons.reset == "late":
        kind = "late-reset"
    else:
        shared["reset"] = neurons.reset
    return _described(layer.name, names[layer.name], kind, layer.incoming, layer.constant, neurons, shared, names)


def _readout(
    readout: ReadOut, names: dict[str, str], answer: Answer, time_weights: Sequence[float] | None
) -> tuple[dict[str, Any], Arrays]:
    name = "readout"
    if readout.neurons is None:
        form, arrays = _connected(name, readout.incoming, names)
        constants: Arrays = {"bias": readout.constant}
        return _form(name, "integrator", len(readout.constant), {}, constants, form), {**arrays, **constants}
    lasts = readout.neurons.current_decay is not None
    kind = "peak" if answer == "maximum" else "integrator"
    shared: dict[str, Any] = {"time_weights": list(time_weights or [1.0])} if answer == "sum" else {}
    if kind == "peak" and not lasts:
        shared["current_decay_factor"] = 0.0
    return _described(name, name, kind, readout.incoming, readout.constant, readout.neurons, shared, names)


def _described(
    node: str,
    name: str,
    kind: str,
    incoming: Sequence[Incoming],
    constant: Floats,
    neurons: Neurons,
    shared: dict[str, Any],
    names: dict[str, str],
) -> tuple[dict[str, Any], Arrays]:
    """A layer whose neurons have time constants: what comes in every step joins the current, where one lasts."""
    lasts = neurons.current_decay is not None
    driven = neurons.gain * constant
    each: Arrays = {"bias": neurons.offset if lasts else driven + neurons.offset}
    if lasts and driven.any():
        each["current_bias"] = driven
    own = [("decay_factor", neurons.decay), ("current_decay_factor", neurons.current_decay)]
    for key, value in own if neurons.fires is None else [*own, ("threshold", neurons.threshold)]:
        if isinstance(value, np.ndarray):
            each[key] = value
        elif value is not None:
            shared[key] = value
    connections, arrays = _connected(node, incoming, names)
    return _form(name, kind, len(constant), shared, each, connections), {**arrays, **each}


def _form(
    name: str, kind: str, neurons: int, shared: dict[str, Any], each: Arrays, connections: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "neurons": neurons,
        "constants": shared,
        "each": list(each),
        "connections": connections,
    }


def _connected(node: str, incoming: Sequence[Incoming], names: dict[str, str]) -> tuple[list[dict[str, Any]], Arrays]:
    forms: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for j, each in enumerate(_together(node, incoming)):
        there = each.weight != 0
        sparse = there.size >= LARGE and bool(there.mean() < 1 - SPARSE)
        form: dict[str, Any] = {"source": names[each.source], "span": each.lag, "sparse": sparse}
        if each.convolution is not None:
            form["convolution"] = ConvolutionForm.of(each.convolution).model_dump()
        forms.append(form)
        arrays[f"connections.{j}.weight"] = each.weight
        if each.lags is not None:
            arrays[f"connections.{j}.delay"] = each.lags
        if sparse:
            arrays[f"connections.{j}.mask"] = there
    return forms, arrays


def _together(node: str, incoming: Sequence[Incoming]) -> list[Synapses]:
    """Several lags of one source as one connection with a delay for each synapse, where no synapse has two."""
    made = []
    for source in dict.fromkeys(each.source for each in incoming):
        parts = [each for each in incoming if each.source == source]
        for each in parts:
            if each.lag > MOST_STEPS:
                why = f"is {each.lag} steps old, and no delay of ours is longer than {MOST_STEPS}"
                raise broken(node, f"what it gets from '{source}' {why}; take a longer `dt`")
        used = np.sum([each.weight != 0 for each in parts], axis=0)
        if len(parts) == 1 or used.max() > 1:
            made += [Synapses(source, each.weight, each.lag, None, each.convolution) for each in parts]
            continue
        lags = np.full(parts[0].weight.shape, parts[0].lag, np.int64)
        for each in parts[1:]:
            lags[each.weight != 0] = each.lag
        made.append(Synapses(source, np.sum([each.weight for each in parts], axis=0), None, lags))
    return made
