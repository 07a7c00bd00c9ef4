"""Rules about what a core's neurons compute, and with which constants."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_export.chip.rules.finding import Finding, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets import Target

TURNS = {
    "resonator": ", whose states turn: four products for each mode and step, and a core has no multiplier for them"
}
"""What is said of kinds that no fixed neuron could come to."""


def kind_of_neuron(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core's neurons compute what they are built for, and what they can be programmed for."""
    runs = target.neurons
    if runs is None or runs.programmable:
        return
    for layer in shape.layers:
        multiplies = layer.kind in runs.kinds and layer.weighted_steps
        if layer.kind not in runs.kinds or multiplies:
            yield Finding(
                sentence(kind_of_neuron),
                layer.name,
                f"kind '{layer.kind}'" + (" with weights over time" if multiplies else TURNS.get(layer.kind, "")),
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
                sentence(state_width),
                layer.name,
                f"{plural(max(layer.state_bits), 'bit')}",
                f"{plural(widest.count, 'bit')}",
                "use a kind with narrower states, or loihi2",
                blocks=True,
            )


def constants_of_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core has a limited number of sets of constants, so neurons that share none of them need many cores."""
    groups = target.limits.neuron_groups_per_core
    for layer in shape.layers:
        if groups is not None and layer.groups > groups.count:
            yield Finding(
                sentence(constants_of_neurons),
                layer.name,
                f"{layer.groups} sets for {plural(layer.neurons, 'neuron')}",
                f"{groups.count} a core ({groups.certainty})",
                "share decays and thresholds between neurons; biases are free to differ",
                blocks=False,
            )


def soft_reset(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """A neuron that resets softly can take more than one compartment of a core, and placement counts one."""
    taken = None if target.neurons is None else target.neurons.soft_reset_compartments
    if taken is None or taken.count == 1:
        return
    for layer in network.layers:
        if layer.neuron.parameters.get("reset") == "soft":
            yield Finding(
                sentence(soft_reset),
                layer.name,
                f"{plural(layer.neurons, 'neuron')} of {plural(taken.count, 'compartment')} each ({taken.certainty})",
                f"{plural(target.limits.neurons_per_core.count, 'compartment')} a core",
                f"train with `reset='hard'`, or allow for up to {taken.count} times the cores",
                blocks=False,
            )


def threshold_format(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """Thresholds are a mantissa of limited width times a fixed power of two."""
    grid = target.formats.threshold_grid
    for layer in network.layers:
        for threshold in np.unique(layer.neuron.parameters.get("threshold", ())).tolist():
            if not grid.holds(int(threshold)):
                yield Finding(
                    sentence(threshold_format),
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
        given = [layer.neuron.parameters.get(name) for name in ("bias", "current_bias")]
        parts = [np.broadcast_to(each, (layer.neurons,)) for each in given if each is not None]
        bias = np.concatenate(parts or [np.zeros(1, np.int64)])
        off = bias[grid.nearest(bias.clip(-grid.high, grid.high).astype(np.float64)) != bias]
        if off.size:
            yield Finding(
                sentence(bias_format),
                layer.name,
                f"{off.size} of {plural(bias.size, 'bias')}, such as {off[0]}",
                f"{plural(grid.mantissa_bits, 'bit')} times 1 to {2**grid.max_exponent}",
                "export from the checkpoint, which rounds to them",
                blocks=True,
            )
