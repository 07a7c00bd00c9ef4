"""Energy of arithmetic, for networks that run on no chip here."""

from __future__ import annotations

from asrc_export.chip.targets.quantity import Picojoules, Strict
from asrc_export.chip.targets.target_file import FOLDER, read_toml, validated


class FloatOperations(Strict):
    """Energy of arithmetic in a process node, in picojoules, for pricing networks that run on no chip here."""

    name: str
    title: str
    float32_multiply: Picojoules
    float32_add: Picojoules
    sram_read_32_bits: Picojoules


def load_baseline(name: str) -> FloatOperations:
    """Operation energies by name, from `baselines/`."""
    path = FOLDER / "baselines" / f"{name}.toml"
    return validated(FloatOperations, read_toml(str(path), "baseline file"), str(path), "baseline file")
