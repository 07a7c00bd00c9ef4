"""Targets: a chip is a data file in `targets/` (or the user's own), every number with its source and certainty."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_export.grid import MantissaExponentGrid
from asrc_train.errors import UnknownName, UnreadableFile

FOLDER = Path(__file__).parent / "targets"
MAX_BYTES = 2**20

Certainty = Literal["printed", "vendor", "second-hand", "inferred", "uncertain"]
"""printed: read in source code or a tool's output; vendor: text of the maker or a paper; second-hand: quoted by
others; inferred: calculated from those; uncertain: sources are missing or disagree."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(_Strict):
    """A number with its unit and where it comes from."""

    value: Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    source: Annotated[str, Field(min_length=1, max_length=500)]
    certainty: Certainty

    @property
    def count(self) -> int:
        """The value as a whole number."""
        return int(self.value)


class Formats(_Strict):
    """Number formats. Names follow docs/arithmetic.md; ``None`` where no public figure exists."""

    weight_bits: Annotated[tuple[int, ...], Field(min_length=1)]
    weight_bits_source: Annotated[str, Field(min_length=1)]
    min_weight_exponent: Quantity
    max_weight_exponent: Quantity
    activation_shift: Quantity
    decay_bits: Quantity
    state_bits: Quantity
    threshold_mantissa_bits: Quantity
    threshold_exponent: Quantity
    bias_mantissa_bits: Quantity
    max_bias_exponent: Quantity
    accumulator_bits: Quantity | None = None
    graded_spike_bits: Quantity

    @property
    def threshold_grid(self) -> MantissaExponentGrid:
        """Unsigned mantissa times one fixed power of two."""
        exponent = self.threshold_exponent.count
        return MantissaExponentGrid(self.threshold_mantissa_bits.count, False, exponent, exponent)

    @property
    def bias_grid(self) -> MantissaExponentGrid:
        """Signed mantissa times a power of two of the neuron's own."""
        return MantissaExponentGrid(self.bias_mantissa_bits.count, True, 0, self.max_bias_exponent.count)


class Limits(_Strict):
    """Budgets of the chip."""

    cores_per_chip: Quantity
    neurons_per_core: Quantity
    synaptic_memory_per_core: Quantity
    input_axons_per_core: Quantity
    output_axons_per_core: Quantity
    max_synaptic_delay: Quantity
    synapse_overhead: Quantity
    """Bits that a stored synapse costs on top of weight and delay."""


class Energy(_Strict):
    """Energy of one event, in picojoules. All come from one cited table, or the section is left out."""

    synaptic_operation: Quantity
    neuron_update_active: Quantity
    neuron_update_inactive: Quantity
    spike_within_tile: Quantity


class Target(_Strict):
    """A chip as data."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    formats: Formats
    limits: Limits
    energy: Energy | None = None


def names() -> list[str]:
    """Targets that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_path: str) -> Target:
    """A target by name, or from a file whose path ends in .toml.

    Raises UnknownName, or UnreadableFile naming the key that is missing, misspelt or out of range.
    """
    if not name_or_path.endswith(".toml"):
        if name_or_path not in names():
            raise UnknownName("target", name_or_path, [*names(), "or a path ending in .toml"])
        return load(str(FOLDER / f"{name_or_path}.toml"))
    content = read_toml(name_or_path, "target file")
    try:
        return Target.model_validate(content)
    except ValidationError as error:
        raise _unfit(name_or_path, "target file", error) from error


class FloatOperations(_Strict):
    """Energy of arithmetic alone in a process node, in picojoules, for pricing networks that run on no chip here."""

    name: str
    title: str
    float32_multiply: Quantity
    float32_add: Quantity


def load_baseline(name: str) -> FloatOperations:
    """Operation energies by name, from `baselines/`."""
    path = Path(__file__).parent / "baselines" / f"{name}.toml"
    return FloatOperations.model_validate(read_toml(str(path), "baseline file"))


def read_toml(path: str, kind: str) -> dict[str, Any]:
    """A TOML file's content. Raises UnreadableFile with the line where it is broken."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    way_out = "see the files of the package's targets folder for the form"
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise UnreadableFile(path, kind, "it is larger than any target file", way_out)
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(path, kind, f"it is not valid TOML ({error})", way_out) from error


def quantities(section: BaseModel, prefix: str = "") -> list[tuple[str, Quantity]]:
    """All numbers of a target with their dotted names, in the order of the file."""
    found: list[tuple[str, Quantity]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Quantity):
            found.append((prefix + name, value))
        elif isinstance(value, BaseModel):
            found.extend(quantities(value, f"{prefix}{name}."))
    return found


def delay_bits(delay: int) -> int:
    """Bits that a synapse needs to store a delay of 0 to ``delay`` steps."""
    return math.ceil(math.log2(delay + 1)) if delay > 0 else 0


def _unfit(path: str, kind: str, error: ValidationError) -> UnreadableFile:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the whole"
    return UnreadableFile(path, kind, f"key '{key}': {first['msg'].lower()}", "correct that key")
