"""Neuron models, one file each; the file's `build` makes the neurons of a layer (`neuron.new_neurons`)."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from asrc_core import choices


@cache  # each validation of settings asks
def names() -> list[str]:
    """All neurons, by the files in this folder."""
    return choices.names(__path__, besides=("neuron",))


def module(name: str) -> ModuleType:
    """The neuron's file. Raises UnknownName."""
    return choices.module(__name__, "neuron", name, names())


def is_state_space(name: str) -> bool:
    """Whether these neurons run over all steps at once, and so have no recurrent connection."""
    return name in names() and getattr(module(name), "STATE_SPACE", False)
