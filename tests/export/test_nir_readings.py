"""Readings of NIR: the spikes of the framework that wrote the file, ties with the threshold included, and what files
are read rightly that look unusual."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from asrc_core.contract import interpreter
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidData, InvalidSetting, UnknownName, UnreadableFile
from asrc_export.chip import targets
from asrc_export.commands import export as cli_export
from asrc_export.interop.imported import Feed, Imported
from asrc_export.interop.nir import reader
from asrc_export.interop.nir.frameworks.readings import FRAMEWORKS, RULES
from asrc_export.interop.nir.numbers import plain
from asrc_export.quantization import quantize
from asrc_export.samples import given_samples
from asrc_train.trained.freeze import freeze

STEPS = 60
Reset = Callable[[float, float], float]


def full(value: float, n: int = 1) -> Any:
    return np.full(n, value, np.float32)


def line(neuron: Any, weight: float = 1.0, metadata: dict[str, Any] | None = None) -> nir.NIRGraph:
    """One input into one neuron."""
    nodes = {
        "input": nir.Input({"input": np.array([1])}),
        "w": nir.Linear(full(weight).reshape(1, 1)),
        "neuron": neuron,
        "output": nir.Output({"output": np.array([1])}),
    }
    graph = nir.NIRGraph(nodes, [("input", "w"), ("w", "neuron"), ("neuron", "output")], type_check=False)
    graph.metadata = metadata or {}
    return graph


def read(graph: nir.NIRGraph, folder: Path, **how: Any) -> Imported:
    nir.write(folder / "graph.nir", graph)
    return reader.read(folder / "graph.nir", Feed(steps=STEPS, maximum=1), **how)


def integers(found: Imported) -> IntegerNetwork:
    return quantize.quantize(freeze(found.checkpoint), targets.load("loihi2")).network


def fired(network: IntegerNetwork) -> list[int]:
    """At which steps the first neuron fires for an input of 1."""
    trace = interpreter.run(network, np.ones((1, STEPS, network.input.channels), np.int64), trace=True).trace
    assert trace is not None
    return np.flatnonzero(trace.layers[0].spikes[:, 0, 0]).tolist()


def simulated(kept: float, drive: float, theta: float, fires: str, reset: str) -> list[int]:
    """The same of u = kept v + drive, in double precision."""
    v, found, late = 0.0, [], 0.0
    for t in range(STEPS):
        v = kept * v + drive - late
        late = 0.0
        if v >= theta if fires == "at" else v > theta:
            found.append(t)
            late = theta if reset == "late" else 0.0
            v = 0.0 if reset == "hard" else v - theta if reset == "soft" else v
    return found


@pytest.mark.parametrize("fires", ["at", "above"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0625, 0.25, 0.75, 0.3125])
def test_a_membrane_that_equals_the_threshold_fires_or_not_on_integers_too(
    weight: float, reset: str, fires: str, tmp_path: Path
) -> None:
    graph = line(nir.IF(r=full(1), v_threshold=full(1), v_reset=full(0)), weight)
    network = integers(read(graph, tmp_path, dt=1.0, reset=reset, fires=fires))
    assert fired(network) == simulated(1.0, weight, 1.0, fires, reset)


def test_nir_fires_above_the_threshold(tmp_path: Path) -> None:
    found = read(line(nir.IF(r=full(1), v_threshold=full(1), v_reset=full(0))), tmp_path, dt=1.0)
    assert fired(integers(found)) == list(range(1, STEPS, 2))
    assert "neurons fire above their threshold, as NIR defines" in found.notes


DT = 1e-4
X = 0.5
WRITTEN: list[tuple[str, Any, float, float]] = [
    # Framework, its node for x = dt / tau, decay factor and gain of its simulation.
    ("rockpool", nir.LIF(full(DT / X), full(np.exp(-X) / X), full(0), full(1), full(0)), np.exp(-X), 1.0),
    ("spyx", nir.LIF(full(DT / X), full(1 - X), full(0), full(1), full(0)), 1 - X, 1.0),
    ("sinabs", nir.LIF(full(DT / X), full(1), full(0), full(1), full(0)), np.exp(-X), 1 - np.exp(-X)),
    ("snntorch", nir.LIF(full(DT / X), full(1 / X), full(0), full(1), full(0)), 1 - X, 1.0),
    ("norse", nir.LIF(full(DT / X), full(1), full(0), full(1), full(0)), 1 - X, X),
    ("norse", nir.IF(full(1), full(1), full(0)), 1.0, 1.0),
    ("spikingjelly", nir.IF(full(1 / DT), full(1), full(0)), 1.0, 1.0),
]


@pytest.mark.parametrize(("framework", "node", "kept", "gain"), WRITTEN)
@pytest.mark.parametrize("weight", [0.3, 0.7, 2.0, 2.75])
def test_a_frameworks_reading_is_its_simulation(
    framework: str, node: Any, kept: float, gain: float, weight: float, tmp_path: Path
) -> None:
    found = read(line(node, weight), tmp_path, dt=DT, written_by=framework)
    row = FRAMEWORKS[framework]
    assert fired(integers(found)) == simulated(kept, weight * gain, 1.0, row.fires, row.reset)
    assert row.unsaid in found.notes


def test_the_steps_of_frameworks_that_have_one_need_no_telling(tmp_path: Path) -> None:
    node = nir.LIF(full(4e-4), full(4), full(0), full(1), full(0))
    found = read(line(node), tmp_path, written_by="snntorch").checkpoint
    assert found.config.network.each_layer()[0].decay == pytest.approx(0.75)
    with pytest.raises(InvalidSetting, match="`dt`"):
        read(line(node), tmp_path, written_by="lava-dl")


def test_metadata_name_the_framework_and_options_win(tmp_path: Path) -> None:
    graph = line(nir.LIF(full(4e-4), full(4), full(0), full(1), full(0)), metadata={"framework": "snnTorch 1.0"})
    own = read(graph, tmp_path).checkpoint.config.network.each_layer()[0]
    assert (own.reset, own.fires) == ("soft", "above")
    told = read(graph, tmp_path, reset="hard", fires="at", written_by="norse", dt=1e-4)
    own = told.checkpoint.config.network.each_layer()[0]
    assert (own.reset, own.fires) == ("hard", "at")
    assert "neurons fire at their threshold, as told" in told.notes
    both = line(nir.IF(full(1), full(1), full(0)), metadata={"framework": "snnTorch to Norse"})
    with pytest.raises(InvalidSetting, match="`dt`"):
        read(both, tmp_path)


def test_a_framework_without_a_row_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown framework 'neuron'; known: brian2, lava-dl, nengo, norse, rockpool"):
        read(line(nir.IF(full(1), full(1), full(0))), tmp_path, written_by="neuron", dt=1.0)


def test_rows_and_the_page_say_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "interop.md").read_text(encoding="utf-8")
    for name, row in FRAMEWORKS.items():
        step = "told" if row.dt is None else f"{row.dt:g}"
        cells = (f"`{name}`", f"{row.title} {row.version}", step, row.integration, row.reset, row.fires)
        assert f"| {' | '.join(cells)} |" in page
        assert row.integration in RULES


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("shift", [0.25, -64.0])
def test_potentials_are_measured_from_the_reset_potential(shift: float, reset: str, tmp_path: Path) -> None:
    def node(c: float) -> nir.LIF:
        return nir.LIF(full(1e-3), full(1), full(c - 0.125), full(c + 0.25), full(c))

    one, other = (read(line(node(c), 0.75), tmp_path, dt=DT, reset=reset).checkpoint for c in (0.0, shift))
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(tensor, other.tensors[name])
    assert one.config.network == other.config.network
    assert one.config.network.each_layer()[0].threshold == 0.25


def near(value: float) -> Any:
    """Two numbers of which one is the next in single precision."""
    return np.array([value, np.nextafter(np.float32(value), np.float32(1e9))], np.float32)


@pytest.mark.parametrize("parameter", ["tau", "v_threshold", "v_reset"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_constants_that_differ_in_their_last_bits_are_one(parameter: str, reset: str, tmp_path: Path) -> None:
    given = {"tau": full(2e-3, 2), "r": full(1, 2), "v_leak": full(0, 2), "v_threshold": full(1.1, 2)}
    given |= {"v_reset": full(0.3, 2)}
    given[parameter] = near(float(given[parameter][0]))
    graph = line(nir.LIF(**given))
    graph.nodes["w"] = nir.Linear(np.ones((2, 1), np.float32))
    found = read(graph, tmp_path, dt=1e-3, reset=reset).checkpoint.config.network
    assert not found.graph  # a chain, whose constants are one for each layer
    assert found.each_layer()[0].decay == pytest.approx(0.5)
    assert found.each_layer()[0].threshold == pytest.approx(0.8)


def test_time_constants_of_lasting_currents_that_differ_in_their_last_bits_are_one(tmp_path: Path) -> None:
    given = {"tau_syn": near(4e-3), "tau_mem": near(2e-3), "v_threshold": near(1.1), "w_in": full(1, 2)}
    given |= {"r": full(1, 2), "v_leak": full(0, 2), "v_reset": full(0, 2)}
    graph = line(nir.CubaLIF(**given))
    graph.nodes["w"] = nir.Linear(np.ones((2, 1), np.float32))
    (layer, _) = read(graph, tmp_path, dt=1e-3).checkpoint.config.network.graph
    assert {"decay_factor", "current_decay_factor", "threshold"} <= set(layer.constants)
    assert "threshold" not in layer.each


def test_axes_before_the_one_that_a_matrix_takes_are_those_it_was_traced_with(tmp_path: Path) -> None:
    graph = line(nir.LIF(full(4.0, 2), full(1, 2), full(0, 2), full(1, 2), full(0, 2)))
    graph.nodes["w"] = nir.Linear(np.eye(2, 3, dtype=np.float32))
    graph.nodes["input"] = nir.Input({"input": np.array([24, 3])})
    assert read(graph, tmp_path, written_by="sinabs").checkpoint.channels == 3


def test_a_reset_that_comes_a_step_late_is_a_kind_of_its_own(tmp_path: Path) -> None:
    graph = line(nir.LIF(full(2e-4), full(2), full(0), full(1), full(0)), 0.75)
    found = read(graph, tmp_path, written_by="snntorch", reset="late")
    assert freeze(found.checkpoint).layers[0].kind == "late-reset"
    assert fired(integers(found)) == simulated(0.5, 0.75, 1.0, "above", "late")
    assert fired(integers(found)) != simulated(0.5, 0.75, 1.0, "above", "soft")


@pytest.mark.parametrize(("framework", "kept_of_w"), [("norse", 1.0), ("rockpool", 0.5), ("snntorch", 0.5)])
def test_a_spike_raises_a_lasting_current_as_the_framework_has_it(
    framework: str, kept_of_w: float, tmp_path: Path
) -> None:
    """Recorded of Norse 1.1.0 and Rockpool 3.1.0: w_in itself, and w_in of which a step has decayed."""
    one, tau = full(1), full(np.float32(1 / np.log(2)) if framework == "rockpool" else 2)
    r = {"norse": 2.0, "snntorch": 2.0, "rockpool": np.exp(-np.log(2)) / np.log(2)}[framework]
    node = nir.CubaLIF(tau, tau, full(r), full(0), one, full(0), one)
    found = freeze(read(line(node), tmp_path, written_by=framework, dt=1.0).checkpoint).layers[0]
    assert found.kind == "cuba-lif"
    np.testing.assert_allclose(found.weight, kept_of_w, rtol=1e-6)
    assert (found.decay, found.constants["current_decay_factor"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(np.float32(0.9), 0.9), (np.float32(1) / np.float32(3) * 3, 1.0), (0.5 + 1e-8, 0.5), (0.123456789, 0.123456789)],
)
def test_what_single_precision_blurred_is_the_short_fraction_that_was_meant(written: float, meant: float) -> None:
    assert plain(np.array([float(written)]))[0] == meant


def recurrent(parameters: tuple[int, ...], inner: int, nested: bool) -> nir.NIRGraph:
    """Four neurons that feed themselves, flat or in a subgraph whose Input says ``inner`` values."""
    draw = np.random.default_rng(0)
    w, u = draw.normal(0, 1, (4, 2)).astype(np.float32), draw.normal(0, 1, (4, 4)).astype(np.float32)
    one = np.ones(parameters, np.float32)
    tau, r = np.asarray(one * 1e-3, np.float32), np.asarray(one * 10, np.float32)
    loop = {"lif": nir.LIF(tau, r, one * 0, one, one * 0), "again": nir.Linear(u)}
    edges = [("lif", "again"), ("again", "lif")]
    ends = {
        "input": nir.Input({"input": np.array([2])}),
        "fc": nir.Linear(w),
        "output": nir.Output({"output": np.array([4])}),
    }
    if not nested:
        nodes = {**ends, **loop}
        return nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), *edges, ("lif", "output")], type_check=False)
    inside = {
        "input": nir.Input({"input": np.array([inner])}),
        **loop,
        "output": nir.Output({"output": np.array([inner])}),
    }
    within = nir.NIRGraph(inside, [("input", "lif"), *edges, ("lif", "output")], type_check=False)
    return nir.NIRGraph({**ends, "r": within}, [("input", "fc"), ("fc", "r"), ("r", "output")], type_check=False)


@pytest.mark.parametrize(("parameters", "inner"), [((4,), 4), ((1,), 4), ((), 4), ((4,), 2)])
def test_a_subgraph_is_the_network_laid_out(parameters: tuple[int, ...], inner: int, tmp_path: Path) -> None:
    how = {"dt": DT, "loop_span": 1}
    graph = recurrent(parameters, inner, nested=True)
    nir.write(tmp_path / "graph.nir", graph, compression=None)
    found = reader.read(tmp_path / "graph.nir", Feed(steps=STEPS, maximum=1), **how)  # type: ignore[arg-type]
    flat = read(recurrent((4,), 4, nested=False), tmp_path, **how)
    for name, tensor in flat.checkpoint.tensors.items():
        np.testing.assert_array_equal(tensor, found.checkpoint.tensors[name])


def test_what_enters_a_recurrent_layer_of_spyx_does_not_pass_its_recurrent_weights(tmp_path: Path) -> None:
    """spyx 1.0.0 writes the edge from the layer's input to the recurrent weights in place of that to the neurons."""
    graph = recurrent((4,), 4, nested=True)
    right = read(graph, tmp_path, written_by="spyx", dt=DT).checkpoint
    within = graph.nodes["r"]
    within.edges = [("input", "again") if each == ("input", "lif") else each for each in within.edges]
    found = read(graph, tmp_path, written_by="spyx", dt=DT).checkpoint
    assert found.tensors.keys() == right.tensors.keys()
    for name, tensor in right.tensors.items():
        np.testing.assert_array_equal(tensor, found.tensors[name])


def test_scalar_neurons_alone_in_a_subgraph_have_the_width_of_what_feeds_it(tmp_path: Path) -> None:
    graph = recurrent((), 4, nested=True)
    within = graph.nodes["r"]
    del within.nodes["again"]
    within.edges = [("input", "lif"), ("lif", "output")]
    nir.write(tmp_path / "graph.nir", graph, compression=None)
    found = reader.read(tmp_path / "graph.nir", Feed(steps=STEPS, maximum=1), dt=DT)
    assert found.checkpoint.config.network.hidden == (4,)


@pytest.mark.parametrize(
    "metadata", [{"training": {"type": "supervised"}}, {"type": "mine"}, {"a": {"b": {"type": 3}}}]
)
def test_nothing_in_metadata_is_a_node(metadata: dict[str, Any], tmp_path: Path) -> None:
    node = nir.IF(full(1), full(1), full(0), metadata=metadata)
    found = read(line(node, metadata=metadata), tmp_path, dt=1.0)
    assert found.checkpoint.config.network.hidden == (1,)


def test_a_node_called_metadata_is_one(tmp_path: Path) -> None:
    graph = line(nir.IF(full(1), full(1), full(0)))
    graph.nodes["metadata"] = graph.nodes.pop("neuron")
    graph.edges = [("input", "w"), ("w", "metadata"), ("metadata", "output")]
    assert read(graph, tmp_path, dt=1.0).checkpoint.config.network.hidden == (1,)


def test_a_graph_that_brings_the_reading_packages_own_argument_is_refused(tmp_path: Path) -> None:
    import h5py

    nir.write(tmp_path / "graph.nir", line(nir.IF(full(1), full(1), full(0))))
    with h5py.File(tmp_path / "graph.nir", "r+") as file:
        file["node/type_check"] = 1
    with pytest.raises(UnreadableFile, match="type_check"):
        reader.read(tmp_path / "graph.nir", Feed(steps=STEPS, maximum=1), dt=1.0)


def test_a_node_that_has_no_place_is_named_before_a_shape_that_follows_from_it(tmp_path: Path) -> None:
    cube = np.ones((2, 4, 4), np.float32)
    graph = line(nir.IF(cube, cube, cube * 0))
    graph.nodes["input"] = nir.Input({"input": np.array([1, 4, 4])})
    graph.nodes["w"] = nir.Threshold(np.ones(3, np.float32))
    with pytest.raises(InvalidSetting, match=r"NIR node 'w': Threshold has no place .*the closest is IF"):
        read(graph, tmp_path, dt=1.0)


def network_of(steps: int, channels: int) -> IntegerNetwork:
    from asrc_core.contract.random_network import random_network

    return random_network(0, channels=channels, widths=(3,), spans=(1,), classes=2, steps=steps)


@pytest.mark.parametrize("shape", [(7, 5, 2), (2, 7, 5), (5, 2, 7), (2, 5, 7)])
def test_samples_with_exchanged_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidData, match=r"the network's have 7 steps of 2; x looks like \("):
        given_samples.note_on(network_of(7, 2), np.zeros(shape, np.int64))


def test_samples_of_another_length_are_told_with_both_numbers() -> None:
    network = network_of(7, 2)
    assert given_samples.note_on(network, np.zeros((5, 7, 2), np.int64)) is None
    said = given_samples.note_on(network, np.zeros((5, 9, 2), np.int64))
    assert said == "the samples have 9 steps, the network was exported for 7"


def test_the_help_of_the_command_names_every_framework(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # so that no name is parted
    with pytest.raises(SystemExit):
        cli_export.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "nir: " + ", ".join([*FRAMEWORKS][:-1]) + f" or {[*FRAMEWORKS][-1]}: sets what that framework" in told
