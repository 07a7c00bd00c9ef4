"""Running an integer network: the native engine beside Lava, NumPy and ONNX Runtime, and how its cost grows.

    python benchmarks/engine.py
    python benchmarks/engine.py --quick --json

All engines run the same integer network on the same samples in one process, and their logits are compared. Figures are
medians over rounds in which all take turns; networks are loaded beforehand. Lava's time to start up, that of a run of
a single step, is taken off its time, so its rate is the one of long runs. Ratios are speed over speed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import chain
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.random_network import random_network
from asrc_core.contract.result import Result
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import BackendMissing
from asrc_export.engines import native
from asrc_export.engines import numpy as reference
from asrc_export.engines.generated import GeneratedEngine
from asrc_export.engines.native import NativeEngine

STEPS, SPANS, WIDTHS, RATE = 784, (9, 25, 11), (64, 128, 128), 0.1
Samples = NDArray[np.int32]


class Contestant(NamedTuple):
    """One engine and as many samples as keep it busy for a while; the time of ``overhead`` is taken off."""

    samples: int
    run: Callable[[], Ints]
    overhead: Callable[[], object] | None = None


# ------------------------------------------------------------------------------------------------------- networks


def spiking(network: IntegerNetwork, x: Samples, rate: float) -> IntegerNetwork:
    """The network with each layer's threshold moved so that about ``rate`` of its cells spike on ``x``."""
    made = chain(network)
    for i in range(len(made.layers)):
        low, high = 1, STATE_MAX
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            layers = list(made.layers)
            layers[i] = replace(layers[i], threshold=middle)
            made = replace(made, layers=tuple(layers))
            count = NativeEngine(made.network()).run(x).counts[i]
            low, high = (middle, high) if count.spikes > rate * count.neuron_updates else (low, middle)
    return made.network()


def samples_for(network: IntegerNetwork, batch: int, steps: int) -> Samples:
    """Random inputs over the network's range."""
    entry = network.input
    shape = (batch, steps, entry.channels)
    return np.random.default_rng(1).integers(entry.minimum, entry.maximum + 1, shape, dtype=np.int32)


@cache
def paper_network(rate: float) -> IntegerNetwork:
    """[64, 128, 128] with random weights."""
    network = random_network(0, widths=WIDTHS, spans=SPANS, steps=STEPS)
    return spiking(network, samples_for(network, 2, STEPS), rate)


def widened(narrow: IntegerNetwork, doublings: int) -> IntegerNetwork:
    """A network 4^doublings times as wide that spikes as much: sums over the fan-in spread 2^doublings times as far,
    and so do its thresholds, its biases and, by its exponent, the input.
    """
    width = narrow.layers[0].neurons * 4**doublings
    made = chain(random_network(0, widths=[width] * len(SPANS), spans=SPANS, steps=narrow.steps, activation_shift=2))
    layers = []
    for layer, model in zip(made.layers, chain(narrow).layers, strict=True):
        bias = np.resize(model.bias, width) << doublings
        layers.append(replace(layer, threshold=model.threshold << doublings, bias=bias))
    layers[0] = replace(layers[0], feedforward_exponent=doublings)
    return replace(made, layers=tuple(layers)).network()


def delayed_network(threshold: int) -> IntegerNetwork:
    """[700, 256 recurrent, 20]: CUBA neurons, each synapse with a delay of 0 to 62 steps, as for spoken digits."""
    rng = np.random.default_rng(0)

    def connection(source: str, shape: tuple[int, int], least: int) -> Connection:
        weights = WeightGrid(8).nearest(rng.normal(0, 20, shape))
        return Connection(source, weights, 0, 8, (), rng.integers(least, 63, shape), "synaptic-delay")

    parameters = {"bias": 0, "current_decay": 800, "decay": 200, "threshold": threshold, "activation_shift": 0}
    hidden = Layer(
        "hidden",
        (connection(INPUT, (256, 700), 0), connection("hidden", (256, 256), 1)),
        Neuron("cuba-lif", {**parameters, "reset": "soft"}),
    )
    leaky = Neuron("integrator", {"bias": 0, "decay": 100})
    readout = Layer("readout", (connection("hidden", (20, 256), 0),), leaky)
    return IntegerNetwork(InputFormat(700, 0, 1, 1.0), (hidden, readout), "loihi2", 250)


# ---------------------------------------------------------------------------------------------------- measurement


def seconds(body: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    body()
    return time.perf_counter() - begin


def in_turns(bodies: dict[str, Callable[[], object]], rounds: int, warm: bool = False) -> dict[str, float]:
    """Median seconds of each; all take turns in each round, after one that warms up unless they are warm."""
    for body in () if warm else bodies.values():
        body()
    taken = [{name: seconds(body) for name, body in bodies.items()} for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in taken) for name in bodies}


def with_instruction_set(name: str, network: IntegerNetwork) -> NativeEngine:
    """The native engine for one instruction set."""
    before = os.environ.get("ASRC_ISA")
    os.environ["ASRC_ISA"] = name
    try:
        return NativeEngine(network)
    finally:
        del os.environ["ASRC_ISA"]
        if before is not None:
            os.environ["ASRC_ISA"] = before


def operations(result: Result) -> int:
    """Synaptic operations of all layers."""
    return sum(count.feedforward_operations + count.recurrent_operations for count in result.counts)


def rates(result: Result) -> str:
    """The share of cells that spiked, layer by layer."""
    return "/".join(f"{100 * count.spikes / count.neuron_updates:.0f}" for count in result.counts[:-1]) + " %"


# --------------------------------------------------------------------------------------------------------- tables


def engines(quick: bool) -> dict[str, float]:
    """All engines on the paper's network."""
    network = paper_network(RATE)
    x = samples_for(network, 1024, STEPS)
    engine = NativeEngine(network)
    contestants = {
        "native": Contestant(1024, lambda: engine.run(x).logits),
        "numpy": Contestant(64, lambda: reference.run(network, x[:64]).logits),
    }
    contestants |= onnx_runtime(network, x)
    contestants |= lava(network, x, quick)
    print(f"\n{list(WIDTHS)}, T={STEPS}, spans {SPANS}, spike rates {rates(engine.run(x[:64]))}")
    expected = engine.run(x).logits
    for name, contestant in contestants.items():
        assert np.array_equal(contestant.run(), expected[: contestant.samples]), f"'{name}' has other logits"
    bodies: dict[str, Callable[[], object]] = {name: each.run for name, each in contestants.items()}
    bodies |= {f"{name} overhead": each.overhead for name, each in contestants.items() if each.overhead}
    times = in_turns(bodies, 1 if quick else 3, warm=True)
    speed = {}
    for name, contestant in contestants.items():
        speed[name] = contestant.samples / (times[name] - times.get(f"{name} overhead", 0.0))
        print(f"  {name:22} {speed[name]:10.1f} samples/s   native is {speed['native'] / speed[name]:9.1f} x")
    print("  logits equal")
    ratios = {f"native over {name}": speed["native"] / speed[name] for name in speed if name != "native"}
    if "lava, single" in speed:
        ratios["lava, batched over lava, single"] = speed["lava, batched"] / speed["lava, single"]
        print(f"  Lava in batches over one sample at a time: {ratios['lava, batched over lava, single']:.0f} x")
    return ratios | {"native samples per second": speed["native"]}


def delays(quick: bool) -> dict[str, float]:
    """A layer with a delay for every synapse: the generated engine beside the interpreter, whose cost is the same at
    every rate; it has one product for each lag.
    """
    ratios = {}
    print("\n[700, 256 recurrent, 20], CUBA, a delay of 0 to 62 for every synapse, T=250")
    for rate, threshold in ((0.02, 700), (0.05, 1500), (0.5, 13000)):
        network = delayed_network(threshold)
        x = (np.random.default_rng(1).random((128, network.steps, 700)) < rate).astype(np.int32)
        engine = GeneratedEngine(network)
        slow = 16 if quick else 64
        assert np.array_equal(engine.run(x[:2]).logits, reference.run(network, x[:2]).logits), "other logits"
        bodies: dict[str, Callable[[], object]] = {
            "generated": lambda engine=engine, x=x: engine.run(x),
            "numpy": lambda network=network, x=x, slow=slow: reference.run(network, x[:slow]),
        }
        times = in_turns(bodies, 1 if quick else 3, warm=True)
        speed = {"generated": len(x) / times["generated"], "numpy": slow / times["numpy"]}
        ratio = speed["generated"] / speed["numpy"]
        print(
            f"  input {rate:4.0%}, spike rate {rates(engine.run(x[:32])):>6}: generated {speed['generated']:8.1f}",
            end="",
        )
        print(f" samples/s, NumPy {speed['numpy']:6.2f}, {ratio:6.0f} x")
        ratios[f"generated over numpy, delays, input {rate:.0%}"] = ratio
    return ratios


def onnx_runtime(network: IntegerNetwork, x: Samples) -> dict[str, Contestant]:
    """ONNX Runtime, if it is installed."""
    from asrc_export.engines import onnx

    try:
        onnx.run(network, x[:1, :1])
    except BackendMissing as error:
        print(f"ONNX Runtime left out: {error}")
        return {}
    return {"onnx": Contestant(64, lambda: onnx.run(network, x[:64]).logits)}


def lava(network: IntegerNetwork, x: Samples, quick: bool) -> dict[str, Contestant]:
    """Lava one sample at a time and in batches, if it is installed."""
    try:
        from asrc_lava.host import run as lava_run

        lava_run.run(network, x[:1, :1])
    except (ImportError, BackendMissing) as error:
        print(f"Lava left out: {error}")
        return {}

    def contestant(graph: Literal["single", "batched"], samples: int) -> Contestant:
        return Contestant(
            samples,
            lambda: lava_run.run(network, x[:samples], graph=graph).logits,
            lambda: lava_run.run(network, x[:samples, :1], graph=graph),
        )

    return {
        "lava, batched": contestant("batched", 128 if quick else 512),
        "lava, single": contestant("single", 1 if quick else 3),
    }


def instruction_sets(quick: bool) -> dict[str, float]:
    """The paper's network on each instruction set of this machine, one thread."""
    network = paper_network(RATE)
    x = samples_for(network, 64, STEPS)
    names = native.instruction_sets()
    made = {name: with_instruction_set(name, network) for name in names}
    times = in_turns({name: runner(engine, x) for name, engine in made.items()}, 5 if quick else 15)
    print("\ninstruction sets, one thread")
    for name, taken in times.items():
        print(f"  {name:10} {len(x) / taken:10.1f} samples/s   {times['baseline'] / taken:5.2f} x baseline")
    return {f"{name} over baseline": times["baseline"] / taken for name, taken in times.items() if name != "baseline"}


def runner(engine: NativeEngine, x: Samples, threads: int | None = 1) -> Callable[[], Result]:
    """To be called later."""
    return lambda: engine.run(x, threads=threads)


def sweep(title: str, cases: Iterable[tuple[str, NativeEngine, Samples]], rounds: int) -> dict[str, float]:
    """Time for a sample-step and for an event on one thread; ratios are to the first case."""
    made = list(cases)
    times = in_turns({name: runner(engine, x) for name, engine, x in made}, rounds)
    print(f"\n{title}, one thread")
    print(f"  {'':12} {'µs/step':>9} {'events/step':>12} {'ns/1000 events':>15}  spike rates")
    ratios, first = {}, 0.0
    for name, engine, x in made:
        result = engine.run(x)
        step = times[name] / (x.shape[0] * x.shape[1])
        events = operations(result) / (x.shape[0] * x.shape[1])
        print(f"  {name:12} {step * 1e6:9.3f} {events:12.0f} {step / events * 1e12:15.1f}  {rates(result)}")
        first = first or step
        ratios[f"{title}: time of a step, {name}"] = step / first
    return ratios


def sweeps(quick: bool) -> dict[str, float]:
    """How cost grows with spike rate, width, length and batch."""
    rounds = 3 if quick else 7
    spike_rates = (0.05, 0.1, 0.2, 0.5)
    by_rate = {rate: NativeEngine(paper_network(rate)) for rate in spike_rates}
    x = samples_for(by_rate[RATE].network, 32, STEPS)
    ratios = sweep("spike rate", ((f"{rate:.0%}", by_rate[rate], x) for rate in spike_rates), rounds)

    narrow = random_network(0, widths=[64] * 3, spans=SPANS, steps=100, activation_shift=2)
    doublings = range(3 if quick else 4)
    for rate in (0.05, 0.2):
        base = spiking(narrow, samples_for(narrow, 4, 100), rate)
        wide = [(64 * 4**n, NativeEngine(widened(base, n))) for n in doublings]
        cases = ((f"3 x {width}", engine, samples_for(engine.network, 16, 100)) for width, engine in wide)
        ratios |= sweep(f"width at {rate:.0%}", cases, rounds)

    engine = by_rate[RATE]
    lengths = (16, 196, 784, 3136)
    ratios |= sweep(
        "length", ((f"T={steps}", engine, samples_for(engine.network, 16, steps)) for steps in lengths), rounds
    )
    batches = (1, 16, 256) if quick else (1, 16, 256, 2048)
    return ratios | sweep(
        "batch", ((f"B={size}", engine, samples_for(engine.network, size, 98)) for size in batches), rounds
    )


def latency(quick: bool) -> dict[str, float]:
    """A single sample, and a single step of a stream, from the call to the result."""
    network = paper_network(RATE)
    engine = NativeEngine(network)
    x = samples_for(network, 1, STEPS)
    stream = engine.stream()
    one = sorted(seconds(lambda: engine.run(x)) for _ in range(100 if quick else 1000))
    frames = [frame for _ in range(2 if quick else 10) for frame in x[0]]
    steps = sorted(seconds(partial(stream.step, frame)) for frame in frames)
    times = in_turns({"native": lambda: engine.run(x), "numpy": lambda: reference.run(network, x)}, 3)
    print("\nlatency, from Python to Python")
    for name, taken in (("a sample", one), ("a step of a stream", steps)):
        median, tail = statistics.median(taken), taken[len(taken) * 99 // 100]
        print(f"  {name:20} median {median * 1e6:8.1f} µs   99 % {tail * 1e6:8.1f} µs")
    print(f"  a sample, native is {times['numpy'] / times['native']:.0f} x NumPy")
    return {
        "latency: native over numpy, one sample": times["numpy"] / times["native"],
        "latency: seconds of a sample": statistics.median(one),
        "latency: seconds of a step": statistics.median(steps),
    }


# --------------------------------------------------------------------------------------------------------- memory

MEMORY = {"native": 256, "native, ten times as many": 2560, "numpy": 256}
"""Samples of each."""


def memory() -> dict[str, float]:
    """Peak of a fresh process above what it had when network, samples and engine were there."""
    print("\npeak memory beyond network and samples")
    peaks = {}
    for name, samples in MEMORY.items():
        command = [sys.executable, __file__, "--memory-of", name]
        peaks[name] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"  {name:28} {samples:5} samples {peaks[name] / 2**20:10.2f} MiB")
    return {f"memory: numpy over {name}": peaks["numpy"] / max(peaks[name], 1) for name in list(MEMORY)[:2]}


def measure_own_memory(name: str) -> int:
    """The same within this process, in bytes. A first step of one sample brings in what is put off until then."""
    network = random_network(0, widths=WIDTHS, spans=SPANS, steps=STEPS)
    x = samples_for(network, MEMORY[name], STEPS)
    engine = NativeEngine(network)

    def run(fed: Samples) -> None:
        reference.run(network, fed) if name == "numpy" else engine.run(fed)

    run(x[:1, :1])
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    run(x)
    return resident("VmHWM") - before


def resident(what: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


# ------------------------------------------------------------------------------------------------------- the rest


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer rounds, narrower networks")
    parser.add_argument("--json", action="store_true", help="print all ratios as one object at the end")
    parser.add_argument("--memory-of", choices=MEMORY, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(measure_own_memory(options.memory_of))
        return
    ratios = engines(options.quick)
    ratios |= delays(options.quick)
    ratios |= instruction_sets(options.quick)
    ratios |= sweeps(options.quick)
    ratios |= latency(options.quick)
    ratios |= memory()
    if options.json:
        print(json.dumps({name: round(ratio, 7) for name, ratio in ratios.items()}))


if __name__ == "__main__":  # Lava starts processes that import this file
    main()
