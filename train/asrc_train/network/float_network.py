"""The network that a configuration describes: of skip-recurrent layers, with a delay for each synapse, or a graph."""

from __future__ import annotations

from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.graph_network import GraphNetwork
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings.config import NetworkConfig

FloatNetwork = SkipRecurrentNetwork | DelayNetwork | GraphNetwork


def new_network(channels: int, classes: int, config: NetworkConfig, steps: int | None = None) -> FloatNetwork:
    """Fresh weights. Raises UnknownName, and InvalidSetting for settings that its parts cannot obey."""
    if config.graph:
        return GraphNetwork(channels, classes, config, steps)
    made = DelayNetwork if config.connection == "delays" else SkipRecurrentNetwork
    return made(channels, classes, config, steps)
