"""The native engine computes what the NumPy engine computes, bit for bit, on every instruction set of this machine."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import native_driver
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract.chain import chain
from asrc_core.contract.file import network_file
from asrc_core.contract.interpreter import NumpyStream
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network, random_network, with_spike_rate
from asrc_core.contract.result import LayerCounts, Result
from asrc_core.errors import (
    AsrcError,
    BackendFailed,
    InvalidData,
    InvalidNetwork,
    InvalidSetting,
    SpanTooLong,
    UnknownName,
)
from asrc_core.native import instruction_sets
from asrc_core.native.build import CannotBuild, compiler
from asrc_export import simulator
from asrc_export.engines import generated, native, select
from asrc_export.engines import numpy as reference
from asrc_export.engines.native import NativeEngine, binding, build

Case = tuple[IntegerNetwork, NDArray[np.int32]]

many = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(many, max_examples=60)


def has_compiler() -> bool:
    try:
        return bool(compiler())
    except CannotBuild:
        return False


pytestmark = pytest.mark.skipif(
    not has_compiler() and not build.LIBRARY.path.exists(), reason="no C++ compiler when the package was installed"
)


def test_the_library_was_built_where_there_is_a_compiler() -> None:
    assert native.unavailable() is None
    assert set(native.instruction_sets()) <= set(instruction_sets.KNOWN)


def engines(network: IntegerNetwork, only: str = "") -> Iterator[tuple[str, NativeEngine]]:
    """One for each instruction set of this machine, or for the only one asked for."""
    for name in [only] if only else native.instruction_sets():
        with mock.patch.dict(os.environ, ASRC_ISA=name):
            engine = NativeEngine(network)
        assert engine.instruction_set == name
        yield name, engine


def require_parity(network: IntegerNetwork, x: NDArray[Any], only: str = "") -> Result:
    """Equal logits, counts and traces on every instruction set; without a trace too, where shortcuts are taken."""
    expected = reference.run(network, x, trace=True)
    for name, engine in engines(network, only):
        for trace in (True, False):
            require_equal(network, expected, engine.run(x, trace=trace), ("numpy", name))
    return expected


an_instruction_set = st.deferred(lambda: st.sampled_from(native.instruction_sets()))


@pytest.mark.slow
@many
@given(cases(), an_instruction_set)
def test_a_thousand_networks(case: Case, name: str) -> None:
    require_parity(*case, only=name)


@few
@given(cases(max_width=40, max_steps=100, max_span=63), an_instruction_set)
def test_spans_up_to_63(case: Case, name: str) -> None:
    require_parity(*case, only=name)


@few
@given(cases(max_width=20, max_steps=20), an_instruction_set)
def test_networks(case: Case, name: str) -> None:
    require_parity(*case, only=name)


def inputs(network: IntegerNetwork, batch: int, steps: int = 0, seed: int = 1) -> NDArray[np.int32]:
    entry = network.input
    shape = (batch, steps or network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape, dtype=np.int32)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.7, 0.95])
def test_every_spike_rate(rate: float) -> None:
    """Above one half it is the silent neurons' rows that are subtracted."""
    network = random_network(3, widths=(130, 64, 200), steps=60, exponents=(0, -2))
    x = inputs(network, 3)
    network = with_spike_rate(network, x[:1, :20], rate)
    expected = require_parity(network, x)
    assert all(count.spikes for count in expected.counts[:-1])


@pytest.mark.parametrize(("width", "batch"), [(300, 3), (520, 21), (1000, 2)])
def test_wide_layers(width: int, batch: int) -> None:
    """Several tiles, samples in groups that do not fill up, and sums that are not proven to fit 16 bits."""
    network = random_network(5, widths=(width, width), spans=(3, 11), steps=12, exponents=(-1, -1))
    network = with_spike_rate(network, inputs(network, 1, 4), 0.4)
    require_parity(network, inputs(network, batch))


def test_sums_beyond_16_bits() -> None:
    """All weights at their largest, all neurons spiking or none: the sums of 700 rows need 32 bits."""
    made = chain(random_network(1, widths=(700, 700), spans=(2, 1), steps=9, activation_shift=0, threshold=1))
    first, second = made.layers
    for weight in (254, -256):
        layer = replace(second, feedforward=np.full_like(second.feedforward, weight), bias=second.bias * 0)
        network = replace(made, layers=(replace(first, bias=np.full_like(first.bias, 2**20)), layer)).network()
        assert network.ranges[1].feedforward.magnitude > 2 * 2**15
        expected = require_parity(network, inputs(network, 2))
        assert expected.counts[0].spikes == 2 * 9 * 700


def test_saturation_is_counted() -> None:
    network = random_network(2, widths=(70, 33), spans=(1, 5), steps=50, decay=0, threshold=2**23 - 1, reset="hard")
    expected = require_parity(network, inputs(network, 4))
    assert all(count.saturations for count in expected.counts[:-1])


def test_a_readout_that_saturates_on_its_way() -> None:
    """Up to the bound and back: the sum of all steps would be wrong, and the engine has to notice."""
    made = random_network(2, widths=(64,), spans=(1,), steps=400, classes=3)
    network = chain(with_spike_rate(made, inputs(made, 1, 30), 0.3))
    weight = np.where(np.arange(64) % 2 == 0, 254, -256) + np.zeros((3, 64), np.int64)
    for bias in (2**20, -(2**20), 2**23 - 1, 0):
        readout = replace(network.readout, weight=weight, exponent=4, bias=np.array([bias, -bias, 0]))
        expected = require_parity(replace(network, readout=readout).network(), inputs(made, 2))
        assert (expected.counts[-1].saturations > 0) == (bias != 0)


@pytest.mark.parametrize("steps", [1, 15, 16, 17, 255, 256, 257, 600])
def test_chunks_of_steps(steps: int) -> None:
    network = with_spike_rate(made := random_network(4, widths=(20, 64), spans=(32, 7)), inputs(made, 1, 30), 0.2)
    require_parity(network, inputs(network, 3, steps))


@pytest.mark.parametrize("exponents", [(0, 0), (0, -1), (-5, 2), (3, 3), (-16, -9)])
@pytest.mark.parametrize("activation_shift", [0, 1, 6])
def test_exponents(exponents: tuple[int, int], activation_shift: int) -> None:
    made = random_network(6, channels=3, widths=(65, 64), spans=(2, 3), exponents=exponents, steps=30)
    layers = [replace(layer, activation_shift=activation_shift, weight_bits=8) for layer in chain(made).layers]
    require_parity(replace(chain(made), layers=tuple(layers)).network(), inputs(made, 2))


@pytest.mark.parametrize("decay", [0, 1, 2, 48, 512, 1024, 2047, 2048, 2560, 3072, 4064, 4080, 4095, 4096])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_decays(decay: int, reset: Any) -> None:
    network = random_network(7, widths=(66,), spans=(4,), decay=decay, reset=reset, steps=40, input_range=(-128, 127))
    require_parity(network, inputs(network, 3))


@pytest.mark.parametrize("span", [(0, 1), (1, 1), (0, 0), (-1, 1), (-32768, 32767), (0, 32768), (-70000, 9), (5, 9)])
@pytest.mark.parametrize("channels", [1, 2, 63, 65, 130])
def test_input_ranges(span: tuple[int, int], channels: int) -> None:
    """Binary, pairs of 16-bit values, and those that need 32 bits; half of them zero where that is allowed."""
    network = random_network(
        8,
        channels=channels,
        widths=(70,),
        spans=(3,),
        steps=12,
        activation_shift=0,
        exponents=(-6, 0),
        input_range=span,
    )
    x = inputs(network, 3)
    if span[0] <= 0 <= span[1]:
        x *= np.random.default_rng(2).integers(0, 2, x.shape, dtype=np.int32)
    require_parity(network, x)


TAPS = [
    [(1, 1), (2, 1)],
    [(3, 5), (4, 2), (32, 120)],
    [(j + 5, 2 * j + 1) for j in range(8)],
]


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize(("input_range", "exponent"), [((0, 1), 0), ((0, 255), -1), ((-70000, 9), -7)])
def test_several_taps_of_a_delay_line(taps: list[tuple[int, int]], input_range: tuple[int, int], exponent: int) -> None:
    """Behind binary input, pairs of 16-bit values and those of 32 bits, and behind a layer with one span."""
    spans = (taps, 3, taps)
    made = random_network(
        17,
        widths=(65, 20, 7),
        spans=spans,
        steps=70,
        exponents=(exponent, -3),
        activation_shift=2,
        input_range=input_range,
    )
    network = with_spike_rate(made, inputs(made, 1, 40), 0.3)
    expected = require_parity(network, inputs(network, 3))
    assert all(count.recurrent_operations for count in expected.counts[:-1])


@pytest.mark.parametrize(("width", "batch"), [(300, 3), (600, 18)])
def test_wide_layers_of_several_taps(width: int, batch: int) -> None:
    """Several tiles, and samples in groups; messages at their greatest."""
    made = random_network(18, widths=(width, 40), spans=([(2, 100), (3, 27)], [(1, 1), (30, 9)]), steps=10)
    network = with_spike_rate(made, inputs(made, 1, 8), 0.4)
    require_parity(network, inputs(network, batch))


@pytest.mark.parametrize("steps", [1, 16, 257, 600])
def test_chunks_of_steps_of_several_taps(steps: int) -> None:
    made = random_network(19, widths=(20, 64), spans=([(7, 3), (32, 1)], [(1, 2), (2, 1), (31, 4)]))
    require_parity(with_spike_rate(made, inputs(made, 1, 30), 0.2), inputs(made, 2, steps))


def test_doubling_every_taps_weight_doubles_the_recurrent_weights() -> None:
    """What is right, said by the definition and not by another engine."""
    made = random_network(20, widths=(40,), spans=([(2, 3), (5, 1)],), steps=40)
    (layer,) = chain(with_spike_rate(made, inputs(made, 1, 30), 0.3)).layers
    louder = replace(layer, taps=tuple(tap._replace(weight=2 * tap.weight) for tap in layer.taps))
    shifted = replace(layer, recurrent_exponent=layer.recurrent_exponent + 1)
    x = inputs(made, 2)
    networks = (replace(chain(made), layers=(each,)).network() for each in (louder, shifted))
    first, second = (NativeEngine(each).run(x, trace=True) for each in networks)
    require_equal(made, first, second, ("weights", "exponent"))
    assert first.counts[0].recurrent_operations


def test_weights_of_zero() -> None:
    made = chain(random_network(9, widths=(30, 40), spans=(2, 2), steps=20, exponents=(-3, 5)))
    for kept in ("feedforward", "recurrent", ""):
        layers = []
        for layer in made.layers:
            zeros = {name: getattr(layer, name) * (name == kept) for name in ("feedforward", "recurrent")}
            layers.append(replace(layer, **zeros))  # type: ignore[arg-type]
        readout = replace(made.readout, weight=made.readout.weight * (kept != ""), exponent=16 if kept == "" else 0)
        network = replace(made, layers=tuple(layers), readout=readout).network()
        require_parity(network, inputs(network, 2))


def test_the_number_of_threads_changes_nothing() -> None:
    network = with_spike_rate(made := random_network(10, steps=40), inputs(made, 1, 30), 0.1)
    x = inputs(network, 23)
    engine = NativeEngine(network)
    expected = engine.run(x, trace=True, threads=1)
    for threads in (2, 3, 7, 64):
        require_equal(network, expected, engine.run(x, trace=True, threads=threads), ("one thread", f"{threads}"))


def test_an_engine_serves_several_threads_at_once() -> None:
    network = with_spike_rate(made := random_network(11, steps=60), inputs(made, 1, 30), 0.1)
    engine = NativeEngine(network)
    batches = [inputs(network, 9, seed=seed) for seed in range(6)]
    results: list[Result | None] = [None] * len(batches)

    def work(i: int) -> None:
        results[i] = engine.run(batches[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for x, result in zip(batches, results, strict=True):
        assert result is not None
        require_equal(network, reference.run(network, x), result, ("numpy", "native"))


@few
@given(cases(max_width=20, max_steps=80, max_span=63))
def test_a_stream_gives_what_a_batch_gives(case: Case) -> None:
    network, x = case
    expected = reference.run(network, x, trace=True)
    assert expected.trace is not None
    for stream in (NativeEngine(network).stream(), NumpyStream(network)):
        total = [LayerCounts()] * len(expected.counts)
        for b, sample in enumerate(x):
            stream.reset()
            for t, frame in enumerate(sample):
                step = stream.step(frame)
                assert np.array_equal(step.logits, expected.trace.readout[t, b])
                for spikes, layer in zip(step.spikes, expected.trace.layers, strict=True):
                    assert np.array_equal(spikes, layer.spikes[t, b])
            assert step.prediction == expected.predictions[b]
            total = [a + b for a, b in zip(total, stream.counts, strict=True)]
        assert tuple(total) == expected.counts


def test_a_long_stream_gives_what_a_batch_gives() -> None:
    """Its packed spikes run over the end of their room several times."""
    made = random_network(16, widths=(64, 20), spans=(63, 1), steps=1, mapping="synaptic-delay")
    network = with_spike_rate(made, inputs(made, 1, 100), 0.2)
    x = inputs(network, 1, 1500)
    stream = NativeEngine(network).stream()
    for frame in x[0]:
        step = stream.step(frame)
    expected = reference.run(network, x)
    assert np.array_equal(step.logits, expected.logits[0])
    assert stream.counts == expected.counts


def test_streams_of_one_engine_do_not_meet() -> None:
    network = with_spike_rate(made := random_network(12, steps=30), inputs(made, 1, 30), 0.1)
    x = inputs(network, 2)
    engine = NativeEngine(network)
    streams = [engine.stream(), engine.stream()]
    del engine  # a stream keeps what it needs
    for t in range(30):
        steps = [stream.step(sample[t]) for stream, sample in zip(streams, x, strict=True)]
    assert np.array_equal([step.logits for step in steps], reference.run(network, x).logits)


def test_memory_does_not_grow_with_a_stream() -> None:
    network = random_network(13, widths=(64,), spans=(9,), threshold=2**23 - 1)
    stream = NativeEngine(network).stream()
    frame = np.array([7])
    for _ in range(1000):
        stream.step(frame)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20_000):
        stream.step(frame)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2048  # KiB; a trace would take five times that
    assert stream.counts[0].neuron_updates == 21_000 * 64


# What bad input gets


def small() -> IntegerNetwork:
    return random_network(14, channels=2, widths=(8,), spans=(3,), steps=5)


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros((0, 5, 2), np.int32), "shape"),
        (np.zeros((1, 0, 2), np.int32), "shape"),
        (np.zeros((1, 5), np.int32), "shape"),
        (np.zeros((1, 5, 3), np.int32), "channels"),
        (np.full((1, 5, 2), np.nan), "type"),
        (np.zeros((1, 5, 2), np.float32), "type"),
        (np.zeros((1, 5, 2), object), "type"),
        (np.full((1, 5, 2), 256), "range"),
        (np.full((1, 5, 2), -1), "range"),
        (np.full((1, 5, 2), 2**64 - 1, np.uint64), "range"),
        (np.full((1, 5, 2), 2**32, np.int64), "range"),  # 0, if it were cut to 32 bits
    ],
)
def test_bad_samples_are_refused(x: NDArray[Any], complaint: str) -> None:
    with pytest.raises(InvalidData, match=complaint):
        NativeEngine(small()).run(x)
    if x.ndim == 3 and x.shape[0] and x.shape[1]:
        with pytest.raises(InvalidData, match=complaint):
            NativeEngine(small()).stream().step(x[0, 0])


def test_frames_of_another_shape_are_refused() -> None:
    stream = NativeEngine(small()).stream()
    for frame in (np.int64(3), np.zeros((1, 2), np.int64), np.zeros(0, np.int64)):
        with pytest.raises(InvalidData):
            stream.step(np.asarray(frame))


def test_samples_of_any_layout_and_integer_type() -> None:
    network = random_network(15, channels=3, widths=(8,), spans=(3,), steps=5, input_range=(0, 100))
    x = inputs(network, 4)
    expected = reference.run(network, x)
    for same in (
        np.asfortranarray(x),
        x[::-1][::-1],
        np.repeat(x, 2, axis=1)[:, ::2],
        x.astype(np.uint8),
        x.astype(">i8"),
    ):
        require_equal(network, expected, NativeEngine(network).run(same), ("numpy", "native"))


def test_invalid_networks_are_refused() -> None:
    made = chain(small())
    (layer,) = made.layers
    broken: list[tuple[type[AsrcError], dict[str, Any]]] = [
        (SpanTooLong, {"span": 33}),
        (InvalidNetwork, {"span": 0}),
        (InvalidNetwork, {"span": -(2**31)}),
        (InvalidNetwork, {"feedforward_exponent": 17}),
        (InvalidNetwork, {"feedforward_exponent": 2**31}),
        (InvalidNetwork, {"activation_shift": -1}),
        (InvalidNetwork, {"decay": 4097}),
        (InvalidNetwork, {"threshold": 0}),
        (InvalidNetwork, {"recurrent": layer.recurrent[:4]}),
        (InvalidNetwork, {"feedforward": layer.feedforward + 1}),
        (InvalidNetwork, {"bias": layer.bias[:3]}),
    ]
    for error, change in broken:
        with pytest.raises(error):
            NativeEngine(replace(made, layers=(replace(layer, **change),)).network())


def test_networks_of_another_form_are_refused() -> None:
    network = any_network(0, kinds=["cuba-lif"])
    why = native.why_not(network)
    assert why is not None
    assert "of kind 'cuba-lif', not 'lif'" in why
    with pytest.raises(BackendFailed, match="of kind 'cuba-lif', not 'lif'"):
        NativeEngine(network)
    assert native.why_not(small()) is None


def test_a_number_of_threads_that_makes_no_sense() -> None:
    for threads in (0, -1, 2**31):
        with pytest.raises(InvalidSetting, match="threads"):
            NativeEngine(small()).run(np.zeros((1, 5, 2), np.int32), threads=threads)


def test_a_layer_too_wide_for_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MAX_FAN_IN", 9)
    with pytest.raises(BackendFailed, match="'layer0' has 10"):
        NativeEngine(small())


def test_instruction_sets_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASRC_ISA", "mmx")
    with pytest.raises(UnknownName, match="mmx"):
        NativeEngine(small())
    missing = next(name for name in instruction_sets.KNOWN if name not in native.instruction_sets())
    monkeypatch.setenv("ASRC_ISA", missing)
    with pytest.raises(InvalidSetting, match=f"no {missing}"):
        NativeEngine(small())
    monkeypatch.setenv("ASRC_ISA", "")
    assert NativeEngine(small()).instruction_set == native.instruction_sets()[0]


# The library and what happens without it


@dataclass
class OtherLibrary:
    """In the place of build.LIBRARY."""

    path: Path
    stamp: str

    def source_hash(self) -> str:
        return self.stamp


@pytest.fixture
def other_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherLibrary]:
    other = OtherLibrary(tmp_path / build.LIBRARY.path.name, build.LIBRARY.source_hash())
    monkeypatch.setattr(build, "LIBRARY", other)
    binding.library.cache_clear()
    yield other
    binding.library.cache_clear()


def require_taken_over(capsys: pytest.CaptureFixture[str], why: str) -> None:
    """By the generated engine where there is a compiler, else by NumPy: one line says so."""
    name = "numpy" if generated.unavailable() else "generated"
    assert select.engine("native").name == name
    told = capsys.readouterr().err
    assert why in told
    assert f"The {name} engine takes over" in told
    assert told.count("\n") == 1
    network = small()
    x = inputs(network, 2)
    ready = simulator.Simulator(network)
    assert ready.engine == name
    require_equal(network, reference.run(network, x), ready.run(x), ("numpy", "fallback"))
    stream = ready.stream()
    for frame in x[1]:
        step = stream.step(frame)
    assert np.array_equal(step.logits, ready.run(x).logits[1])


def test_without_a_library_another_takes_over(other_library: OtherLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    require_taken_over(capsys, "without a C++ compiler")


def test_a_broken_library_is_not_used(other_library: OtherLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    other_library.path.write_bytes(b"\x7fELF and then nothing")
    require_taken_over(capsys, "does not load")


def test_a_stale_library_is_not_used(other_library: OtherLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(Path(native.__file__).with_name(other_library.path.name), other_library.path)
    other_library.stamp = "0" * 64
    require_taken_over(capsys, "not of these sources")


def test_a_build_without_a_compiler_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(CannotBuild, match="/no/such/compiler"):
        build.build(tmp_path / "library.so")
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBuild, match="no C\\+\\+ compiler"):
        build.build(tmp_path / "library.so")
    assert not list(tmp_path.iterdir())


def test_a_build_that_is_up_to_date_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/no/such/compiler")
    assert build.build() == build.LIBRARY.path


def test_engines_by_name() -> None:
    assert select.engine().name == "native"
    assert select.engine("numpy").run is reference.run
    with pytest.raises(UnknownName, match="generated, native, numpy, onnx"):
        select.engine("abacus")


def test_a_network_file_runs(tmp_path: Path) -> None:
    network = small()
    x = inputs(network, 3)
    network_file.save(network, tmp_path / "model.safetensors")
    ready = simulator.load(tmp_path / "model.safetensors")
    expected = reference.run(network, x, trace=True)
    require_equal(network, expected, ready.run(x, trace=True), ("numpy", "simulator"))
    parts = list(ready.run_each(x[i : i + 1] for i in range(3)))
    assert np.array_equal(np.concatenate([part.logits for part in parts]), expected.logits)


# Without Python in the process


def varied_cases() -> list[Case]:
    made = [
        random_network(20, widths=(64, 70), spans=(9, 25)),
        random_network(21, channels=3, widths=(70, 33), spans=(1, 63), exponents=(-2, 1), mapping="synaptic-delay"),
        random_network(22, widths=(200,), spans=(5,), exponents=(0, -1), decay=1000, reset="hard", input_range=(0, 1)),
        random_network(23, channels=5, widths=(64,), spans=(32,), input_range=(-40000, 40000), activation_shift=0),
        random_network(24, widths=(70,), spans=(2,), decay=0, threshold=2**23 - 1, input_range=(3, 255)),
        random_network(25, widths=(290,), spans=(7,), threshold=1, classes=130),
        random_network(26, widths=(70, 33), spans=([(1, 3), (30, 100)], TAPS[2]), exponents=(0, -3), threshold=9999),
        random_network(27, channels=3, widths=(150,), spans=(TAPS[1],), input_range=(0, 1), threshold=1),
    ]
    return [(network, inputs(network, 2, 9 + 3 * i)) for i, network in enumerate(made)]


def require_driver_parity(driver: Path, isa: str, **options: Any) -> None:
    made = varied_cases()
    for (network, x), result in zip(made, native_driver.run(driver, made, isa, **options), strict=True):
        require_equal(network, reference.run(network, x, trace=True), result, ("numpy", isa))


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(sanitizer: str, tmp_path: Path) -> None:
    if not has_compiler():
        pytest.skip("no C++ compiler")
    flags = ("-O0", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")  # -O1 takes three times as long
    driver = native_driver.compile_driver(tmp_path, flags)
    for name in native.instruction_sets():
        require_driver_parity(driver, name)


@pytest.mark.slow
def test_neon_under_an_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if not compiler or not emulator:
        pytest.skip("no aarch64-linux-gnu-g++ and qemu-aarch64")
    monkeypatch.setenv("CXX", compiler)
    driver = native_driver.compile_driver(tmp_path, machine="aarch64")
    require_driver_parity(driver, "neon", emulator=(emulator, "-L", "/usr/aarch64-linux-gnu"))
