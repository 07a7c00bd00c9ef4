"""Targets: chips as data, every number with its unit, source and certainty."""

from asrc_export.chip.targets.baseline import FloatOperations, load_baseline
from asrc_export.chip.targets.embedded import PROVENANCE_KEY, embedded, of
from asrc_export.chip.targets.encoding import Encoding
from asrc_export.chip.targets.quantity import Quantity, quantities
from asrc_export.chip.targets.target import Formats, Mesh, Target
from asrc_export.chip.targets.target_file import FOLDER, load, names

__all__ = [
    "FOLDER",
    "PROVENANCE_KEY",
    "Encoding",
    "FloatOperations",
    "Formats",
    "Mesh",
    "Quantity",
    "Target",
    "embedded",
    "load",
    "load_baseline",
    "names",
    "of",
    "quantities",
]
