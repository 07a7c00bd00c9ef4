"""The target that a network file carries with it, so that other machines find it again."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any

from asrc_core.errors import UnreadableFile
from asrc_export.chip.targets.target import Target
from asrc_export.chip.targets.target_file import load, names, validated

PROVENANCE_KEY = "target_file"


def embedded(chip: Target) -> dict[str, Any]:
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
    chip = validated(Target, provenance[PROVENANCE_KEY], where, "target in a network")
    if chip.name != name:
        why = f"it is '{chip.name}' and the network says '{name}'"
        raise UnreadableFile(where, "target in a network", why, "export the network again")
    return chip
