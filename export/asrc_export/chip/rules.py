"""Hardware limits: one function each, whose docstring is the sentence that users read.

A rule about sizes takes a network's shape, which a recipe gives before training; a rule about numbers takes the integer
network. Each yields its findings, and ``check`` runs all of them. A finding that blocks stops the export; one that does
not is written beside the result. `python -m asrc_export.chip.rules` prints docs/rules.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.connection import INPUT
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, MAX_SPAN, MAX_TAPS, SYNAPTIC_DELAY_MAX
from asrc_core.errors import RulesBroken
from asrc_export.chip.accumulator import activation_shift
from asrc_export.chip.bound import Broken, fewest_cores
from asrc_export.chip.budget import UNITS, most_that_fit
from asrc_export.chip.placement import place
from asrc_export.chip.shape import MEMBRANE_BITS, ConnectionShape, LayerShape, NetworkShape, of_network, resized
from asrc_export.chip.target import Target


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


ShapeRule = Callable[[NetworkShape, Target], Iterator[Finding]]
NumberRule = Callable[[IntegerNetwork, Target], Iterator[Finding]]


def stored_weight_width(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Synapses store weights in certain widths only."""
    allowed = target.formats.weight_bits
    for layer in shape.layers:
        for bits in sorted({each.weight_bits for each in layer.connections} - set(allowed)):
            yield Finding(
                _sentence(stored_weight_width),
                layer.name,
                f"{bits} bits",
                ", ".join(map(str, allowed)),
                f"`bits={_nearest(bits, allowed)}`",
                blocks=True,
            )


def spike_history(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A delay line remembers 32 steps, and synapses delay a spike for 63 steps at most."""
    further = MAX_SPAN["synaptic-delay"]
    for layer, each in _connections(shape):
        reach = MAX_SPAN[each.mapping] if each.recurrent or each.in_line else SYNAPTIC_DELAY_MAX
        if each.lag > reach:
            other = f"`mapping='synaptic-delay'` (spans up to {further}), or " if each.lag <= further else ""
            yield Finding(
                _sentence(spike_history),
                layer.name,
                f"span {each.lag}",
                str(reach),
                f"{other}train with `kernel_length={reach}` or less",
                blocks=True,
            )


def short_loop(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A spike takes a step on its way, so the lags of a loop add up to at least a step for each of its connections."""
    for layer, each in _connections(shape):
        missing = -(each.wait - each.lag + each.least_lag)
        if missing > 0:
            yield Finding(
                _sentence(short_loop),
                layer.name,
                f"lag {each.least_lag} from '{each.source}'",
                f"at least {each.least_lag + missing}",
                "lengthen the lags of that loop",
                blocks=True,
            )


def delay_line_state(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A delay line takes 32 bits of a neuron's own state and a neuron that can be programmed to shift them."""
    history = target.limits.history_bits_per_neuron
    if history is None:
        return
    for layer in shape.layers:
        # What the target states is left by one membrane; further states take their part of it.
        free = max(0, history.count - (sum(layer.state_bits) - MEMBRANE_BITS))
        if layer.line and free < LINE_BITS:
            yield Finding(
                _sentence(delay_line_state),
                layer.name,
                f"{LINE_BITS} bits",
                f"{free} bits ({history.certainty})",
                "`mapping='synaptic-delay'` keeps past spikes in the synapses",
                blocks=False,
            )


def synaptic_delay(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A synapse can delay a spike by a limited number of steps (a span is one step longer)."""
    longest = target.limits.max_synaptic_delay.count
    for layer, each in _connections(shape):
        if not each.in_line and each.wait > longest:
            yield Finding(
                _sentence(synaptic_delay),
                layer.name,
                f"delay {each.wait} (span {each.lag})",
                str(longest),
                f"train with `kernel_length={longest + each.lag - each.wait}` or less",
                blocks=True,
            )


def taps_of_a_delay_line(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A neuron reads its delay line in a few places at most."""
    for layer, each in _connections(shape):
        if each.taps > MAX_TAPS:
            yield Finding(
                _sentence(taps_of_a_delay_line),
                layer.name,
                f"{each.taps} spans at once",
                str(MAX_TAPS),
                f"train with {MAX_TAPS} kernels or fewer",
                blocks=True,
            )


def several_spans(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Several spans at once are taps of one delay line; as synaptic delays, each takes a copy of the weights."""
    for layer, each in _connections(shape):
        if not each.in_line and each.taps > 1:
            yield Finding(
                _sentence(several_spans),
                layer.name,
                f"{each.taps} spans",
                "1",
                "`mapping='delay-line'`",
                blocks=True,
            )


def delay_bits_against_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Each bit of synaptic delay halves the neurons that one core can hold."""
    slots, most = target.limits.delay_slots_per_core, target.limits.neurons_per_core.count
    if slots is None:
        return
    for layer in shape.layers:
        bits, wanted = layer.delay_bits, min(layer.neurons, most)
        held = slots.count >> bits
        if bits and wanted > held:
            longest = max(each.lag for each in layer.connections if each.delay_bits == bits)
            # The most delay bits at which the layer, or a core's worth of it, has a slot for each neuron.
            enough = int(math.log2(max(1, slots.count // wanted)))
            yield Finding(
                _sentence(delay_bits_against_neurons),
                layer.name,
                f"{layer.neurons} neurons with {bits} delay bits (span {longest})",
                f"{held} a core",
                f"spans up to {2**enough} keep {wanted} on one core",
                blocks=held == 0,
            )


def kind_of_neuron(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core's neurons compute what they are built for, and what they can be programmed for."""
    runs = target.neurons
    if runs is None or runs.programmable:
        return
    for layer in shape.layers:
        multiplies = layer.kind in runs.kinds and layer.weighted_steps
        if layer.kind not in runs.kinds or multiplies:
            yield Finding(
                _sentence(kind_of_neuron),
                layer.name,
                f"kind '{layer.kind}'" + (" with weights over time" if multiplies else ""),
                f"{', '.join(runs.kinds)} ({runs.certainty})",
                "use one of those kinds" + (" without such weights" if multiplies else "") + ", or loihi2",
                blocks=True,
            )


def state_width(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A neuron's state has registers of a limited width, unless its neurons can be programmed."""
    runs, widest = target.neurons, target.formats.state_bits
    if runs is None or runs.programmable:
        return
    for layer in shape.layers:
        if max(layer.state_bits) > widest.count:
            yield Finding(
                _sentence(state_width),
                layer.name,
                f"{max(layer.state_bits)} bits",
                f"{widest.count} bits",
                "use a kind with narrower states, or loihi2",
                blocks=True,
            )


def constants_of_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core has a limited number of sets of constants, so neurons that share none of them need many cores."""
    groups = target.limits.neuron_groups_per_core
    for layer in shape.layers:
        if groups is not None and layer.groups > groups.count:
            yield Finding(
                _sentence(constants_of_neurons),
                layer.name,
                f"{layer.groups} sets for {layer.neurons} neurons",
                f"{groups.count} a core ({groups.certainty})",
                "share decays and thresholds between neurons; biases are free to differ",
                blocks=False,
            )


def single_neuron(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core must hold at least one neuron with all its input axons, synapses and output axons."""
    for i, least in enumerate(fewest_cores(shape.layers, target)):
        if least.broken:
            yield Finding(
                _sentence(single_neuron),
                shape.layers[i].name,
                " and ".join(f"{each.used:,} {_budget(each)}" for each in least.broken),
                " and ".join(f"{each.limit:,}" for each in least.broken),
                _narrower(shape, target, i),
                blocks=True,
            )


def cores_of_a_system(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A system has a limited number of chips."""
    chips = target.limits.chips
    if chips is None or any(least.broken for least in fewest_cores(shape.layers, target)):
        return
    try:
        placed = place(shape.layers, target)
    except RulesBroken as error:
        yield Finding(
            _sentence(cores_of_a_system), "network", "no placement", str(chips.count), str(error), blocks=True
        )
        return
    if placed.chips > chips.count:
        yield Finding(
            _sentence(cores_of_a_system),
            "network",
            f"{placed.chips:,} chips ({len(placed.cores):,} cores)",
            f"{chips.count:,} chips",
            f"about {math.sqrt(chips.count / placed.chips):.0%} of each width fits",
            blocks=True,
        )


def graded_spikes(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Spikes carry a payload of a limited number of bits."""
    bits = target.formats.graded_spike_bits.count
    low, high = shape.input_minimum, shape.input_maximum
    needed = max(abs(low), abs(high)).bit_length()
    if needed > bits and not (low >= 0 and high <= 1):
        yield Finding(
            _sentence(graded_spikes),
            shape.layers[0].name,
            f"input of {needed} bits",
            f"{bits} bits" if bits else "binary",
            "let the host or an embedded processor form the first layer's products, or use loihi2",
            blocks=False,
        )


def graded_recurrence(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A layer that taps several spans at once is sent their weighted sum, as the payload of a graded spike."""
    bits = target.formats.graded_spike_bits.count
    for layer, each in _connections(shape):
        needed = each.largest_message.bit_length()
        if each.taps > 1 and each.source != INPUT and needed > bits:
            yield Finding(
                _sentence(graded_recurrence),
                layer.name,
                f"{each.taps} spans, messages of {needed} bits",
                f"{bits} bits" if bits else "binary",
                "train with one span for each layer, or use loihi2",
                blocks=True,
            )


def graded_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Neurons that send numbers send them as the payload of graded spikes."""
    bits = target.formats.graded_spike_bits.count
    for layer, each in _connections(shape):
        needed = each.largest_message.bit_length()
        if each.graded and each.taps == 1 and each.source != INPUT and needed > bits:
            yield Finding(
                _sentence(graded_neurons),
                layer.name,
                f"messages of {needed} bits from '{each.source}'",
                f"{bits} bits" if bits else "binary",
                "use a kind that sends spikes, or loihi2",
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
                _sentence(weight_exponent),
                layer.name,
                str(each.exponent),
                f"{low} to {high}",
                "rescale the layer",
                blocks=True,
            )


def synaptic_accumulator(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """The register that sums a step's synaptic input has a limited width, and wraps beyond it."""
    bits = target.formats.accumulator_bits
    if bits is None:
        return
    limit = 2 ** (bits.count - 1) - 1
    for layer, ranges in zip(network.hidden, network.ranges, strict=False):
        reach = sum(each.magnitude for each in (ranges.feedforward, ranges.recurrent) if each is not None)
        reach <<= activation_shift(layer)
        if reach > limit:
            yield Finding(
                _sentence(synaptic_accumulator),
                layer.name,
                f"worst case {reach}",
                str(limit),
                "compare with the range observed on calibration data; fewer inputs or smaller weights lower it",
                blocks=False,
            )


def threshold_format(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """Thresholds are a mantissa of limited width times a fixed power of two."""
    grid = target.formats.threshold_grid
    for layer in network.layers:
        for threshold in np.unique(layer.neuron.parameters.get("threshold", ())).tolist():
            if not grid.holds(int(threshold)):
                yield Finding(
                    _sentence(threshold_format),
                    layer.name,
                    str(threshold),
                    f"multiples of {2**grid.min_exponent} up to {grid.high}",
                    "export from the checkpoint, which rounds to them",
                    blocks=True,
                )
                break


def bias_format(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """Biases are a signed mantissa of limited width times a power of two of their own."""
    grid = target.formats.bias_grid
    for layer in network.layers:
        bias = np.broadcast_to(layer.neuron.parameters.get("bias", 0), (layer.neurons,))
        off = bias[grid.nearest(bias.clip(-grid.high, grid.high).astype(np.float64)) != bias]
        if off.size:
            yield Finding(
                _sentence(bias_format),
                layer.name,
                f"{off.size} of {bias.size} biases, such as {off[0]}",
                f"{grid.mantissa_bits} bits times 1 to {2**grid.max_exponent}",
                "export from the checkpoint, which rounds to them",
                blocks=True,
            )


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
NUMBER_RULES: tuple[NumberRule, ...] = (weight_exponent, synaptic_accumulator, threshold_format, bias_format)
RULES: tuple[ShapeRule | NumberRule, ...] = (*SHAPE_RULES, *NUMBER_RULES)


def check_shape(shape: NetworkShape, target: Target) -> list[Finding]:
    """All findings of the rules about sizes, blocking ones first: what can be said before training."""
    return _sorted(finding for rule in SHAPE_RULES for finding in rule(shape, target))


def check(network: IntegerNetwork, target: Target) -> list[Finding]:
    """All findings of all rules, blocking ones first."""
    about_numbers = [finding for rule in NUMBER_RULES for finding in rule(network, target)]
    return _sorted([*check_shape(of_network(network), target), *about_numbers])


def require(network: IntegerNetwork, target: Target) -> list[Finding]:
    """The findings that do not block. Raises RulesBroken listing all that do."""
    return passed(check(network, target), target)


def passed(findings: list[Finding], target: Target) -> list[Finding]:
    """The findings, if none of them blocks. Raises RulesBroken listing all that do."""
    blocking = [finding for finding in findings if finding.blocks]
    if blocking:
        raise RulesBroken(target.name, map(str, blocking))
    return findings


def page() -> str:
    """docs/rules.md: every rule's sentence, by what it can be asked about."""
    sections = (
        ("Rules about sizes", "Asked of a recipe before training, and at export.", SHAPE_RULES),
        ("Rules about numbers", "Asked at export, of the integer network.", NUMBER_RULES),
    )
    lines = [
        "# Hardware rules",
        "",
        "One function for each limit in `asrc_export.chip.rules`; its docstring is the sentence here and in findings.",
        "The limits themselves are a target's data, with their sources, in `export/asrc_export/chip/targets`.",
        "This page is generated: `python -m asrc_export.chip.rules > docs/rules.md`.",
    ]
    for title, note, rules in sections:
        lines += ["", f"## {title}", "", note, "", "| rule | sentence |", "| --- | --- |"]
        lines += [f"| `{rule.__name__}` | {_sentence(rule)} |" for rule in rules]
    lines += [
        "",
        "## Budgets of a core",
        "",
        "What placement keeps, for each core and every target that limits it:",
        "",
    ]
    lines += [f"* {name.replace('_', ' ')} ({unit})" for name, unit in UNITS.items()]
    return "\n".join(lines) + "\n"


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: not finding.blocks)


def _connections(shape: NetworkShape) -> Iterator[tuple[LayerShape, ConnectionShape]]:
    return ((layer, each) for layer in shape.layers for each in layer.connections)


def _nearest(bits: int, allowed: Sequence[int]) -> int:
    """The width allowed that is closest, the wider of two as close."""
    return min(allowed, key=lambda width: (abs(width - bits), -width))


def _narrower(shape: NetworkShape, target: Target, i: int) -> str:
    """The width of layer ``i``, or else of the one before it, at which layer ``i`` fits."""
    if width := _largest_width(shape, target, i):
        return f"largest width that fits: {width:,}"
    if i and (width := _largest_width(shape, target, i - 1)):
        return f"largest width of {shape.layers[i - 1].name} that fits: {width:,}"
    return "no width fits; use fewer input channels or another target"


def _largest_width(shape: NetworkShape, target: Target, i: int) -> int:
    """The most neurons that layer ``i`` can have for all layers to fit some number of cores; 0 if there is none."""
    name = shape.layers[i].name
    reached = [
        i,
        *(j for j, other in enumerate(shape.layers) if any(each.source == name for each in other.connections)),
    ]

    def fits(width: int) -> bool:
        least = fewest_cores(resized(shape.layers, i, width), target)
        return not any(least[j].broken for j in reached)

    return most_that_fit(shape.layers[i].neurons, fits)


def _budget(broken: Broken) -> str:
    return broken.budget.replace("_", " ")


def _sentence(rule: Callable[..., object]) -> str:
    return (rule.__doc__ or "").strip()


if __name__ == "__main__":
    print(page(), end="")
