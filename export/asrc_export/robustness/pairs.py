"""Integer networks with the float networks that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidSetting
from asrc_train.network.connections.connection import file_of
from asrc_train.settings.config import NetworkConfig
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class NetworkPair:
    """One integer network, the float network it came from if given, and the name of the line they belong to."""

    file: str
    variant: str
    seed: int | None
    deployed: IntegerNetwork
    floating: FrozenNetwork | None


def load(networks: Sequence[str | Path], models: Sequence[str | Path] = ()) -> list[NetworkPair]:
    """Integer networks with their checkpoints, found by the hash that each network carries; in the order given.

    Raises UnreadableFile, InvalidSetting for a checkpoint that none of the networks came from, or a network without
    its checkpoint where some are given.
    """
    floats = {checkpoint.fingerprint(path): path for path in models}
    found = []
    for path in networks:
        network = network_file.load(path)
        exported_from = network.provenance.get("checkpoint_sha256")
        model = floats.pop(exported_from, None) if isinstance(exported_from, str) else None
        if models and model is None:
            why = f"none of them is the checkpoint that '{path}' came from; give it, or leave `models` away"
            raise InvalidSetting("`models`", why)
        if model is None:
            found.append(NetworkPair(str(path), Path(path).name.split(".")[0], None, network, None))
            continue
        trained = checkpoint.load(model)
        variant = variant_of(trained.config.network)
        found.append(NetworkPair(str(path), variant, trained.config.training.seed, network, freeze(trained)))
    if floats:
        left = next(iter(floats.values()))
        raise InvalidSetting("`models`", f"'{left}' is the checkpoint of none of the networks given")
    return found


def variant_of(config: NetworkConfig) -> str:
    """The connection with its constant: vanilla, SRC 8, ASRC 16."""
    short_title = file_of(config).short_title
    return ", ".join(dict.fromkeys(short_title(layer) for layer in config.each_layer()))
