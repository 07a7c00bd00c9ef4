"""Freezing: a trained network with its skip kernels replaced by spans, as plain float64 arrays.

Everything downstream sees only this: a frozen ASRC layer is an SRC layer, a vanilla one an SRC layer of span 1, a PLIF
neuron is LIF with the decay that it learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asrc_core.contract.numbers import MAX_TABLE
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import CannotFreeze, InvalidSetting, NonFiniteWeights
from asrc_train import data
from asrc_train.network.connections.connection import longest_span, new_connection
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.graph_network import GraphNetwork, GraphNeurons
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.neurons.neuron import Neuron, new_neurons
from asrc_train.network.normalization import fold
from asrc_train.network.skips import Skips, heard
from asrc_train.network.state_space.folding import folded
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.settings.config import NetworkConfig
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.frozen import (
    AT_ONCE,
    Floats,
    FrozenConnection,
    FrozenLayer,
    FrozenNetwork,
    WeightedTap,
    skip_layer,
)

READOUT_KINDS = {
    "exponential": "integrator",
    "mean": "integrator",
    "maximum": "peak",
    "first-spike": "first-spike",
}
"""The contract's kind of each readout of a network with delays."""


def freeze(trained: Checkpoint) -> FrozenNetwork:
    """Replace each layer's skip logits by what they choose, learned decays by numbers, and fold batch normalisation
    into W and b.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold.
    """
    if not isinstance(trained, Checkpoint):
        raise InvalidSetting(
            "checkpoint", f"it is a {type(trained).__name__}; give a Checkpoint, such as load(path) returns"
        )
    require_freezable(trained.config.network, trained.steps)
    if trained.config.network.graph:
        return _graph(trained)
    if trained.config.network.connection == "delays":
        return _with_delays(trained)
    network = trained.network().requires_grad_(False)
    assert isinstance(network, SkipRecurrentNetwork)
    layers = frozen_layers(network.hidden_layers(), trained.config.network.skips)
    weight, bias = (array(name, trained.tensors[name]) for name in ("readout.weight", "readout.bias"))
    return _network(trained, layers, weight, bias)


def _network(
    trained: Checkpoint,
    layers: tuple[FrozenLayer, ...],
    weight: Floats,
    bias: Floats,
    decides: FrozenLayer | None = None,
) -> FrozenNetwork:
    return FrozenNetwork(
        layers=layers,
        readout_weight=weight,
        readout_bias=bias,
        channels=trained.channels,
        steps=trained.steps,
        scale=trained.scale,
        maximum=trained.maximum,
        permutation=trained.permutation,
        provenance={**_origin(trained), **trained.provenance},
        decides=decides,
    )


def _with_delays(trained: Checkpoint) -> FrozenNetwork:
    """Delays become whole steps, half to even, as the network was trained; gain moves into theta."""
    network = trained.network()
    assert isinstance(network, DelayNetwork)
    cuba = network.cuba
    decays = {"decay_factor": cuba.alpha, "current_decay_factor": cuba.beta}

    def connection(name: str, source: str) -> FrozenConnection:
        delays = np.rint(array(f"{name}.delay", trained.tensors[f"{name}.delay"])).astype(np.int64)
        return FrozenConnection(source, array(f"{name}.weight", trained.tensors[f"{name}.weight"]), delays=delays)

    def neurons_of(count: int, threshold: float) -> dict[str, Any]:
        return {"bias": np.zeros(count), "threshold": threshold / cuba.gain, **decays, "reset": "hard"}

    layers = []
    for i, layer in enumerate(network.hidden_layers()):
        name, before = f"layer{i}", f"layer{i - 1}" if i else INPUT
        connections = [connection(f"layers.{i}.feedforward", before)]
        if layer.recurrent is not None:
            connections.append(connection(f"layers.{i}.recurrent", name))
        constants = neurons_of(len(connections[0].weight), float(layer.threshold))
        layers.append(FrozenLayer(name, tuple(connections), "cuba-lif", constants))
    last = connection("readout", layers[-1].name if layers else INPUT)
    silent = np.zeros(len(last.weight))
    if network.readout_threshold is not None:
        constants = neurons_of(len(silent), network.readout_threshold)
    else:
        constants = {"bias": silent, **decays, **_weighted_over_time(trained)}
    decides = FrozenLayer("readout", (last,), READOUT_KINDS[network.readout_kind], constants)
    return _network(trained, tuple(layers), last.weight, silent, decides)


def _graph(trained: Checkpoint) -> FrozenNetwork:
    """The layers as they are. A readout that adds up what the last layer sends is one like any other network's."""
    network = trained.network()
    assert isinstance(network, GraphNetwork)
    *layers, last = (_of_graph(part) for part in network.parts())
    feeds = last.connections[0]
    adds_up = last.kind == "integrator" and set(last.constants) == {"bias"} and len(last.connections) == 1
    if adds_up and feeds.source == layers[-1].name and feeds.taps == AT_ONCE:
        return _network(trained, tuple(layers), feeds.weight, last.bias)
    return _network(trained, tuple(layers), feeds.weight, last.bias, last)


def _of_graph(part: GraphNeurons) -> FrozenLayer:
    connections = tuple(
        FrozenConnection(
            each.form.source,
            array(f"{part.form.name}.{each.form.source}.weight", each.weight),
            () if each.form.span is None else (WeightedTap(each.form.span, 1.0),),
            each.delays(),
            None if each.form.convolution is None else each.form.convolution.convolution(),
        )
        for each in part.synapses()
    )
    return FrozenLayer(part.form.name, connections, part.form.kind, part.constants())


def _weighted_over_time(trained: Checkpoint) -> dict[str, Floats]:
    """What each step of an integrator counts for, of which only the proportions matter."""
    kind = trained.config.network.readout
    if kind == "maximum":
        return {}
    steps = trained.steps if kind == "exponential" else 1
    if steps > MAX_TABLE:
        why = f"weighs at most {MAX_TABLE} steps one by one, and a sample has {steps}"
        raise CannotFreeze(f"readout '{kind}'", f"{why}; train with a longer `dt`, or with `readout='mean'`")
    return {"time_weights": np.exp(-np.arange(steps) / steps)}


def _origin(trained: Checkpoint) -> dict[str, Any]:
    """What it was trained on."""
    config, own, in_time = trained.config, data.is_own(trained.config.data.name), data.in_time(trained.config.data.name)
    return {
        "data": config.data.name,
        "seed": config.training.seed,
        **({"dt": config.network.dt} if in_time else {}),
        **({"validation_fraction": config.data.validation_fraction} if own else {}),
    }


def require_freezable(settings: NetworkConfig, steps: int) -> None:
    """Raise CannotFreeze if the integer contract does not hold the neurons or the connection of such a network."""
    if settings.graph:
        return
    with torch.device("meta"):
        made = [
            (own, new_neurons(own, 1, steps), new_connection(own, steps)) for own in settings.each_layer() or [settings]
        ]
    for own, neuron, connection in made:
        if neuron.missing is not None:
            raise CannotFreeze(f"neuron '{own.neuron}'", neuron.missing)
        if connection.missing is not None:
            raise CannotFreeze(f"connection '{own.connection}'", connection.missing)


def frozen_layers(layers: Sequence[SkipRecurrentLayer | StateSpaceLayer], skips: Skips) -> tuple[FrozenLayer, ...]:
    """All layers of a sequence; with skips, one that hears two layers has a connection from each.

    Raises as `frozen_layer` does.
    """
    widths = [len(layer.feedforward.weight) for layer in layers]
    found = []
    for i, layer in enumerate(layers):
        made, places = frozen_layer(i, layer), heard(skips, i)
        if len(places) > 1:
            first, *back = made.connections
            parts = np.split(first.weight, np.cumsum([widths[place] for place in places])[:-1], axis=1)
            before = (FrozenConnection(f"layer{place}", part) for place, part in zip(places, parts, strict=True))
            made = replace(made, connections=(*before, *back))
        found.append(made)
    return tuple(found)


def frozen_layer(i: int, layer: SkipRecurrentLayer | StateSpaceLayer) -> FrozenLayer:
    """Layer ``i`` of a sequence, with its skip logits replaced and batch normalisation folded.

    Of state-space neurons, the one connection from what stands before, and what `state_space.folding` says of them.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold, NonFiniteWeights.
    """
    neuron, connection = layer.neuron, layer.connection
    for what, part, named in (
        ("neuron", neuron, layer.config.neuron),
        ("connection", connection, layer.config.connection),
    ):
        if part.missing is not None:
            raise CannotFreeze(f"{what} '{named if layer.named else type(part).__name__}'", part.missing)
    weight, bias = layer.feedforward.weight.detach().double(), layer.feedforward.bias.detach().double()
    if layer.normalization is not None:
        norm = layer.normalization
        constants = (norm.gamma, norm.beta, norm.mean, norm.variance)
        weight, bias = fold(weight, bias, *(each.detach().double() for each in constants))
    if isinstance(layer, StateSpaceLayer):
        source = FrozenConnection(f"layer{i - 1}" if i else INPUT, array(f"layers.{i}.feedforward.weight", weight))
        made = folded(layer.neuron, f"layers.{i}, neuron '{layer.config.neuron}'")
        own = {"bias": array(f"layers.{i}.feedforward.bias", bias), **made._asdict()}
        return FrozenLayer(f"layer{i}", (source,), _kind(neuron), own)
    taps = layer.connection.taps(None)
    return skip_layer(
        name=f"layer{i}",
        weight=array(f"layers.{i}.feedforward.weight", weight),
        recurrent=array(f"layers.{i}.recurrent.weight", layer.recurrent.weight),
        bias=array(f"layers.{i}.feedforward.bias", bias),
        source=f"layer{i - 1}" if i else INPUT,
        span=longest_span(taps),
        taps=_weighted(taps),
        kind=_kind(neuron),
        **{name: _plain(value) for name, value in neuron.constants().items()},
    )


def _kind(neuron: Neuron) -> str:
    if neuron.kind is None:
        raise CannotFreeze(f"neuron '{type(neuron).__name__}'", "has no kind for it, and it names none")
    return neuron.kind


def array(name: str, tensor: Tensor) -> Floats:
    """The tensor as float64. Raises NonFiniteWeights."""
    values: Floats = tensor.detach().cpu().double().numpy()
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise NonFiniteWeights(name, broken)
    return values


def _plain(value: float | Tensor | str) -> float | str | Floats:
    """A constant without PyTorch: a number, one for each neuron, or a name."""
    if not isinstance(value, Tensor):
        return value
    floats: Floats = value.detach().double().numpy()
    return float(floats) if floats.ndim == 0 else floats


def _weighted(taps: Tensor | int) -> tuple[WeightedTap, ...]:
    """The taps by span, where there are several."""
    if isinstance(taps, int):
        return ()
    found = [WeightedTap(k, weight) for k, weight in enumerate(taps.double().tolist(), start=1) if weight]
    return tuple(found) if len(found) > 1 else ()


def freeze_file(path: str | Path) -> FrozenNetwork:
    """Load a checkpoint and freeze it, with the file's hash among the provenance.

    Raises UnreadableFile, NonFiniteWeights.
    """
    frozen = freeze(checkpoint.load(path))
    return replace(frozen, provenance={**frozen.provenance, "checkpoint_sha256": checkpoint.fingerprint(path)})
