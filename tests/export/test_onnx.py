"""ONNX Runtime computes the same bits as the NumPy engine, from a file that stands on its own."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from strategies import cases

from asrc_core import __version__
from asrc_core.contract import neurons
from asrc_core.contract.chain import Chain, chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import STATE_MAX
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import BackendFailed, InvalidData, InvalidNetwork, UnwritableOutput
from asrc_export.engines import numpy as reference
from asrc_export.engines import onnx as engine
from asrc_export.onnx_model import graph
from asrc_export.onnx_model.history import message_type

ENGINES = ("numpy", "onnx")
EXAMPLE = Path(__file__).parents[2] / "examples" / "run_onnx.py"


def require_parity(network: IntegerNetwork, x: NDArray[np.integer]) -> None:
    """With the trace and without: they are two different models."""
    expected = reference.run(network, x, trace=True)
    require_equal(network, expected, engine.run(network, x, trace=True), ENGINES)
    require_equal(network, expected, engine.run(network, x), ENGINES)


def batch_for(network: IntegerNetwork, samples: int = 3, seed: int = 0) -> NDArray[np.int32]:
    entry = network.input
    shape = (samples, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape, dtype=np.int32)


def with_first_layer(network: IntegerNetwork, **fields: Any) -> Chain:
    """A chain whose first layer differs in these fields."""
    made = chain(network)
    return replace(made, layers=(replace(made.layers[0], **fields), *made.layers[1:]))


@st.composite
def unlike_layers(draw: st.DrawFn) -> tuple[IntegerNetwork, NDArray[np.int32]]:
    """A case whose layers differ in decay, reset and exponents, which the model works on side by side."""
    network, x = draw(cases(max_width=20, max_steps=30))
    made = chain(network)
    layers = [
        replace(
            layer,
            decay=draw(st.sampled_from([0, 1, 409, 2048, 3072, 4095, 4096])),
            reset=draw(st.sampled_from(["soft", "hard"])),
            feedforward_exponent=draw(st.integers(-8, 2)),
            recurrent_exponent=draw(st.integers(-8, 2)),
        )
        for layer in made.layers
    ]
    try:
        return replace(made, layers=tuple(layers)).network(), x
    except InvalidNetwork:
        assume(False)
        raise


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(cases())
def test_random_networks_agree_bit_for_bit(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    require_parity(*case)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(cases(max_span=63, max_steps=80, max_width=20))
def test_networks_with_synaptic_delays_agree_bit_for_bit(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    require_parity(*case)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(unlike_layers())
def test_networks_of_unlike_layers_agree_bit_for_bit(case: tuple[IntegerNetwork, NDArray[np.int32]]) -> None:
    require_parity(*case)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(1))
def test_any_networks_agree_bit_for_bit(block: int) -> None:
    """Kinds, sources, taps, delays, feedback, mappings, and numbers that differ from neuron to neuron."""
    for seed in range(5000 + 50 * block, 5050 + 50 * block):
        network = any_network(seed, max_width=10, max_steps=25)
        x = batch_for(network, seed=seed)
        require_equal(network, reference.run(network, x, trace=True), engine.run(network, x, trace=True), ENGINES)
        if seed % 5 == 0:
            require_parity(network, x)


KIND_OF_NUMBERS = """
from asrc_core.contract.neurons.kind import Kind, Number, Step


def step(o, p, state, a):
    u = o.saturate(o.add(o.sub(state["v"], o.floor(state["v"], p["leak"])), a), 16)
    level = o.max(o.min(o.floor(u, 3), 90), {low})
    after = {{"v": o.sub(u, level), "begun": o.max(state["begun"], 1), "handed_on": state["handed_on"]}}
    return Step(after, o.select(o.ge(state["begun"], 1), level, 0), u)


KIND = Kind(
    parameters={{"leak": Number(0, 8)}}, states={{"v": 24, "begun": 2, "handed_on": 8}}, step=step, sends=({low}, 90)
)
"""


@pytest.fixture(params=[-90, 0])
def kind_of_numbers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a kind that sends numbers, of both signs or of one; a state of it is handed on as it is."""
    low: int = request.param
    (tmp_path / "asrc_kinds").mkdir()
    (tmp_path / "asrc_kinds" / f"numbers_from_{abs(low)}.py").write_text(KIND_OF_NUMBERS.format(low=low))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield f"numbers-from-{abs(low)}"
    for module in [each for each in sys.modules if each.split(".")[0] == neurons.MORE]:
        del sys.modules[module]
    neurons.kind.cache_clear()


def test_a_kind_that_sends_numbers_agrees(kind_of_numbers: str) -> None:
    sending = 0
    for seed in range(15):
        network = any_network(seed, kinds=[kind_of_numbers], max_width=8, max_steps=25)
        x = batch_for(network)
        expected = reference.run(network, x, trace=True)
        require_equal(network, expected, engine.run(network, x, trace=True), ENGINES)
        sending += any(count.spikes for count in expected.counts)
    assert sending > 7


def test_messages_that_8_bit_kernels_could_overflow_on_enter_products_as_32_bits() -> None:
    """Pairs of 8-bit products may be added in 16 bits, and bytes with a sign are shifted to 0 to 255 before."""
    ranges = [(0, 1), (0, 127), (0, 128), (-1, 1), (-127, 127)]
    assert [message_type(Range(*each)) for each in ranges] == [np.uint8, np.uint8, np.int32, np.int32, np.int32]


def test_a_source_with_more_synapses_of_one_delay_than_a_byte_counts_agrees() -> None:
    delays = np.ones((300, 2), np.int64)
    delays[0, 1] = 2
    wide = Connection(INPUT, np.full((300, 2), 64), 0, 8, delays=delays, mapping="synaptic-delay")
    lif = Neuron("lif", {"bias": 0, "decay": 500, "threshold": 90, "reset": "soft", "activation_shift": 0})
    readout = Layer("readout", (Connection("wide", np.full((1, 300), 2), 0, 8),), Neuron("integrator", {"bias": 0}))
    network = IntegerNetwork(InputFormat(2, 0, 1, 1.0), (Layer("wide", (wide,), lif), readout), "loihi2", 9)
    x = np.ones((1, 9, 2), np.int32)
    require_parity(network, x)
    assert engine.run(network, x).counts[0].feedforward_operations == 8 * 599 + 7


def delayed(lags: int) -> IntegerNetwork:
    """A layer with a delay of 0 to ``lags`` - 1 for each synapse, and one lag more in the recurrent connection."""
    rng = np.random.default_rng(0)
    input_delays, delays = np.arange(20 * 6).reshape(20, 6) % lags, 1 + np.arange(20 * 20).reshape(20, 20) % lags

    def weights(n: int, i: int) -> NDArray[np.int64]:
        return 2 * rng.integers(-128, 128, (n, i))

    constants = {"decay": 500, "current_decay": 1000, "threshold": 900}
    layer = Layer(
        "hidden",
        (
            Connection(INPUT, weights(20, 6), 0, 8, delays=input_delays, mapping="synaptic-delay"),
            Connection("hidden", weights(20, 20), 0, 8, delays=delays, mapping="synaptic-delay"),
        ),
        Neuron("cuba-lif", {"bias": 0, "activation_shift": 1, "reset": "soft", **constants}),
    )
    readout = Layer("readout", (Connection("hidden", weights(3, 20), 0, 8),), Neuron("integrator", {"bias": 0}))
    return IntegerNetwork(InputFormat(6, 0, 1, 1.0), (layer, readout), "loihi2", 90)


@pytest.mark.parametrize("lags", [1, 2, 32, 33, 62])
def test_delays_of_every_length_agree(lags: int) -> None:
    network = delayed(lags)
    require_parity(network, batch_for(network))


@pytest.mark.parametrize("lags", [1, 5])
def test_a_delay_for_each_synapse_takes_a_byte_for_each_lag(lags: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = delayed(lags)
    size = lags * 20 * (6 + 20) + 3 * 20
    assert graph.weight_bytes(network) == size
    _, body = graphs(graph.build(network).graph)
    matrices = [each for each in body.initializer if each.data_type == onnx.TensorProto.INT8]
    tally = 1  # how events are counted
    assert sum(onnx.numpy_helper.to_array(each).size for each in matrices[:-tally]) == size
    monkeypatch.setattr(graph, "MAX_BYTES", size - 1)
    with pytest.raises(InvalidNetwork, match=f"{size:,} bytes"):
        graph.build(network)


def test_operations_are_counted_for_each_connection() -> None:
    """Of what synapses weigh until the last step, in the model itself, too."""
    network = delayed(5)
    x = batch_for(network)
    session = onnxruntime.InferenceSession(graph.build(network).SerializeToString())
    operations, spikes = session.run(["operations", "spikes"], {"x": x})
    expected = reference.run(network, x).counts
    assert operations.shape == (3, 3)
    assert operations.sum(axis=0).tolist() == [
        expected[0].feedforward_operations,
        expected[0].recurrent_operations,
        expected[1].feedforward_operations,
    ]
    assert spikes.sum(axis=0).tolist() == [expected[0].spikes, 0]


@pytest.mark.parametrize("span", [1, 31, 32, 33, 62, 63])
def test_every_length_of_history_agrees(span: int) -> None:
    network = random_network(span, widths=(12, 9), spans=(span, 1), steps=70, mapping="synaptic-delay")
    require_parity(network, batch_for(network))


def test_layers_of_several_taps_beside_layers_of_one_agree() -> None:
    spans = ([(1, 3), (2, 1), (32, 99)], 5, [(3, 64), (31, 63)])
    network = random_network(2, widths=(12, 30, 9), spans=spans, steps=60, exponents=(0, -3))
    require_parity(network, batch_for(network))
    assert engine.run(network, batch_for(network)).counts[2].recurrent_operations


@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_saturated_membranes_and_accumulators_agree(reset: str) -> None:
    network = random_network(
        1, widths=(20, 30), spans=(3, 7), steps=60, decay=0, activation_shift=10, threshold=STATE_MAX, reset=reset
    )
    made = chain(network)
    network = replace(made, readout=replace(made.readout, exponent=12)).network()
    x = batch_for(network)
    require_parity(network, x)
    assert all(count.saturations for count in engine.run(network, x).counts)


@pytest.mark.parametrize("decay", [0, 1, 16, 410, 2047, 2048, 3840, 3841, 4080, 4095, 4096])
def test_decay_of_large_membranes_of_both_signs_rounds_toward_zero(decay: int) -> None:
    network = random_network(decay, widths=(40,), spans=(5,), steps=40, activation_shift=9, decay=decay)
    x = batch_for(network)
    membranes = reference.run(network, x, trace=True).trace.layers[0].membrane
    assert membranes.min() < -(2**20)
    assert membranes.max() > 2**20
    require_parity(network, x)


@pytest.mark.parametrize(
    ("low", "high", "used"),
    [(0, 127, 8), (0, 128, 8), (0, 255, 8), (-128, 127, 8), (-32768, 32767, 8), (1 - 2**23, 2**23 - 1, 1)],
)
def test_graded_input_agrees_at_the_ends_of_its_range(low: int, high: int, used: int) -> None:
    """Pairs of the largest 8-bit products are what some processors' 8-bit kernels saturate on."""
    network = random_network(0, channels=8, widths=(6,), spans=(2,), steps=20, activation_shift=0)
    weights = np.where(np.arange(8) < used, -256, 0)
    made = with_first_layer(network, feedforward=np.tile(weights, (6, 1)), feedforward_exponent=-8, threshold=99)
    network = replace(made, input=InputFormat(8, low, high, 1.0)).network()
    x = np.where(batch_for(network) > (low + high) // 2, np.int32(high), np.int32(low))
    require_parity(network, x)


@pytest.mark.parametrize(
    ("fan_in", "low", "high", "operator", "type_name"),
    [
        (8, 0, 127, "MatMulInteger", "int8"),
        (8, 0, 128, "MatMul", "int32"),
        (8, -1, 1, "MatMul", "int32"),
    ],
)
def test_graded_input_never_meets_a_kernel_that_could_overflow(
    fan_in: int, low: int, high: int, operator: str, type_name: str
) -> None:
    """Which this machine's kernels may not do, and another's may: so the choice of operator is held, too."""
    network = random_network(0, channels=fan_in, widths=(4,), spans=(1,), steps=5, activation_shift=0)
    weights = np.tile(np.repeat([254, -254], fan_in // 2), (4, 1))
    made = with_first_layer(network, feedforward=weights)
    network = replace(made, input=InputFormat(fan_in, low, high, 1.0)).network()
    _, body = graphs(graph.build(network).graph)
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in body.initializer}
    (product,) = [node for node in body.node if np.array_equal(constants.get(node.input[-1]), weights.T // 2)]
    assert product.op_type == operator
    assert constants[product.input[1]].dtype == type_name
    require_parity(network, batch_for(network))


def test_shifts_by_more_than_32_bits_of_nothing_agree() -> None:
    network = random_network(0, widths=(4,), spans=(1,), steps=9)
    silent = np.zeros((4, 4), np.int64)
    network = with_first_layer(
        network,
        feedforward=silent[:, :1],
        recurrent=silent,
        feedforward_exponent=16,
        recurrent_exponent=16,
        activation_shift=16,
    ).network()
    require_parity(network, batch_for(network))


def test_onnx_own_evaluator_agrees_too() -> None:
    """The bits follow from the ONNX specification, not from one runtime."""
    for seed, exponent, decay in [(0, -3, 410), (1, 2, 2048), (2, 0, 4095)]:
        network = random_network(
            seed, widths=(7, 5), spans=(3, 2), steps=15, exponents=(exponent, -1), activation_shift=2, decay=decay
        )
        x = batch_for(network)
        expected = reference.run(network, x)
        logits, spikes, _, saturations = ReferenceEvaluator(graph.build(network)).run(None, {"x": x})
        assert np.array_equal(logits, expected.logits)
        assert spikes.sum(axis=0).tolist() == [count.spikes for count in expected.counts]
        assert saturations.sum(axis=0).tolist() == [count.saturations for count in expected.counts]


def test_onnx_own_evaluator_agrees_on_any_network() -> None:
    for seed in range(6):
        network = any_network(seed, max_width=6, max_steps=8)
        x = batch_for(network, samples=2)
        expected = reference.run(network, x)
        logits, spikes, _, saturations = ReferenceEvaluator(graph.build(network)).run(None, {"x": x})
        assert np.array_equal(logits, expected.logits)
        assert spikes.sum(axis=0).tolist() == [count.spikes for count in expected.counts]
        assert saturations.sum(axis=0).tolist() == [count.saturations for count in expected.counts]


def test_one_session_takes_any_batch_and_length() -> None:
    network = random_network(0, widths=(16, 8), spans=(4, 6), steps=20, channels=2)
    session = onnxruntime.InferenceSession(graph.build(network).SerializeToString())
    for batch, steps in [(1, 1), (5, 20), (2, 33), (1, 7)]:
        x = np.random.default_rng(steps).integers(0, 256, (batch, steps, 2), dtype=np.int32)
        expected = reference.run(network, x)
        logits, spikes = session.run(["logits", "spikes"], {"x": x})
        assert np.array_equal(logits, expected.logits)
        assert spikes.shape == (batch, 3)
        assert spikes.sum(axis=0).tolist() == [count.spikes for count in expected.counts]


def test_batches_run_in_chunks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(0, widths=(8,), spans=(4,), steps=12)
    monkeypatch.setattr(engine, "STEP_CELLS", 20)
    require_parity(network, batch_for(network, samples=5))


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


@settings(max_examples=20, deadline=None)
@given(st.one_of(cases(max_span=63).map(lambda case: case[0]), st.integers(0, 10**6).map(any_network)), st.booleans())
def test_the_checker_accepts_and_every_tensor_is_an_integer(network: IntegerNetwork, trace: bool) -> None:
    model = graph.build(network, trace=trace)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    integer = {
        onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))
        for name in ("bool", "uint8", "int8", "int32", "uint32", "int64", "uint64")
    }
    main, body = graphs(inferred.graph)
    for part in (main, body):
        types = {
            value.name: value.type.tensor_type.elem_type for value in (*part.input, *part.output, *part.value_info)
        }
        types |= {constant.name: constant.data_type for constant in part.initializer}
        used = {name for node in part.node for name in (*node.input, *node.output)}
        assert used <= types.keys()
        assert {constant.name for constant in part.initializer} <= used  # runtimes warn of a constant nobody needs
        assert set(types.values()) <= integer
        assert {node.domain for node in part.node} == {""}


def test_the_file_describes_itself(tmp_path: Path) -> None:
    network = random_network(0, widths=(8,), spans=(4,), steps=12)
    network = replace(network, permutation=np.arange(12)[::-1].copy(), provenance={"data": "digits"})
    graph.save(network, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["asrc"]) == json.loads(network_file.manifest(network))
    assert json.loads(metadata["permutation"]) == list(range(12))[::-1]
    assert (model.producer_name, model.producer_version) == ("asrc", __version__)
    assert "from 0 to 255" in model.doc_string
    assert [(port.name, port.type.tensor_type.shape.dim[0].dim_param) for port in model.graph.output] == [
        (name, "B") for name in ("logits", "spikes", "operations", "saturations")
    ]


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    network = random_network(0, widths=(8,), spans=(4,), steps=12)
    for name in ("a", "b"):
        graph.save(network, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_example_needs_the_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sklearn.datasets import load_digits

    assert "asrc_" not in EXAMPLE.read_text(encoding="utf-8")
    order = np.random.default_rng(0).permutation(64)
    network = replace(random_network(0, widths=(16,), spans=(5,), steps=64, input_range=(0, 16)), permutation=order)
    graph.save(network, tmp_path / "model.onnx")
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(tmp_path / "model.onnx")])
    runpy.run_path(str(EXAMPLE))
    pixels, labels = load_digits(return_X_y=True)
    expected = reference.run(network, pixels.astype(np.int32)[:, order, None]).predictions
    assert capsys.readouterr().out.splitlines() == [
        " ".join(["first predictions:", *map(str, expected[:20])]),
        f"{(expected == labels).mean():.1%} of 1797 digits are right",
    ]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_package_is_said_in_a_sentence(missing: str) -> None:
    script = f"""
import sys
sys.modules[{missing!r}] = None
from asrc_export.engines import onnx as engine
from asrc_core.contract.random_network import random_network
from asrc_core.errors import ExtraMissing
import numpy as np
try:
    engine.run(random_network(0, widths=(3,), spans=(1,), steps=2), np.zeros((1, 2, 1), np.int32))
except ExtraMissing as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"package '{missing}' is not installed" in ran.stdout
    assert "pip install 'asrc-toolchain[onnx]'" in ran.stdout


def test_a_runtime_that_refuses_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(0, widths=(3,), spans=(1,), steps=2)
    monkeypatch.setattr(engine, "build", lambda network, trace: onnx.ModelProto())
    with pytest.raises(BackendFailed, match="backend 'onnx' failed"):
        engine.run(network, batch_for(network))


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    network = random_network(0, widths=(3,), spans=(1,), steps=2)
    for path in (tmp_path / "absent" / "model.onnx", tmp_path):
        with pytest.raises(UnwritableOutput, match=f"cannot write '{path}'"):
            graph.save(network, path)


def test_a_network_that_cannot_be_exported_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr(graph, "MAX_BYTES", 50)
    with pytest.raises(InvalidNetwork, match="exceed the 2 GiB"):
        graph.save(random_network(0, widths=(3,), spans=(1,), steps=2), path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"old"


def test_weights_beyond_what_the_format_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(0, widths=(3,), spans=(1,), steps=2)
    monkeypatch.setattr(graph, "MAX_BYTES", 50)
    with pytest.raises(InvalidNetwork, match="exceed the 2 GiB"):
        graph.build(network)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 2, 1), np.float32),
        np.zeros((0, 2, 1), np.int32),
        np.zeros((1, 0, 1), np.int32),
        np.zeros((1, 2, 2), np.int32),
        np.full((1, 2, 1), 256, np.int32),
    ],
)
def test_samples_that_do_not_fit_are_refused(x: NDArray[np.generic]) -> None:
    with pytest.raises(InvalidData, match="input samples"):
        engine.run(random_network(0, widths=(3,), spans=(1,), steps=2), x)


@pytest.mark.parametrize("stride", [-1, 2])
def test_samples_need_not_be_contiguous(stride: int) -> None:
    network = random_network(0, widths=(5,), spans=(2,), steps=10)
    require_parity(network, batch_for(network, samples=4).astype(np.uint8)[::stride])
