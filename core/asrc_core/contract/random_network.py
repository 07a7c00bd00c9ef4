"""Random valid integer networks, for parity suites and benchmarks: chains as asked for, and any networks at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import neurons
from asrc_core.contract.chain import Chain, Readout, SkipLayer, chain
from asrc_core.contract.interpreter import run
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.neurons.kind import Choice, Columns, Table
from asrc_core.contract.numbers import STATE_MAX, Fires, Mapping, Reset
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection, Tap, span
from asrc_core.errors import InvalidNetwork, SpanTooLong


def random_network(
    seed: int,
    *,
    channels: int = 1,
    widths: Sequence[int] = (64, 128, 128),
    spans: Sequence[int | Sequence[tuple[int, int]]] = (9, 25, 11),
    classes: int = 10,
    steps: int = 784,
    input_range: tuple[int, int] = (0, 255),
    exponents: tuple[int, int] = (0, 0),
    weight_bits: int = 8,
    activation_shift: int = 6,
    decay: int = 2048,
    reset: Reset = "soft",
    fires: Fires = "at",
    mapping: Mapping = "delay-line",
    threshold: int | None = None,
) -> IntegerNetwork:
    """A network with random weights and biases that fires a little, unless told otherwise.

    An entry of ``spans`` is a layer's span, or its taps as pairs of span and weight. ``exponents`` are those of the
    feed-forward and recurrent connections. Without ``threshold``, each layer gets one at about the spread of its
    drive, so that neurons of every layer fire now and then.
    """
    rng = np.random.default_rng(seed)
    grid = WeightGrid(weight_bits)

    def weights(rows: int, columns: int) -> NDArray[np.int64]:
        return grid.nearest(rng.normal(0, 60, (rows, columns)).clip(grid.low, grid.high))

    layers: list[SkipLayer] = []
    fan_in = channels
    low, high = input_range
    power = max(1.0, (low * low + high * high) / 3)  # mean square of an input
    for i, (width, lags) in enumerate(zip(widths, spans, strict=True)):
        taps = () if isinstance(lags, int) else tuple(Tap(*pair) for pair in lags)
        drive = 60 * np.sqrt(fan_in * power) * 2.0 ** (exponents[0] + activation_shift)
        level = int(np.clip(drive * 1.5, 1, STATE_MAX)) if threshold is None else threshold
        layers.append(
            SkipLayer(
                name=f"layer{i}",
                feedforward=weights(width, fan_in),
                feedforward_exponent=exponents[0],
                recurrent=weights(width, width),
                recurrent_exponent=exponents[1],
                bias=rng.integers(-level // 4, level // 2 + 1, width),
                decay=decay,
                threshold=level,
                span=lags if isinstance(lags, int) else taps[-1].span,
                reset=reset,
                fires=fires,
                activation_shift=activation_shift,
                weight_bits=weight_bits,
                scale=float(level),
                taps=taps,
            )
        )
        fan_in, power = width, 0.1
    readout = Readout("readout", weights(classes, fan_in), 0, rng.integers(-9, 10, classes), weight_bits, 1.0)
    entry = InputFormat(channels, low, high, 1.0 / max(1, abs(low), abs(high)))
    return Chain(entry, tuple(layers), readout, mapping, "loihi2", steps).network()


def with_spike_rate(network: IntegerNetwork, x: NDArray[np.generic], rate: float) -> IntegerNetwork:
    """The same chain with each layer's threshold moved so that on ``x`` about ``rate`` of its cells spike."""
    made = chain(network)
    for i, layer in enumerate(made.layers):
        low, high = 1, STATE_MAX
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            layers = (*made.layers[:i], replace(layer, threshold=middle), *made.layers[i + 1 :])
            made = replace(made, layers=layers)
            count = run(made.network(), x).counts[i]
            low, high = (middle, high) if count.spikes > rate * count.neuron_updates else (low, middle)
    return made.network()


def any_network(
    seed: int, *, kinds: Sequence[str] | None = None, max_width: int = 12, max_steps: int = 30
) -> IntegerNetwork:
    """Any network of the contract: every kind of neuron, source, lag and mapping, parameters alike or one for each.

    ``kinds``: of the hidden layers, by default all that send something. What cannot be proven is drawn again.
    """
    rng = np.random.default_rng(seed)
    sending = [name for name in neurons.names() if neurons.kind(name).sends is not None] if kinds is None else kinds
    for _ in range(100):
        try:
            return _drawn(rng, list(sending), max_width, max_steps)
        except (InvalidNetwork, SpanTooLong):
            continue
    raise AssertionError("a hundred networks in a row could not be proven")


def _drawn(rng: np.random.Generator, kinds: Sequence[str], max_width: int, max_steps: int) -> IntegerNetwork:
    low, high = ((0, 1), (0, 1), (0, 15), (0, 255), (-8, 7))[rng.integers(5)]
    entry = InputFormat(int(rng.integers(1, 6)), low, high, 1.0)
    depth = int(rng.integers(1, 4))
    widths = [*rng.integers(1, max_width + 1, depth).tolist(), int(rng.integers(1, 6))]
    names = [*(f"layer{i}" for i in range(depth)), "readout"]
    sizes = {INPUT: entry.channels, **dict(zip(names, widths, strict=True))}
    chosen = [*(kinds[rng.integers(len(kinds))] for _ in range(depth)), _any_readout(rng.spawn(1)[0])]
    graded = {INPUT: (low, high) != (0, 1)}
    graded |= {name: neurons.kind(kind).sends != (0, 1) for name, kind in zip(names, chosen, strict=True)}
    layers = []
    for i, (name, kind, width) in enumerate(zip(names, chosen, widths, strict=True)):
        before = [INPUT, *names[:i]]
        sources = [before[-1], *(each for each in before[:-1] if rng.random() < 0.2)]
        sources += [each for each in names[i:depth] if rng.random() < (0.6 if each == name else 0.15)]
        connections = tuple(
            _any_connection(rng, each, (width, sizes[each]), before=each in before, graded=graded[each])
            for each in sources
        )
        layers.append(Layer(name, connections, _any_neuron(rng, kind, width, connections, max(abs(low), high))))
    return IntegerNetwork(entry, tuple(layers), "loihi2", int(rng.integers(1, max_steps + 1)))


def _any_readout(rng: np.random.Generator) -> str:
    """Mostly an integrator; of a stream of its own, so that all else is as without it."""
    others = [name for name in neurons.OWN if neurons.kind(name).sends is None and name != "integrator"]
    return str(rng.choice(others)) if rng.random() < 0.25 else "integrator"


def _any_connection(
    rng: np.random.Generator, source: str, shape: tuple[int, int], *, before: bool, graded: bool
) -> Connection:
    bits, least = int(rng.integers(2, 9)), 0 if before else 1
    grid = WeightGrid(bits)
    weights = grid.nearest(rng.normal(0, 80, shape).clip(grid.low, grid.high))
    choice = rng.random()
    if choice < 0.35:
        delays = rng.integers(least, least + int(rng.integers(1, 63)), shape)
        return Connection(source, weights, int(rng.integers(0, 4)), bits, (), delays, "synaptic-delay")
    exponent = int(rng.integers(-4, 4))
    if choice < 0.5 and not graded:
        spans = np.sort(rng.choice(np.arange(1, 33), int(rng.integers(2, 5)), replace=False)).tolist()
        taps = tuple(Tap(each, int(rng.integers(1, 16))) for each in spans)
        return Connection(source, weights, exponent, bits, taps)
    if choice < 0.65 and before:
        return Connection(source, weights, exponent, bits)
    mapping: Mapping = "synaptic-delay" if graded or rng.random() < 0.5 else "delay-line"
    longest = 32 if mapping == "delay-line" else 62
    return Connection(source, weights, exponent, bits, span(int(rng.integers(least, longest + 1))), None, mapping)


def _any_neuron(
    rng: np.random.Generator, kind: str, width: int, connections: Sequence[Connection], largest: int
) -> Neuron:
    """Numbers over the whole of their ranges, but for those that decide whether anything fires; now and then the ends
    of a range, with which states saturate, are kept for ever or are forgotten at once.
    """
    fan_in = sum(each.inputs for each in connections)
    shift = int(rng.integers(0, 7))
    level = int(np.clip(60 * np.sqrt(fan_in) * max(1, largest // 3) * 2**shift, 1, STATE_MAX))
    usual = {"activation_shift": (0, shift), "threshold": (1, level), "bias": (-level // 8, level // 4)}
    usual |= {"drop": (0, level), "leak": (0, level // 8), "deepening": (0, level)}
    usual |= {"slope_shift": (18, 36), "middle": (0, 40)}
    # Within the unit circle: poles of any phase, or slow ones near 1.
    usual |= {"pole_real": (-23000, 23000), "pole_imaginary": (-23000, 23000), "pole_shift": (15, 17)}
    if rng.spawn(1)[0].random() < 0.3:
        usual |= {"pole_real": (32000, 32700), "pole_imaginary": (-2000, 2000)}
    usual |= {"input_shift": (0, shift), "readout_shift": (5, 12), "period": (0, 6), "direct": (-200, 200)}
    usual |= {"taps": (-200, 200)}
    parameters: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for name, form in neurons.kind(kind).parameters.items():
        if isinstance(form, Choice) and form.default is not None:  # of a stream of its own: all else is as without it
            parameters[name] = form.names[rng.spawn(1)[0].integers(len(form.names))]
        elif name == "weight_shift":  # likewise
            parameters[name] = int(rng.spawn(1)[0].integers(0, 13))
        elif name == "current_bias":  # likewise
            own = rng.spawn(1)[0]
            if own.random() < 0.5:
                parameters[name] = own.integers(-level // 16, level // 16 + 1, width if own.random() < 0.5 else None)
        elif isinstance(form, Choice):
            parameters[name] = form.names[rng.integers(len(form.names))]
        elif isinstance(form, Table):
            if not form.optional or rng.random() < 0.3:
                low, high = usual.get(name, (form.low, form.high))
                parameters[name] = rng.integers(low, high + 1, int(rng.integers(1, 40)))
        elif isinstance(form, Columns):
            count = counts.setdefault(form.of, int(rng.integers(1, form.most + 1)) if rng.random() < 0.3 else 1)
            if not form.optional or rng.random() < 0.3:
                low, high = usual.get(name, (form.low, form.high))
                parameters[name] = rng.integers(low, high + 1, (width, count))
        elif form.default is None or rng.random() < 0.5:
            low, high = usual.get(name, (form.low, form.high))
            low, high = max(low, form.low), min(high, form.high)
            if rng.random() < 0.1:
                parameters[name] = (form.low, form.high)[rng.integers(2)]
                continue
            each = form.each and rng.random() < 0.5
            parameters[name] = rng.integers(low, high + 1, width) if each else int(rng.integers(low, high + 1))
    return Neuron(kind, parameters)
