"""The generated engine computes what the interpreter computes, bit for bit, for any network of the contract."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import convolutions
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract import neurons
from asrc_core.contract.chain import chain
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.result import LayerCounts, Result
from asrc_core.contract.synapses.connection import INPUT, Connection, Tap, span
from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.errors import BackendFailed, BackendMissing, InvalidData, InvalidSetting
from asrc_core.native.build import CannotBuild
from asrc_export import simulator
from asrc_export.codegen.c import cache
from asrc_export.codegen.c.program import Synapses, order_of
from asrc_export.codegen.c.step import printed
from asrc_export.engines import generated, select
from asrc_export.engines import numpy as reference
from asrc_export.engines.generated import GeneratedEngine

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.skipif(generated.unavailable() is not None, reason="no C compiler")


def inputs(network: IntegerNetwork, batch: int, steps: int = 0, seed: int = 1) -> NDArray[np.int32]:
    entry = network.input
    shape = (batch, steps or network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape, dtype=np.int32)


def require_parity(network: IntegerNetwork, x: NDArray[Any], threads: int | None = None) -> Result:
    """Equal logits, counts and traces; without a trace too."""
    expected = reference.run(network, x, trace=True)
    engine = GeneratedEngine(network)
    require_equal(network, expected, engine.run(x, trace=True, threads=threads), ("numpy", "generated"))
    require_equal(network, expected, engine.run(x, threads=threads), ("numpy", "generated"))
    return expected


def delayed_network(seed: int = 0, neurons_: int = 37) -> IntegerNetwork:
    """A CUBA layer with a delay for every synapse, from the input and from itself, in tiles that do not fill up."""
    rng = np.random.default_rng(seed)

    def connection(source: str, shape: tuple[int, int], least: int) -> Connection:
        weights = 2 * rng.integers(-60, 61, shape)
        return Connection(source, weights, 1, 8, (), rng.integers(least, 63, shape), "synaptic-delay")

    shape, parameters = (neurons_, 19), {"bias": 20, "current_decay": 900, "decay": 300, "threshold": 700}
    parameters["activation_shift"] = 0
    hidden = Layer(
        "hidden",
        (connection(INPUT, shape, 0), connection("hidden", (neurons_, neurons_), 1)),
        Neuron("cuba-lif", {**parameters, "reset": "soft"}),
    )
    readout = Layer("readout", (connection("hidden", (5, neurons_), 0),), Neuron("integrator", {"bias": 0, "decay": 9}))
    return IntegerNetwork(InputFormat(19, 0, 1, 1.0), (hidden, readout), "loihi2", 130)


@pytest.mark.parametrize("block", range(3))
def test_any_network(block: int) -> None:
    """Every kind, source, lag, mapping and parameter that the contract knows, on odd batches."""
    spikes = 0
    for seed in range(30 * block, 30 * (block + 1)):
        network = any_network(seed)
        expected = require_parity(network, inputs(network, 1 + seed % 11, seed=seed), threads=1 + seed % 3)
        spikes += sum(expected.spikes_per_layer)
    assert spikes


@few
@given(cases(max_width=30))
def test_chains(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    """What the native engine runs: graded input, exponents of both signs, saturation, several taps."""
    require_parity(*case)


def test_saturation_is_counted() -> None:
    network = random_network(2, widths=(70, 33), spans=(1, 5), steps=50, decay=0, threshold=2**23 - 1, reset="hard")
    expected = require_parity(network, inputs(network, 4))
    assert all(count.saturations for count in expected.counts[:-1])


CONVOLVED = {
    "one": (convolutions.FIRST,),
    "in a row, in groups": (convolutions.FIRST, convolutions.GROUPED),
    "one dimension": (convolutions.IN_A_ROW,),
}


@pytest.mark.parametrize("of", CONVOLVED.values(), ids=list(CONVOLVED))
@pytest.mark.parametrize("seed", range(3))
def test_convolutions(of: tuple[Convolution, ...], seed: int) -> None:
    """Neurons lie place by place within the engine, and channel by channel wherever one sees them."""
    network = convolutions.network(seed, *of)
    x = inputs(network, 3, seed=seed)
    expected = require_parity(network, x, threads=1)
    assert expected.trace is not None
    assert all(0 < count.spikes < count.neuron_updates for count in expected.counts[:-1])
    stream = GeneratedEngine(network).stream()
    for t, frame in enumerate(x[1]):
        step = stream.step(frame)
        for sent, layer in zip(step.spikes, expected.trace.layers, strict=True):
            assert np.array_equal(sent, layer.spikes[t, 1])
    assert np.array_equal(step.logits, expected.logits[1])


def test_blocks_of_a_convolution_are_its_kernels() -> None:
    """However often a kernel lies over the values, its different blocks are kept once, in few runs."""
    convolution = Convolution((4, 20, 20), (16, 20, 20), (3, 3), (1, 1), (1, 1), (1, 1))
    kernel = 2 * np.random.default_rng(0).integers(1, 60, convolution.kernel_shape)
    connection = Connection(INPUT, convolution.unrolled(kernel), 0, 8, convolution=convolution)
    order = order_of(Layer("layer", (connection,), Neuron("lif", {})))
    sparse = Synapses.of(connection, order).sparse
    assert sparse is not None
    assert len(sparse.weights) == 9 * 4 * 2  # places, channels before, and blocks of 8 of the 16 behind
    assert len(sparse.runs) <= 3 * 4 * 20 * 20


@pytest.mark.parametrize("batch", [1, 2, 7, 8, 9, 16, 23])
def test_delays_in_batches_of_any_size(batch: int) -> None:
    """Eight samples run side by side; here the last ones do not fill up."""
    network = delayed_network()
    expected = require_parity(network, inputs(network, batch), threads=1)
    assert 0 < expected.counts[0].spikes < expected.counts[0].neuron_updates
    assert expected.counts[0].recurrent_operations


@pytest.mark.parametrize("width", [1, 7, 8, 9, 200])
def test_delays_in_tiles_of_any_width(width: int) -> None:
    network = delayed_network(3, width)
    require_parity(network, inputs(network, 3, 80))


def test_delays_of_graded_input() -> None:
    made = delayed_network()
    network = replace(made, input=InputFormat(19, -200, 300, 1.0))
    require_parity(network, inputs(network, 9))


def test_the_number_of_threads_changes_nothing() -> None:
    network = delayed_network()
    x = inputs(network, 70, 20)
    engine = GeneratedEngine(network)
    expected = engine.run(x, trace=True, threads=1)
    for threads in (2, 3, 64):
        require_equal(network, expected, engine.run(x, trace=True, threads=threads), ("one thread", f"{threads}"))


def test_an_engine_serves_several_threads_at_once() -> None:
    network = delayed_network()
    engine = GeneratedEngine(network)
    batches = [inputs(network, 5, 30, seed=seed) for seed in range(6)]
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
        require_equal(network, reference.run(network, x), result, ("numpy", "generated"))


@pytest.mark.parametrize("seed", range(25))
def test_a_stream_gives_what_a_batch_gives(seed: int) -> None:
    network = any_network(seed) if seed else delayed_network()
    x = inputs(network, 2)
    expected = reference.run(network, x, trace=True)
    assert expected.trace is not None
    stream = GeneratedEngine(network).stream()
    total = [LayerCounts()] * len(expected.counts)
    for b, sample in enumerate(x):
        stream.reset()
        for t, frame in enumerate(sample):
            step = stream.step(frame)
            assert np.array_equal(step.logits, expected.trace.readout[t, b])
            for sent, layer in zip(step.spikes, expected.trace.layers, strict=True):
                assert np.array_equal(sent, layer.spikes[t, b])
                assert sent.dtype == layer.spikes.dtype
        total = [a + c for a, c in zip(total, stream.counts, strict=True)]
    assert tuple(total) == expected.counts


def test_a_long_stream_gives_what_a_batch_gives() -> None:
    """Its rings and lists come round many times."""
    network = delayed_network()
    x = inputs(network, 1, 400)
    stream = GeneratedEngine(network).stream()
    for frame in x[0]:
        step = stream.step(frame)
    expected = reference.run(network, x)
    assert np.array_equal(step.logits, expected.logits[0])
    assert stream.counts == expected.counts


# A kind of one's own: every operation, states of all widths, graded messages

EVERYTHING = """
from asrc_core.contract.neurons.kind import Kind, Number, Step, Table


def step(o, p, state, a):
    k, w = p["shift"], state["word"]
    x = o.toward_zero(o.mul(o.sub(a, state["x"]), p["gain"]), k)
    big = o.shl(o.saturate(x, 20), 12)
    y = o.add(o.floor(big, k), o.floor(o.saturate(a, 9), 40))
    fired = o.and_(o.ge(y, p["level"]), o.not_(o.ge(o.mask(w, p["memory"]), 3)))
    level = o.select(o.or_(fired, o.ge(-5, y)), o.table(o.max(o.min(a, 3), 0), p["entries"]), 0)
    word = o.push(w, fired)
    return Step({"x": o.saturate(y, 24), "word": word}, o.saturate(o.floor(level, 3), 7), o.saturate(y, 30))


KIND = Kind(
    parameters={"shift": Number(0, 30), "gain": Number(-9, 9), "level": Number(0, 2**20), "memory": Number(0, 32),
                "entries": Table(-500, 500)},
    states={"x": 24, "word": "word"},
    step=step,
    sends=(-63, 63),
)
"""


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "asrc_kinds"
    folder.mkdir()
    (folder / "everything.py").write_text(EVERYTHING)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    neurons.kind.cache_clear()
    yield "everything"
    neurons.kind.cache_clear()
    for name in ("asrc_kinds.everything", "asrc_kinds"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("seed", range(6))
def test_a_kind_of_every_operation(everything: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 21

    def weights(*shape: int) -> NDArray[np.int64]:
        grid: NDArray[np.int64] = 2 * rng.integers(-100, 100, shape)
        return grid

    parameters = {
        "shift": rng.integers(0, 31, n),
        "gain": rng.integers(-9, 10, n) if seed % 2 else 3,
        "level": rng.integers(0, 2**9, n),
        "memory": rng.integers(0, 33, n),
        "entries": np.array([-400, 250, -150, 480]),
    }
    layers = (
        Layer("first", (Connection(INPUT, weights(n, 3), 0, 8),), Neuron(everything, parameters)),
        Layer(
            "second",
            (
                Connection("first", weights(n, n), -2, 8),
                Connection("second", weights(n, n), -3, 8, span(40), None, "synaptic-delay"),
            ),
            Neuron(everything, parameters),
        ),
        Layer("readout", (Connection("second", weights(4, n), 0, 8),), Neuron("integrator", {"bias": 1})),
    )
    network = IntegerNetwork(InputFormat(3, -20, 20, 1.0), layers, "loihi2", 60)
    expected = require_parity(network, inputs(network, 5, seed=seed))
    assert expected.trace is not None
    sent = expected.trace.layers[1].spikes
    assert sent.min() < 0 < sent.max()
    assert all(count.saturations for count in expected.counts[:-1])


# What stands in the text


def test_networks_of_the_same_kinds_share_their_compiled_steps() -> None:
    """Names, weights and parameters are data: nothing from a network's file reaches the compiler."""
    made = chain(random_network(1, widths=(8,), spans=(3,), steps=5))
    (layer,) = made.layers
    other = replace(made, layers=(replace(layer, name='"; int x[', decay=layer.decay + 1, bias=layer.bias - 7),))
    texts = [
        [printed(*each).text for each in zip(network.layers, network.ranges, strict=True)]
        for network in (made.network(), other.network())
    ]
    assert texts[0] == texts[1]
    assert "layer0" not in texts[0][0]


def test_registers_are_as_wide_as_the_proof_asks() -> None:
    """A membrane times its decay takes 36 bits if it can be large, and 32 if it is proven small."""
    for threshold, wide in ((2**22, True), (100, False)):
        network = random_network(
            1, widths=(4,), spans=(1,), threshold=threshold, activation_shift=0, input_range=(0, 1)
        )
        text = printed(network.layers[0], network.ranges[0]).text
        assert ("const int64_t x" in text) == wide


# What bad input gets


def test_bad_samples_are_refused() -> None:
    network = delayed_network()
    for x, complaint in ((np.zeros((1, 5, 2), int), "channels"), (np.full((1, 5, 19), 2), "range")):
        with pytest.raises(InvalidData, match=complaint):
            GeneratedEngine(network).run(x)
        with pytest.raises(InvalidData, match=complaint):
            GeneratedEngine(network).stream().step(x[0, 0])


def test_a_number_of_threads_that_makes_no_sense() -> None:
    for threads in (0, -1, 2**31):
        with pytest.raises(InvalidSetting, match="threads"):
            GeneratedEngine(delayed_network()).run(np.zeros((1, 5, 19), np.int32), threads=threads)


def test_too_many_synapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "MAX_SYNAPSES", 99)
    network = delayed_network()
    with pytest.raises(BackendFailed, match="'hidden' has 703 synapses from 'input'"):
        GeneratedEngine(network)
    assert select.engine("native", network).name == "numpy"


# Which engine runs a network


def test_the_first_engine_that_runs_a_network_takes_it() -> None:
    of_lif, of_any = random_network(0, widths=(4,), spans=(1,), steps=3), delayed_network()
    for network, name in ((of_lif, "native"), (of_any, "generated")):
        assert select.engine("native", network).name == name
        assert simulator.Simulator(network).engine == name
    x = inputs(of_any, 2, 30)
    require_equal(of_any, reference.run(of_any, x), select.engine().run(of_any, x), ("numpy", "by default"))


def test_without_a_compiler_numpy_takes_over(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(fresh))
    monkeypatch.delenv("CXX", raising=False)
    network = delayed_network()
    assert select.engine("native", network).name == "numpy"
    told = capsys.readouterr().err
    assert "there is no C++ compiler" in told
    assert "The numpy engine takes over: the same bits, more slowly." in told
    assert told.count("\n") == 1
    with pytest.raises(BackendMissing, match="no C"):
        GeneratedEngine(network)


# The cache

ONE, TWO = (f"int answer(void);\nint answer(void) {{ return {number}; }}\n" for number in (1, 2))


def forget() -> None:
    for each in (cache.library, cache.compiler, cache._temporary):
        each.cache_clear()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache in a folder of its own."""
    folder = tmp_path / "compiled"
    monkeypatch.setenv("ASRC_CACHE", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("ASRC_CFLAGS", raising=False)
    forget()
    yield folder
    forget()


def require_answers(text: str, number: int) -> None:
    cache.library.cache_clear()
    assert cache.library(text).answer() == number


def count_compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    compiled: list[str] = []
    original = cache._compile

    def counted(command: list[str], text: str, folder: Path) -> None:
        compiled.append(text)
        original(command, text, folder)

    monkeypatch.setattr(cache, "_compile", counted)
    return compiled


def test_a_folder_that_takes_nothing_more_is_replaced_for_the_process(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cache that was filled when an image was made, and is read only now; what lies in it is used."""
    there = cache.compiled(ONE)
    original = cache._make

    def on_a_full_disk(entry: Path, *rest: Any) -> None:
        if entry.parent == fresh:
            raise OSError(errno.EROFS, "Read-only file system")
        original(entry, *rest)

    monkeypatch.setattr(cache, "_make", on_a_full_disk)
    assert cache.compiled(ONE) == there
    require_answers(TWO, 2)
    assert not list(fresh.glob("*/text.c"))[1:]
    told = (
        f"asrc: '{fresh}' cannot be written to (Read-only file system); what is compiled is kept for this process only."
    )
    assert capsys.readouterr().err == told + "\n"


def test_a_home_that_no_shell_wrote_out_is_found_and_without_one_nothing_is_kept(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ASRC_CACHE", "~/mine")
    assert cache.compiled(ONE).is_relative_to(tmp_path / "mine")
    monkeypatch.setenv("ASRC_CACHE", "~nobody-of-that-name/mine")
    cache.compiled(ONE)
    assert "ASRC_CACHE: this user has no home folder" in capsys.readouterr().err
    assert {each.name for each in tmp_path.iterdir()} == {"mine"}


def test_entries_used_longest_ago_go_first_and_so_does_what_was_left_half_made(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = cache.compiled(ONE).parent, cache.compiled(TWO).parent
    left, busy, theirs = fresh / ".building-left", fresh / ".building-busy", fresh / "thesis"
    for each, age in ((first, 10), (second, 20), (left, 2 * cache.ABANDONED_S), (busy, 30), (theirs, 10**6)):
        each.mkdir(exist_ok=True)
        os.utime(each, (time.time() - age,) * 2)
    monkeypatch.setattr(cache, "KEPT_BYTES", sum(file.stat().st_size for file in first.iterdir()))
    third = cache.compiled("int answer(void);\nint answer(void) { return 3; }\n").parent
    assert {each for each in fresh.iterdir() if each.is_dir()} == {first, third, busy, theirs}


def test_a_text_is_compiled_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = count_compilations(monkeypatch)
    first = cache.compiled(ONE)
    assert cache.compiled(ONE) == first
    assert cache.compiled(TWO) != first
    assert compiled == [ONE, TWO]
    assert first.is_relative_to(fresh)
    assert fresh.stat().st_mode & 0o777 == 0o700
    assert not list(fresh.glob(".building-*"))


def test_another_compiler_or_other_flags_make_another_entry(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.compiled(ONE)
    monkeypatch.setenv("CC", "cc -DOTHER")
    cache.compiler.cache_clear()
    assert cache.compiled(ONE) != first


def test_flags_of_ones_own_come_last(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "int answer(void);\nint answer(void) { return OTHER; }\n"
    for number in (3, 4):
        monkeypatch.setenv("ASRC_CFLAGS", f"-O0 -DOTHER={number}")
        forget()
        assert cache.library(text).answer() == number
        assert cache.compiler()[0][-2:] == ["-O0", f"-DOTHER={number}"]
        assert cache.compiler("-O1")[0].count("-O3") == 0


def tamper_library(entry: Path, other: Path) -> None:
    (entry / "library").write_bytes((other / "library").read_bytes())


def tamper_both(entry: Path, other: Path) -> None:
    tamper_library(entry, other)
    (entry / "seal").write_bytes((other / "seal").read_bytes())


def tamper_by_a_link(entry: Path, other: Path) -> None:
    (entry / "library").unlink()
    (entry / "library").symlink_to(other / "library")


def tamper_seal(entry: Path, other: Path) -> None:
    (entry / "seal").unlink()


def tamper_entry_by_a_link(entry: Path, other: Path) -> None:
    entry.rename(entry.with_name("moved"))
    entry.symlink_to(other)


def tamper_to_a_file(entry: Path, other: Path) -> None:
    entry.rename(entry.with_name("moved"))
    entry.write_text("no folder")


def tamper_permissions(entry: Path, other: Path) -> None:
    tamper_library(entry, other)
    (entry / "library").chmod(0o777)
    entry.chmod(0o777)


@pytest.mark.parametrize(
    "tamper",
    [
        tamper_library,
        tamper_both,
        tamper_by_a_link,
        tamper_seal,
        tamper_entry_by_a_link,
        tamper_to_a_file,
        tamper_permissions,
    ],
)
def test_an_entry_that_was_tampered_with_is_not_loaded(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, tamper: Any
) -> None:
    first, other = cache.compiled(ONE).parent, cache.compiled(TWO).parent
    tamper(first, other)
    compiled = count_compilations(monkeypatch)
    require_answers(ONE, 1)
    assert compiled == [ONE]
    require_answers(ONE, 1)
    assert compiled == [ONE]  # it is sound again


@pytest.mark.parametrize("content", [None, b"", b"x" * 32, b"short"])
def test_without_its_key_nothing_in_a_cache_is_trusted(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    first = cache.compiled(ONE).parent
    key = fresh / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600 if len(content) == 32 else 0o644)
    compiled = count_compilations(monkeypatch)
    assert cache.compiled(ONE).parent == first
    assert compiled == [ONE]


def open_to_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


def a_link(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(0o700)
    folder.symlink_to(elsewhere)


def a_file(folder: Path) -> None:
    folder.write_text("")


def below_an_open_folder(folder: Path) -> None:
    folder.parent.chmod(0o777)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (open_to_others, "is open to others"),
        (a_link, "is a link or a file"),
        (a_file, "cannot be made"),
        (below_an_open_folder, "others can write to"),
    ],
)
def test_a_folder_that_is_not_private_is_not_used(
    fresh: Path, capsys: pytest.CaptureFixture[str], make: Any, why: str
) -> None:
    make(fresh)
    used = cache.compiled(ONE)
    assert not used.resolve().is_relative_to(fresh.resolve())
    assert used.parent.parent.stat().st_mode & 0o777 == 0o700
    cache.compiled(TWO)
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1
    require_answers(ONE, 1)


def test_a_folder_of_somebody_else_is_not_used(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.mkdir(0o700)
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    assert not cache.compiled(ONE).is_relative_to(fresh)
    assert "belongs to somebody else" in capsys.readouterr().err
    assert not list(fresh.iterdir())


def test_a_compiler_that_fails_says_why(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotBuild, match=r"failed: .*error"):
        cache.compiled("int answer(void) { return; ")
    assert not list(fresh.glob(".building-*"))
    monkeypatch.setenv("CC", "/no/such/compiler")
    cache.compiler.cache_clear()
    with pytest.raises(CannotBuild, match="/no/such/compiler"):
        cache.compiled(ONE)
    monkeypatch.setenv("CC", "cc '-DNEVER")
    cache.compiler.cache_clear()
    with pytest.raises(CannotBuild, match=r"CC is no command \(No closing quotation\)"):
        cache.compiled(ONE)


def test_processes_that_compile_the_same_at_once(fresh: Path) -> None:
    program = f"from asrc_export.codegen.c import cache; print(cache.library({ONE!r}).answer())"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in started:
        out, err = process.communicate()
        assert (out, err) == ("1\n", "")
    assert len([each for each in fresh.iterdir() if each.is_dir()]) == 1


# Without undefined behaviour

SANITIZED = """
import sys
sys.path[:0] = {path!r}
from test_generated import *
for seed in range(40):
    network = any_network(seed)
    require_parity(network, inputs(network, 1 + seed % 10, seed=seed), threads=1 + seed % 2)
network = delayed_network()
require_parity(network, inputs(network, 9, 70))
stream = GeneratedEngine(network).stream()
for frame in inputs(network, 1, 200)[0]:
    stream.step(frame)
print("nothing found")
"""


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """Each array is a block of its own to AddressSanitizer, so nothing is read or written beside it."""
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    if runtime.returncode or not os.path.isabs(runtime.stdout.strip()):
        pytest.skip("no gcc with AddressSanitizer")
    here = Path(__file__).resolve()
    environment = {
        **os.environ,
        "ASRC_CACHE": str(tmp_path / "compiled"),
        "CC": "gcc -g -fsanitize=address,undefined -fno-sanitize-recover=all",
        "ASRC_CFLAGS": "-O0",  # the sanitizers check what is written; optimized, compiling takes three times as long
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
        "OPENBLAS_NUM_THREADS": "1",
    }
    program = SANITIZED.format(path=[str(here.parent), str(here.parent.parent / "support")])
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "nothing found\n", done.stderr


def few_weights(kept: float, entry: tuple[int, int], seed: int) -> IntegerNetwork:
    """Layers of which a share of the weights is there, in groups as convolutions have them, with spans and taps."""
    rng = np.random.default_rng(seed)
    neurons_ = 203

    def connection(source: str, inputs_: int, **lags: Any) -> Connection:
        blocks = np.repeat(rng.random((26, inputs_)) < kept, 8, axis=0)[:neurons_]
        return Connection(source, 2 * rng.integers(-127, 128, (neurons_, inputs_)) * blocks, 0, 8, **lags)

    how = {"bias": 5, "decay": 300, "threshold": 900, "activation_shift": 1, "reset": "soft"}
    first = Layer(
        "first",
        (connection(INPUT, 90), connection("first", neurons_, taps=(Tap(2, 1), Tap(5, 3)))),
        Neuron("lif", how),
    )
    second = Layer(
        "second", (connection("first", neurons_), connection("second", neurons_, taps=span(4))), Neuron("lif", how)
    )
    out = Connection("second", 2 * rng.integers(-60, 61, (5, neurons_)), 0, 8)
    readout = Layer("readout", (out,), Neuron("integrator", {"bias": 0, "decay": 9}))
    return IntegerNetwork(InputFormat(90, *entry, 1.0), (first, second, readout), "loihi2", 40)


@pytest.mark.parametrize(("kept", "sparse"), [(0.0, True), (0.02, True), (0.2, True), (0.6, False), (1.0, False)])
@pytest.mark.parametrize("entry", [(0, 1), (-8, 7)])
def test_few_weights_are_added_block_by_block(kept: float, sparse: bool, entry: tuple[int, int]) -> None:
    network = few_weights(kept, entry, seed=3)
    found = [Synapses.of(each) for layer in network.hidden for each in layer.connections]
    assert [each.sparse is not None for each in found] == [sparse] * 4
    require_parity(network, inputs(network, 3))
