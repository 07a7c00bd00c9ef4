"""Targets: a chip is a data file in `targets/` (or the user's own), every number with its source and certainty.

Where sources disagree, a quantity lists the other values as alternatives: the one in use is its value. Units are part
of the form: a number whose unit is not the one its key asks for is refused, never converted.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from asrc_core.contract.rounding.grid import MantissaExponentGrid
from asrc_core.errors import UnknownName, UnreadableFile
from asrc_core.forms import toml
from asrc_core.forms.first_problem import first_problem

FOLDER = Path(__file__).parent / "targets"
MAX_BYTES = 2**20

Certainty = Literal["printed", "vendor", "second-hand", "inferred", "uncertain"]
"""printed: read in source code or a tool's output; vendor: text of the maker or a paper; second-hand: quoted by
others; inferred: calculated from those; uncertain: sources are missing or disagree."""

_Value = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False, strict=True)]
_Source = Annotated[str, Field(min_length=1, max_length=500)]
_Form = TypeVar("_Form", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Alternative(_Strict):
    """Another source's value of the same quantity, in the same unit."""

    value: _Value
    source: _Source
    certainty: Certainty


class Quantity(_Strict):
    """A number with its unit and where it comes from; ``alternatives`` are what other sources say, not in use."""

    value: _Value
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    source: _Source
    certainty: Certainty
    alternatives: Annotated[tuple[Alternative, ...], Field(max_length=20)] = ()

    @property
    def count(self) -> int:
        """The value as a whole number."""
        return int(self.value)

    @property
    def values(self) -> tuple[float, ...]:
        """What the sources give, the one in use first."""
        return (self.value, *(each.value for each in self.alternatives))

    @property
    def lowest(self) -> float:
        """The least value that any source gives."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The greatest value that any source gives."""
        return max(self.values)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the values come from and how sure each is, the one in use first."""
        others = tuple(f"{each.source}, {each.certainty}" for each in self.alternatives)
        return (f"{self.source}, {self.certainty}", *others)


def _measured_in(unit: str, least: float, *, whole: bool) -> AfterValidator:
    """Accept a quantity whose unit is ``unit`` and whose values are at least ``least``, whole numbers if asked."""

    def check(quantity: Quantity) -> Quantity:
        if quantity.unit != unit:
            raise ValueError(f"its unit is '{quantity.unit}', expected '{unit}'")
        for value in quantity.values:
            if value < least:
                raise ValueError(f"{value:g} is below {least:g}")
            if whole and value != int(value):
                raise ValueError(f"{value:g} is not a whole number")
        return quantity

    return AfterValidator(check)


Exponent = Annotated[Quantity, _measured_in("bits", -64, whole=True)]
Bits = Annotated[Quantity, _measured_in("bits", 0, whole=True)]
SignedBits = Annotated[Quantity, _measured_in("bits with sign", 2, whole=True)]
Steps = Annotated[Quantity, _measured_in("steps", 0, whole=True)]
Cores = Annotated[Quantity, _measured_in("cores", 1, whole=True)]
Chips = Annotated[Quantity, _measured_in("chips", 1, whole=True)]
Neurons = Annotated[Quantity, _measured_in("neurons", 1, whole=True)]
Axons = Annotated[Quantity, _measured_in("axons", 1, whole=True)]
Entries = Annotated[Quantity, _measured_in("entries", 1, whole=True)]
Synapses = Annotated[Quantity, _measured_in("synapses", 1, whole=True)]
Tiles = Annotated[Quantity, _measured_in("tiles", 1, whole=True)]
Picojoules = Annotated[Quantity, _measured_in("pJ", 0, whole=False)]
Nanoseconds = Annotated[Quantity, _measured_in("ns", 0, whole=False)]
Watts = Annotated[Quantity, _measured_in("W", 0, whole=False)]


class Formats(_Strict):
    """Number formats. Names follow docs/arithmetic.md; ``None`` where no public figure exists."""

    weight_bits: Annotated[tuple[Annotated[int, Field(ge=1, le=64, strict=True)], ...], Field(min_length=1)]
    weight_bits_source: Annotated[str, Field(min_length=1)]
    min_weight_exponent: Exponent
    max_weight_exponent: Exponent
    activation_shift: Bits
    decay_bits: Bits
    state_bits: Bits
    threshold_mantissa_bits: Bits
    threshold_exponent: Bits
    bias_mantissa_bits: Bits
    max_bias_exponent: Bits
    accumulator_bits: SignedBits | None = None
    graded_spike_bits: Bits

    @property
    def threshold_grid(self) -> MantissaExponentGrid:
        """Unsigned mantissa times one fixed power of two."""
        exponent = self.threshold_exponent.count
        return MantissaExponentGrid(self.threshold_mantissa_bits.count, False, exponent, exponent)

    @property
    def bias_grid(self) -> MantissaExponentGrid:
        """Signed mantissa times a power of two of the neuron's own."""
        return MantissaExponentGrid(self.bias_mantissa_bits.count, True, 0, self.max_bias_exponent.count)


class NeuronKinds(_Strict):
    """What a core's neurons compute."""

    kinds: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(min_length=1)]
    """Kinds of the contract that need no program of one's own."""
    programmable: bool
    """Whether any other kind can be written as a program for them."""
    source: _Source
    certainty: Certainty


class Limits(_Strict):
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
    core_memory_per_neuron: Bits | None = None
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


class Encoding(_Strict):
    """How the synapses of one input axon are stored on a core: blocks of synapses, each rounded up to memory words."""

    overhead: Bits
    """Bits of a synapse on top of its weight and its delay."""
    block_prefix: Bits
    block_synapses: Synapses | None = None
    """Synapses of a full block; one block for the whole axon if left out."""
    word: Bits

    def row_words(self, synapses: int, synapse_bits: int) -> int:
        """Memory words that one axon's synapses take, each of ``synapse_bits`` (weight and delay)."""
        each, prefix, word = synapse_bits + self.overhead.count, self.block_prefix.count, self.word.count
        if self.block_synapses is None:
            return -(-(synapses * each + prefix) // word)
        full, rest = divmod(synapses, self.block_synapses.count)
        words = full * -(-(self.block_synapses.count * each + prefix) // word)
        return words + (-(-(rest * each + prefix) // word) if rest else 0)


class SynapseMemory(_Strict):
    """What a synapse costs by encoding. Placement uses ``dense``: every weight is stored, a zero too."""

    dense: Encoding
    sparse: Encoding | None = None
    """Only non-zero weights are stored, each with its neuron's index."""


class AxonTables(_Strict):
    """Memory of an entry in the tables that route spikes."""

    input: Bits
    output: Bits


class Mesh(_Strict):
    """Tiles of cores on a chip, joined by a mesh whose messages go along one axis and then the other."""

    rows: Tiles
    columns: Tiles
    cores_per_tile: Cores


class Energy(_Strict):
    """Energy of one event, in picojoules; without this section counts are shown and joules are not."""

    synaptic_operation: Picojoules
    neuron_update_active: Picojoules
    neuron_update_inactive: Picojoules
    spike_within_tile: Picojoules
    hop_east_west: Picojoules | None = None
    hop_north_south: Picojoules | None = None


class Timing(_Strict):
    """Time of one event, in nanoseconds."""

    synaptic_operation: Nanoseconds
    neuron_update_active: Nanoseconds
    neuron_update_inactive: Nanoseconds
    spike_within_tile: Nanoseconds
    hop_east_west: Nanoseconds
    hop_north_south: Nanoseconds
    barrier_one_tile: Nanoseconds
    barrier_whole_chip: Nanoseconds


class Target(_Strict):
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


def names() -> list[str]:
    """Targets that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_path: str) -> Target:
    """A target by name, or from a file whose path ends in .toml.

    Raises UnknownName, or UnreadableFile naming the key that is missing, misspelt or out of range.
    """
    if not name_or_path.endswith(".toml"):
        if name_or_path not in names():
            raise UnknownName("target", name_or_path, names(), "a path ending in .toml")
        return load(str(FOLDER / f"{name_or_path}.toml"))
    return _validated(Target, read_toml(name_or_path, "target file"), name_or_path, "target file")


PROVENANCE_KEY = "target_file"


def luggage(chip: Target) -> dict[str, Any]:
    """What a network's provenance carries so that its target is found again: nothing for a target of the package,
    the whole content for the user's own, whose file other machines lack.
    """
    if chip.name in names() and chip == load(chip.name):
        return {}
    return {PROVENANCE_KEY: chip.model_dump(mode="json", exclude_none=True)}


def of(name: str, provenance: MappingOf[str, Any]) -> Target:
    """The target that a network was exported for: the content it carries, or the package's target of that name.

    Raises UnknownName, or UnreadableFile if what it carries is no target or is another one.
    """
    if PROVENANCE_KEY not in provenance:
        return load(name)
    where = f"provenance.{PROVENANCE_KEY}"
    chip = _validated(Target, provenance[PROVENANCE_KEY], where, "target in a network")
    if chip.name != name:
        why = f"it is '{chip.name}' and the network says '{name}'"
        raise UnreadableFile(where, "target in a network", why, "export the network again")
    return chip


class FloatOperations(_Strict):
    """Energy of arithmetic in a process node, in picojoules, for pricing networks that run on no chip here."""

    name: str
    title: str
    float32_multiply: Picojoules
    float32_add: Picojoules
    sram_read_32_bits: Picojoules


def load_baseline(name: str) -> FloatOperations:
    """Operation energies by name, from `baselines/`."""
    path = Path(__file__).parent / "baselines" / f"{name}.toml"
    return _validated(FloatOperations, read_toml(str(path), "baseline file"), str(path), "baseline file")


def read_toml(path: str, kind: str) -> dict[str, Any]:
    """A TOML file's content. Raises UnreadableFile with the line where it is broken."""
    way_out = "see the files of the package's targets folder for the form"
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise UnreadableFile(path, kind, "it is larger than any target file", way_out)
        return toml.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except (toml.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(path, kind, f"it is not valid TOML ({error})", way_out) from error


def quantities(section: BaseModel, prefix: str = "") -> list[tuple[str, Quantity]]:
    """All numbers of a target with their dotted names, in the order of the classes here."""
    found: list[tuple[str, Quantity]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Quantity):
            found.append((prefix + name, value))
        elif isinstance(value, BaseModel):
            found.extend(quantities(value, f"{prefix}{name}."))
    return found


def _validated(form: type[_Form], content: object, path: str, kind: str) -> _Form:
    try:
        return form.model_validate(content)
    except ValidationError as error:
        problem = first_problem(error, form)
        raise UnreadableFile(path, kind, f"key '{problem.key}': {problem.why}", "correct that key") from error
