"""Equality of two backends' results; a difference is named by its first layer, step and neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result, Trace
from asrc_core.errors import InvalidSetting, ParityBroken


def first_difference(network: IntegerNetwork, a: Result, b: Result, *, sample: int = 0) -> str | None:
    """Where the results part ways first, in the order in which the network computes; None if they are equal.

    With traces: the earliest step, within it the first layer, sample and neuron, with both values. Logits and
    counts are compared in any case. ``sample`` is the number of the results' first one.
    """
    for each in (a, b):
        if not isinstance(each, Result):
            raise InvalidSetting("result", f"it is a {type(each).__name__}; give a Result, such as run returns")
    for counted, hidden, name in ((a, a.trace, "first"), (b, b.trace, "second")):
        of = len(counted.counts), 0 if hidden is None else len(hidden.layers) + 1
        if of[0] != len(network.layers) or of[1] not in (0, of[0]):
            return f"the number of layers: the network has {len(network.layers)}, the {name} result {of[0]}"
    if a.trace is not None and b.trace is not None:
        found = _first_in_traces(network, a.trace, b.trace, sample)
        if found is not None:
            return found
    if a.logits.shape != b.logits.shape:
        return f"the logits' shape: {a.logits.shape} against {b.logits.shape}"
    if not np.array_equal(a.logits, b.logits):
        i, label = np.argwhere(a.logits != b.logits)[0]
        return f"readout, sample {sample + i}, class {label}: {a.logits[i, label]} against {b.logits[i, label]}"
    for name, mine, theirs in zip(network.names, a.counts, b.counts, strict=True):
        if mine != theirs:
            return f"the counts of '{name}': {mine} against {theirs}"
    return None


def require_equal(network: IntegerNetwork, a: Result, b: Result, names: tuple[str, str], *, sample: int = 0) -> None:
    """Raise ParityBroken, naming the first difference, unless the results are equal bit for bit."""
    where = first_difference(network, a, b, sample=sample)
    if where is not None:
        raise ParityBroken(*names, where)


def _first_in_traces(network: IntegerNetwork, a: Trace, b: Trace, sample: int) -> str | None:
    pairs: list[tuple[str, str, NDArray[np.generic], NDArray[np.generic]]] = []
    for layer, mine, theirs in zip(network.hidden, a.layers, b.layers, strict=True):
        pairs.append((f"layer '{layer.name}'", "membrane", mine.membrane, theirs.membrane))
        pairs.append((f"layer '{layer.name}'", "spike", mine.spikes, theirs.spikes))
    pairs.append((f"readout '{network.readout.name}'", "accumulator", a.readout, b.readout))
    first: tuple[int, str] | None = None
    for where, what, mine_values, their_values in pairs:
        if mine_values.shape != their_values.shape:
            return f"{where}: {what} traces of shape {mine_values.shape} against {their_values.shape}"
        differing = mine_values != their_values
        steps = differing.any(axis=(1, 2))
        if not steps.any():
            continue
        t = int(steps.argmax())
        if first is None or t < first[0]:
            i, neuron = np.argwhere(differing[t])[0]
            values = f"{mine_values[t, i, neuron]} against {their_values[t, i, neuron]}"
            first = t, f"{where}, step {t}, sample {sample + i}, neuron {neuron}: {what} {values}"
    return None if first is None else first[1]
