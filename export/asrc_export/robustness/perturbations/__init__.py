"""What can go wrong, one file each: its name, with hyphens, is the perturbation's, its `PERTURBATION` says how."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from asrc_train.errors import UnknownName

if TYPE_CHECKING:
    from asrc_export.robustness.subject import Perturbation


def names() -> list[str]:
    """All perturbations, by the files in this folder."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Perturbation:
    """The perturbation of that name. Raises UnknownName listing the known ones."""
    if name not in names():
        raise UnknownName("perturbation", name, names())
    found: Perturbation = import_module(f"{__name__}.{name.replace('-', '_')}").PERTURBATION
    return found
