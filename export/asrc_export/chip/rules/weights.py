"""Rules about weights: stored widths and exponents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_export.chip.rules.finding import Finding, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets import Target


def stored_weight_width(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Synapses store weights in certain widths only."""
    allowed = target.formats.weight_bits
    for layer in shape.layers:
        for bits in sorted({each.weight_bits for each in layer.connections} - set(allowed)):
            yield Finding(
                sentence(stored_weight_width),
                layer.name,
                f"{plural(bits, 'bit')}",
                ", ".join(map(str, allowed)),
                f"`bits={_nearest(bits, allowed)}`",
                blocks=True,
            )


def weight_exponent(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """A synapse's weight exponent has a limited range."""
    low, high = target.formats.min_weight_exponent.count, target.formats.max_weight_exponent.count
    every = [(i, layer, j, each) for i, layer in enumerate(network.layers) for j, each in enumerate(layer.connections)]
    ordered = sorted(every, key=lambda found: (found[1] is network.readout, network.is_recurrent(found[0], found[2])))
    for _, layer, _, each in ordered:
        if not low <= each.exponent <= high:
            yield Finding(
                sentence(weight_exponent),
                layer.name,
                str(each.exponent),
                f"{low} to {high}",
                "rescale the layer",
                blocks=True,
            )


def _nearest(bits: int, allowed: Sequence[int]) -> int:
    """The width allowed that is closest, the wider of two as close."""
    return min(allowed, key=lambda width: (abs(width - bits), -width))
