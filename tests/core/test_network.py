"""A network that breaks the contract is refused in one sentence that names the layer, the value and the limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_files import rewritten

from asrc_core.contract import interpreter
from asrc_core.contract.chain import chain, why_no_chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.parity import first_difference
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.synapses.connection import INPUT, NOW, Connection, Tap, span
from asrc_core.errors import AsrcError, InvalidNetwork, SpanTooLong, UnreadableFile

N, CHANNELS, C = 4, 3, 2
LIF: dict[str, Any] = {"bias": 0, "decay": 512, "threshold": 900, "activation_shift": 2, "reset": "soft"}
CUBA: dict[str, Any] = {**LIF, "current_decay": 1024}


def weights(rows: int, columns: int) -> Any:
    return np.random.default_rng(rows * 100 + columns).integers(-20, 20, (rows, columns)) * 2


def made(
    *,
    connections: tuple[Connection, ...] | None = None,
    neuron: Neuron | None = None,
    readout: Layer | None = None,
    entry: tuple[int, int] = (0, 1),
    **fields: Any,
) -> IntegerNetwork:
    """A layer 'hidden' with a connection from the input and one from itself, delayed by synapse, and a readout."""
    delays = np.arange(N * N).reshape(N, N) % 5 + 1
    usual = (
        Connection(INPUT, weights(N, CHANNELS), 0, 8),
        Connection("hidden", weights(N, N), 1, 8, delays=delays, mapping="synaptic-delay"),
    )
    hidden = Layer("hidden", usual if connections is None else connections, neuron or Neuron("cuba-lif", CUBA))
    last = readout or Layer("out", (Connection("hidden", weights(C, N), 0, 8),), Neuron("integrator", {"bias": 0}))
    return IntegerNetwork(InputFormat(CHANNELS, *entry, 1.0), (hidden, last), "loihi2", 6, **fields)


def from_input(**fields: Any) -> tuple[Connection, ...]:
    return (replace(Connection(INPUT, weights(N, CHANNELS), 0, 8), **fields),)


def from_itself(**fields: Any) -> tuple[Connection, ...]:
    return (*from_input(), replace(Connection("hidden", weights(N, N), 0, 8, span(1)), **fields))


def neuron(kind: str = "cuba-lif", **changes: Any) -> Neuron:
    return Neuron(kind, {**(CUBA if kind == "cuba-lif" else LIF), **changes})


def out(*connections: Connection, kind: str = "integrator", **parameters: Any) -> Layer:
    return Layer("out", connections, Neuron(kind, {"bias": 0, **parameters}))


def test_such_a_network_is_valid_and_its_parameters_are_complete() -> None:
    network = made()
    assert network.readout.neuron.parameters["current_decay"] == 4096
    assert network.ranges[0].states["c"].magnitude < 2**23
    assert why_no_chain(network) == ("layer 'hidden'", "its neurons are of kind 'cuba-lif', not 'lif'")


REFUSED: dict[str, tuple[Callable[[], IntegerNetwork], str]] = {
    "unknown kind": (
        lambda: made(neuron=neuron("glif-nine")),
        "'hidden': there is no kind of neuron 'glif-nine'",
    ),
    "no such parameter": (
        lambda: made(neuron=neuron(leak=3)),
        "'hidden': it has no parameter 'leak'; it has bias",
    ),
    "parameter missing": (lambda: made(neuron=Neuron("lif", {"bias": 0})), "its parameter 'decay' is missing"),
    "parameter of the wrong shape": (
        lambda: made(neuron=neuron(threshold=np.ones(N + 1, np.int64))),
        r"layer 'hidden': threshold has shape \(5,\), neither one number nor one for each of its 4 neurons",
    ),
    "parameter out of range": (
        lambda: made(neuron=neuron(decay=np.array([0, 1, 4097, 2]))),
        "layer 'hidden': decay 4097 is outside 0 to 4096",
    ),
    "parameter of a fraction": (lambda: made(neuron=neuron(decay=0.5)), "decay is of type float64, not a whole number"),
    "unknown choice": (lambda: made(neuron=neuron(reset="none")), "reset 'none' is neither of soft, hard"),
    "state too wide": (
        lambda: made(neuron=neuron(current_decay=0)),
        "layer 'hidden': its state 'c' could reach .*, beyond its 24 bits",
    ),
    "table too large": (
        lambda: made(readout=out(Connection("hidden", weights(C, N), 0, 8), time_weights=np.ones(1025, np.int64))),
        "readout 'out': time weights has 1,025 entries, beyond 1 to 1024",
    ),
    "table entry out of range": (
        lambda: made(readout=out(Connection("hidden", weights(C, N), 0, 8), time_weights=[1, 128])),
        "time weights has an entry outside -127 to 127",
    ),
    "no such source": (
        lambda: made(connections=from_input(source="cortex")),
        "layer 'hidden': it has a connection from 'cortex', which does not exist; there are input, hidden, out",
    ),
    "readout as a source": (
        lambda: made(connections=(*from_input(), Connection("out", weights(N, C), 0, 8, span(1)))),
        "layer 'hidden', connection from 'out': 'out' is a readout and sends nothing",
    ),
    "loop without delay": (
        lambda: made(connections=from_itself(taps=NOW)),
        "layer 'hidden', connection from 'hidden': a lag of 0 closes a loop without delay",
    ),
    "loop without delay in one synapse": (
        lambda: made(connections=from_itself(delays=np.zeros((N, N), np.int64), mapping="synaptic-delay")),
        "a lag of 0 closes a loop without delay",
    ),
    "lag below 0": (lambda: made(connections=from_input(taps=span(-1))), "a lag of -1 is below 0"),
    "exponent below 0 with delays": (
        lambda: made(
            connections=from_input(delays=np.zeros((N, CHANNELS), np.int64), mapping="synaptic-delay", exponent=-1)
        ),
        "layer 'hidden', connection from 'input': exponent -1 is below 0, and each synapse has its own delay",
    ),
    "delays of another shape": (
        lambda: made(connections=from_input(delays=np.zeros((CHANNELS, N), np.int64), mapping="synaptic-delay")),
        r"delays have shape \(3, 4\), which does not fit weights of \(4, 3\)",
    ),
    "delays in a delay line": (
        lambda: made(connections=from_input(delays=np.zeros((N, CHANNELS), np.int64))),
        "a delay for each synapse needs the synaptic-delay mapping, and this is delay-line",
    ),
    "numbers in a delay line": (
        lambda: made(connections=from_input(taps=span(2)), entry=(0, 9)),
        "'input' sends numbers and a delay line holds spikes, so that a lag of 2 needs the synaptic-delay mapping",
    ),
    "taps of numbers": (
        lambda: made(connections=from_input(taps=(Tap(1, 1), Tap(2, 1))), entry=(0, 9)),
        "several taps need spikes, and 'input' sends numbers",
    ),
    "weights of another shape": (
        lambda: made(connections=from_input(weights=weights(N, CHANNELS + 1))),
        r"connection from 'input': weights have shape \(4, 4\), which does not fit",
    ),
    "weights off their grid": (lambda: made(connections=from_input(weight_bits=2)), "are not on the 2-bit grid"),
    "nothing connected": (lambda: made(connections=()), "layer 'hidden': nothing is connected to it"),
    "a readout that fires": (
        lambda: made(readout=Layer("out", (Connection("hidden", weights(C, N), 0, 8),), Neuron("lif", LIF))),
        "readout 'out': it is the last and has to integrate, which neurons of kind 'lif' do not",
    ),
    "a hidden layer that does not": (
        lambda: made(neuron=Neuron("integrator", {"bias": 0})),
        "layer 'hidden': it is not the last and has to send something",
    ),
    "a name twice": (
        lambda: made(readout=replace(out(Connection("hidden", weights(C, N), 0, 8)), name="hidden")),
        "layer 'hidden': its name is taken twice",
    ),
    "the input's name": (
        lambda: made(readout=replace(out(Connection("hidden", weights(C, N), 0, 8)), name="input")),
        "layer 'input': its name is the input's",
    ),
    "weights with fractions": (
        lambda: made(connections=from_input(weights=weights(N, CHANNELS) + 0.5)),
        "connection from 'input': its weights are of type float64, and not all of them are whole numbers",
    ),
    "weights that are no numbers": (
        lambda: made(connections=from_input(weights=np.full((N, CHANNELS), np.nan))),
        "its weights are of type float64, and not all of them are whole numbers",
    ),
    "delays with fractions": (
        lambda: made(connections=from_itself(delays=np.full((N, N), 1.5), mapping="synaptic-delay")),
        "connection from 'hidden': its delays are of type float64, and not all of them are whole numbers",
    ),
    "an exponent with a fraction": (
        lambda: made(connections=from_input(exponent=0.5)),
        "connection from 'input': exponent 0.5 is not a whole number",
    ),
    "a span with a fraction": (
        lambda: made(connections=from_input(taps=span(1.5))),
        "a span 1.5 is not a whole number",
    ),  # type: ignore[arg-type]  # that is the point
    "an array for a choice": (lambda: made(neuron=neuron(reset=np.array(["soft", "hard"]))), "reset .* is neither of"),
    "a scale that is no number": (
        lambda: made(readout=replace(out(Connection("hidden", weights(C, N), 0, 8)), scale=float("nan"))),
        "readout 'out': scale nan is not a finite number above 0",
    ),
    "a name without a letter": (
        lambda: made(readout=replace(out(Connection("hidden", weights(C, N), 0, 8)), name="")),
        "layer '': its name has 0 letters, beyond 1 to 200",
    ),
    "a name of two lines": (
        lambda: made(readout=replace(out(Connection("hidden", weights(C, N), 0, 8), bias=2**24), name="a\nb")),
        r"readout 'a\\nb': bias 16777216 is outside",
    ),
    "a sum beyond 32 bits": (
        lambda: made(connections=from_input(exponent=16), entry=(0, 2**20)),
        "layer 'hidden': a_ff could reach [0-9]+, beyond 32 bits signed",
    ),
    "a sum beyond 32 bits beside a small one from the same source": (
        lambda: made(
            connections=(
                Connection(INPUT, np.full((N, CHANNELS), 126), -16, 8),
                Connection(INPUT, np.zeros((N, CHANNELS), np.int64), 0, 8),
            ),
            entry=(0, 2**23 - 1),
        ),
        "layer 'hidden': W x from 'input' could reach [0-9]+, beyond 32 bits signed",
    ),
    "weights beyond 64 bits": (
        lambda: made(connections=from_input(weights=np.full((N, CHANNELS), 2**64 - 2, np.uint64))),
        "weights reach 18446744073709551614, beyond 64 bits signed",
    ),
    "more neurons than a file may have": (
        lambda: made(connections=(Connection(INPUT, np.zeros((2**20 + 1, CHANNELS), np.int8), 0, 8),)),
        "layer 'hidden': neurons 1048577 is outside 1 to 1048576",
    ),
    "a target without a letter": (
        lambda: replace(made(), target=""),
        "target: its name has 0 letters, beyond 1 to 200",
    ),
    "a number of NumPy in provenance": (
        lambda: made(provenance={"runs": [{"seed": np.int64(3)}]}),
        r"provenance: (np\.int64\()?3\)? is nothing that JSON holds",
    ),
    "no number in provenance": (
        lambda: made(provenance={"loss": float("nan")}),
        "provenance: nan is nothing that JSON holds",
    ),
    "a key in provenance that is no text": (
        lambda: made(provenance={1: "one"}),
        "provenance: {1: 'one'} is nothing that JSON holds",
    ),
    "half a letter in provenance": (
        lambda: made(provenance={"by": "\ud800"}),
        r"provenance: '\\ud800' is nothing that JSON holds",
    ),
    "steps with fractions": (
        lambda: made(permutation=np.arange(6) + 0.5),
        "permutation: its steps are of type float64, and not all of them are whole numbers",
    ),
    "not an order of the steps": (
        lambda: made(permutation=np.zeros(6, np.int64)),
        "permutation: it is not an order of the 6 steps",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_contract_is_refused_by_name(case: str) -> None:
    make, says = REFUSED[case]
    with pytest.raises(InvalidNetwork, match=says) as refused:
        make()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("connections", "limit"),
    [
        (lambda: from_itself(taps=span(33)), "at most 32 steps"),
        (lambda: from_itself(taps=span(64), mapping="synaptic-delay"), "at most 63 steps"),
        (lambda: from_input(taps=span(63), mapping="synaptic-delay"), "at most 62 steps"),
    ],
)
def test_a_lag_that_no_mapping_holds_is_never_truncated(connections: Any, limit: str) -> None:
    with pytest.raises(SpanTooLong, match=limit):
        made(connections=connections())


def test_nobody_can_write_to_the_arrays_of_a_network() -> None:
    network = made(neuron=neuron(threshold=np.full(N, 900)))
    for array in (network.layers[0].connections[0].weights, network.layers[0].neuron.parameters["threshold"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def samples(network: IntegerNetwork, seed: int) -> Any:
    entry = network.input
    shape = (2, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_any_network_comes_back_from_its_file(tmp_path: Path, seed: int) -> None:
    network, file = any_network(seed), tmp_path / "any.safetensors"
    network_file.save(network, file)
    again = network_file.load(file)
    assert network_file.to_bytes(again) == file.read_bytes()
    x = samples(network, seed)
    one, other = (interpreter.run(each, x, trace=True) for each in (network, again))
    assert first_difference(network, one, other) is None


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_shown_value_leaves_its_proven_range(seed: int) -> None:
    network = any_network(seed)
    result = interpreter.run(network, samples(network, seed), trace=True)
    assert result.trace is not None
    shown = [*(layer.membrane for layer in result.trace.layers), result.trace.readout]
    for ranges, values, count in zip(network.ranges, shown, result.counts, strict=True):
        if not ranges.may_saturate:
            assert ranges.state.low <= values.min()
            assert values.max() <= ranges.state.high
            assert count.saturations == 0


def test_numbers_may_be_numpys_own(tmp_path: Path) -> None:
    connections = from_input(exponent=np.int64(2), taps=(Tap(np.int32(3), np.int64(1)),), weight_bits=np.uint8(8))  # type: ignore[arg-type]  # of Python's by then
    network = replace(made(connections=connections), steps=np.int64(6))  # type: ignore[arg-type]  # as before
    network_file.save(network, tmp_path / "net.safetensors")
    assert network_file.load(tmp_path / "net.safetensors").layers[0].connections[0].taps == (Tap(3, 1),)


@pytest.mark.slow
def test_any_network_reaches_all_that_there_is() -> None:
    """The parity suites are worth something only if their networks do something."""
    networks = [any_network(seed) for seed in range(200)]
    layers = [layer for network in networks for layer in network.hidden]
    connections = [each for layer in layers for each in layer.connections]
    kinds = {"lif", "late-reset", "cuba-lif", "clif", "glif", "tc-lif", "resonator"}
    assert {layer.neuron.kind for layer in layers} == kinds
    assert {network.readout.neuron.kind for network in networks} == {"integrator", "first-spike", "peak"}
    assert sum(np.ndim(layer.neuron.parameters.get("decay", 0)) for layer in layers) > 20
    assert sum(each.delays is not None for each in connections) > 100
    assert sum(len(each.taps) > 1 for each in connections) > 30
    assert sum(network.readout.neuron.parameters.get("time_weights") is not None for network in networks) > 20
    back = [where for network in networks for i in range(len(network.layers)) for where in network.sources(i)]
    assert min(back.count("self"), back.count("after")) > 20
    firing = 0
    for seed, network in enumerate(networks[:60]):
        counts = interpreter.run(network, samples(network, seed)).counts
        firing += any(0 < count.spikes < count.neuron_updates for count in counts[:-1])
    assert firing > 40


def test_a_chain_can_be_had_from_its_network_and_back() -> None:
    network = random_network(4, widths=(5, 4), spans=([(2, 3), (9, 1)], 7), steps=12)
    assert network_file.to_bytes(chain(network).network()) == network_file.to_bytes(network)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a network of version 3."""
    network_file.save(made(neuron=neuron(threshold=np.full(N, 900))), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def of_layer(**changes: Any) -> Any:
    return lambda m, t: m["layers"][0].update(changes)


def of_connection(j: int, **changes: Any) -> Any:
    return lambda m, t: m["layers"][0]["connections"][j].update(changes)


def of_neuron(**changes: Any) -> Any:
    return lambda m, t: m["layers"][0]["neuron"]["parameters"].update(changes)


CHANGES: dict[str, tuple[Any, str]] = {
    "contract": (lambda m, t: m.update(contract=2), "manifest is invalid"),
    "unknown key": (of_layer(surprise=1), r"manifest is invalid at 'layers\.0\.surprise'"),
    "kind": (
        lambda m, t: m["layers"][0]["neuron"].update(kind="../evil"),
        "of kind '../evil', and",
    ),
    "kind that is a module": (lambda m, t: m["layers"][0]["neuron"].update(kind="kind"), "of kind 'kind', and this"),
    "parameter": (of_neuron(decay=9999), "decay 9999 is outside 0 to 4096"),
    "parameter of text": (of_neuron(decay="soft"), "decay is text, not a whole number"),
    "parameter of a list": (of_neuron(decay=[1]), "manifest is invalid at"),
    "parameter without end": (of_neuron(decay=2**80), "manifest is invalid at"),
    "parameter twice": (of_neuron(threshold=5), "says 'threshold' twice"),
    "choice as a tensor": (
        lambda m, t: (
            m["layers"][0]["neuron"]["parameters"].pop("reset"),
            t.update({"layers.0.parameters.reset": np.zeros(N, np.int32)}),
        ),
        "layer 'hidden': reset .* is neither of soft, hard",
    ),
    "kind of two lines": (lambda m, t: m["layers"][0]["neuron"].update(kind="no\npe"), r"of kind 'no\\npe', and"),
    "key of two lines": (lambda m, t: m.update({"a\nb": 1}), r"manifest is invalid at 'a\\nb'"),
    "tensor of two lines": (lambda m, t: t.update({"a\nb": np.zeros(1, np.int16)}), r"tensor 'a\\nb' does not belong"),
    "width": (of_layer(neurons=5), "layer 'hidden' has 5 neurons, and tensor"),
    "width without end": (of_layer(neurons=2**40), r"manifest is invalid at 'layers\.0\.neurons'"),
    "source": (of_connection(0, source="nobody"), "connection from 'nobody', which does not exist"),
    "lag": (of_connection(0, taps=[{"span": 99, "weight": 1}]), "has span 99"),
    "no lag": (of_connection(0, taps=[]), "neither taps nor a delay"),
    "taps and delays": (of_connection(1, taps=[{"span": 1, "weight": 1}]), "has both taps and delays"),
    "exponent": (of_connection(1, exponent=-2), "exponent -2 is below 0"),
    "delays missing": (lambda m, t: t.pop("layers.0.connections.1.delays"), "neither taps nor a delay"),
    "delays of another type": (
        lambda m, t: t.update({"layers.0.connections.1.delays": t["layers.0.connections.1.delays"].astype(np.int64)}),
        "is int64, expected uint8",
    ),
    "delays too long": (
        lambda m, t: t.update({"layers.0.connections.1.delays": np.full((N, N), 64, np.uint8)}),
        "has span 64",
    ),
    "weights missing": (lambda m, t: t.pop("layers.1.connections.0.weights"), "weights' is missing"),
    "a tensor too many": (
        lambda m, t: t.update({"layers.0.connections.7.weights": np.zeros((1, 1), np.int16)}),
        "belong",
    ),
    "enormous": (
        lambda m, t: (
            m.update(file_version=2),
            m["layers"][0].update(neurons=2**20),
            t.pop("layers.0.connections.1.weights"),
            t.update(
                {
                    "layers.0.connections.1.weights.present": np.zeros(1, np.uint8),
                    "layers.0.connections.1.weights.values": np.zeros(1, np.int16),
                }
            ),
        ),
        "would unpack to more than",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_tampered_file_of_version_3_is_refused_in_one_sentence(path: Path, case: str) -> None:
    change, says = CHANGES[case]
    rewritten(path, change)
    with pytest.raises((UnreadableFile, InvalidNetwork, SpanTooLong), match=says) as refused:
        network_file.load(path)
    assert "\n" not in str(refused.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_never_gets_past_as_a_traceback(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    other = path.with_name("flipped.safetensors")
    other.write_bytes(content)
    try:
        network_file.load(other)
    except AsrcError as error:
        assert "\n" not in str(error)
