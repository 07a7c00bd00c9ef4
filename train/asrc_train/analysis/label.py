"""What figures call a network: by its connection, and runs that differ in nothing but their seed by one name."""

from __future__ import annotations

from collections.abc import Mapping

from asrc_train.settings.config import NetworkConfig
from asrc_train.sweep import keys
from asrc_train.trained.checkpoint import Checkpoint

TOLD = {"network.connection", "network.span", "network.kernel_length", keys.SEED}


def connection(config: NetworkConfig) -> str:
    """`vanilla`, `SRC, span 8`, `ASRC, K = 16`; other connections that learn go by their own name."""
    if config.connection == "vanilla":
        return "vanilla"
    if config.connection == "src":
        return f"SRC, span {config.span}"
    return f"{config.connection.replace('asrc', 'ASRC')}, K = {config.kernel_length}"


def grouped(trained: Mapping[str, Checkpoint]) -> dict[str, list[str]]:
    """Names of checkpoints by label; where settings besides the connection differ, they are part of it."""
    others = [key for key in keys.differing([each.config for each in trained.values()]) if key not in TOLD]
    groups: dict[str, list[str]] = {}
    for name, each in trained.items():
        extra = (f"{key.rpartition('.')[2]} {keys.shown(keys.value(each.config, key))}" for key in others)
        groups.setdefault(", ".join([connection(each.config.network), *extra]), []).append(name)
    return groups
