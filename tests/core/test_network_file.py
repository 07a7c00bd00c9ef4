"""The integer network's file: whole round trips, and strangers' files refused in one sentence."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import convolutions
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_files import rewritten
from numpy.typing import NDArray
from safetensors import safe_open
from strategies import cases

from asrc_core.contract import interpreter as engine
from asrc_core.contract.chain import chain
from asrc_core.contract.file import network_file, tensors
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import first_difference
from asrc_core.contract.random_network import random_network
from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.errors import AsrcError, InvalidNetwork, SpanTooLong, UnreadableFile, UnwritableOutput

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(5, widths=(6, 4), spans=(3, 32), steps=9)


@pytest.fixture
def path(tmp_path: Path, network: IntegerNetwork) -> Path:
    network_file.save(network, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(max_width=12, max_steps=8))
def test_what_is_read_computes_what_was_written(tmp_path: Path, case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    network, x = case
    network_file.save(network, tmp_path / "net.safetensors")
    again = network_file.load(tmp_path / "net.safetensors")
    assert first_difference(network, engine.run(network, x, trace=True), engine.run(again, x, trace=True)) is None
    assert network_file.to_bytes(again) == network_file.to_bytes(network)


def test_anyone_can_read_the_file_with_safetensors_alone(path: Path, network: IntegerNetwork) -> None:
    with safe_open(path, "numpy") as file:
        manifest = json.loads(file.metadata()["asrc"])
        np.testing.assert_array_equal(file.get_tensor("layers.0.feedforward"), chain(network).layers[0].feedforward)
    assert manifest["layers"][1]["span"] == 32
    assert manifest["input"]["maximum"] == 255


def test_the_permutation_survives(tmp_path: Path, network: IntegerNetwork) -> None:
    shuffled = replace(network, permutation=np.arange(9)[::-1].copy())
    network_file.save(shuffled, tmp_path / "p.safetensors")
    read = network_file.load(tmp_path / "p.safetensors").permutation
    assert read is not None
    assert read.tolist() == list(range(9))[::-1]


@pytest.mark.parametrize("kept", [0, 3, 8, 20, 200, -1])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:kept] if kept >= 0 else content[:-1])
    with pytest.raises(UnreadableFile, match=r"net\.safetensors.*asrc-export"):
        network_file.load(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.safetensors"
    file.write_bytes(content)
    with pytest.raises(UnreadableFile):
        network_file.load(file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_never_gets_past_as_a_traceback(path: Path, data: st.DataObject) -> None:
    """Any byte of the file changed: a valid network (a weight moved on its grid), or a named error."""
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    other = path.with_name("flipped.safetensors")
    other.write_bytes(content)
    try:
        network_file.load(other)
    except AsrcError as error:
        assert "\n" not in str(error)


def test_a_checkpoint_in_its_place_is_told_as_such(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")
    with pytest.raises(UnreadableFile, match="it is a ZIP file, as a checkpoint is"):
        network_file.load(path)


def test_a_header_longer_than_the_file_is_refused_before_allocation(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(UnreadableFile, match="header is longer than the file"):
        network_file.load(path)


def test_a_pickle_is_refused(path: Path) -> None:
    path.write_bytes(pickle.dumps({"layers": []}))
    with pytest.raises(UnreadableFile, match=r"not an integer network|header"):
        network_file.load(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device")
def test_a_device_without_an_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnreadableFile, match="no regular file"):
        network_file.load("/dev/zero")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.safetensors.*No such file"):
        network_file.load(tmp_path / "absent.safetensors")


CHANGES: list[tuple[Any, str]] = [
    (lambda m, t: m.update(contract=99), "version 99 of the contract"),
    (lambda m, t: m.update(format="other"), "manifest is invalid at 'format'"),
    (lambda m, t: m.update(surprise=1), "manifest is invalid at 'surprise'"),
    (lambda m, t: m.pop("input"), "manifest is invalid at 'input'"),
    (lambda m, t: m["input"].update(scale=float("nan")), "manifest is invalid"),
    (lambda m, t: m["input"].update(channels=-1), r"manifest is invalid at 'input\.channels'"),
    (lambda m, t: m["input"].update(minimum=9, maximum=3), "minimum 9 exceeds maximum 3"),
    (lambda m, t: m.update(steps=0), "manifest is invalid at 'steps'"),
    (lambda m, t: m["layers"][0].update(span=0), "a lag of 0 closes a loop"),
    (lambda m, t: m["layers"][0].update(span="3"), r"manifest is invalid at 'layers\.0\.span'"),
    (lambda m, t: m["layers"][0].update(threshold=0), "threshold 0 is outside"),
    (lambda m, t: m["layers"][0].update(feedforward_exponent=17), "connection from 'input': exponent 17 is outside"),
    (lambda m, t: m["layers"][0].update(recurrent_exponent=-17), "connection from 'layer0': exponent -17 is outside"),
    (lambda m, t: m["layers"][0].update(activation_shift=99), "activation shift 99 is outside"),
    (lambda m, t: m["layers"][0].update(decay=5000), "decay 5000 is outside"),
    (lambda m, t: m["layers"][0].update(weight_bits=9), "weight bits 9 is outside"),
    (lambda m, t: m["layers"][0].update(weight_bits=3), "not on the 3-bit grid"),
    (lambda m, t: m["layers"].pop(), "tensor 'layers.1.bias' does not belong|does not fit"),
    (lambda m, t: t.pop("readout.bias"), "tensor 'readout.bias' is missing"),
    (lambda m, t: t.update({"layers.0.bias": t["layers.0.bias"].astype(np.float32)}), "is float32, expected int32"),
    (lambda m, t: t.update({"layers.0.bias": t["layers.0.bias"][:2].copy()}), r"bias has shape \(2,\)"),
    (lambda m, t: t.update({"extra": np.zeros(1, np.int8)}), "tensor 'extra' does not belong"),
    (lambda m, t: t.update({"layers.0.feedforward": t["layers.0.feedforward"] + 1}), "not on the 8-bit grid"),
    (lambda m, t: t.update({"layers.1.feedforward": t["layers.1.feedforward"][:, :5].copy()}), "does not fit"),
    (lambda m, t: t.update({"permutation": np.zeros(9, np.int64)}), "not an order of the 9 steps"),
    (
        lambda m, t: (m["layers"][0].update(activation_shift=16, feedforward_exponent=16), None),
        "could reach .* beyond 32 bits",
    ),
]


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=[says for _, says in CHANGES])
def test_a_tampered_network_is_refused_and_the_sentence_says_where(path: Path, change: Any, says: str) -> None:
    rewritten(path, change)
    with pytest.raises((UnreadableFile, InvalidNetwork), match=says):
        network_file.load(path)


@pytest.fixture
def tapped(tmp_path: Path) -> Path:
    """The file of a network whose first layer taps its spikes at three spans."""
    network_file.save(random_network(5, widths=(6, 4), spans=([(2, 3), (4, 1), (9, 5)], 3), steps=9), tmp_path / "taps")
    return tmp_path / "taps"


def of_tap(j: int, **changes: Any) -> Any:
    return lambda m, t: m["layers"][0]["taps"][j].update(changes)


def seven_more_taps(m: Any, t: Any) -> None:
    m["layers"][0]["taps"] = [{"span": i + 1, "weight": 1} for i in range(9)]


TAP_CHANGES: list[tuple[Any, str]] = [
    (of_tap(0, span=0), "taps' spans 0, 4, 9 do not ascend from 1"),
    (of_tap(0, span=-(2**70)), r"manifest is invalid at 'layers\.0\.taps\.0\.span'"),
    (of_tap(1, span=2), "taps' spans 2, 2, 9 do not ascend"),
    (of_tap(1, span=1), "taps' spans 2, 1, 9 do not ascend"),
    (of_tap(2, span=8), "longest tap has span 8 and the layer says 9"),
    (lambda m, t: m["layers"][0].update(span=10), "longest tap has span 9 and the layer says 10"),
    (of_tap(1, weight=0), "taps' weights 3, 0, 5 are not all positive"),
    (of_tap(1, weight=-1), "not all positive"),
    (of_tap(1, weight=120), "sum of at most 127"),
    (of_tap(1, weight=2**70), r"manifest is invalid at 'layers\.0\.taps\.1\.weight'"),
    (of_tap(1, weight="1"), r"manifest is invalid at 'layers\.0\.taps\.1\.weight'"),
    (of_tap(1, delay=1), r"manifest is invalid at 'layers\.0\.taps\.1\.delay'"),
    (seven_more_taps, r"manifest is invalid at 'layers\.0\.taps'"),
    (lambda m, t: m["layers"][0].update(taps=[]), r"manifest is invalid at 'layers\.0\.taps'"),
    (lambda m, t: m["layers"][0].update(taps=None), r"manifest is invalid at 'layers\.0\.taps'"),
    (lambda m, t: m["layers"][0].update(taps=m["layers"][0]["taps"][2:]), r"1 tap instead of none or 2 to 8"),
    (lambda m, t: m.update(contract=1), "it has taps, which version 1 of the contract does not know"),
    (lambda m, t: m.update(contract=0), "version 0 of the contract"),
    (lambda m, t: m.update(mapping="synaptic-delay"), "delay line 3 times, which the synaptic-delay mapping"),
    (lambda m, t: m["layers"][0].update(recurrent_exponent=16, activation_shift=6), "could reach .* beyond 32 bits"),
]


@pytest.mark.parametrize(("change", "says"), TAP_CHANGES, ids=[says for _, says in TAP_CHANGES])
def test_tampered_taps_are_refused_and_the_sentence_says_why(tapped: Path, change: Any, says: str) -> None:
    rewritten(tapped, change)
    with pytest.raises((UnreadableFile, InvalidNetwork), match=says):
        network_file.load(tapped)


def test_taps_beyond_the_delay_line_are_refused_as_a_span_is(tapped: Path) -> None:
    rewritten(tapped, lambda m, t: (m["layers"][0].update(span=33), m["layers"][0]["taps"][2].update(span=33)))
    with pytest.raises(SpanTooLong, match="'layer0' has span 33"):
        network_file.load(tapped)


def test_a_network_without_taps_is_written_as_version_1_and_one_with_taps_as_version_2(
    path: Path, tapped: Path
) -> None:
    for file, version in ((path, 1), (tapped, 2)):
        with safe_open(file, "numpy") as content:
            manifest = json.loads(content.metadata()["asrc"])
        assert manifest["contract"] == version
        assert [("taps" in layer) for layer in manifest["layers"]] == [version == 2, False]


def sparsified(network: IntegerNetwork, sparsity: float, seed: int = 0) -> IntegerNetwork:
    """The network without that share of every weight matrix, the readout's too."""
    rng = np.random.default_rng(seed)

    def masked(weights: NDArray[Any]) -> NDArray[Any]:
        return np.where(rng.random(weights.shape) < sparsity, 0, weights)

    made = chain(network)
    layers = [
        replace(layer, feedforward=masked(layer.feedforward), recurrent=masked(layer.recurrent))
        for layer in made.layers
    ]
    readout = replace(made.readout, weight=masked(made.readout.weight))
    return replace(made, layers=tuple(layers), readout=readout).network()


def stored_whole(manifest: Any, tensors: Any) -> None:
    """Undo sparse storage as docs/file-keys.md says that anyone can."""
    manifest.pop("file_version", None)
    fan_in = manifest["input"]["channels"]
    for i in range(len(manifest["layers"])):
        width = len(tensors[f"layers.{i}.bias"])
        for name, inputs in ((f"layers.{i}.feedforward", fan_in), (f"layers.{i}.recurrent", width)):
            fill(tensors, name, (width, inputs))
        fan_in = width
    fill(tensors, "readout.weight", (len(tensors["readout.bias"]), fan_in))


def fill(tensors: Any, name: str, shape: tuple[int, int]) -> None:
    if f"{name}.present" in tensors:
        present = np.unpackbits(tensors.pop(f"{name}.present"), count=shape[0] * shape[1]).reshape(shape)
        tensors[name] = np.zeros(shape, np.int16)
        tensors[name][present == 1] = tensors.pop(f"{name}.values")


def weights_of(network: IntegerNetwork) -> list[NDArray[Any]]:
    return [connection.weights for layer in network.layers for connection in layer.connections]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**16),
    widths=st.lists(st.integers(1, 70), min_size=1, max_size=2),
    channels=st.integers(1, 5),
    bits=st.integers(2, 8),
    sparsity=st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0]),
)
def test_sparse_weights_come_back_and_their_file_is_never_larger_than_the_one_that_stores_every_weight(
    tmp_path: Path, seed: int, widths: list[int], channels: int, bits: int, sparsity: float
) -> None:
    whole = random_network(
        seed, channels=channels, widths=widths, spans=[3] * len(widths), classes=3, steps=4, weight_bits=bits
    )
    network = sparsified(whole, sparsity, seed)
    file = tmp_path / "net.safetensors"
    network_file.save(network, file)
    content = file.read_bytes()
    again = network_file.load(file)
    for mine, theirs in zip(weights_of(again), weights_of(network), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == np.int64
    assert network_file.to_bytes(again) == content
    rewritten(file, stored_whole)
    assert len(file.read_bytes()) >= len(content)
    for mine, theirs in zip(weights_of(network_file.load(file)), weights_of(network), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def thin(tmp_path: Path) -> Path:
    """The file of a network with 30 + 21 neurons, nine tenths of whose weights are absent."""
    network = random_network(5, channels=29, widths=(30, 21), spans=(3, 32), classes=3, steps=9)
    network_file.save(sparsified(network, 0.9), tmp_path / "thin.safetensors")
    return tmp_path / "thin.safetensors"


def test_only_a_matrix_that_gets_smaller_is_stored_sparsely_and_only_then_the_file_says_version_2(
    thin: Path, path: Path
) -> None:
    with safe_open(thin, "numpy") as content:
        names = set(content.keys())
        assert json.loads(content.metadata()["asrc"])["file_version"] == 2
        assert json.loads(content.metadata()["asrc"])["contract"] == 1
        assert content.get_tensor("layers.0.feedforward.present").shape == (109,)  # 30 * 29 bits, two of them spare
    assert {"layers.0.recurrent.present", "layers.0.recurrent.values", "readout.weight"} < names
    assert not {"layers.0.recurrent", "readout.weight.present"} & names
    with safe_open(path, "numpy") as content:
        assert "file_version" not in json.loads(content.metadata()["asrc"])
    whole = len(network_file.to_bytes(random_network(5, channels=29, widths=(30, 21), spans=(3, 32), classes=3)))
    assert len(thin.read_bytes()) < whole / 2


def test_matrices_beyond_what_a_reader_unpacks_are_stored_whole(thin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_file.load(thin)
    monkeypatch.setattr(tensors, "MAX_UNPACKED", 30 * (29 + 30))  # the first layer's
    network_file.save(network, thin)
    with safe_open(thin, "numpy") as content:
        sparse = {name for name in content.keys() if name.endswith(".present")}  # noqa: SIM118 it is no dictionary
    assert sparse == {"layers.0.feedforward.present", "layers.0.recurrent.present"}
    for mine, theirs in zip(weights_of(network_file.load(thin)), weights_of(network), strict=True):
        np.testing.assert_array_equal(mine, theirs)


FIRST = "layers.0.feedforward"


def of_bits(change: Any) -> Any:
    return lambda m, t: t.update({f"{FIRST}.present": change(t[f"{FIRST}.present"].copy())})


def of_values(change: Any) -> Any:
    return lambda m, t: t.update({f"{FIRST}.values": change(t[f"{FIRST}.values"].copy())})


def with_entry(at: int, value: int) -> Any:
    def changed(tensor: NDArray[Any]) -> NDArray[Any]:
        tensor[at] = value
        return tensor

    return changed


def enormous(m: Any, t: Any) -> None:
    """Small in the file, 20 GB when unpacked."""
    t["layers.0.bias"] = np.zeros(100_000, np.int32)


SPARSE_CHANGES: list[tuple[Any, str]] = [
    (lambda m, t: m.pop("file_version"), rf"'{FIRST}' is sparse, which version 1 of the file does not know"),
    (lambda m, t: m.update(file_version=1), rf"'{FIRST}' is sparse, which version 1 of the file does not know"),
    (lambda m, t: m.update(file_version=4), "version 4 of the file and this package knows 1 to 3"),
    (lambda m, t: m.update(file_version=0), "manifest is invalid at 'file_version'"),
    (lambda m, t: m.update(file_version="2"), "manifest is invalid at 'file_version'"),
    (enormous, rf"'{FIRST}' and what else is sparse would unpack to more than 134,217,728 weights"),
    (of_bits(lambda b: b[:-1]), rf"'{FIRST}' does not hold a bit for each of 30 x 29 weights"),
    (of_bits(lambda b: np.append(b, np.uint8(0))), rf"'{FIRST}' does not hold a bit for each"),
    (of_bits(lambda b: b[None]), rf"'{FIRST}' does not hold a bit for each"),
    (of_bits(lambda b: b.astype(np.int16)), rf"'{FIRST}' does not hold a bit for each"),
    (of_bits(lambda b: b[:0]), rf"'{FIRST}' does not hold a bit for each"),
    (of_bits(lambda b: with_entry(-1, b[-1] | 1)(b)), rf"'{FIRST}' has bits set after its last weight"),
    (of_bits(lambda b: with_entry(-1, b[-1] | 2)(b)), rf"'{FIRST}' has bits set after its last weight"),
    (of_bits(lambda b: with_entry(0, 255)(b)), rf"'{FIRST}' has \d+ bits set, and its values are int16"),
    (of_values(lambda v: v[:-1]), rf"'{FIRST}' has \d+ bits set, and its values are int16"),
    (of_values(lambda v: np.append(v, v[:1])), rf"'{FIRST}' has \d+ bits set, and its values are int16"),
    (of_values(lambda v: v[:, None]), rf"'{FIRST}' has \d+ bits set, and its values are int16"),
    (of_values(lambda v: v.astype(np.int32)), rf"'{FIRST}' has \d+ bits set, and its values are int32"),
    (of_values(with_entry(3, 0)), rf"'{FIRST}' calls a weight present that is 0"),
    (of_values(with_entry(3, 999)), "not on the 8-bit grid"),
    (lambda m, t: t.pop(f"{FIRST}.values"), rf"tensor '{FIRST}\.values' is missing"),
    (lambda m, t: t.pop(f"{FIRST}.present"), rf"tensor '{FIRST}' is missing"),
    (lambda m, t: t.update({FIRST: np.zeros((30, 29), np.int16)}), rf"tensor '{FIRST}' does not belong"),
    (
        lambda m, t: t.update({"readout.weight.values": np.zeros(1, np.int16)}),
        "'readout.weight.values' does not belong",
    ),
    (lambda m, t: m["input"].update(channels=28), rf"'{FIRST}' does not hold a bit for each of 30 x 28 weights"),
    (lambda m, t: t.update({"layers.0.bias": np.zeros(0, np.int32)}), "does not hold a bit for each of 0 x 29 weights"),
    (lambda m, t: t.update({"layers.0.bias": np.zeros((5, 6), np.int32)}), r"bias has shape \(5, 6\)"),
]


@pytest.mark.parametrize(("change", "says"), SPARSE_CHANGES, ids=[f"{i}" for i in range(len(SPARSE_CHANGES))])
def test_tampered_sparse_weights_are_refused_and_the_sentence_names_the_tensor(
    thin: Path, change: Any, says: str
) -> None:
    rewritten(thin, change)
    with pytest.raises((UnreadableFile, InvalidNetwork), match=says) as refused:
        network_file.load(thin)
    assert "\n" not in str(refused.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_of_a_sparse_file_never_gets_past_as_a_traceback(thin: Path, data: st.DataObject) -> None:
    content = bytearray(thin.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    other = thin.with_name("flipped.safetensors")
    other.write_bytes(content)
    try:
        network_file.load(other)
    except AsrcError as error:
        assert "\n" not in str(error)


# Kernels


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The file of a network with two convolutions, on values in two dimensions."""
    made = convolutions.network(3, convolutions.FIRST, convolutions.GROUPED)
    network_file.save(made, tmp_path / "shared.safetensors")
    return tmp_path / "shared.safetensors"


KERNEL = "layers.0.connections.0.kernel"


@pytest.mark.parametrize("of", [(convolutions.FIRST, convolutions.GROUPED), (convolutions.IN_A_ROW,)])
def test_weights_of_a_kernel_are_stored_once_and_read_as_they_were(tmp_path: Path, of: tuple[Convolution, ...]) -> None:
    network = convolutions.network(1, *of)
    network_file.save(network, tmp_path / "net.safetensors")
    with safe_open(tmp_path / "net.safetensors", "numpy") as content:
        manifest = json.loads(content.metadata()["asrc"])
        assert (manifest["file_version"], manifest["contract"]) == (3, 3)
        assert content.get_tensor(KERNEL).shape == of[0].kernel_shape
        assert f"{KERNEL.removesuffix('kernel')}weights" not in set(content.keys())
    again = network_file.load(tmp_path / "net.safetensors")
    for mine, theirs in zip(again.layers, network.layers, strict=True):
        for one, other in zip(mine.connections, theirs.connections, strict=True):
            np.testing.assert_array_equal(one.weights, other.weights)
            assert one.convolution == other.convolution
    assert network_file.to_bytes(again) == network_file.to_bytes(network)


def test_weights_that_are_no_kernels_any_more_are_stored_one_by_one(tmp_path: Path) -> None:
    network = convolutions.network(1, convolutions.FIRST)
    first = network.layers[0]
    weights = first.connections[0].weights.copy()
    row, column = (each[0] for each in np.nonzero(weights))
    weights[row, column] -= 2 * np.sign(weights[row, column])
    changed = replace(first, connections=(replace(first.connections[0], weights=weights), first.connections[1]))
    network_file.save(replace(network, layers=(changed, *network.layers[1:])), tmp_path / "net.safetensors")
    again = network_file.load(tmp_path / "net.safetensors").layers[0].connections[0]
    np.testing.assert_array_equal(again.weights, weights)
    assert again.convolution is None


def test_kernels_beyond_what_a_reader_writes_out_are_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = convolutions.network(1, convolutions.FIRST, convolutions.GROUPED)
    monkeypatch.setattr(network_file, "MAX_UNPACKED", network.layers[0].connections[0].weights.size + 1)
    network_file.save(network, tmp_path / "net.safetensors")
    again = network_file.load(tmp_path / "net.safetensors")
    assert [layer.connections[0].convolution is not None for layer in again.hidden] == [True, False]


def of_convolution(**change: Any) -> Any:
    return lambda m, t: m["layers"][0]["connections"][0]["convolution"].update(change)


def immense(m: Any, t: Any) -> None:
    """A kernel of one weight that stands for 2^38."""
    del m["layers"][1]
    m["input"].update(channels=2**19)
    m["layers"][0].update(neurons=2**19)
    m["layers"][0]["connections"][0]["convolution"] = {
        "source": [1, 2**19], "layer": [1, 2**19], "kernel": [1], "stride": [1], "padding": [0], "dilation": [1],
        "groups": 1,
    }  # fmt: skip
    t[KERNEL] = np.full((1, 1, 1), 2, np.int16)


KERNEL_CHANGES: list[tuple[Any, str]] = [
    (lambda m, t: m.update(file_version=2), rf"has a convolution \('{KERNEL}'\), which version 1 or 2 of the file"),
    (immense, r"its kernels are written out to [0-9,]+ weights, more than 134,217,728"),
    (of_convolution(stride=[0, 2]), "its stride 0 is outside 1 to"),
    (of_convolution(groups=3), "do not divide into 3 groups"),
    (of_convolution(groups=True), "manifest is invalid at .*groups"),
    (of_convolution(padding=[1.0, 1]), "manifest is invalid at .*padding"),
    (of_convolution(kernel=[]), "manifest is invalid at .*kernel"),
    (of_convolution(kernel=[3, 3, 3, 3]), "manifest is invalid at .*kernel"),
    (of_convolution(kernel=[2**16, 2]), "its kernel of 131072 elements in all groups is too large"),
    (of_convolution(kernel=[3, 4]), rf"tensor '{KERNEL}' has shape \(8, 2, 3, 3\), expected \(8, 2, 3, 4\)"),
    (of_convolution(layer=[8, 6, 6]), r"a convolution for weights of shape \(288, 198\), which does not fit"),
    (of_convolution(layer=[2**20, 2**20, 2**20]), "a convolution for weights of shape .* which does not fit"),
    (of_convolution(more=1), "manifest is invalid at .*more"),
    (lambda m, t: m["layers"][0]["connections"][0].pop("convolution"), r"connections\.0\.weights' is missing"),
    (lambda m, t: t.pop(KERNEL), rf"tensor '{KERNEL}' is missing"),
    (lambda m, t: t.update({KERNEL: t[KERNEL].astype(np.int32)}), rf"tensor '{KERNEL}' is int32, expected int16"),
    (lambda m, t: t.update({KERNEL: t[KERNEL] + np.int16(1)}), "not on the 8-bit grid"),
    (
        lambda m, t: t.update({KERNEL.replace("kernel", "weights"): np.zeros((240, 198), np.int16)}),
        r"connections\.0\.weights' does not belong",
    ),
]


@pytest.mark.parametrize(("change", "says"), KERNEL_CHANGES, ids=[f"{i}" for i in range(len(KERNEL_CHANGES))])
def test_tampered_kernels_are_refused_before_they_are_written_out(shared: Path, change: Any, says: str) -> None:
    rewritten(shared, change)
    with pytest.raises((UnreadableFile, InvalidNetwork), match=says) as refused:
        network_file.load(shared)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.safetensors")), ids=lambda file: file.name)
def test_files_of_the_first_version_are_read_and_written_again_byte_for_byte(file: Path) -> None:
    assert network_file.to_bytes(network_file.load(file)) == file.read_bytes()


def test_a_span_beyond_the_delay_line_is_refused_by_layer_and_limit(path: Path) -> None:
    rewritten(path, lambda m, t: m["layers"][1].update(span=33))
    with pytest.raises(SpanTooLong, match=r"'layer1' has span 33.*at most 32.*synaptic-delay"):
        network_file.load(path)
    rewritten(path, lambda m, t: (m.update(mapping="synaptic-delay"), m["layers"][1].update(span=64)))
    with pytest.raises(SpanTooLong, match=r"'layer1' has span 64.*at most 63"):
        network_file.load(path)


def test_an_invalid_network_is_not_written_and_the_earlier_file_stays(path: Path, network: IntegerNetwork) -> None:
    before, made = path.read_bytes(), chain(network)
    layers = (replace(made.layers[0], threshold=-5), *made.layers[1:])
    with pytest.raises(InvalidNetwork, match="threshold -5 is outside"):
        network_file.save(replace(made, layers=layers).network(), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, network: IntegerNetwork) -> None:
    with pytest.raises(UnwritableOutput, match="absent"):
        network_file.save(network, tmp_path / "absent" / "net.safetensors")
    with pytest.raises(UnwritableOutput, match="it is a folder"):
        network_file.save(network, tmp_path)


def test_a_chain_that_fires_above_its_thresholds_is_no_network_of_versions_1_and_2(tmp_path: Path) -> None:
    network = random_network(5, widths=(6, 4), spans=(3, 7), steps=9, fires="above")
    network_file.save(network, tmp_path / "above.safetensors")
    assert network_file.contract_version(network) == 3
    again = network_file.load(tmp_path / "above.safetensors")
    assert [layer.neuron.parameters["fires"] for layer in again.hidden] == ["above", "above"]
    assert network_file.to_bytes(again) == (tmp_path / "above.safetensors").read_bytes()
