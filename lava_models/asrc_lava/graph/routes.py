"""The way of each connection through Lava: what its source sends when, and how long its synapses delay that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, Ints
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import Connection, Tap
from asrc_lava.graph.axon import Outlet
from asrc_lava.graph.schedule import Timing


@dataclass(frozen=True, eq=False)
class Route:
    """One connection of a layer.

    layer, source: places in the order of computation, -1 the input; recurrent: whether it comes from the layer itself
    or a later one. outlet: None where the synapses get what the source sends as it is. delays: Lava steps on top of the
    one that every Dense takes, one number or one for each synapse. message: range of what arrives at a synapse.
    """

    name: str
    layer: int
    source: int
    recurrent: bool
    connection: Connection
    outlet: Outlet | None
    delays: int | Ints
    message: Range

    @property
    def longest_delay(self) -> int:
        """Over all synapses."""
        return int(np.max(self.delays))


def routes(network: IntegerNetwork, timing: Timing) -> list[Route]:
    """The routes of all connections, layer by layer."""
    return [
        _route(network, timing, place, connection)
        for place, layer in enumerate(network.layers)
        for connection in layer.connections
    ]


def apart(ways: Sequence[Route]) -> list[int]:
    """A layer of every part of a network that no connection ties, in either direction, to the input as it is.

    Empty if all layers are in one part. What else the input sends does not count: that comes from sources of its own.
    """
    part = list(range(max(way.layer for way in ways) + 2))  # the last entry is the input's, at place -1
    for way in ways:
        if way.source >= 0 or way.outlet is None:
            old, new = part[way.layer], part[way.source]
            part = [new if one == old else one for one in part]
    layers = set(part[:-1])
    return [part.index(one) for one in sorted(layers - {part[-1]})] if len(layers) > 1 else []


def _route(network: IntegerNetwork, timing: Timing, place: int, connection: Connection) -> Route:
    source = network.place(connection.source)
    # Lava steps to spare if what is sent in a step of the network counts in the same one; below 0 if there are too few.
    spare = timing.lag(place) - timing.lag(source) - 1
    outlet, delays = _way(connection, spare, timing.pace)
    name = f"{network.names[place]} from {connection.source}"
    message = connection.message(network.sent(connection.source))
    return Route(name, place, source, source >= place, connection, outlet, delays, message)


def _way(connection: Connection, spare: int, pace: int) -> tuple[Outlet | None, int | Ints]:
    """The outlet of a connection, and the delays of its synapses in Lava steps."""
    if connection.lags == (0,):
        return None, spare
    if connection.delays is not None:
        return Outlet((), _reached(connection.delays)), pace * connection.delays + spare
    if connection.mapping == "synaptic-delay":
        lag = connection.longest_lag
        return Outlet((), _all_reached(connection, lag)), pace * lag + spare
    # A message goes out so many steps of the network before the one that it counts in: as few as arrive in time, for
    # the delay line is the cheaper memory, but so many that the longest tap is within its word.
    ahead = max(0, -(spare // pace), connection.longest_lag - LINE_BITS + 1)
    taps = tuple(Tap(tap.span - ahead + 1, tap.weight) for tap in connection.taps)
    return Outlet(taps, _all_reached(connection, ahead)), pace * ahead + spare


def _reached(delays: Ints) -> Ints:
    """(longest + 1, I): how many synapses of each input deliver within so many steps."""
    return np.stack([np.count_nonzero(delays <= left, axis=0) for left in range(int(delays.max()) + 1)])


def _all_reached(connection: Connection, lag: int) -> Ints:
    """The same if all synapses deliver after ``lag`` steps."""
    fan_out = np.zeros((lag + 1, connection.inputs), np.int64)
    fan_out[lag] = connection.neurons
    return fan_out
