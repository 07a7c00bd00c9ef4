"""Neuron models, one file each, named after it, with "_" for "-"; the file's `build` makes the neurons of a layer."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from asrc_train.errors import UnknownName

if TYPE_CHECKING:
    from asrc_train.config import NetworkConfig
    from asrc_train.neurons.neuron import Neuron


def names() -> list[str]:
    """All neurons, by the files in this folder."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name != "neuron")


def build(config: NetworkConfig, neurons: int, steps: int | None) -> Neuron:
    """Fresh neurons of the configured kind for a layer of so many; ``steps`` of a sample, where they are known.

    Raises UnknownName, and InvalidSetting for settings that these neurons cannot obey.
    """
    if config.neuron not in names():
        raise UnknownName("neuron", config.neuron, names())
    module = import_module(f"asrc_train.neurons.{config.neuron.replace('-', '_')}")
    made: Neuron = module.build(config, neurons, steps)
    return made
