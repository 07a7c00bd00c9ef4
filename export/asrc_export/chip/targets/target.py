"""Targets: a chip is a data file in this folder (or the user's own), every number with its source and certainty."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX
from asrc_core.contract.rounding.grid import MantissaExponentGrid
from asrc_export.chip.targets.encoding import SynapseMemory
from asrc_export.chip.targets.quantity import (
    Axons,
    Bits,
    Certainty,
    Chips,
    Compartments,
    Cores,
    Entries,
    Exponent,
    Nanoseconds,
    Neurons,
    PartBits,
    Picojoules,
    Quantity,
    SignedBits,
    Source,
    Steps,
    Strict,
    Tiles,
    UnitBits,
    Watts,
)

DECAY_BITS = DECAY_ONE.bit_length() - 1
STATE_BITS = STATE_MAX.bit_length() + 1
"""Those of the contract (docs/arithmetic.md): of a chip with others, no number here would be true."""


class Formats(Strict):
    """Number formats. Names follow docs/arithmetic.md; ``None`` where no public figure exists."""

    weight_bits: Annotated[tuple[Annotated[int, Field(ge=1, le=64, strict=True)], ...], Field(min_length=1)]
    weight_bits_source: Annotated[str, Field(min_length=1)]
    weight_bits_certainty: Certainty = "uncertain"
    min_weight_exponent: Exponent
    max_weight_exponent: Exponent
    activation_shift: PartBits
    decay_bits: Bits
    state_bits: Bits
    threshold_mantissa_bits: PartBits
    threshold_exponent: PartBits
    bias_mantissa_bits: PartBits
    max_bias_exponent: PartBits
    accumulator_bits: SignedBits | None = None
    graded_spike_bits: Bits

    @field_validator("decay_bits")
    @classmethod
    def _decays_as_computed(cls, given: Quantity) -> Quantity:
        if given.count != DECAY_BITS:
            raise ValueError(f"{given.value:g} is not {DECAY_BITS}, which networks are computed with")
        return given

    @field_validator("state_bits")
    @classmethod
    def _states_as_computed(cls, given: Quantity) -> Quantity:
        if given.count < STATE_BITS:
            raise ValueError(f"{given.value:g} is below {STATE_BITS}, at which networks are computed to saturate")
        return given

    @property
    def threshold_grid(self) -> MantissaExponentGrid:
        """Unsigned mantissa times one fixed power of two."""
        exponent = self.threshold_exponent.count
        return MantissaExponentGrid(self.threshold_mantissa_bits.count, False, exponent, exponent)

    @property
    def bias_grid(self) -> MantissaExponentGrid:
        """Signed mantissa times a power of two of the neuron's own."""
        return MantissaExponentGrid(self.bias_mantissa_bits.count, True, 0, self.max_bias_exponent.count)


class NeuronKinds(Strict):
    """What a core's neurons compute."""

    kinds: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(min_length=1)]
    """Kinds of the contract that need no program of one's own."""
    programmable: bool
    """Whether any other kind can be written as a program for them."""
    source: Source
    certainty: Certainty
    soft_reset_compartments: Compartments | None = None
    """What a neuron that resets softly takes of a core, where neurons are compartments; else one, as all others."""


class Limits(Strict):
    """Budgets of the chip; ``None`` where no public figure exists, and then nothing is checked."""

    cores_per_chip: Cores
    chips: Chips | None = None
    """Chips of the largest system known."""
    neurons_per_core: Neurons
    synaptic_memory_per_core: Bits
    synaptic_memory_per_axon: Bits | None = None
    """The synapses of one input axon on one core."""
    core_memory: Bits | None = None
    """A pool that synapses, axon tables and neurons share on top of their own limits."""
    core_memory_per_neuron: UnitBits | None = None
    input_axons_per_core: Axons
    output_axons_per_core: Axons
    output_axons_to_other_chips: Axons | None = None
    max_synaptic_delay: Steps
    delay_slots_per_core: Entries | None = None
    """Each neuron of a core takes 2^b of these, b being the most delay bits of any synapse on the core."""
    history_bits_per_neuron: Bits | None = None
    """Bits of a neuron's own state that its program may keep past spikes in."""
    neuron_groups_per_core: Entries | None = None
    """Sets of neurons with a threshold and a decay of their own."""
    synapse_formats_per_core: Entries | None = None


class AxonTables(Strict):
    """Memory of an entry in the tables that route spikes."""

    input: Bits
    output: Bits


class Mesh(Strict):
    """Tiles of cores on a chip, joined by a mesh whose messages go along one axis and then the other."""

    rows: Tiles
    columns: Tiles
    cores_per_tile: Cores


class Energy(Strict):
    """Energy of one event, in picojoules; without this section counts are shown and joules are not."""

    synaptic_operation: Picojoules
    neuron_update_active: Picojoules
    neuron_update_inactive: Picojoules
    spike_within_tile: Picojoules
    hop_east_west: Picojoules | None = None
    hop_north_south: Picojoules | None = None


class Timing(Strict):
    """Time of one event, in nanoseconds."""

    synaptic_operation: Nanoseconds
    neuron_update_active: Nanoseconds
    neuron_update_inactive: Nanoseconds
    spike_within_tile: Nanoseconds
    hop_east_west: Nanoseconds
    hop_north_south: Nanoseconds
    barrier_one_tile: Nanoseconds
    barrier_whole_chip: Nanoseconds


class Target(Strict):
    """A chip as data."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    formats: Formats
    limits: Limits
    synapses: SynapseMemory
    neurons: NeuronKinds | None = None
    """Nothing is checked without it."""
    axon_tables: AxonTables | None = None
    mesh: Mesh | None = None
    energy: Energy | None = None
    timing: Timing | None = None
    static_power: Watts | None = None
    """Of one chip, idle: named in reports, in no estimate."""
