"""What can go wrong, one file each: its name, with hyphens, is the perturbation's, its `PERTURBATION` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core import choices

if TYPE_CHECKING:
    from asrc_export.robustness.subject import Perturbation


def names() -> list[str]:
    """All perturbations, by the files in this folder."""
    return choices.names(__path__)


def load(name: str) -> Perturbation:
    """The perturbation of that name. Raises UnknownName listing the known ones."""
    found: Perturbation = choices.module(__name__, "perturbation", name, names()).PERTURBATION
    return found
