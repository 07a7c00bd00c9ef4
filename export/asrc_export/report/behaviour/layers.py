"""The layers: their sizes, the events counted in them, and how far their states are from saturating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from asrc_core.contract.numbers import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS
from asrc_core.contract.result import LayerCounts
from asrc_core.counts import plural
from asrc_export.report.behaviour import taps
from asrc_export.report.behaviour.taps import Taps
from asrc_export.report.outline import LayerOutline, ReadoutOutline
from asrc_export.report.part import (
    Count,
    NeuronCount,
    OperationCount,
    Part,
    Share,
    Span,
    SpikeCount,
    Unit,
    UpdateCount,
)
from asrc_export.report.table import Table

Headroom = Annotated[
    float,
    Unit("bit"),
    Field(description="Bits left to 24-bit saturation in the worst case over all inputs; negative if it could."),
]
Saturations = Annotated[Count, Field(description="Updates that were clipped to 24 bits.")]
CanSaturate = Annotated[bool, Field(description="Whether any input could; false is a proof.")]


class Layer(Part):
    """A spiking layer. Events are sums over all samples; docs/arithmetic.md says what is counted."""

    name: str
    neurons: NeuronCount
    inputs: Count = Field(description="Neurons or channels that it is fed by.")
    span: Span = Field(description="The span, the longest one of several; 0 where nothing comes back.")
    taps: Taps = ()
    weight_bits: Annotated[int, Unit("bit")] = Field(
        ge=MIN_WEIGHT_BITS, le=MAX_WEIGHT_BITS, description="Bits of a stored weight."
    )
    spikes: SpikeCount = Field(description="Of the integer network.")
    spikes_float: SpikeCount = Field(description="Of hard-max float.")
    spike_rate: Share = Field(description="Share of (step, sample, neuron) cells with a spike.")
    synaptic_operations: OperationCount = Field(description="Feed-forward and recurrent together.")
    feedforward_operations: OperationCount
    recurrent_operations: OperationCount
    neuron_updates: UpdateCount
    saturations: Saturations
    worst_case_membrane: Count = Field(description="Greatest magnitude over all inputs, in integers.")
    can_saturate: CanSaturate
    headroom_bits: Headroom


class Readout(Part):
    """The layer that integrates the answer. Events are sums over all samples."""

    name: str
    classes: Count
    synaptic_operations: OperationCount
    saturations: Saturations
    worst_case_accumulator: Count = Field(description="Greatest magnitude over all inputs, in integers.")
    can_saturate: CanSaturate
    headroom_bits: Headroom


def of(layers: Sequence[LayerOutline], counts: Sequence[LayerCounts], float_spikes: Sequence[int]) -> tuple[Layer, ...]:
    """The spiking layers, with their events deployed and their spikes in float."""
    return tuple(
        Layer(
            name=layer.name,
            neurons=layer.neurons,
            inputs=layer.inputs,
            span=layer.span,
            taps=taps.of(layer.taps),
            weight_bits=layer.weight_bits,
            spikes=count.spikes,
            spikes_float=in_float,
            spike_rate=count.spikes / count.neuron_updates,
            synaptic_operations=count.feedforward_operations + count.recurrent_operations,
            feedforward_operations=count.feedforward_operations,
            recurrent_operations=count.recurrent_operations,
            neuron_updates=count.neuron_updates,
            saturations=count.saturations,
            worst_case_membrane=layer.membrane.magnitude,
            can_saturate=layer.membrane.can_saturate,
            headroom_bits=layer.membrane.headroom_bits,
        )
        for layer, count, in_float in zip(layers, counts, float_spikes, strict=True)
    )


def readout(outline: ReadoutOutline, count: LayerCounts) -> Readout:
    """The readout with its events."""
    reach = outline.accumulator
    return Readout(
        name=outline.name,
        classes=outline.classes,
        synaptic_operations=count.feedforward_operations,
        saturations=count.saturations,
        worst_case_accumulator=reach.magnitude,
        can_saturate=reach.can_saturate,
        headroom_bits=reach.headroom_bits,
    )


def table(layers: Sequence[Layer], readout: Readout, samples: int) -> Table:
    """All layers, events a sample."""
    return Table(
        "layers",
        "Layers",
        (
            *("layer", "neurons", "span", "bits", "spikes/sample", "float", "rate", "synaptic ops/sample"),
            *("headroom, bits", "saturations"),
        ),
        [
            (
                layer.name,
                layer.neurons,
                taps.written(layer.span, layer.taps),
                layer.weight_bits,
                f"{layer.spikes / samples:.1f}",
                f"{layer.spikes_float / samples:.1f}",
                f"{layer.spike_rate:.1%}",
                f"{layer.synaptic_operations / samples:,.0f}",
                f"{layer.headroom_bits:.1f}",
                f"{layer.saturations} ({_proof(layer.can_saturate)})",
            )
            for layer in layers
        ],
        f"Readout: {plural(readout.classes, 'accumulator')}, {plural(readout.saturations, 'saturation')} "
        f"({_proof(readout.can_saturate)}), {readout.headroom_bits:.1f} bits of headroom. Headroom: what is left to 24 "
        "bits in the worst case over all inputs.",
    )


def _proof(can_saturate: bool) -> str:
    return "possible" if can_saturate else "proven impossible"
