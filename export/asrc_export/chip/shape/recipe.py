"""The sizes of a chain of skip-recurrent layers, and of the network that a recipe's training will give.

Known before training: a recipe gives the widths, and of an adaptive span the longest that it may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from asrc_core import extras
from asrc_core.contract import neurons
from asrc_core.contract.neurons.kind import Columns, Number, States
from asrc_core.contract.neurons.resonator import MODE, TAP
from asrc_core.contract.numbers import MAX_MESSAGE, WORD, Mapping
from asrc_core.contract.synapses.connection import INPUT
from asrc_export.chip.shape.linked import linked
from asrc_export.chip.shape.network import NetworkShape, constant_bits, widths
from asrc_export.chip.shape.sizes import ConnectionShape, LayerShape
from asrc_train.network.skips import Skips, heard

if TYPE_CHECKING:  # a network's sizes need no torch, which these load
    from asrc_train.data.dataset import Shape
    from asrc_train.network.neurons.neuron import Neuron
    from asrc_train.settings.config import Config


def of_recipe(config: Config, dataset: Shape, bits: int, mapping: Mapping) -> NetworkShape:
    """The shape that a training will give, with the longest span that each layer can end up with.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold; ExtraMissing.
    """
    with extras.importing():
        import torch

        from asrc_train.network.connections.connection import file_of
        from asrc_train.network.neurons.neuron import new_neurons
        from asrc_train.trained.freeze import require_freezable

    network = config.network
    require_freezable(network, dataset.steps)
    spans = [file_of(own).longest_span(own) for own in network.each_layer()]
    taps = file_of(network).most_taps(network)
    layers = chain(
        dataset.channels,
        network.hidden,
        spans,
        dataset.classes,
        bits,
        mapping,
        maximum=dataset.maximum,
        taps=taps,
        skips=network.skips,
    )
    with torch.device("meta"):
        trained = [new_neurons(own, 1, dataset.steps) for own in network.each_layer()]
    hidden = (_of_neurons(layer, neuron) for layer, neuron in zip(layers, trained, strict=False))
    return NetworkShape((*hidden, layers[-1]), 0, dataset.maximum)


def _of_neurons(layer: LayerShape, neuron: Neuron) -> LayerShape:
    """The layer with the kind of neurons that it will have, and what these store. No two that learn are alike."""
    assert neuron.kind is not None, "a neuron that can be frozen has a kind"
    if isinstance(neuron, StateSpace):
        return _of_modes(layer, neuron)
    kind, stored = neurons.kind(neuron.kind), []
    for name, value in neuron.constants().items():
        form = kind.parameters[kind.constants[name].parameter]
        if not isinstance(value, float | int | str) and value.ndim and isinstance(form, Number):
            stored.append(constant_bits(form))
    groups = layer.neurons if stored else 1
    made = replace(layer, kind=neuron.kind, own_constants=tuple(stored), groups=groups)
    return _with_states(made, kind.states_of({}))


@runtime_checkable
class StateSpace(Protocol):
    """What is known of state-space neurons before they are trained."""

    modes: int
    period: int
    window: Any


def _of_modes(layer: LayerShape, neuron: StateSpace) -> LayerShape:
    """The layer of resonators that state-space neurons become; no two have the same constants."""
    kind, one = neurons.kind("resonator"), np.zeros((1, neuron.modes), np.int64)
    past = 0 if neuron.window is None else neuron.window.shape[1] - 1
    taps = np.zeros((1, past), np.int64) if past else None
    states = kind.states_of({"pole_real": one, "taps": taps, "period": neuron.period})
    times = {MODE: neuron.modes, TAP: past}
    stored = [
        constant_bits(form)
        for name, form in kind.parameters.items()
        if isinstance(form, Number | Columns) and name not in ("bias", "period", "activation_shift", "pole_shift")
        for _ in range(times[form.of] if isinstance(form, Columns) else 1)
    ]
    made = replace(layer, kind="resonator", own_constants=tuple(stored), groups=layer.neurons)
    return _with_states(made, states)


def _with_states(layer: LayerShape, states: States) -> LayerShape:
    return replace(layer, state_bits=widths(states), keeps_word=WORD in states.values())


def chain(
    channels: int,
    hidden: Sequence[int],
    spans: Sequence[int],
    classes: int,
    bits: int,
    mapping: Mapping = "delay-line",
    *,
    maximum: int = 1,
    taps: int = 1,
    skips: Skips = "none",
) -> tuple[LayerShape, ...]:
    """Skip-recurrent layers one after the other on inputs up to ``maximum``, and a readout; a span of 0 is of a layer
    without a connection to itself.

    With several ``taps`` a layer may send itself the largest message there is. ``skips``: `asrc_train.network.skips`.
    """
    layers: list[LayerShape] = []
    fed = ConnectionShape(INPUT, channels, bits, mapping=mapping, graded=maximum > 1, largest_message=maximum)
    sent = [ConnectionShape(f"layer{i}", width, bits, mapping=mapping) for i, width in enumerate(hidden)]
    returned = MAX_MESSAGE if taps > 1 else 1
    for i, (width, span) in enumerate(zip(hidden, spans, strict=True)):
        own = ConnectionShape(f"layer{i}", width, bits, span, span, mapping, recurrent=True, taps=taps)
        own = replace(own, graded=taps > 1, largest_message=returned)
        before = tuple(fed if place < 0 else sent[place] for place in heard(skips, i))
        layers.append(LayerShape(own.source, width, (*before, own) if span else before))
    return linked([*layers, LayerShape("readout", classes, (sent[-1] if sent else fed,), "integrator")])
