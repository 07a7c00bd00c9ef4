"""Hardware limits: one function each, whose docstring is the sentence that users read.

A rule takes an integer network and a target and yields its findings; ``check`` runs all of them. A finding that
blocks stops the export; one that does not is written beside the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asrc_export.network import IntegerNetwork, worst_case
from asrc_export.target import Target
from asrc_train.errors import RulesBroken


@dataclass(frozen=True)
class Finding:
    """One limit met by one layer: what the layer has, what the chip allows, what to do."""

    rule: str
    layer: str
    value: str
    limit: str
    way_out: str
    blocks: bool

    def __str__(self) -> str:
        return f"{self.layer}: {self.rule} Here: {self.value}, limit: {self.limit}. Way out: {self.way_out}."


Rule = Callable[[IntegerNetwork, Target], Iterator[Finding]]


def stored_weight_width(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """Synapses store weights in certain widths only."""
    allowed = target.formats.weight_bits
    widths = [(layer.name, layer.weight_bits) for layer in network.layers]
    widths.append((network.readout.name, network.readout.weight_bits))
    for name, bits in widths:
        if bits not in allowed:
            yield Finding(
                _sentence(stored_weight_width),
                name,
                f"{bits} bits",
                ", ".join(map(str, allowed)),
                f"--bits {max(allowed)}",
                blocks=True,
            )


def weight_exponent(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """A synapse's weight exponent has a limited range."""
    low, high = target.formats.min_weight_exponent.count, target.formats.max_weight_exponent.count
    exponents = [(layer.name, layer.feedforward_exponent) for layer in network.layers]
    exponents += [(layer.name, layer.recurrent_exponent) for layer in network.layers]
    exponents += [(network.readout.name, network.readout.exponent)]
    for name, exponent in exponents:
        if not low <= exponent <= high:
            yield Finding(
                _sentence(weight_exponent), name, str(exponent), f"{low} to {high}", "rescale the layer", blocks=True
            )


def synaptic_delay(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """A synapse can delay a spike by a limited number of steps (a span is one step longer)."""
    longest = target.limits.max_synaptic_delay.count
    for layer in network.layers:
        if network.mapping == "synaptic-delay" and layer.span - 1 > longest:
            yield Finding(
                _sentence(synaptic_delay),
                layer.name,
                f"delay {layer.span - 1} (span {layer.span})",
                str(longest),
                f"train with --kernel-length {longest + 1} or less",
                blocks=True,
            )


def synaptic_accumulator(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """The register that sums a step's synaptic input has a limited width, and wraps beyond it."""
    bits = target.formats.accumulator_bits
    if bits is None:
        return
    limit = 2 ** (bits.count - 1) - 1
    for layer, ranges in zip(network.layers, worst_case(network), strict=False):
        assert ranges.recurrent is not None
        reach = (ranges.feedforward.magnitude + ranges.recurrent.magnitude) << layer.activation_shift
        if reach > limit:
            yield Finding(
                _sentence(synaptic_accumulator),
                layer.name,
                f"worst case {reach}",
                str(limit),
                "compare with the range observed on calibration data; fewer inputs or smaller weights lower it",
                blocks=False,
            )


def graded_spikes(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """Spikes carry a payload of a limited number of bits."""
    bits = target.formats.graded_spike_bits.count
    entry = network.input
    needed = max(abs(entry.minimum), abs(entry.maximum)).bit_length()
    if entry.minimum >= 0 and entry.maximum <= 1:
        return
    if needed > bits:
        yield Finding(
            _sentence(graded_spikes),
            network.layers[0].name,
            f"input of {needed} bits",
            f"{bits} bits" if bits else "binary",
            "let the host or an embedded processor form the first layer's products, or use loihi2",
            blocks=False,
        )


RULES: tuple[Rule, ...] = (stored_weight_width, weight_exponent, synaptic_delay, synaptic_accumulator, graded_spikes)


def check(network: IntegerNetwork, target: Target) -> list[Finding]:
    """All findings of all rules, blocking ones first."""
    findings = [finding for rule in RULES for finding in rule(network, target)]
    return sorted(findings, key=lambda finding: not finding.blocks)


def require(network: IntegerNetwork, target: Target) -> list[Finding]:
    """The findings that do not block. Raises RulesBroken listing all that do."""
    findings = check(network, target)
    blocking = [finding for finding in findings if finding.blocks]
    if blocking:
        raise RulesBroken(target.name, map(str, blocking))
    return findings


def _sentence(rule: Rule) -> str:
    return (rule.__doc__ or "").strip()
