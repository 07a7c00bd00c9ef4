"""What every modelled figure carries: that it is modelled, and its sources."""

from __future__ import annotations

from collections.abc import Iterable

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip.targets import Quantity, Target

MODELLED = "modelled"
"""Never measured, and never a joule without a source."""


def sources_of(prices: Iterable[Quantity]) -> tuple[str, ...]:
    """Where prices come from, each source once, in their order."""
    return tuple(dict.fromkeys(source for price in prices for source in price.sources))


def has_such_neurons(network: IntegerNetwork, target: Target) -> bool:
    """Whether a target has neurons of the kinds of the network's layers: else its price and time of an update are not
    theirs. The readout's few neurons are counted as if they were.
    """
    kinds = {layer.neuron.kind for layer in network.hidden}
    return target.neurons is None or target.neurons.programmable or kinds <= set(target.neurons.kinds)
