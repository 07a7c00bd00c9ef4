"""A sensor that never stops: a decision every so many steps, the state between them carried or cleared.

    logits = sum over the window's steps of what the readout adds: shift(W_o s, e_o) 2^h + b_o

With the state cleared, that is the readout itself, and a window is a sample like those of training. With the state
carried, the layers go on as if there were no windows, in registers that have a width; only the sum begins anew, which
the readout's 24 bits could not hold for ever. Both in integers, the same on every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import shift
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_core.contract.synapses.connection import NOW
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_export.engines.select import Stream


@dataclass(frozen=True, eq=False)
class Decision:
    """What one window comes to. ``step``: steps fed so far; logits: (C,) int64, of the window's steps alone."""

    step: int
    logits: Ints

    @property
    def prediction(self) -> int:
        """Class of the greatest logit, the lowest index among equals."""
        return int(self.logits.argmax())

    def __repr__(self) -> str:
        return f"Decision(after {plural(self.step, 'step')}, class {self.prediction})"


def decisions(
    network: IntegerNetwork, stream: Stream, frames: Iterable[NDArray[np.generic]], every: int, carry: bool
) -> Iterator[Decision]:
    """A decision after each ``every`` frames (channels,); frames that fill no window make none.

    Raises InvalidSetting for a window that is none and, with the state carried, for a readout that is not a plain sum;
    InvalidData for a frame that does not fit the input.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidSetting("every", f"{every!r} is not a whole number of steps, at least 1")
    if not isinstance(carry, bool):
        raise InvalidSetting("carry", f"{carry!r} is neither True nor False")
    if not isinstance(frames, Iterable):
        raise InvalidData(
            "frames", f"they are a {type(frames).__name__}", "give frames (channels,) one after the other"
        )
    if network.permutation is not None:
        why = "the network takes a sample's steps in another order, so that it has to wait for whole samples"
        raise InvalidSetting("network", f"{why}; run them with Simulator.run, or decide on one without a permutation")
    if carry:
        require_plain_sum(network)
    return _decisions(network, stream, frames, every, carry)


def _decisions(
    network: IntegerNetwork, stream: Stream, frames: Iterable[NDArray[np.generic]], every: int, carry: bool
) -> Iterator[Decision]:
    stream.reset()
    total: Ints = np.zeros(network.classes, np.int64)
    for step, frame in enumerate(frames, start=1):
        seen = stream.step(frame)
        if carry:
            total = total + added(network, seen.spikes)
        if step % every:
            continue
        yield Decision(step, total if carry else seen.logits.copy())
        total = np.zeros(network.classes, np.int64)
        if not carry:
            stream.reset()


def added(network: IntegerNetwork, sent: tuple[NDArray[np.uint8], ...]) -> Ints:
    """What a readout that is a plain sum adds in a step in which the layers sent this, (C,)."""
    parameters = network.readout.neuron.parameters
    parts = (
        shift(each.weights @ sent[network.place(each.source)].astype(np.int64), each.exponent)
        for each in network.readout.connections
    )
    total: Ints = (sum(parts, np.zeros(network.classes, np.int64)) << parameters["activation_shift"]) + parameters[
        "bias"
    ]
    return total


def require_plain_sum(network: IntegerNetwork) -> None:
    """Raise InvalidSetting unless the readout only adds up what the layers send in the same step."""
    readout = network.readout
    parameters = readout.neuron.parameters
    plain = (
        readout.neuron.kind == "integrator"
        and not np.any(parameters["decay"])
        and np.all(np.asarray(parameters["current_decay"]) == DECAY_ONE)
        and not np.any(parameters["current_bias"])
        and parameters["time_weights"] is None
    )
    if not plain or any(each.taps != NOW or network.place(each.source) < 0 for each in readout.connections):
        why = "the readout leaks, lags or weighs steps, so that no window of it stands by itself"
        raise InvalidSetting("carry", f"{why}; clear the state with carry=False")
