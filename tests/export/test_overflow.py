"""Overflow: proofs hold, examples really saturate, what is not known is said so; headroom is that of the bounds."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract.chain import Chain, Readout, SkipLayer, chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import REGISTER_MAX, STATE_MAX, WORD
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.result import Result
from asrc_core.contract.synapses.connection import Connection
from asrc_core.errors import UnreadableFile
from asrc_export.checks import overflow
from asrc_export.checks.headroom import headroom
from asrc_export.commands import check as cli_check
from asrc_export.engines import numpy as engine
from asrc_export.engines import select
from asrc_export.exporting import Exported
from asrc_export.samples import samples_file
from asrc_lava.commands import sim as cli_sim


def layer(name: str, weights: list[list[int]], *, shift: int = 0, decay: int = 4096, threshold: int = 1) -> SkipLayer:
    """A layer whose neurons send each other nothing."""
    w = np.array(weights, np.int64)
    return SkipLayer(
        name=name,
        feedforward=w,
        feedforward_exponent=0,
        recurrent=np.zeros((len(w), len(w)), np.int64),
        recurrent_exponent=0,
        bias=np.zeros(len(w), np.int64),
        decay=decay,
        threshold=threshold,
        span=1,
        reset="hard",
        activation_shift=shift,
        weight_bits=8,
        scale=1.0,
    )


def network(*layers: SkipLayer, steps: int = 20, weight: int = 2, top: int = 255) -> IntegerNetwork:
    """Layers on inputs of 0 to ``top``, and a readout of one class."""
    out = Readout("readout", np.full((1, layers[-1].neurons), weight), 0, np.zeros(1, np.int64), 8, 1.0)
    entry = InputFormat(layers[0].inputs, 0, top, 1.0)
    return Chain(entry, tuple(layers), out, "delay-line", "loihi2", steps).network()


# One neuron reaches 255 * 254 * 2^7 only where its first input is high and its second is low; it never fires.
PICKY = layer("picky", [[254, -256], [2, 2]], shift=7, decay=0, threshold=STATE_MAX)


def verdict_of(network: IntegerNetwork, name: str) -> overflow.Verdict:
    return next(each for each in overflow.search(network, engine.run) if each.name == name)


def saturated(value: int, limit: int) -> int:
    """What of a worst case is left in a register: a range wholly beyond the limit leaves the limit."""
    return max(-limit, min(limit, value))


def saturations(network: IntegerNetwork, x: NDArray[np.int32], name: str) -> int:
    return engine.run(network, x).counts[network.names.index(name)].saturations


def test_an_exported_network_cannot_overflow_and_is_said_so(exported: Exported) -> None:
    verdicts = overflow.search(exported.network, engine.run)
    assert [each.kind for each in verdicts] == ["proven"] * 3
    assert str(verdicts[0]) == "layer0: cannot overflow, whatever the input"


def test_the_input_found_saturates_where_and_when_it_says() -> None:
    made = network(PICKY)
    found = verdict_of(made, "picky")
    assert found.kind == "example"
    assert found.example is not None
    trace = engine.run(made, found.example.x, trace=True).trace
    assert trace is not None
    full = np.abs(trace.layers[0].membrane) == STATE_MAX
    assert full[found.example.step, 0, found.example.neuron]
    assert not full[: found.example.step].any()
    assert saturations(made, found.example.x, "picky") == found.example.saturations > 0


def test_the_first_layer_is_driven_by_the_frame_that_is_worst_for_a_neuron() -> None:
    """255 * 254 * 2^7 is just below the limit: only both inputs at their ends for two steps get there."""
    found = verdict_of(network(PICKY, steps=2), "picky")
    assert found.example is not None
    assert found.example.x[0, :, 0].tolist() == [255, 255]
    assert found.example.x[0, :, 1].tolist() == [0, 0]


def test_a_deeper_layer_and_the_readout_are_made_to_overflow_through_the_layers_before() -> None:
    first = layer("first", [[254, -256], [-256, 254]], threshold=60_000)  # fires on one input alone
    second = layer("second", [[254, -256]], shift=15, decay=0, threshold=1)
    made = network(first, second, steps=12)
    begun = chain(made)
    made = replace(begun, readout=replace(begun.readout, weight=np.array([[254]]), exponent=12)).network()
    verdicts = {each.name: each for each in overflow.search(made, engine.run)}
    assert verdicts["first"].kind == "proven"
    for name in ("second", "readout"):
        example = verdicts[name].example
        assert example is not None, str(verdicts[name])
        assert saturations(made, example.x, name) == example.saturations > 0


def test_an_overflow_that_takes_a_change_of_input_is_found() -> None:
    """The second layer takes two neurons in turn: A, which fires on high input, and B, which fires on low."""
    first = replace(layer("first", [[2], [-2]], threshold=200), bias=np.array([0, 300]))
    both = layer("both", [[254, 254]], shift=14, decay=0, threshold=STATE_MAX)
    made = network(first, both, steps=3)
    assert verdict_of(made, "both").kind == "example"


def test_what_the_bound_allows_and_no_input_does_is_left_open_in_words() -> None:
    """No neuron reaches its threshold, so the recurrence that the bound counts on never comes."""
    mute = layer("mute", [[2]], shift=15, threshold=STATE_MAX)
    mute = replace(mute, recurrent=np.array([[254]]), recurrent_exponent=2)
    found = verdict_of(network(mute, top=1), "mute")
    assert found.kind == "open"
    assert found.example is None
    assert found.tried > 100
    assert found.reached == 2 << 15
    assert "could overflow by the bound, but none of the" in str(found)
    assert "7.00 bits below" in str(found)


def test_the_same_network_gives_the_same_answer() -> None:
    made = random_network(3, widths=(9, 8), spans=(2, 3), steps=15, exponents=(3, 7), activation_shift=6, decay=100)
    first, again = (overflow.search(made, engine.run) for _ in range(2))
    assert [str(each) for each in first] == [str(each) for each in again]


@settings(max_examples=15, deadline=None)
@given(cases(max_width=8, max_steps=8))
def test_whatever_the_network_the_verdicts_are_true(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    made, x = case
    counts = engine.run(made, x).counts
    for i, found in enumerate(overflow.search(made, engine.run, x)):
        assert (found.kind == "proven") == found.worst.fits_state
        if found.kind == "proven":
            assert counts[i].saturations == 0
        if found.example is not None:
            assert engine.run(made, found.example.x).counts[i].saturations == found.example.saturations > 0
        elif counts[i].saturations:
            assert len(x) > overflow.PARENTS, "a given sample saturates, so an example was at hand"


@settings(max_examples=40, deadline=None)
@given(cases(max_width=12, max_steps=12))
def test_what_is_observed_lies_within_the_worst_case(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    made, x = case
    for each in headroom(made, x, accumulator_bits=22):
        assert each.observed is not None
        low, high = each.worst.low, each.worst.high
        if each.quantity in ("membrane", "accumulator"):
            low, high = saturated(low, STATE_MAX), saturated(high, STATE_MAX)
        assert each.limit == {
            "membrane": STATE_MAX,
            "accumulator": STATE_MAX,
            "synaptic accumulator": 2**21 - 1,
        }.get(each.quantity, REGISTER_MAX)
        assert low <= each.observed.low <= each.observed.high <= high


@settings(max_examples=60, deadline=None)
@example(32)  # a membrane whose worst case lies wholly beyond the limit
@given(st.integers(0, 10**6))
def test_of_any_network_every_sum_and_state_is_watched_and_stays_within_its_worst_case(seed: int) -> None:
    made = any_network(seed)
    low, high = made.input.minimum, made.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (3, made.steps, made.input.channels))
    rows = headroom(made, x, accumulator_bits=22)
    names = [(each.layer, each.quantity) for each in rows]
    assert len(set(names)) == len(names)
    for layer in made.layers:
        mine = [each for each in rows if each.layer == layer.name]
        assert sum(" sum" in each.quantity for each in mine) == len(layer.connections)
        states = [each.quantity for each in mine if each.quantity.startswith("state ")]
        numbers = [f"state {name}" for name, width in layer.neuron.states.items() if width != WORD]
        assert states == (numbers if len(layer.neuron.states) > 1 else [])
        assert mine[-1].quantity == ("accumulator" if layer is made.readout else "membrane")
    for each in rows:
        assert each.observed is not None
        bottom, top = saturated(each.worst.low, each.limit), saturated(each.worst.high, each.limit)
        if each.quantity.endswith("sum") or each.quantity == "synaptic accumulator":
            bottom, top = each.worst.low, each.worst.high
        assert bottom <= each.observed.low <= each.observed.high <= top, each


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_of_any_network_the_verdicts_are_true(seed: int) -> None:
    made = any_network(seed, max_width=6, max_steps=8)
    low, high = made.input.minimum, made.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (3, made.steps, made.input.channels), dtype=np.int32)
    counts = engine.run(made, x).counts
    for i, found in enumerate(overflow.search(made, engine.run, x)):
        if found.kind == "proven":
            assert counts[i].saturations == 0
        if found.example is not None:
            assert engine.run(made, found.example.x).counts[i].saturations == found.example.saturations > 0
            before = engine.run(made, found.example.x[:, : found.example.step]) if found.example.step else None
            assert before is None or before.counts[i].saturations == 0
            upto = engine.run(made, found.example.x[:, : found.example.step + 1])
            assert upto.counts[i].saturations > 0
        else:
            assert counts[i].saturations == 0, "a given sample saturates, so an example was at hand"


def test_a_readout_that_saturates_behind_its_weights_over_time_is_found() -> None:
    """What it shows stays 0, since the weight of every step is; the sum behind it saturates."""
    spikes = layer("spikes", [[254]], threshold=1)
    made = network(spikes, steps=6)
    last = Connection("spikes", np.array([[254]]), 14, 8)
    out = Layer("readout", (last,), Neuron("integrator", {"bias": 0, "time_weights": np.array([0])}))
    made = replace(made, layers=(made.layers[0], out))
    found = verdict_of(made, "readout")
    assert found.example is not None
    assert (found.example.step, found.example.neuron) == (2, 0)  # 3 x 254 x 2^14 is beyond 24 bits


def test_headroom_is_the_logarithm_of_what_is_left() -> None:
    made = network(layer("only", [[254, -256]], shift=2), steps=10)
    spare = {(each.layer, each.quantity): each for each in headroom(made)}
    assert spare["only", "feed-forward sum"].worst.high == 254 * 255
    assert spare["only", "feed-forward sum"].bits == pytest.approx(math.log2(REGISTER_MAX / (256 * 255)))
    assert spare["only", "membrane"].bits == pytest.approx(math.log2(STATE_MAX / (4 * 256 * 255)))
    assert spare["readout", "accumulator"].worst.high == 10 * 2
    assert spare["readout", "accumulator"].observed_bits is None


def test_the_command_writes_the_example_and_asrc_sim_counts_its_saturations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    network_file.save(network(PICKY), "picky.safetensors")
    assert cli_check.main(["picky.safetensors", "--engine", "numpy", "--save", "found.npz"]) == 0
    printed = capsys.readouterr().out
    assert "picky: overflows for some inputs" in printed
    assert "readout: cannot overflow" in printed
    assert "observed on no data" in printed
    assert cli_sim.main(["picky.safetensors", "--backend", "numpy", "--input", "found.npz", "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["saturations_per_layer"][0] > 0
    assert outcome["accuracy"] is None
    assert cli_sim.main(["picky.safetensors", "--backend", "numpy", "--input", "found.npz"]) == 0
    assert "warning: " in capsys.readouterr().out


def test_the_command_shows_what_is_observed_and_what_is_proven(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_check.main([str(exported.path), "--engine", "numpy"]) == 0
    printed = capsys.readouterr().out
    assert "64 training samples of 'digits'" in printed
    assert printed.count("cannot overflow, whatever the input") == 3
    assert cli_check.main([str(exported.path), "--engine", "numpy", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert {each["verdict"] for each in content["overflow"]} == {"proven"}
    assert all(each["headroom_bits"] > 0 for each in content["accumulators"])
    assert all(each["observed_headroom_bits"] >= each["headroom_bits"] for each in content["accumulators"])


def test_the_command_checks_networks_of_any_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        made = any_network(seed, kinds=["cuba-lif"])
        network_file.save(made, tmp_path / "any.safetensors")
        assert cli_check.main([str(tmp_path / "any.safetensors"), "--engine", "numpy"]) == 0
        printed = capsys.readouterr().out
        assert printed.count("state c") >= len(made.hidden)
        assert all(name in printed for name in made.names)


def test_without_an_example_there_is_nothing_to_save(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_check.main([str(exported.path), "--save", str(tmp_path / "none.npz")]) == 1
    assert "no input that overflows was found" in capsys.readouterr().err
    assert not (tmp_path / "none.npz").exists()


@pytest.mark.parametrize("content", ["missing", "text", "no x", "floats", "flat", "objects", "huge"])
def test_samples_that_are_none_are_refused_in_a_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    if content == "text":
        path.write_text("x")
    elif content == "no x":
        np.savez(path, y=np.zeros(1))
    elif content == "floats":
        np.savez(path, x=np.zeros((1, 2, 3)))
    elif content == "flat":
        np.savez(path, x=np.zeros(4, np.int64))
    elif content == "objects":
        np.savez(path, x=np.array([[[{}]]], dtype=object))
    elif content == "huge":
        shape = (samples_file.MAX_CELLS, 2, 1)
        with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with pytest.raises(UnreadableFile, match=r"cannot read samples.*samples\.npz.*give an \.npz file"):
        samples_file.load(path)


def test_long_samples_of_many_channels_are_searched_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overflow, "MAX_CELLS", 100)
    most = 0

    def watched(made: IntegerNetwork, x: NDArray[np.int32], *, trace: bool = False) -> Result:
        nonlocal most
        most = max(most, x.size)
        return engine.run(made, x, trace=trace)

    made = network(PICKY, steps=10)
    assert overflow.search(made, watched)[0].kind == "example"
    assert most <= 100


def test_samples_come_back_as_they_were_saved(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    samples_file.save(tmp_path / "s.npz", x)
    np.testing.assert_array_equal(samples_file.load(tmp_path / "s.npz"), x)


def test_an_array_in_a_file_of_its_own_is_read_or_refused(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    np.save(tmp_path / "s.npy", x)
    np.testing.assert_array_equal(samples_file.load(tmp_path / "s.npy"), x)
    whole = (tmp_path / "s.npy").read_bytes()
    for wrong in (b"", whole[:20], whole[:-8]):
        (tmp_path / "s.npy").write_bytes(wrong)
        with pytest.raises(UnreadableFile, match=r"not a whole \.npy file"):
            samples_file.load(tmp_path / "s.npy")
    for other in (x * 0.5, x[0], np.array([[[{}]]], dtype=object)):
        np.save(tmp_path / "s.npy", other)
        with pytest.raises(UnreadableFile, match="its x is"):
            samples_file.load(tmp_path / "s.npy")


def test_the_native_engine_finds_the_same() -> None:
    made = network(PICKY)
    mine, theirs = (overflow.search(made, run) for run in (engine.run, select.engine().run))
    assert [str(each) for each in mine] == [str(each) for each in theirs]
