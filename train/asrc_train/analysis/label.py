"""What figures call a network: by its connection, and runs that differ in nothing but their seed by one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asrc_train.network.connections.connection import file_of, learns_spans
from asrc_train.settings.config import Config
from asrc_train.sweep import keys
from asrc_train.trained.checkpoint import Checkpoint

TOLD = {"network.connection", "network.span", "network.kernel_length", keys.SEED}
OF_SPANS = {"training.temperature", "training.annealing", "training.skip_learning_rate_factor"}
"""Settings that only networks which learn their spans read."""


def grouped(trained: Mapping[str, Checkpoint]) -> dict[str, list[str]]:
    """Names of checkpoints by label; where settings besides the connection differ, they are part of it."""
    configs = {name: each.config for name, each in trained.items()}
    learning = {name: config for name, config in configs.items() if learns_spans(config.network)}
    others = [key for key in keys.differing([*configs.values()]) if key not in TOLD | OF_SPANS]
    of_spans = [key for key in keys.differing([*learning.values()]) if key in OF_SPANS]
    shown = {key: _shown([*configs.values()], key) for key in (*others, *of_spans)}
    groups: dict[str, list[str]] = {}
    for name, config in configs.items():
        told = (*others, *(of_spans if name in learning else ()))
        extra = (f"{key.rpartition('.')[2]} {shown[key][keys.shown(keys.value(config, key))]}" for key in told)
        groups.setdefault(", ".join([file_of(config.network).title(config.network), *extra]), []).append(name)
    return groups


def _shown(configs: Sequence[Config], key: str) -> dict[str, str]:
    """Values of a setting as a figure shows them: numbers to three digits where that tells them apart."""
    settings = [keys.value(config, key) for config in configs]
    short = {keys.shown(each): _short(each) for each in settings}
    return short if len(set(short.values())) == len(short) else {each: each for each in short}


def _short(setting: Any) -> str:
    return f"{setting:.3g}" if isinstance(setting, float) else keys.shown(setting)
