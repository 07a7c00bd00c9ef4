"""What is looked at before a network is rounded, and what its integers must not do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asrc_core.contract.chain import Readout
from asrc_core.contract.network import Layer, Neuron
from asrc_core.contract.numbers import STATE_MAX, WORD, Mapping
from asrc_core.contract.proof import LayerRanges, layer_ranges
from asrc_core.contract.ranges import BIT, Range
from asrc_core.contract.synapses.connection import INPUT, require_reach
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork, InvalidSetting, NonFiniteWeights
from asrc_export.chip.targets import Formats
from asrc_export.quantization.integers import Feed, parts_of
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork


def require_spans(frozen: FrozenNetwork, mapping: Mapping) -> None:
    """Raise SpanTooLong, naming the layer, if the mapping cannot reach back as far as a span; InvalidSetting if it has
    no taps and a layer taps several spans at once.
    """
    for layer in frozen.layers:
        for each in layer.connections:
            if each.delays is None:
                require_reach(layer.name, each.span, mapping)
            if len(each.taps) > 1 and mapping != "delay-line":
                why = (
                    f"layer '{layer.name}' taps {plural(len(each.taps), 'span')} at once, each of which would "
                    "take a copy of U"
                )
                raise InvalidSetting(f"`mapping='{mapping}'`", f"{why}; use delay-line")


def require_finite(frozen: FrozenNetwork) -> None:
    """Raise NonFiniteWeights, naming the tensor, for a weight or a constant that is no number."""
    tensors = [("readout.weight", frozen.readout_weight), ("readout.bias", frozen.readout_bias)]
    for layer in parts_of(frozen):
        tensors += _named(layer)
    for name, tensor in tensors:
        broken = int((~np.isfinite(tensor)).sum())
        if broken:
            raise NonFiniteWeights(name, broken)


def _named(layer: FrozenLayer) -> list[tuple[str, Floats]]:
    known = {layer.forward.source: "weight", layer.name: "recurrent"}
    found = [(f"{layer.name}.{known.get(each.source, each.source)}", each.weight) for each in layer.connections]
    constants = {name: value for name, value in layer.constants.items() if not isinstance(value, str)}
    return [*found, *((f"{layer.name}.{name}", np.asarray(value)) for name, value in constants.items())]


def cannot_overflow(made: Layer, into: Sequence[Feed], formats: Formats, room: int = 1, steps: int = 1) -> bool:
    """Whether no input, of so many steps where that matters, can saturate a state, nor wrap the synaptic accumulator
    where its width is known.

    Kinds that nothing keeps from saturating (`Kind.room`) have to hold as many times what one step can add as they
    say. With ``room``, not even if what they reach were that many times as large.
    """
    sent = [Range(each.low, each.high) for each in into]
    sources = ["before" if each.before else "self" for each in into]
    try:
        ranges = layer_ranges(made, sent, sources, steps)
    except InvalidNetwork:  # a register could leave 32 bits, or a state its own
        return False
    held = made.neuron.of_kind.room_of(made.neuron.parameters)
    if held is not None:
        if _added(made, ranges) * held * room > STATE_MAX:
            return False
    elif not _keeps_within(made, ranges, room):
        return False
    if formats.accumulator_bits is None:
        return True
    sums = ranges.feedforward.magnitude + (ranges.recurrent.magnitude if ranges.recurrent else 0)
    reach = sums << int(np.max(made.neuron.parameters.get("activation_shift", 0)))
    return bool(reach * room < 2 ** (formats.accumulator_bits.count - 1))


def _keeps_within(made: Layer, ranges: LayerRanges, room: int) -> bool:
    """Whether states of ``room`` times what they reach would still fit, and nothing saturates."""
    if ranges.may_saturate or ranges.state.magnitude * room > STATE_MAX:
        return False
    widths = made.neuron.states
    return all(
        widths[name] == WORD or (state.magnitude - 1) * room <= 2 ** (int(widths[name]) - 1)
        for name, state in ranges.states.items()
    )


def _added(made: Layer, ranges: LayerRanges) -> int:
    """The most that one step can add to a state; a current that lasts adds all that it can become."""
    p = made.neuron.parameters
    shifted = ranges.total.magnitude << int(np.max(p.get("activation_shift", 0)))
    if "c" in ranges.states:
        shifted = ranges.states["c"].magnitude
    return shifted + int(np.max(np.abs(p.get("bias", 0))))


def readout_may_saturate(made: Readout, steps: int) -> bool:
    """Whether some input of so many steps can saturate an accumulator, or leaves 32 bits."""
    layer = made.layer(INPUT, "delay-line")
    parameters = layer.neuron.of_kind.checked(f"readout '{made.name}'", layer.neuron.parameters, layer.neurons)
    complete = Layer(layer.name, layer.connections, Neuron(layer.neuron.kind, parameters), layer.scale)
    try:
        return layer_ranges(complete, [BIT], ["before"], steps).may_saturate
    except InvalidNetwork:
        return True
