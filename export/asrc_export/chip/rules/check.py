"""All rules, and what they find of a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import RulesBroken
from asrc_export.chip.rules.cores import cores_of_a_system, single_neuron
from asrc_export.chip.rules.delays import delay_bits_against_neurons, short_loop, synaptic_delay
from asrc_export.chip.rules.finding import Finding, NumberRule, ShapeRule
from asrc_export.chip.rules.history import delay_line_state, several_spans, spike_history, taps_of_a_delay_line
from asrc_export.chip.rules.messages import graded_neurons, graded_recurrence, graded_spikes, synaptic_accumulator
from asrc_export.chip.rules.neurons import (
    bias_format,
    constants_of_neurons,
    kind_of_neuron,
    soft_reset,
    state_width,
    threshold_format,
)
from asrc_export.chip.rules.weights import stored_weight_width, weight_exponent
from asrc_export.chip.shape import NetworkShape, of_network
from asrc_export.chip.targets import Target


class Named(Protocol):
    """A chip or a device."""

    @property
    def name(self) -> str:
        """By which errors speak of it."""


SHAPE_RULES: tuple[ShapeRule, ...] = (
    stored_weight_width,
    spike_history,
    short_loop,
    delay_line_state,
    synaptic_delay,
    taps_of_a_delay_line,
    several_spans,
    delay_bits_against_neurons,
    kind_of_neuron,
    state_width,
    constants_of_neurons,
    single_neuron,
    cores_of_a_system,
    graded_spikes,
    graded_recurrence,
    graded_neurons,
)
NUMBER_RULES: tuple[NumberRule, ...] = (
    weight_exponent,
    synaptic_accumulator,
    soft_reset,
    threshold_format,
    bias_format,
)
RULES: tuple[ShapeRule | NumberRule, ...] = (*SHAPE_RULES, *NUMBER_RULES)


def check_shape(shape: NetworkShape, target: Target) -> list[Finding]:
    """All findings of the rules about sizes, blocking ones first: what can be said before training."""
    return sorted_by_blocking(finding for rule in SHAPE_RULES for finding in rule(shape, target))


def check(network: IntegerNetwork, target: Target) -> list[Finding]:
    """All findings of all rules, blocking ones first."""
    about_numbers = [finding for rule in NUMBER_RULES for finding in rule(network, target)]
    return sorted_by_blocking([*check_shape(of_network(network), target), *about_numbers])


def require(network: IntegerNetwork, target: Target) -> list[Finding]:
    """The findings that do not block. Raises RulesBroken listing all that do."""
    return passed(check(network, target), target)


def passed(findings: list[Finding], target: Named) -> list[Finding]:
    """The findings, if none of them blocks. Raises RulesBroken listing all that do."""
    blocking = [finding for finding in findings if finding.blocks]
    if blocking:
        raise RulesBroken(target.name, map(str, blocking))
    return findings


def sorted_by_blocking(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those that block before the others."""
    return sorted(findings, key=lambda finding: not finding.blocks)
