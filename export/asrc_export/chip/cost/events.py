"""What happens in each layer while a sample is run: the engine's counts, and where its spikes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts
from asrc_core.contract.synapses.connection import INPUT
from asrc_export.chip.cost.arrivals import Operations
from asrc_export.chip.placement import Placement, Route
from asrc_export.chip.shape import of_network
from asrc_export.chip.synapses import Stored
from asrc_export.chip.targets import Target


@dataclass(frozen=True)
class Events:
    """What happens in one layer (or in all of them) while one sample is run, on average.

    Without a placement a spike is one message, and no hops are known.
    """

    feedforward_operations: float = 0.0
    """Additions of a weight because a spike of the layer before arrived."""
    recurrent_operations: float = 0.0
    graded_operations: float = 0.0
    """Multiply-accumulates of graded messages: of inputs, taps and neurons that send more than 0 or 1."""
    neuron_updates: float = 0.0
    spikes: float = 0.0
    messages: float = 0.0
    """A spike is one message for each connection and core that it goes to."""
    messages_to_other_chips: float = 0.0
    hops_east_west: float = 0.0
    hops_north_south: float = 0.0

    @property
    def operations(self) -> float:
        """Of all sorts."""
        return self.feedforward_operations + self.recurrent_operations + self.graded_operations

    def __add__(self, other: Events) -> Events:
        return Events(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Events)))


def events(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    placement: Placement | None = None,
    target: Target | None = None,
    exact: Operations | None = None,
) -> list[Events]:
    """Events of each layer for one sample, the readout last: the engine's counts, and where its spikes go.

    A layer's spikes go to the cores at the other end of each of its connections, but for those that its lag lets arrive
    after the sample. Engines count what comes from before a layer together, and what comes back: where these are
    several connections, they share the count by how much their sources sent (`_operations`).

    Engines count an operation for every neuron that a spike could reach. With a target, connections that it stores
    sparsely (`chip.synapses`) have those of stored weights only: ``exact`` has them (`arrivals`), else sources are
    taken to fire alike.
    """
    routes = {} if placement is None else {(each.sender, each.receiver): each for each in placement.routes}
    operations = [_operations(network, i, counts) for i in range(len(network.layers))]
    shares = _stored_shares(network, target)
    found = []
    for i, (layer, count) in enumerate(zip(network.layers, counts, strict=True)):
        own = Events(
            neuron_updates=count.neuron_updates / samples,
            spikes=count.spikes / samples,
            messages=0 if routes else count.spikes / samples,
        )
        for j, (each, performed) in enumerate(zip(layer.connections, operations[i], strict=True)):
            message = each.message(network.sent(each.source))
            if shares[i][j] < 1:
                performed = performed * shares[i][j] if exact is None else exact[i][j]
            if not message.is_bit:
                own += Events(graded_operations=performed / samples)
            elif network.is_recurrent(i, j):
                own += Events(recurrent_operations=performed / samples)
            else:
                own += Events(feedforward_operations=performed / samples)
        if routes:
            for k, other in enumerate(network.layers):
                for each, performed in zip(other.connections, operations[k], strict=True):
                    if each.source == layer.name:
                        own += _carried(routes[layer.name, other.name], performed / other.neurons / samples)
        found.append(own)
    return found


def _stored_shares(network: IntegerNetwork, target: Target | None) -> list[list[float]]:
    """Of each connection's weights, the share that the target stores; all of them without one."""
    if target is None:
        return [[1.0] * len(layer.connections) for layer in network.layers]
    return [
        [Stored(each, layer.neurons, target).synapses / (each.inputs * layer.neurons) for each in layer.connections]
        for layer in of_network(network).layers
    ]


def _operations(network: IntegerNetwork, i: int, counts: Sequence[LayerCounts]) -> list[float]:
    """Operations of each connection of a layer, whose sums are those counted.

    A spike of another layer is an operation for each neuron that it reaches. What these do not account for came from
    the input; where nothing does, all of them have lost the same share of spikes to the end of the sample.
    """
    layer, count = network.layers[i], counts[i]
    back = [network.is_recurrent(i, j) for j in range(len(layer.connections))]
    found = [0.0] * len(back)
    for counted, comes_back in ((count.feedforward_operations, False), (count.recurrent_operations, True)):
        places = [j for j, each in enumerate(back) if each == comes_back]
        sent = {
            j: float(counts[network.place(layer.connections[j].source)].spikes * layer.neurons)
            for j in places
            if layer.connections[j].source != INPUT
        }
        fed = [j for j in places if j not in sent]
        from_layers = min(counted, sum(sent.values())) if fed else counted
        for j in fed:
            found[j] = (counted - from_layers) / len(fed)
        whole = sum(sent.values())
        for j, expected in sent.items():
            found[j] = from_layers if len(sent) == 1 else from_layers * expected / whole if whole else 0.0
    return found


def _carried(route: Route, spikes: float) -> Events:
    """What so many spikes cost on a route."""
    return Events(
        messages=spikes * route.messages,
        messages_to_other_chips=spikes * route.messages_to_other_chips,
        hops_east_west=spikes * route.hops_east_west,
        hops_north_south=spikes * route.hops_north_south,
    )
