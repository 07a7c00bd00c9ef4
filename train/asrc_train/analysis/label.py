"""What figures call a network: by its connection, and runs that differ in nothing but their seed by one name."""

from __future__ import annotations

from collections.abc import Mapping

from asrc_train.network.connections.connection import file_of
from asrc_train.sweep import keys
from asrc_train.trained.checkpoint import Checkpoint

TOLD = {"network.connection", "network.span", "network.kernel_length", keys.SEED}


def grouped(trained: Mapping[str, Checkpoint]) -> dict[str, list[str]]:
    """Names of checkpoints by label; where settings besides the connection differ, they are part of it."""
    others = [key for key in keys.differing([each.config for each in trained.values()]) if key not in TOLD]
    groups: dict[str, list[str]] = {}
    for name, each in trained.items():
        extra = (f"{key.rpartition('.')[2]} {keys.shown(keys.value(each.config, key))}" for key in others)
        groups.setdefault(", ".join([file_of(each.config.network).title(each.config.network), *extra]), []).append(name)
    return groups
