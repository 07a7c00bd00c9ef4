"""Event lists and rings in plain torch operations: any device, any float type, EventProp or surrogate gradients.

Forward, a ring of max delay + 1 slots per layer holds what is under way; backward, one holds Q and Q' of as many steps
to come. The tape is the spikes, with the slope of each; surrogate gradients keep all membranes beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from asrc_train.gradients.surrogate import triangle
from asrc_train.kernels.delays.layer import Asked, DelayLayer, Outcome, Run, Synapses, Told

GATHERED = 1 << 24
"""Synapses that a surrogate's backward pass looks at in one operation, to bound memory."""


class Fired(NamedTuple):
    """Spikes of one layer and step, or input events: sample, neuron, and the slope or the value of each; all (K,)."""

    sample: Tensor
    neuron: Tensor
    value: Tensor

    def at(self) -> tuple[Tensor, Tensor]:
        """Their places in (B, N)."""
        return self.sample, self.neuron


class Tape(NamedTuple):
    """All that `backward` needs: the run, for each step what was fed, and for each layer and step what fired."""

    run: Run
    fed: list[Fired]
    fired: list[list[Fired]]
    best: Tensor
    """(B, C): the step of the maximum, or of the first spike."""
    membranes: list[Tensor]
    """(T, B, N) of each layer before reset; for surrogate gradients only."""


def why_not(run: Run) -> str | None:
    """Nothing it does not cover."""
    return None


def forward(run: Run) -> Outcome:
    """All layers in every step, the first one first."""
    cuba, steps = run.cuba, run.events.steps
    fed = _by_step(run)
    states = [_Forward(layer, run) for layer in run.layers]
    reader = _Reader(run)
    fired: list[list[Fired]] = [[] for _ in states]
    grazing = late = 0
    for t in range(steps):
        sent = fed[t]
        for i, state in enumerate(states):
            late += state.receive(state.layer.forward, sent, t, sent.value if i == 0 else None)
            spikes = state.advance(t)
            if state.layer.back is not None:
                late += state.receive(state.layer.back, spikes, t)
            if state.layer.threshold is not None:
                grazing += int((spikes.value < cuba.grazing * state.layer.threshold).sum())
            fired[i].append(spikes)
            sent = spikes
        reader.read(t, states[-1].v, fired[-1][t])
    counts = [state.counts for state in states if state.layer.threshold is not None]
    membranes = [torch.stack(state.membranes) for state in states if state.membranes]
    tape = Tape(run, fed, fired, reader.best, membranes)
    return Outcome(reader.answers, counts, Told(grazing, late), tape)


def backward(tape: Tape, asked: Asked) -> list[list[Synapses]]:
    """Steps from the last down to one before the first, and each layer a step behind the one above it, whose Q of the
    step before its own Q' needs.
    """
    run, depth = tape.run, len(tape.run.layers)
    states = [_Backward(i, tape, asked) for i in range(depth)]
    for behind in range(run.events.steps - 1, -2 - depth, -1):
        for i in range(depth - 1, -1, -1):
            t = behind + depth - 1 - i
            if -1 <= t < run.events.steps:
                states[i].step_down(t, states[i + 1] if i + 1 < depth else None)
        t = behind + depth
        if 0 <= t < run.events.steps:
            states[0].worth(0, tape.fed[t], t, tape.fed[t].value)
    return [[Synapses(*each) for each in state.gradients] for state in states]


def spikes(tape: Tape) -> list[Tensor]:
    """Sample, step and neuron of all spikes, in the order of steps."""
    made = []
    for layer, fired in zip(tape.run.layers, tape.fired, strict=True):
        if layer.threshold is not None:
            rows = [torch.stack([f.sample, torch.full_like(f.sample, t), f.neuron], 1) for t, f in enumerate(fired)]
            made.append(torch.cat(rows))
    return made


def _by_step(run: Run) -> list[Fired]:
    events = run.events
    order = torch.argsort(events.step, stable=True)
    lengths = events.first.diff()
    sample = torch.repeat_interleave(torch.arange(events.batch, device=lengths.device), lengths)[order]
    cuts = torch.bincount(events.step, minlength=events.steps).tolist()
    parts = (torch.split(each, cuts) for each in (sample, events.channel.long()[order], events.value[order]))
    return [Fired(*each) for each in zip(*parts, strict=True)]


class _Forward:
    """One layer between two steps."""

    def __init__(self, layer: DelayLayer, run: Run) -> None:
        self.layer, self.cuba, self.steps = layer, run.cuba, run.events.steps
        weight = layer.forward.weight
        self.slots = layer.longest + 1
        self.ring = weight.new_zeros(run.events.batch, self.slots, layer.neurons)
        self.current = weight.new_zeros(run.events.batch, layer.neurons)
        self.v = torch.zeros_like(self.current)
        self.counts = torch.zeros_like(self.current)
        self.membranes: list[Tensor] = []
        self._keeps = run.keep and run.cuba.gradient == "surrogate" and layer.threshold is not None
        self._targets = torch.arange(layer.neurons, device=weight.device)
        self._transposed = {id(each): Synapses(each.weight.t(), each.delay.t()) for each in layer.connections}

    def receive(self, synapses: Synapses, sent: Fired, t: int, values: Tensor | None = None) -> int:
        """Put what arrives now or later into the ring; how many arrivals come after the last step."""
        if not len(sent.sample):
            return 0
        weight, delay = self._transposed[id(synapses)]
        weight, due = weight[sent.neuron], delay[sent.neuron] + t
        if values is not None:
            weight = weight * values[:, None]
        at = (sent.sample[:, None] * self.slots + due % self.slots) * self.layer.neurons + self._targets
        self.ring.view(-1).index_add_(0, at.flatten(), weight.flatten())
        return int((due >= self.steps).sum()) if t + self.slots > self.steps else 0

    def advance(self, t: int) -> Fired:
        """One step; the spikes with their slopes."""
        slot = self.ring[:, t % self.slots]
        self.current = self._kept(self.cuba.beta * self.current) + slot
        slot.zero_()
        self.v = self._kept(self.cuba.alpha * self.v) + self.cuba.gain * self.current
        if self._keeps:
            self.membranes.append(self.v)
        theta = self.layer.threshold
        if theta is None:
            none = torch.zeros(0, dtype=torch.int64, device=slot.device)
            return Fired(none, none, slot.new_zeros(0))
        s = self.v >= theta
        self.counts += s
        self.v = torch.where(s, 0, self.v)
        sample, neuron = s.nonzero(as_tuple=True)
        return Fired(sample, neuron, self.cuba.mean_current * self.current[sample, neuron] - theta)

    def _kept(self, decayed: Tensor) -> Tensor:
        return decayed if self.cuba.whole is None else decayed.trunc()


class _Reader:
    """The answers, step by step."""

    def __init__(self, run: Run) -> None:
        self.kind, self.weights = run.readout.kind, run.readout.weights
        like, steps = run.layers[-1].forward.weight, run.events.steps
        self.answers = like.new_zeros(run.events.batch, run.layers[-1].neurons)
        if self.kind == "first-spike":
            self.answers += steps
        self.best = torch.full(self.answers.shape, steps, device=like.device)

    def read(self, t: int, v: Tensor, fired: Fired) -> None:
        """Take in a step."""
        if self.weights is not None:
            self.answers += self.weights[t] * v
        elif self.kind == "maximum":
            higher = v > self.answers
            self.best[higher] = t
            self.answers = torch.where(higher, v, self.answers)
        else:
            self.best[fired.at()] = self.best[fired.at()].clamp(max=t)
            self.answers = self.best.to(self.answers.dtype)


class _Backward:
    """One layer between two steps, walked down."""

    def __init__(self, index: int, tape: Tape, asked: Asked) -> None:
        run = tape.run
        self.layer, self.cuba, self.steps = run.layers[index], run.cuba, run.events.steps
        self.fired, self.readout, self.best = tape.fired[index], run.readout, tape.best
        last = index + 1 == len(run.layers)
        self.answers = asked.answers if last else None
        self.counts = asked.counts[index] if self.layer.threshold is not None else None
        self.membranes = tape.membranes[index] if self.layer.threshold is not None and tape.membranes else None
        weight = self.layer.forward.weight
        self.slots = self.layer.longest + 2
        self.q_ring = weight.new_zeros(run.events.batch, self.slots, self.layer.neurons)
        self.dq_ring = torch.zeros_like(self.q_ring)
        self.p = torch.zeros_like(self.q_ring[:, 0])
        self.q = torch.zeros_like(self.p)
        self.q_after = torch.zeros_like(self.p)
        self._targets = torch.arange(self.layer.neurons, device=weight.device)
        self._rows = [Synapses(each.weight.t(), each.delay.t()) for each in self.layer.connections]
        self._sums = [(torch.zeros_like(w), torch.zeros_like(w)) for w, _ in self._rows]

    @property
    def gradients(self) -> list[tuple[Tensor, Tensor]]:
        """Of the weights and of the delays, (N, I), of each connection."""
        return [(w.t(), d.t() * each.weight) for (w, d), each in zip(self._sums, self.layer.connections, strict=True)]

    def step_down(self, t: int, above: _Backward | None) -> None:
        """P and Q of step t, and what its spikes are worth."""
        p = self.cuba.alpha * self.p + self._drive(t)
        self._store(t, p)
        if t >= 0 and self.layer.threshold is not None:
            if self.membranes is not None:
                jump = self._surrogate(t, p, above)
            else:
                jump = self._eventprop(t, p, above)
            p = p + jump
            self._store(t, p)
        self.p, self.q_after, self.q = p, self.q, self.cuba.beta * self.q + self.cuba.gain * p

    def worth(self, connection: int, sent: Fired, t: int, values: Tensor | None = None) -> Tensor:
        """Add to the gradients of a connection that carried ``sent`` at step t; sum_m w_m Q'_m of each, (K,)."""
        weight, delay = self._rows[connection]
        if not len(sent.sample):
            return weight.new_zeros(0)
        slot = (delay[sent.neuron] + t) % self.slots
        at = (sent.sample[:, None] * self.slots + slot) * self.layer.neurons + self._targets
        q, dq = self.q_ring.view(-1)[at], self.dq_ring.view(-1)[at]
        moved = (weight[sent.neuron] * dq).sum(1)
        if values is not None:
            q, dq = q * values[:, None], dq * values[:, None]
        for total, each in zip(self._sums[connection], (q, dq), strict=True):
            total.index_add_(0, sent.neuron, each)
        return moved

    def reached(self, connection: int, t: int) -> Tensor:
        """sum_m w_m Q_m[t + d_m] of all that could have sent at step t, whether or not it did: (B, sources)."""
        weight, delay = self._rows[connection]
        rows = max(1, GATHERED // weight.numel())
        slot = ((delay + t) % self.slots) * self.layer.neurons + self._targets
        flat = self.q_ring.flatten(1)
        return torch.cat([(part[:, slot] * weight).sum(2) for part in torch.split(flat, rows)])

    def _drive(self, t: int) -> Tensor | float:
        """dL/dV[t]."""
        if self.answers is None or t < 0 or self.readout.kind == "first-spike":
            return 0.0
        if self.readout.weights is not None:
            return self.answers * self.readout.weights[t]
        return self.answers * (self.best == t)

    def _store(self, t: int, p: Tensor) -> None:
        """Q of step t, and Q' of the step that can now be known."""
        q = self.cuba.beta * self.q + self.cuba.gain * p
        self.q_ring[:, t % self.slots] = q
        if self.cuba.delay_gradient == "plain":
            self.dq_ring[:, t % self.slots] = q / self.cuba.tau_synapse - p / self.cuba.tau_membrane
        elif t + 1 < self.steps:
            self.dq_ring[:, (t + 1) % self.slots] = (self.q_after - q) / 2

    def _moves(self, t: int, above: _Backward | None) -> Tensor:
        """What it is worth to move each spike of step t; what it carried goes into the sums on the way."""
        sent = self.fired[t]
        moves = torch.zeros_like(sent.value)
        if self.layer.back is not None:
            moves = moves + self.worth(1, sent, t)
        if above is not None:
            moves = moves + above.worth(0, sent, t)
        if self.answers is not None:
            moves = moves + self.answers[sent.at()] * (self.best[sent.at()] == t)
        return moves

    def _eventprop(self, t: int, p: Tensor, above: _Backward | None) -> Tensor:
        theta, jump = self.layer.threshold, torch.zeros_like(p)
        assert theta is not None, "it fires"
        moves, at = self._moves(t, above), self.fired[t].at()
        slope = self.fired[t].value.clamp(min=self.cuba.grazing * theta)
        jump[at] = (theta * p[at] - self.cuba.tau_membrane * moves) / slope
        if self.counts is not None:
            jump[at] += self.counts[at]
        return jump

    def _surrogate(self, t: int, p: Tensor, above: _Backward | None) -> Tensor:
        self._moves(t, above)  # for the gradients of weights and delays
        theta = self.layer.threshold
        assert theta is not None, "it fires"
        assert self.membranes is not None, "they were kept"
        u = self.membranes[t]
        worth = torch.zeros_like(p) if self.counts is None else self.counts.clone()
        if self.layer.back is not None:
            worth += self.reached(1, t)
        if above is not None:
            worth += above.reached(0, t)
        if not self.cuba.detach_reset:
            worth -= p * u
        return triangle(u - theta) * worth - p * (u >= theta)
