"""What can be done to a float network with a delay for each synapse before it is rounded, or trained on as integers."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asrc_core.contract.synapses.connection import INPUT
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidSetting
from asrc_export.quantization.integers import parts_of
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork


class Cut(NamedTuple):
    """A connection whose delays were too long: how many of them, and the longest that there was."""

    layer: str
    source: str
    many: int
    synapses: int
    longest: int
    limit: int

    def __str__(self) -> str:
        what = (
            f"{self.many:,} of {plural(self.synapses, 'delay')} from '{self.source}' "
            f"{agreeing(self.many, 'was', 'were')} longer than {plural(self.limit, 'step')}"
        )
        return f"layer '{self.layer}': {what} (up to {self.longest}) and cut to that"


class Within(NamedTuple):
    """A network whose delays a target has, and what was cut for that."""

    frozen: FrozenNetwork
    cut: tuple[Cut, ...]


def within(frozen: FrozenNetwork, longest: int) -> Within:
    """Delays of at most ``longest`` steps in the synapses; what a layer sends itself takes a step more.

    Raises InvalidSetting for a limit below 0, and where no synapse has a delay of its own.
    """
    _require_limit(longest, any(each.delays is not None for layer in parts_of(frozen) for each in layer.connections))
    cut: list[Cut] = []
    parts = tuple(_layer(layer, longest, cut) for layer in parts_of(frozen))
    if frozen.decides is None:
        return Within(replace(frozen, layers=parts), tuple(cut))
    return Within(replace(frozen, layers=parts[:-1], decides=parts[-1]), tuple(cut))


def clamped(trained: Checkpoint, longest: int) -> Checkpoint:
    """The checkpoint with delays of at most ``longest`` steps, also where it learns on; others are left as they are.

    Raises InvalidSetting for a limit below 0, and where no synapse has a delay of its own.
    """
    settings = trained.config.network
    _require_limit(longest, settings.connection == "delays")
    if settings.max_delay <= longest:
        return trained
    network = settings.model_copy(
        update={
            "max_delay": longest,
            "delay_start": min(settings.delay_start, longest),
            "recurrent_delay_start": min(settings.recurrent_delay_start, longest + 1),
        }
    )
    tensors = {
        name: each.clamp(max=longest + name.endswith("recurrent.delay")) if name.endswith(".delay") else each
        for name, each in trained.tensors.items()
    }
    return replace(trained, config=trained.config.model_copy(update={"network": network}), tensors=tensors)


def _require_limit(longest: int, delayed: bool) -> None:
    if not delayed:
        raise InvalidSetting("`max_delay`", "no synapse of the network has a delay of its own; leave it away")
    if longest < 0:
        raise InvalidSetting("`max_delay`", f"{longest} is below 0")


def _layer(layer: FrozenLayer, longest: int, cut: list[Cut]) -> FrozenLayer:
    connections = []
    for each in layer.connections:
        limit = _limit(layer, each, longest)
        beyond = 0 if each.delays is None else int((each.delays > limit).sum())
        if each.delays is not None and beyond:
            cut.append(Cut(layer.name, each.source, beyond, each.delays.size, int(each.delays.max()), limit))
            each = replace(each, delays=np.minimum(each.delays, limit))
        connections.append(each)
    return replace(layer, connections=tuple(connections))


def require_within(frozen: FrozenNetwork, longest: int, target: str) -> None:
    """Raise InvalidSetting, naming the layer, for a delay that synapses of the target do not have."""
    for layer in parts_of(frozen):
        for each in layer.connections:
            limit = _limit(layer, each, longest)
            if each.delays is not None and each.delays.max() > limit:
                many = int((each.delays > limit).sum())
                raise InvalidSetting(
                    f"layer '{layer.name}'",
                    f"{many:,} of {plural(each.delays.size, 'delay')} from '{each.source}' "
                    f"{agreeing(many, 'is', 'are')} longer than the {plural(limit, 'step')} "
                    f"that {target} has (up to {int(each.delays.max())}); train with `max_delay={longest}` or a longer "
                    f"`dt`, or export with `max_delay={longest}`, which cuts them",
                )


def _limit(layer: FrozenLayer, connection: FrozenConnection, longest: int) -> int:
    """In the contract's count, in which what comes back takes a step to do so."""
    return longest + (connection.source == layer.name)


def for_stock_lif(frozen: FrozenNetwork) -> FrozenNetwork:
    """The network with neurons that fire above their threshold, as Lava's LIF does, on which spikes alone decide.

    Raises InvalidSetting for other neurons or another readout.
    """
    for layer in parts_of(frozen):
        if layer.kind not in ("cuba-lif", "first-spike") or layer.constants["reset"] != "hard":
            why = f"its neurons of kind '{layer.kind}' are not Lava's LIF"
            raise InvalidSetting(f"layer '{layer.name}'", f"{why}; train with `readout='first-spike'`")
    if frozen.decides is None or frozen.maximum > 1:
        what = "readout" if frozen.decides is None else INPUT
        why = "Lava's LIF sends and takes spikes"
        raise InvalidSetting(f"'{what}'", f"{why}; train a network with delays and `readout='first-spike'` on events")

    def above(layer: FrozenLayer) -> FrozenLayer:
        return replace(layer, constants={**layer.constants, "fires": "above"})

    layers = tuple(above(layer) for layer in frozen.layers)
    return replace(frozen, layers=layers, decides=above(frozen.decides))
