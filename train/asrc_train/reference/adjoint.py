"""EventProp with delays: from a tape, walked backwards, to exact gradients of all weights and delays.

Between events tau_m lV' = lV + dl/dV and tau_s lI' = lI - lV, from 0 at the end. At a spike of n at t_k

    lV_n <- lV_n + (theta lV_n + dl/dt_k + sum_m w_mn (lV_m - lI_m)(t_k + d_mn)) / (I_n(t_k) - theta)
    dL/dw_mn = -tau_s sum_k lI_m(t_k + d_mn);   dL/dd_mn = w_mn sum_k (lV_m - lI_m)(t_k + d_mn)

(Wunderlich and Pehle, Sci. Rep. 2021; Meszaros, Knight, Nowotny, Nat. Commun. 2025.) Exact as long as small changes do
not change the order of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asrc_train.reference.forward import Arrival, Tape
from asrc_train.reference.graph import Floats, Graph
from asrc_train.reference.losses import Loss, Peak
from asrc_train.reference.membrane import Membrane


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of all that a graph has, in the same shapes."""

    weights_in: Floats
    delays_in: Floats
    weights: Floats
    delays: Floats


def gradients(graph: Graph, tape: Tape, loss: Loss) -> Gradients:
    """Of the loss for every weight and delay, 0 where there is no synapse."""
    walk = _Walk(graph, tape, loss)
    turning = [peak for peak in loss.peaks if peak.at is None]
    ended = {peak.at: peak for peak in loss.peaks if peak.at is not None}
    for place in range(len(tape.events) - 1, -1, -1):
        event = tape.events[place]
        time = event.time if isinstance(event, Arrival) else tape.spikes[event].time
        for peak in [peak for peak in turning if peak.time > time]:
            walk.peak(peak)
            turning.remove(peak)
        if isinstance(event, Arrival):
            walk.arrival(event, ended.get(place))
        else:
            walk.spike(event)
    return walk.found


class _Walk:
    """The adjoint states of all neurons, each at the time of its own last event."""

    def __init__(self, graph: Graph, tape: Tape, loss: Loss) -> None:
        self.graph, self.tape, self.loss = graph, tape, loss
        # Backwards in time both equations are those of a membrane whose current is lV and whose voltage is lI.
        self.mirror = Membrane(graph.tau_synapse, graph.tau_membrane)
        # A drive c e^(-t/T) has a particular solution K e^(-t/T), M e^(-t/T); the rest decays by itself.
        self.k = -loss.drive / (1 + graph.tau_membrane / tape.end)
        self.m = self.k / (1 + graph.tau_synapse / tape.end)
        self.rest_v, self.rest_i = -self.k * math.exp(-1), -self.m * math.exp(-1)
        self.since = np.full(graph.neurons, tape.end)
        self.moved = np.zeros(len(tape.spikes))
        shapes = (graph.weights_in, graph.delays_in, graph.weights, graph.delays)
        self.found = Gradients(*(np.zeros_like(each) for each in shapes))

    def peak(self, peak: Peak) -> None:
        """The loss sees V of this neuron at this time."""
        self._go_back(peak.neuron, peak.time)
        self.rest_v[peak.neuron] -= peak.worth / self.graph.tau_membrane

    def arrival(self, event: Arrival, ended: Peak | None) -> None:
        """What the weight of an arrival is worth, and moving it in time; ``ended``: the peak that it put an end to."""
        m, n = event.target, event.source
        self._go_back(m, event.time)
        decayed = math.exp(-event.time / self.tape.end)
        lv, li = self.rest_v[m] + self.k[m] * decayed, self.rest_i[m] + self.m[m] * decayed
        outside = event.cause < 0
        weight = (self.graph.weights_in if outside else self.graph.weights)[m, n]
        move = weight * (lv - li)
        if ended is not None:
            move += ended.worth * ended.slope
            self.rest_v[m] -= ended.worth / self.graph.tau_membrane
        (self.found.weights_in if outside else self.found.weights)[m, n] -= self.graph.tau_synapse * li
        (self.found.delays_in if outside else self.found.delays)[m, n] += move
        if not outside:
            self.moved[event.cause] += move

    def spike(self, number: int) -> None:
        """The jump of lV of the neuron that fired."""
        spike = self.tape.spikes[number]
        n, theta = spike.neuron, self.graph.thresholds[spike.neuron]
        self._go_back(n, spike.time)
        particular = self.k[n] * math.exp(-spike.time / self.tape.end)
        owed = theta * (self.rest_v[n] + particular) + self.loss.moves.get(number, 0.0) + self.moved[number]
        self.rest_v[n] += owed / (spike.current - theta)

    def _go_back(self, n: int, time: float) -> None:
        self.rest_i[n], self.rest_v[n] = self.mirror.after(self.rest_i[n], self.rest_v[n], self.since[n] - time)
        self.since[n] = time
