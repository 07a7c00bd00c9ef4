"""What a layer is made of: its connection and its neurons, by name or as objects, and the settings of both.

Whatever does not fit is refused here, before there is a layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict, cast

import torch
from torch import nn

from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting, UnknownName
from asrc_train.network import connections, neurons
from asrc_train.network.connections.connection import Connection, file_of, new_connection
from asrc_train.network.neurons.neuron import Neuron, new_neurons
from asrc_train.network.skips import Skips
from asrc_train.settings.config import Config, DataConfig, NetworkConfig, network_config
from asrc_train.settings.unread import unread

MAX_WIDTH = 65_536
"""Of inputs and neurons, as in a recipe."""
OF_CONNECTIONS = ("kernel_length", "kernels", "span")
OF_NEURONS = ("decay", "threshold", "reset", "fires", "detach_reset")


class LayerSettings(TypedDict, total=False):
    """`NetworkConfig`'s settings of one layer; what is left out has the default there."""

    kernel_length: int
    kernels: int
    span: int
    sparsity: float
    decay: float
    threshold: float
    reset: Literal["soft", "hard"]
    fires: Literal["at", "above"]
    detach_reset: bool
    dropout: float
    rounding_noise: int | None
    batch_norm: bool
    dt: float
    tau_membrane: float
    tau_synapse: float


class NetworkSettings(LayerSettings, total=False):
    """`NetworkConfig`'s settings."""

    modes: int | None
    period: int | None
    window: int | None
    gate: Literal["through", "masked"]
    initialization: Literal["s4d-lin", "s4d-inv", "real", "real-lin"]
    neuron: str
    connection: str
    hidden: tuple[int, ...]
    shared_span: bool
    skips: Skips
    layers: tuple[Any, ...]


class StateSpaceSettings(TypedDict, total=False):
    """`NetworkConfig`'s settings of a layer of state-space neurons."""

    modes: int | None
    period: int | None
    window: int | None
    gate: Literal["through", "masked"]
    initialization: Literal["s4d-lin", "s4d-inv", "real", "real-lin"]
    sparsity: float
    threshold: float
    dropout: float
    rounding_noise: int | None
    batch_norm: bool


class Parts(NamedTuple):
    """A layer's connection and neurons; ``named``: whether the settings say all of them."""

    connection: Connection
    neuron: Neuron
    config: NetworkConfig
    named: bool


def of_layer(
    size: int, connection: str | Connection, neuron: str | Neuron, steps: int | None, settings: Mapping[str, Any]
) -> Parts:
    """The parts of a layer of ``size`` neurons.

    Raises UnknownName for a name that is none, InvalidSetting for what is neither a name nor such an object, for an
    object that does not fit the width, and for a setting that does not fit or that an object would not obey.
    """
    require_width("size", size)
    if steps is not None:
        require_whole("steps", steps)
    named = {"hidden": (size,)}
    for what, given, known in (("connection", connection, connections), ("neuron", neuron, neurons)):
        if isinstance(given, str):
            if given not in known.names():
                raise UnknownName(what, given, known.names(), f"an object as in asrc_train.network.{what}s")
            named[what] = given  # type: ignore[assignment]
    config = network_config({**named, **settings}, "SkipRecurrentLayer")
    _require_no_delays(config)
    if isinstance(connection, str):
        _require_read(config, settings)
    if config.connection == "none":
        raise InvalidSetting("neuron", f"layers of '{config.neuron}' are not recurrent; make a StateSpaceLayer of it")
    made = new_connection(config, steps) if isinstance(connection, str) else connection
    cells = new_neurons(config, size, steps) if isinstance(neuron, str) else neuron
    if not isinstance(connection, str):
        _require_object("connection", connection, ("taps", "each_step", "missing"), connections.names())
        _require_left_out("connection", settings, OF_CONNECTIONS)
    if not isinstance(neuron, str):
        _require_object("neuron", neuron, ("begin", "dynamics", "constants", "kind", "missing"), neurons.names())
        _require_left_out("neuron", settings, OF_NEURONS)
        _require_step(cells, size)
    return Parts(made, cells, config, isinstance(connection, str) and isinstance(neuron, str))


def configured(config: NetworkConfig | None, settings: Mapping[str, Any]) -> NetworkConfig:
    """A network's configuration, given whole or setting by setting. Raises InvalidSetting, for both at once, too."""
    if config is None:
        config, given = network_config(dict(settings), "SkipRecurrentNetwork"), settings
        _require_read(config, given)
        settings = {}
    if not isinstance(config, NetworkConfig):
        raise InvalidSetting(
            "config", f"it is a {type(config).__name__}; give a NetworkConfig, or its settings by name"
        )
    if settings:
        raise InvalidSetting(next(iter(settings)), "the configuration says it; give the one or the other")
    _require_no_delays(config)
    return config


def _require_read(config: NetworkConfig, settings: Mapping[str, Any]) -> None:
    """Raise InvalidSetting for a setting that neither the configured connection nor the neurons read."""
    reads = file_of(config).SETTINGS
    for name in OF_CONNECTIONS:
        if name in settings and name not in reads:
            others = " or ".join(connections.reading(name))
            why = f"connection '{config.connection}' has none; leave it away, or take {others}"
            raise InvalidSetting(name, why)
    whole = Config(data=DataConfig(name=None), network=config)
    for key, of in unread(whole, [f"network.{name}" for name in settings if name not in OF_CONNECTIONS]).items():
        raise InvalidSetting(key.partition(".")[2], f"nothing reads it here: it is of {of}; leave it away")


def _require_no_delays(config: NetworkConfig) -> None:
    if config.connection == "delays":
        why = "'delays' gives each synapse a delay of its own, which a whole network learns and no single layer"
        way_out = (
            "train one with asrc_train.fit, make asrc_train.network.delay_network.DelayNetwork, or give another name"
        )
        raise InvalidSetting("connection", f"{why}; {way_out}")


def require_width(name: str, value: object) -> None:
    """Raise InvalidSetting for what is no number of inputs or neurons."""
    require_whole(name, value, MAX_WIDTH)


def require_whole(name: str, value: object, most: int = 2**31 - 1) -> None:
    """Raise InvalidSetting for what is not a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidSetting(name, f"{value!r} is not a whole number from 1 to {most:,}")


def _require_object(what: str, given: object, needs: tuple[str, ...], known: list[str]) -> None:
    if isinstance(given, type):
        raise InvalidSetting(what, f"{given.__name__} is a class; give an object of it, or a name ({', '.join(known)})")
    lacks = [name for name in needs if not hasattr(given, name)]
    if not isinstance(given, nn.Module) or lacks:
        why = (
            f"'{type(given).__name__}' is neither a name ({', '.join(known)}) nor an nn.Module with {', '.join(needs)}"
        )
        raise InvalidSetting(what, why)


def _require_left_out(what: str, settings: Mapping[str, Any], own: tuple[str, ...]) -> None:
    for name in own:
        if name in settings:
            raise InvalidSetting(
                name, f"the {what} is an object, which has its own; give it there, or the {what} by name"
            )


def _require_step(neuron: Neuron, size: int) -> None:
    """Raise InvalidSetting for neurons that are not ``size`` of them: they are run for a step."""
    like = next(cast(nn.Module, neuron).parameters(), torch.zeros(()))
    silent = torch.zeros(1, size, dtype=like.dtype, device=like.device)
    try:
        with torch.no_grad():
            state, step = neuron.begin(silent)
            spikes, _ = step(state, silent)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        why = (
            f"'{type(neuron).__name__}' does not run a step of {plural(size, 'neuron')} ({str(error).splitlines()[0]})"
        )
        raise InvalidSetting("neuron", f"{why}; make it for as many as the layer has") from error
    if spikes.shape != silent.shape:
        why = f"'{type(neuron).__name__}' makes {tuple(spikes.shape)} of {tuple(silent.shape)}"
        raise InvalidSetting("neuron", f"{why}; make it for as many as the layer has")


def require_call(x: object, temperature: object, inputs: int) -> None:
    """Raise InvalidData for input that is no tensor (T, B, I), I as many as ``inputs``, InvalidSetting for a
    temperature that is none.
    """
    if not isinstance(x, torch.Tensor):
        raise InvalidData("input x", f"it is a {type(x).__name__}", "give a tensor of floats (T, B, channels)")
    if x.dim() != 3:
        raise InvalidData("input x", f"its shape is {tuple(x.shape)}", "give floats (T, B, channels)")
    if x.shape[2] != inputs:
        why = f"it has {plural(x.shape[2], 'channel')}, the layer takes {inputs}"
        raise InvalidData("input x", why, f"give floats (T, B, {inputs})")
    if temperature is None:
        return
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
        why = f"{temperature!r} is not a number above 0; None takes the spans that weigh most"
        raise InvalidSetting("temperature", why)
