"""How neurons fire: spikes of each one, silent and saturated ones, and inactive ones with advice.

Inactive is a neuron that tells samples apart no better than a bias: silent, firing at every step, or always alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from asrc_core.counts import plural
from asrc_export.checks import firing
from asrc_export.checks.firing import Kind
from asrc_export.report.part import Index, NeuronCount, Part, SpikeCount
from asrc_export.report.table import Table

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns


class LayerNeurons(Part):
    """How many neurons of a layer never fire, fire at every step, or ever reached the 24-bit limit."""

    name: str
    neurons: NeuronCount = Field(description="All of the layer.")
    silent_float: NeuronCount = Field(description="Without a spike in hard-max float.")
    silent_deployed: NeuronCount = Field(description="Without a spike as integers.")
    always_firing_float: NeuronCount = Field(description="With a spike at every step in hard-max float.")
    always_firing_deployed: NeuronCount = Field(description="With a spike at every step as integers.")
    saturated: NeuronCount = Field(description="Whose membrane ever stood at the 24-bit limit.")


class LayerFiring(Part):
    """Spikes of each neuron of a layer over the ablation's samples."""

    name: str
    in_float: tuple[SpikeCount, ...] = Field(alias="float", description="In hard-max float.")
    deployed: tuple[SpikeCount, ...] = Field(description="As integers.")


class Inactive(Part):
    """Neurons of one layer that are inactive in the same way."""

    layer: str
    kind: Kind
    what: str = Field(description="What they do, in words.")
    serious: bool = Field(description="The layer is dead: the answer does not depend on the input.")
    in_float: NeuronCount = Field(alias="float", description="Neurons of that kind before export.")
    deployed: NeuronCount = Field(description="And after.")
    neurons: NeuronCount = Field(description="Neurons of the layer.")
    deployed_neurons: tuple[Index, ...] = Field(description="Which ones, after export.")
    advice: str


def neurons(runs: AblationRuns, names: Sequence[str]) -> tuple[LayerNeurons, ...]:
    """Silent, always firing and saturated neurons; ``names`` are the layers'."""
    every = runs.samples * runs.steps
    return tuple(
        LayerNeurons(
            name=name,
            neurons=len(each.float_spikes),
            silent_float=int((each.float_spikes == 0).sum()),
            silent_deployed=int((each.deployed_spikes == 0).sum()),
            always_firing_float=int((each.float_spikes == every).sum()),
            always_firing_deployed=int((each.deployed_spikes == every).sum()),
            saturated=int(each.at_limit.sum()),
        )
        for name, each in zip(names, runs.activity, strict=True)
    )


def spikes(runs: AblationRuns, names: Sequence[str]) -> tuple[LayerFiring, ...]:
    """Spikes of every neuron."""
    return tuple(
        LayerFiring(
            name=name, in_float=tuple(each.float_spikes.tolist()), deployed=tuple(each.deployed_spikes.tolist())
        )
        for name, each in zip(names, runs.activity, strict=True)
    )


def inactive(runs: AblationRuns) -> tuple[Inactive, ...]:
    """Inactive neurons by layer and kind, dead layers first."""
    found = firing.findings([each.deployed for each in runs.activity], [each.in_float for each in runs.activity])
    return tuple(
        Inactive(
            layer=each.layer,
            kind=each.kind,
            what=firing.SAID[each.kind],
            serious=each.serious,
            in_float=each.before or 0,
            deployed=each.after,
            neurons=each.of,
            deployed_neurons=each.neurons,
            advice=each.advice,
        )
        for each in found
    )


def neurons_table(layers: Sequence[LayerNeurons], samples: int) -> Table:
    """Silent and saturated neurons; ``samples`` are those of the ablation."""
    return Table(
        "neurons",
        "Silent and saturated neurons",
        ("layer", "neurons", "silent, float", "silent", "always firing, float", "always firing", "at the 24-bit limit"),
        [
            (
                each.name,
                each.neurons,
                each.silent_float,
                each.silent_deployed,
                each.always_firing_float,
                each.always_firing_deployed,
                each.saturated,
            )
            for each in layers
        ],
        f"Silent: not one spike in {plural(samples, 'sample')}. Always firing: a spike at every step. "
        "At the limit: the membrane reached the largest integer that it may hold. Deployed unless it says float.",
    )


def inactive_table(found: Sequence[Inactive], samples: int) -> Table:
    """Inactive neurons and what to do; ``samples`` are those of the ablation."""
    return Table(
        "inactive",
        "Inactive neurons",
        ("layer", "what", "in float", "deployed", "of", "what to do"),
        [(each.layer, each.what, each.in_float, each.deployed, each.neurons, each.advice) for each in found],
        f"Counted on {plural(samples, 'sample')}, before export (in float) and after.",
    )
