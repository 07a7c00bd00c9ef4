"""Settings that nothing in a training reads: asked for by name, they are refused, where a recipe may hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from asrc_core.errors import InvalidSetting
from asrc_train import data
from asrc_train.network import connections, neurons
from asrc_train.settings.config import Config

OF_CONNECTIONS = ("network.span", "network.kernel_length", "network.kernels")


class _Group(NamedTuple):
    """Settings of one sort, when they are read, and what they are of."""

    keys: tuple[str, ...]
    read: Callable[[Config], bool]
    of: str


def _with_delays(config: Config) -> bool:
    return config.network.connection == "delays"


def _state_space(config: Config) -> bool:
    return any(neurons.is_state_space(each.neuron) for each in (config.network, *config.network.each_layer()))


def _in_milliseconds(config: Config) -> bool:
    return any(each.neuron == "cuba-lif" for each in (config.network, *config.network.each_layer()))


def _has_dt(config: Config) -> bool:
    name = config.data.name
    return _in_milliseconds(config) or data.in_time(name) or data.is_own(name)


def _section(name: str, *keys: str) -> tuple[str, ...]:
    return tuple(f"{name}.{key}" for key in keys)


GROUPS = (
    _Group(
        (
            *_section("network", "recurrent", "max_delay", "delay_start", "recurrent_delay_start", "input_weights"),
            *_section("network", "hidden_weights", "recurrent_weights", "readout_weights", "readout", "readout_delays"),
            *_section("training", "gradient", "delay_gradient", "learn", "delay_learning_rate", "grazing"),
            *_section("training", "first_spike_margin", "rate_strength", "rate_target", "revival"),
        ),
        _with_delays,
        "networks with the connection 'delays'",
    ),
    _Group(
        (
            *_section("network", "modes", "period", "window", "initialization", "gate"),
            *_section("training", "pole_learning_rate", "mode_learning_rate"),
        ),
        _state_space,
        "state-space neurons",
    ),
    _Group(_section("network", "tau_membrane", "tau_synapse"), _in_milliseconds, "the neuron 'cuba-lif'"),
    _Group(_section("network", "dt"), _has_dt, "the neuron 'cuba-lif' and samples that are events in time"),
    _Group(_section("data", "permutation_seed"), lambda c: c.data.permute, "`permute`"),
)


def unread(config: Config, asked: Iterable[str]) -> dict[str, str]:
    """Of settings by dotted key those that nothing reads, each with what it is of."""
    found: dict[str, str] = {}
    for key in asked:
        if key in OF_CONNECTIONS:
            name = key.partition(".")[2]
            used = {each.connection for each in (config.network, *config.network.each_layer())}
            others = connections.reading(name)
            if used.isdisjoint(others):
                found[key] = f"the connection {' or '.join(map(repr, others))}"
        for group in GROUPS:
            if key in group.keys and not group.read(config):
                found[key] = group.of
    return found


def require_read(config: Config, overrides: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise InvalidSetting for the first of the settings on top of a recipe that nothing reads."""
    asked = [
        f"{section}.{key}"
        for section, settings in overrides.items()
        for key, value in settings.items()
        if value is not None
    ]
    for key, of in unread(config, asked).items():
        raise InvalidSetting(f"`{key.partition('.')[2]}`", f"nothing reads it here: it is of {of}; leave it away")
