"""Training of skip-recurrent spiking networks in PyTorch, and their freezing to fixed spans.

`settings` describes a network and its training, `network` builds it, `training` trains it, `trained` stores it and
replaces the learned skip kernel by its span. Data sets are one file each in `data/`, recipes one file each in
`recipes/`. Nothing heavy is imported before a name is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core import front_door

if TYPE_CHECKING:
    from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
    from asrc_train.network.state_space.layer import StateSpaceLayer
    from asrc_train.settings.config import Config, DataConfig, NetworkConfig, TrainingConfig
    from asrc_train.settings.recipe import configured
    from asrc_train.trained.checkpoint import Checkpoint, load, save
    from asrc_train.trained.freeze import freeze, freeze_file
    from asrc_train.trained.frozen import FrozenNetwork
    from asrc_train.trained.own_loop import as_checkpoint
    from asrc_train.training.evaluate import evaluate
    from asrc_train.training.fit import fit

__all__ = [
    "Checkpoint",
    "Config",
    "DataConfig",
    "FrozenNetwork",
    "NetworkConfig",
    "SkipRecurrentLayer",
    "SkipRecurrentNetwork",
    "StateSpaceLayer",
    "TrainingConfig",
    "as_checkpoint",
    "configured",
    "evaluate",
    "fit",
    "freeze",
    "freeze_file",
    "load",
    "save",
]

__getattr__ = front_door.opened(
    __name__,
    {
        "configured": "asrc_train.settings.recipe",
        "as_checkpoint": "asrc_train.trained.own_loop",
        "evaluate": "asrc_train.training.evaluate",
        "fit": "asrc_train.training.fit",
        **dict.fromkeys(("Config", "DataConfig", "NetworkConfig", "TrainingConfig"), "asrc_train.settings.config"),
        **dict.fromkeys(("Checkpoint", "load", "save"), "asrc_train.trained.checkpoint"),
        **dict.fromkeys(("freeze", "freeze_file"), "asrc_train.trained.freeze"),
        "FrozenNetwork": "asrc_train.trained.frozen",
        "StateSpaceLayer": "asrc_train.network.state_space.layer",
        **dict.fromkeys(("SkipRecurrentLayer", "SkipRecurrentNetwork"), "asrc_train.network.model"),
    },
)
