"""The vectorised engine against the page, read literally: Python integers, one neuron at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract import interpreter as engine
from asrc_core.contract.chain import chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import first_difference
from asrc_core.contract.random_network import random_network, with_spike_rate
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace
from asrc_core.errors import InvalidData

M = 2**23 - 1


def shifted(a: int, e: int) -> int:
    return a * 2**e if e >= 0 else a // 2**-e


def literal(network: IntegerNetwork, x: NDArray[np.int32]) -> Result:
    """docs/arithmetic.md with nothing but Python integers and loops."""
    batch, steps, _ = x.shape
    fed = [[[int(i) for i in x[b, t]] for t in range(steps)] for b in range(batch)]
    made = chain(network)
    counts, traces = [], []
    for layer in made.layers:
        n = layer.neurons
        w, r, bias = layer.feedforward.tolist(), layer.recurrent.tolist(), layer.bias.tolist()
        out = [[[0] * n for _ in range(steps)] for _ in range(batch)]
        membrane = np.zeros((steps, batch, n), np.int32)
        saturations = delivered = 0
        for b in range(batch):
            v = [0] * n
            for t in range(steps):
                past = [
                    sum(m * out[b][t - span][i] for span, m in layer.taps or [(layer.span, 1)] if t >= span)
                    for i in range(n)
                ]
                delivered += sum(value != 0 for value in past)
                for i in range(n):
                    a_ff = shifted(sum(w[i][j] * fed[b][t][j] for j in range(layer.inputs)), layer.feedforward_exponent)
                    a_rec = shifted(sum(r[i][j] * past[j] for j in range(n)), layer.recurrent_exponent)
                    sign = -1 if v[i] < 0 else 1
                    u = sign * (abs(v[i]) * (4096 - layer.decay) // 4096)
                    u += (a_ff + a_rec) * 2**layer.activation_shift + bias[i]
                    if abs(u) > M:
                        saturations += 1
                        u = max(-M, min(M, u))
                    membrane[t, b, i] = u
                    fires = u > layer.threshold if layer.fires == "above" else u >= layer.threshold
                    out[b][t][i] = int(fires)
                    if out[b][t][i]:
                        v[i] = u - layer.threshold if layer.reset == "soft" else 0
                    else:
                        v[i] = u
        spikes = np.array(out, np.uint8).transpose(1, 0, 2)
        ones = sum(value != 0 for sample in fed for frame in sample for value in frame)
        counts.append(LayerCounts(int(spikes.sum()), ones * n, delivered * n, batch * steps * n, saturations))
        traces.append(LayerTrace(spikes, membrane))
        fed = out
    readout = made.readout
    weights, bias = readout.weight.tolist(), readout.bias.tolist()
    y = np.zeros((steps, batch, readout.classes), np.int32)
    saturations = 0
    for b in range(batch):
        total = [0] * readout.classes
        for t in range(steps):
            for c in range(readout.classes):
                total[c] += shifted(sum(weights[c][j] * fed[b][t][j] for j in range(readout.inputs)), readout.exponent)
                total[c] += bias[c]
                if abs(total[c]) > M:
                    saturations += 1
                    total[c] = max(-M, min(M, total[c]))
            y[t, b] = total
    ones = sum(sum(frame) for sample in fed for frame in sample)
    counts.append(LayerCounts(0, ones * readout.classes, 0, batch * steps * readout.classes, saturations))
    return Result(y[-1].astype(np.int64), tuple(counts), Trace(tuple(traces), y))


@settings(max_examples=60, deadline=None)
@given(cases(max_width=7, max_steps=12))
def test_equals_the_page_read_literally(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    network, x = case
    assert first_difference(network, engine.run(network, x, trace=True), literal(network, x)) is None


@settings(max_examples=20, deadline=None)
@given(cases(max_width=5, max_steps=70, max_span=63))
def test_long_spans_of_synaptic_delays_equal_the_page_too(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    network, x = case
    assert first_difference(network, engine.run(network, x, trace=True), literal(network, x)) is None


@settings(max_examples=80, deadline=None)
@given(cases())
def test_no_membrane_leaves_its_proven_range(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    network, x = case
    result = engine.run(network, x, trace=True)
    assert result.trace is not None
    for ranges, trace, count in zip(network.ranges, result.trace.layers, result.counts, strict=False):
        assert trace.membrane.min() >= max(ranges.state.low, -M)
        assert trace.membrane.max() <= min(ranges.state.high, M)
        if ranges.state.fits_state:
            assert count.saturations == 0


@pytest.mark.slow
def test_the_strategy_reaches_saturation_and_moderate_firing() -> None:
    """The parity suites are worth something only if their cases do something."""
    saturating = firing = 0

    @settings(max_examples=150, deadline=None, database=None)
    @given(cases())
    def look(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
        nonlocal saturating, firing
        counts = engine.run(*case).counts
        saturating += any(count.saturations for count in counts)
        firing += any(0 < count.spikes < count.neuron_updates for count in counts[:-1])

    look()
    assert saturating >= 5
    assert firing >= 50


def test_chunks_of_the_batch_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(3, widths=(20, 11), spans=(2, 5), steps=30)
    x = np.random.default_rng(0).integers(0, 256, (7, 30, 1))
    whole = engine.run(network, x, trace=True)
    monkeypatch.setattr(engine, "CHUNK_CELLS", 30 * 20 * 2)
    assert first_difference(network, whole, engine.run(network, x, trace=True)) is None


def test_a_network_can_be_tuned_to_a_spike_rate() -> None:
    network = random_network(1, widths=(64, 64), spans=(3, 7), steps=60)
    x = np.random.default_rng(1).integers(0, 256, (8, 60, 1))
    tuned = with_spike_rate(network, x, 0.1)
    for count in engine.run(tuned, x).counts[:-1]:
        assert 0.05 < count.spikes / count.neuron_updates < 0.2


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((1, 5, 1)), "type is float64"),
        (np.zeros((1, 5, 2), int), "2 channels and the network takes 1"),
        (np.zeros((5, 1), int), r"shape is \(5, 1\)"),
        (np.zeros((0, 5, 1), int), r"shape is \(0, 5, 1\)"),
        (np.zeros((1, 0, 1), int), r"shape is \(1, 0, 1\)"),
        (np.full((1, 5, 1), 256), "values span 256 to 256"),
        (np.full((1, 5, 1), -1), "values span -1 to -1"),
    ],
)
def test_input_that_does_not_fit_is_refused_by_name(x: NDArray[np.generic], says: str) -> None:
    network = random_network(0, widths=(4,), spans=(1,), steps=5)
    with pytest.raises(InvalidData, match=says):
        engine.run(network, x)
