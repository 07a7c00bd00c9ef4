"""The same network with past spikes kept in delay lines, and in the delays of synapses."""

from __future__ import annotations

from collections.abc import Sequence

from asrc_core.contract.numbers import Mapping
from asrc_core.contract.synapses.connection import require_reach
from asrc_core.errors import RulesBroken, SpanTooLong
from asrc_export.chip.placement.place import place
from asrc_export.chip.placement.placed import Placement
from asrc_export.chip.shape import LayerShape
from asrc_export.chip.targets import Target


def compared(layers: Sequence[LayerShape], target: Target) -> dict[Mapping, Placement | str]:
    """The placement with all past spikes kept in one way, and in the other, or the sentence why there is none."""
    found: dict[Mapping, Placement | str] = {}
    mappings: tuple[Mapping, ...] = ("delay-line", "synaptic-delay")
    for mapping in mappings:
        try:
            for layer in layers:
                _require_mappable(layer, target, mapping)
            found[mapping] = place(layers, target, mapping)
        except (RulesBroken, SpanTooLong) as error:
            found[mapping] = str(error)
    return found


def _require_mappable(layer: LayerShape, target: Target, mapping: Mapping) -> None:
    """Raise SpanTooLong or RulesBroken if the layer's connections cannot keep past spikes in that way."""
    for each in layer.connections:
        if each.lag:
            require_reach(layer.name, each.lag, mapping, before=not each.recurrent)
        if each.taps > 1 and mapping != "delay-line":
            raise RulesBroken(target.name, [f"{layer.name}: its {each.taps} spans are taps of a delay line"])
        if mapping == "delay-line" and each.delay_for_each:
            raise RulesBroken(target.name, [f"{layer.name}: the delays of its synapses are no taps of a delay line"])
        if mapping == "delay-line" and each.lag and each.graded and each.taps == 1:
            why = f"{layer.name}: '{each.source}' sends numbers, and a delay line holds spikes"
            raise RulesBroken(target.name, [why])
