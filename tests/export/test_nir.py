"""NIR: our networks go out and come back bit by bit, those of other frameworks fire as they do there, and whatever is
not a network of ours is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain as contract_chain
from asrc_core.contract.file import network_file
from asrc_core.contract.interpreter import Session
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import AsrcError, InvalidSetting, NonFiniteWeights, UnreadableFile
from asrc_export import real_network
from asrc_export.commands import export as cli_export
from asrc_export.commands import report as cli_report
from asrc_export.interop.imported import Feed, Imported
from asrc_export.interop.nir import nir_file
from asrc_export.interop.nir import reader as nir_import
from asrc_export.interop.nir import writer as nir_export
from asrc_lava.commands import sim as cli_sim
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import freeze, freeze_file
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork, WeightedTap, skip_layer

FED = Feed(steps=12, maximum=1)
WHOLE = settings(deadline=None, max_examples=15)


def ones(n: int, value: float = 1.0) -> np.ndarray[Any, Any]:
    return np.full(n, value, np.float32)


def lif(n: int, **changed: Any) -> nir.LIF:
    parameters = {"tau": ones(n, 2e-3), "r": ones(n, 2.0), "v_leak": ones(n, 0), "v_threshold": ones(n)}
    return nir.LIF(**{**parameters, "v_reset": ones(n, 0), **changed})


def affine(n: int, inputs: int, seed: int = 0) -> nir.Affine:
    draw = np.random.default_rng(seed)
    return nir.Affine(draw.normal(0, 1, (n, inputs)).astype(np.float32), draw.normal(0, 0.2, n).astype(np.float32))


def chain(
    *nodes: Any, loop: dict[str, list[Any]] | None = None, extra: tuple[tuple[str, str], ...] = ()
) -> nir.NIRGraph:
    """input -> 0 -> 1 -> ... -> output; ``loop`` puts a path of nodes from a node back to itself."""
    named = {str(i): node for i, node in enumerate(nodes)}
    edges = list(zip(["input", *named], [*named, "output"], strict=True))
    for name, path in (loop or {}).items():
        inside = {f"loop{name}.{i}": node for i, node in enumerate(path)}
        edges += zip([name, *inside], [*inside, name], strict=True)
        named |= inside
    ends = {"input": nir.Input({"input": np.array([3])}), "output": nir.Output({"output": np.array([2])})}
    return nir.NIRGraph({**ends, **named}, [*edges, *extra], type_check=False)


def imported(graph: nir.NIRGraph, folder: Path, asked: Feed = FED, **how: Any) -> Imported:
    path = folder / "graph.nir"
    nir.write(path, graph)
    return nir_import.read(path, asked, **{"dt": 1e-3, **how})


def spikes(found: Imported, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Spikes (T, B, N) of each layer of an imported network for real input (T, B, channels)."""
    with torch.no_grad():
        _, all_spikes = found.checkpoint.network().traced(torch.from_numpy(x.astype(np.float32)))
    return [each.numpy() for each in all_spikes]


# --- our networks, out and back -------------------------------------------------------------------------------------


@st.composite
def frozen_networks(draw: st.DrawFn) -> FrozenNetwork:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def single(*shape: int) -> np.ndarray[Any, Any]:
        return random.normal(size=shape).astype(np.float32).astype(np.float64)

    channels, classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    layers: list[FrozenLayer] = []
    fan_in = channels
    for i in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 8))
        layers.append(
            skip_layer(
                name=f"layer{i}",
                source=layers[-1].name if layers else INPUT,
                weight=single(n, fan_in),
                recurrent=single(n, n) * draw(st.sampled_from([0.0, 1.0, 1.0])),
                bias=single(n),
                decay_factor=draw(st.sampled_from([0.0, 0.5, 0.9, 0.999, 1.0]) | st.floats(0, 1)),
                threshold=draw(st.sampled_from([1.0, 0.3]) | st.floats(1e-3, 1e3)),
                reset=draw(st.sampled_from(["soft", "hard"])),
                span=draw(st.integers(1, 64)),
            )
        )
        fan_in = n
    steps = draw(st.integers(1, 40))
    return FrozenNetwork(
        layers=tuple(layers),
        readout_weight=single(classes, fan_in),
        readout_bias=single(classes),
        channels=channels,
        steps=steps,
        scale=draw(st.sampled_from([1.0, 1 / 255, 1 / 16])),
        maximum=draw(st.integers(1, 255)),
        permutation=random.permutation(steps) if draw(st.booleans()) else None,
        provenance={},
    )


def require_same(one: FrozenNetwork, two: FrozenNetwork) -> None:
    for mine, theirs in zip(one.layers, two.layers, strict=True):
        for name in ("weight", "recurrent", "bias"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        for name in ("name", "decay", "threshold", "reset", "span"):
            assert getattr(mine, name) == getattr(theirs, name), name
    for name in ("readout_weight", "readout_bias", "channels", "steps", "scale", "maximum", "permutation"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@WHOLE
@given(frozen=frozen_networks())
def test_what_we_export_comes_back_bit_by_bit(frozen: FrozenNetwork, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("nir") / "model.nir"
    nir_file.write(nir_export.to_graph(frozen), path)
    require_same(frozen, freeze(nir_import.read(path, Feed()).checkpoint))


@st.composite
def graph_networks(draw: st.DrawFn) -> FrozenNetwork:
    """Lasting currents, constants and delays of single neurons and synapses, skips, several taps, leaky readouts."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m, classes = (draw(st.integers(1, 6)) for _ in range(3))

    def single(*shape: int, least: float = -1.0) -> np.ndarray[Any, Any]:
        return random.uniform(least, 1, shape).astype(np.float32).astype(np.float64)

    def late(*shape: int) -> np.ndarray[Any, Any]:
        """One for each synapse, or one for each source."""
        return np.broadcast_to(random.integers(0, 9, draw(st.sampled_from([shape, shape[1:]]))), shape)

    currents = {"decay_factor": single(n, least=0), "current_decay_factor": single(n, least=0)}
    bias = {"bias": single(n) / 8, "current_bias": single(n) / 8}
    cuba: dict[str, Any] = {**currents, **bias, "threshold": 0.1 + single(n, least=0), "fires": "above"}
    first = FrozenLayer(
        "layer0",
        (
            FrozenConnection(INPUT, single(n, 2), (), late(n, 2)),
            FrozenConnection("layer0", single(n, n), (), 1 + late(n, n)),
        ),
        "cuba-lif",
        {**cuba, "reset": draw(st.sampled_from(["soft", "hard"]))},
    )
    taps = draw(st.sampled_from([(WeightedTap(2, 1.0),), (WeightedTap(2, 0.5), WeightedTap(9, 0.25))]))
    kind = draw(st.sampled_from(["lif", "late-reset"]))
    lif = {"bias": single(m) / 8, "threshold": 0.5, "decay_factor": single(m, least=0)}
    second = FrozenLayer(
        "layer1",
        (FrozenConnection("layer0", single(m, n)), FrozenConnection(INPUT, single(m, 2), taps)),
        kind,
        lif if kind == "late-reset" else {**lif, "reset": "hard"},
    )
    weighs = draw(st.sampled_from([None, np.array([1.0]), np.array([1.0, 0.5, 0.25])]))
    leak = {"bias": single(classes), "decay_factor": 0.9, "current_decay_factor": draw(st.sampled_from([0.0, 0.75]))}
    peak = draw(st.booleans())
    heard = (FrozenConnection("layer1", single(classes, m)), FrozenConnection("layer0", single(classes, n), taps))
    decides = FrozenLayer(
        "readout",
        heard,
        "peak" if peak else "integrator",
        leak if peak or weighs is None else {**leak, "time_weights": weighs},
    )
    return FrozenNetwork(
        (first, second), heard[0].weight, decides.bias, 2, 20, 1.0, 1, None, {}, draw(st.sampled_from([decides, None]))
    )


def stepped(frozen: FrozenNetwork, x: np.ndarray[Any, Any]) -> tuple[list[Any], Any]:
    """What each layer sends in each step, and what the readout shows at last."""
    session, sent, shown = Session(real_network.of(frozen), x.shape[1], RealArithmetic()), [], None
    for now in x:
        *hidden, last = session.step(now)
        sent.append([np.array(each.sent) for each in hidden])
        shown = np.array(last.shown)
    return sent, shown


@WHOLE
@given(frozen=graph_networks())
def test_currents_delays_skips_and_leaky_readouts_come_back_with_the_same_spikes(
    frozen: FrozenNetwork, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("nir") / "model.nir"
    nir_export.save_frozen(frozen, path, lossy=True)
    again = freeze(nir_import.read(path, Feed()).checkpoint)
    x = np.random.default_rng(0).integers(0, 2, (20, 4, 2)).astype(np.float64)
    (mine, shown), (theirs, also) = stepped(frozen, x), stepped(again, x)
    for step, (one, two) in enumerate(zip(mine, theirs, strict=True)):
        for here, there in zip(one, two, strict=True):
            np.testing.assert_array_equal(here, there, err_msg=f"step {step}")
    np.testing.assert_allclose(also, shown, rtol=1e-5, atol=1e-5)


def test_neurons_and_delays_are_those_nodes_of_nirs() -> None:
    cuba = {"bias": np.zeros(3), "threshold": 1.0, "decay_factor": 0.5, "current_decay_factor": 0.75, "reset": "hard"}
    late = np.array([[0, 2], [0, 2], [0, 2]])
    layer = FrozenLayer("layer0", (FrozenConnection(INPUT, np.ones((3, 2)), (), late),), "cuba-lif", cuba)
    heard = FrozenConnection("layer0", np.ones((2, 3)), (), np.array([[1, 1, 4], [1, 2, 4]]))
    leak = FrozenLayer("readout", (heard,), "integrator", {"bias": np.zeros(2), "decay_factor": 0.75})
    graph = nir_export.to_graph(FrozenNetwork((layer,), heard.weight, leak.bias, 2, 5, 1.0, 1, None, {}, leak))
    node = graph.nodes["layer0"]
    assert type(node) is nir.CubaLIF
    np.testing.assert_allclose(nir_export.DT / node.tau_syn, 0.25, rtol=1e-6)
    np.testing.assert_allclose(nir_export.DT / node.tau_syn * node.w_in, 1, rtol=1e-6)
    assert type(graph.nodes["sum"]) is nir.LI
    delays = [np.asarray(node.delay) / nir_export.DT for node in graph.nodes.values() if type(node) is nir.Delay]
    assert sorted(np.rint(each).tolist() for each in delays) == [[0, 2], [1] * 3, [2] * 3, [4] * 3]


def alone(layer: FrozenLayer) -> FrozenNetwork:
    return FrozenNetwork((layer,), np.ones((2, 3)), np.zeros(2), 1, 5, 1.0, 1, None, {})


BIAS = {"bias": np.zeros(3), "threshold": 1.0, "reset": "hard"}
CUBA = {**BIAS, "decay_factor": 0.5}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "glif"}, "has neurons of kind 'glif', and of NIR's nodes LIF, IF and CubaLIF fire"),
        ({"constants": {**BIAS, "decay_factor": np.array([0.5, 1, 1])}}, "neurons that leak beside some that do not"),
        ({"kind": "cuba-lif", "constants": {**CUBA, "current_decay_factor": 1.0}}, "currents that never decay"),
        ({"kind": "cuba-lif", "constants": {**CUBA, "decay_factor": 1.0, "current_decay_factor": 0.5}}, "do not leak"),
    ],
)
def test_what_the_graph_has_no_form_for_is_refused_by_layer_with_the_reason(changes: dict[str, Any], says: str) -> None:
    layer = skip_layer("layer0", np.ones((3, 1)), np.eye(3), np.zeros(3), span=1, decay_factor=0.5, threshold=1.0)
    with pytest.raises(InvalidSetting, match=f"NIR graph: layer 'layer0' .*{says}"):
        nir_export.to_graph(alone(replace(layer, **changes)))


def test_a_readout_that_neither_leaks_nor_only_adds_up_is_refused() -> None:
    layer = skip_layer("layer0", np.ones((3, 1)), np.eye(3), np.zeros(3), span=1, **CUBA_OF_ONE)
    heard = (FrozenConnection("layer0", np.ones((2, 3))),)
    peak = FrozenLayer("readout", heard, "peak", {"bias": np.zeros(2), "decay_factor": 1.0})
    with pytest.raises(InvalidSetting, match="layer 'readout' answers with more than its sum"):
        nir_export.to_graph(replace(alone(layer), decides=peak))


CUBA_OF_ONE = {"threshold": 1.0, "reset": "hard", "decay_factor": 0.5}
FOR = {"bias": np.zeros(3), "threshold": 1.0, "reset": "hard", "decay_factor": 0.5, "fires": "above"}
SOFT = {**FOR, "reset": "soft", "fires": "at"}


@pytest.mark.parametrize(
    ("framework", "changes", "says"),
    [
        (
            "snntorch",
            {"constants": SOFT},
            "is reset subtract the threshold, and the neurons that snnTorch makes to zero",
        ),
        ("snntorch", {"constants": {**FOR, "decay_factor": 1.0}}, "would be IF, and the reader of snnTorch 1.0.0"),
        ("snntorch", {"constants": {**FOR, "threshold": np.array([1, 2, 3.0])}}, "a threshold for each neuron"),
        (
            "spikingjelly",
            {"constants": {**FOR, "decay_factor": np.array([0.5, 0.5, 0.25])}},
            "a time constant for each",
        ),
        ("spikingjelly", {"constants": {**FOR, "decay_factor": 0.0}}, "keeps nothing of a step"),
        ("sinabs", {"constants": {**SOFT, "fires": "above"}}, "fires above the threshold that it subtracts"),
        (
            "rockpool",
            {"constants": SOFT},
            "would be LIF, and the reader of Rockpool 3.1.0 makes its neurons of CubaLIF",
        ),
        ("norse", {"span": 2}, "recalls more than the step before"),
        ("snntorch", {"span": 1}, "feeds itself, and the reader of snnTorch 1.0.0 knows no such layer of LIF"),
        ("norse", {"taps": (WeightedTap(3, 1.0),)}, "delays what comes from before"),
        ("norse", {"source": "layer7"}, "does not have one connection from 'input'"),
        ("nengo", {}, "unknown framework to write for 'nengo'"),
    ],
)
def test_what_a_frameworks_reader_does_not_know_is_refused_by_layer(
    framework: str, changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    span, own = changes.get("span"), changes.get("constants", FOR)
    heard = FrozenConnection(changes.get("source", INPUT), np.ones((3, 1)), changes.get("taps", (WeightedTap(0, 1.0),)))
    back = [] if span is None else [FrozenConnection("layer0", np.eye(3), (WeightedTap(span, 1.0),))]
    network = alone(FrozenLayer("layer0", (heard, *back), "lif", own))
    with pytest.raises(AsrcError, match=says):
        nir_export.save_frozen(network, tmp_path / "model.nir", lossy=True, nir_for=framework)
    assert not (tmp_path / "model.nir").exists()


def test_a_graph_for_a_frameworks_reader_is_written_by_the_command(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_export.main([str(checkpoint_path), "--nir", "model.nir", "--nir-for", "snntorch", "--lossy"]) == 1
    assert "recalls more than the step before, and no framework's reader knows NIR's Delay" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli_export.main([str(checkpoint_path), "--nir-for", "snntorch"])
    assert "argument --nir-for: goes with --nir only" in capsys.readouterr().err


def test_a_layer_without_a_connection_from_itself_has_no_loop() -> None:
    floats = {"decay_factor": 0.5, "threshold": 1.0, "reset": "hard"}
    layer = skip_layer("layer0", np.ones((3, 1)), np.eye(3), np.zeros(3), span=1, **floats)
    graph = nir_export.to_graph(alone(replace(layer, connections=layer.connections[:1])))
    assert "layer0_rec" not in graph.nodes


def test_a_trained_network_comes_back_with_its_data_set(checkpoint_path: Path, tmp_path: Path) -> None:
    nir_export.save(checkpoint_path, tmp_path / "model.nir", lossy=True)
    found = nir_import.read(tmp_path / "model.nir", Feed())
    checkpoint.save(found.checkpoint, tmp_path / "again.pt")
    mine, again = freeze_file(checkpoint_path), freeze_file(tmp_path / "again.pt")
    require_same(mine, again)
    assert again.provenance["data"] == "digits"
    assert found.notes == ()


def test_the_graph_says_in_nirs_own_words_what_nir_can_say(checkpoint_path: Path) -> None:
    """Step by step from NIR's equations: a hard-reset network fires as ours, single precision, `>` and all."""
    frozen = freeze_file(checkpoint_path)
    hard = [replace(layer, constants={**layer.constants, "reset": "hard"}) for layer in frozen.layers]
    graph = nir_export.to_graph(FrozenNetwork(**{**vars(frozen), "layers": tuple(hard), "permutation": None}))
    for i, layer in enumerate(hard):
        node, n = graph.nodes[f"layer{i}"], len(layer.bias)
        assert type(node) is nir.LIF
        step = nir_export.DT / node.tau.astype(np.float64)
        np.testing.assert_allclose(1 - step, layer.decay, rtol=1e-6)
        np.testing.assert_allclose(step * node.r, np.ones(n), rtol=1e-6)
        at = np.float32(layer.threshold)
        assert at > node.v_threshold[0]
        assert np.nextafter(at, np.float32(0)) == node.v_threshold[0]
        np.testing.assert_allclose(graph.nodes[f"layer{i}_delay"].delay, layer.span * nir_export.DT)
        assert {(f"layer{i}", f"layer{i}_delay"), (f"layer{i}_delay", f"layer{i}_rec")} <= set(graph.edges)
        assert node.metadata["reset"] == "to zero"
    assert graph.metadata["dt"] == nir_export.DT
    assert graph.metadata["integration"] == "euler"
    assert (graph.nodes["scale"].scale == frozen.scale).all()


def test_what_nir_cannot_say_is_refused_and_with_lossy_listed(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = ["-o", str(tmp_path / "n.safetensors")]
    assert cli_export.main([str(checkpoint_path), "--nir", "model.nir", *out]) == 1
    said = capsys.readouterr().err
    for phrase in ("layer0, layer1 subtract theta", "permuted order", "--lossy"):
        assert phrase in said
    assert not (tmp_path / "model.nir").exists()
    assert not (tmp_path / "n.safetensors").exists()
    assert cli_export.main([str(checkpoint_path), "--nir", "model.nir", "--lossy", *out]) == 0
    printed = capsys.readouterr().out
    assert printed.count("in the metadata of 'model.nir' only") == 2
    assert nir.read(tmp_path / "model.nir").nodes["layer0"].metadata["reset"] == "subtract the threshold"


def test_the_commands_take_our_graph_to_the_same_integers(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_export.main([str(checkpoint_path), "--nir", "again.nir", "--lossy", "-o", "first.safetensors"]) == 0
    assert cli_export.main(["again.nir", "--from", "nir"]) == 0
    first, second = network_file.load("first.safetensors"), network_file.load("again.imported.loihi2.safetensors")
    for mine, theirs in zip(contract_chain(first).layers, contract_chain(second).layers, strict=True):
        assert all(np.array_equal(getattr(mine, name), getattr(theirs, name)) for name in vars(mine))
    capsys.readouterr()
    assert cli_sim.main(["again.imported.loihi2.safetensors", "--limit", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 5
    assert (
        cli_report.main(
            ["again.imported.loihi2.safetensors", "--float", "again.imported.pt", "--limit", "9", "-o", "r.json"]
        )
        == 0
    )
    assert json.loads((tmp_path / "r.json").read_text())["provenance"]["imported_from"] == "nir"


TAMPERED: list[tuple[Callable[[nir.NIRGraph], Any], str]] = [
    (lambda g: g.nodes["layer1"].metadata.update(decay=0.25), "'layer1': its metadata and its parameters disagree"),
    (lambda g: g.nodes["layer0"].metadata.update(reset="sometimes"), "'layer0': its metadata and its parameters"),
    (lambda g: g.nodes["layer0"].metadata.update(span=3e9), "'span' of node 'layer0' is missing or not a number"),
    (lambda g: g.nodes["layer0"].metadata.update(threshold="high"), "'threshold' of node 'layer0'"),
    (lambda g: setattr(g.nodes["layer0"], "tau", g.nodes["layer0"].tau * 2), "'layer0': its metadata and its"),
    (lambda g: setattr(g.nodes["scale"], "scale", np.array([2.0])), "its metadata and its input disagree"),
    (lambda g: g.metadata.update(permutation=np.zeros(64, int)), "permutation is not an order of 64"),
    (lambda g: g.metadata.pop("steps"), "'steps' of the graph is missing"),
    (
        lambda g: g.nodes["layer0"].metadata.update(current_decay=0.5),
        "'bias' of node 'layer0' is not a number for each",
    ),
    (lambda g: g.nodes["layer0"].metadata.update(decay=np.full(3, 0.5)), "'decay' of node 'layer0' is missing or not"),
    (lambda g: g.metadata.update(asrc="9"), "metadata are of version 9"),
    (lambda g: g.metadata.update(data="imagenet"), "unknown data set 'imagenet'"),
]


@pytest.mark.parametrize(("change", "says"), TAMPERED, ids=[says for _, says in TAMPERED])
def test_a_file_of_ours_that_was_changed_is_refused(
    change: Callable[[nir.NIRGraph], Any], says: str, checkpoint_path: Path, tmp_path: Path
) -> None:
    graph = nir_export.to_graph(freeze_file(checkpoint_path))
    change(graph)
    nir_file.write(graph, tmp_path / "changed.nir")
    with pytest.raises(AsrcError, match=says):
        nir_import.read(tmp_path / "changed.nir", Feed())


def test_a_file_of_ours_needs_no_telling(checkpoint_path: Path, tmp_path: Path) -> None:
    nir_export.save(checkpoint_path, tmp_path / "model.nir", lossy=True)
    with pytest.raises(InvalidSetting, match="states step, resets and spans"):
        nir_import.read(tmp_path / "model.nir", Feed(), dt=1e-4)


# --- networks of other frameworks -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_snntorch_fires_as_snntorch_does(tmp_path: Path) -> None:
    """Leaky, recurrent RLeaky, and Synaptic whose current lasts no longer than a step; soft reset without delay."""
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(0)
    how = {"init_hidden": True, "reset_mechanism": "subtract", "reset_delay": False}

    def constants(n: int, beta: float) -> dict[str, Any]:
        return {"beta": torch.full((n,), beta), "threshold": torch.full((n,), 1.0), **how}

    layers = [
        snn.Leaky(**constants(8, 0.9)),
        snn.RLeaky(all_to_all=True, linear_features=6, **constants(6, 0.8)),
        snn.Synaptic(alpha=torch.zeros(4), **constants(4, 0.7)),
    ]
    linears = [torch.nn.Linear(5, 8), torch.nn.Linear(8, 6), torch.nn.Linear(6, 4)]
    with torch.no_grad():
        for linear, drive in zip(linears, (0.2, 0.2, 0.4), strict=True):
            linear.weight.mul_(0.6)
            linear.bias.fill_(drive)
    net = torch.nn.Sequential(*(m for pair in zip(linears, layers, strict=True) for m in pair))
    graph = export_to_nir(net, torch.zeros(1, 5), ignore_dims=[0])
    x = np.random.default_rng(1).integers(0, 2, (40, 6, 5)).astype(np.float32)
    for layer in layers:
        layer.reset_mem()
    expected: list[list[np.ndarray[Any, Any]]] = [[], [], []]
    with torch.no_grad():
        for frame in torch.from_numpy(x):
            for i, (linear, layer) in enumerate(zip(linears, layers, strict=True)):
                frame = layer(linear(frame))
                expected[i].append(frame.numpy().copy())
                assert layer.mem.max() <= 1  # beyond twice the threshold its "no delay" resets twice
    with pytest.raises(InvalidSetting, match=r"cycle without a Delay.*`loop_span=1`"):
        imported(graph, tmp_path, Feed(steps=40, maximum=1), dt=1e-4, reset="soft")
    found = imported(graph, tmp_path, Feed(steps=40, maximum=1), dt=1e-4, reset="soft", loop_span=1)
    for mine, theirs in zip(spikes(found, x), expected, strict=True):
        assert 0 < mine.mean() < 1
        np.testing.assert_array_equal(mine, np.stack(theirs))
    assert [round(layer.decay, 6) for layer in found.checkpoint.config.network.each_layer()] == [0.9, 0.8, 0.7]
    assert any("spike counts are the logits" in note for note in found.notes)
    assert any("by subtraction, as told" in note for note in found.notes)


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_norse_fires_as_norse_does(tmp_path: Path) -> None:
    """LIFBox cells: forward Euler, reset to zero. (Norse starts a membrane at its leak potential, we at 0.)"""
    import norse.torch as norse
    from norse.torch.utils.export_nir import to_nir

    torch.manual_seed(0)

    def cell(n: int) -> Any:
        constants = {"tau_mem_inv": torch.full((n,), 100.0), "v_leak": torch.zeros(n)}
        from norse.torch.functional.lif_box import LIFBoxParameters

        return norse.LIFBoxCell(LIFBoxParameters(**constants, v_th=torch.full((n,), 0.1), v_reset=torch.zeros(n)))

    net = norse.SequentialState(torch.nn.Linear(5, 8), cell(8), torch.nn.Linear(8, 6), cell(6), torch.nn.Linear(6, 3))
    graph = to_nir(net, torch.zeros(1, 5))
    x = np.random.default_rng(1).integers(0, 2, (40, 6, 5)).astype(np.float32) * 3
    expected: list[list[np.ndarray[Any, Any]]] = [[], []]
    states: list[Any] = [None, None]
    total = torch.zeros(6, 3)
    modules = list(net.children())
    with torch.no_grad():
        for frame in torch.from_numpy(x):
            for i in range(2):
                frame, states[i] = modules[2 * i + 1](modules[2 * i](frame), states[i])
                expected[i].append(frame.numpy().copy())
            total += modules[4](frame)
    # Norse 1.1 writes time constants in units of its own step; a tenth of them is the step of 1 ms at 100 per second.
    dt = float(next(node.tau[0] for node in graph.nodes.values() if isinstance(node, nir.LIF))) / 10
    found = imported(graph, tmp_path, Feed(steps=40, maximum=1, scale=3.0), dt=dt)
    for mine, theirs in zip(spikes(found, x), expected, strict=True):
        assert 0 < mine.mean() < 1
        np.testing.assert_array_equal(mine, np.stack(theirs))
    with torch.no_grad():
        np.testing.assert_allclose(found.checkpoint.network()(torch.from_numpy(x)), total, atol=1e-4)
    assert any("its sum over time is the logits" in note for note in found.notes)


@WHOLE
@given(
    seed=st.integers(0, 2**32 - 1),
    integration=st.sampled_from(["euler", "exact"]),
    reset=st.sampled_from(["soft", "hard"]),
    span=st.integers(1, 5),
    tau=st.floats(1e-3, 2e-2),
)
def test_the_equations_of_the_page_are_what_an_import_computes(
    seed: int, integration: str, reset: str, span: int, tau: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One recurrent LIF with leak, resistances and thresholds of each neuron, stepped in double precision."""
    draw, n, dt = np.random.default_rng(seed), 6, 1e-3
    node = lif(
        n,
        tau=ones(n, tau),
        r=draw.uniform(1, 4, n).astype(np.float32),
        v_leak=draw.normal(0, 0.2, n).astype(np.float32),
        v_threshold=draw.uniform(0.3, 2, n).astype(np.float32),
    )
    first, loop = affine(n, 3, seed), nir.Linear(draw.normal(0, 1, (n, n)).astype(np.float32))
    graph = chain(first, node, affine(2, n), loop={"1": [nir.Delay(ones(n, span * dt)), loop]})
    found = imported(graph, tmp_path_factory.mktemp("nir"), integration=integration, reset=reset)
    x = draw.integers(0, 2, (12, 4, 3)).astype(np.float64)
    k = dt / node.tau.astype(float) if integration == "euler" else 1 - np.exp(-dt / node.tau.astype(float))
    v, past = np.zeros((4, n)), [np.zeros((4, n))] * span
    for frame in x:
        current = frame @ first.weight.T + first.bias + past[-span] @ loop.weight.T
        u = (1 - k) * v + k * (node.v_leak + node.r * current)
        assume(abs(u - node.v_threshold).min() > 1e-4)
        fired = (u > node.v_threshold).astype(float)
        v = u - fired * node.v_threshold if reset == "soft" else u * (1 - fired)
        past.append(fired)
    np.testing.assert_array_equal(spikes(found, x)[0], np.stack(past[span:]))
    assert found.checkpoint.spans == (span,)


def test_linear_nodes_in_a_row_scales_and_parallel_paths_become_one_matrix(tmp_path: Path) -> None:
    a, b = affine(4, 3, 1), affine(5, 4, 2)
    scale = nir.Scale(np.array([1.0, 2.0, 0.5], np.float32))
    graph = chain(scale, a, nir.Flatten({"input": np.array([4])}, 0, -1), b, lif(5), affine(2, 5))
    graph.nodes["skip"] = nir.Linear(affine(5, 3, 3).weight)
    graph.edges += [("input", "skip"), ("skip", "4")]
    found = imported(graph, tmp_path).checkpoint
    expected = b.weight @ (a.weight * scale.scale) + graph.nodes["skip"].weight
    np.testing.assert_allclose(found.tensors["layers.0.feedforward.weight"], expected, rtol=1e-5)
    np.testing.assert_allclose(found.tensors["layers.0.feedforward.bias"], b.weight @ a.bias + b.bias, rtol=1e-5)


def test_an_integrate_and_fire_neuron_keeps_its_membrane(tmp_path: Path) -> None:
    node = nir.IF(ones(2, 1000.0), ones(2))
    found = imported(chain(affine(2, 3), node), tmp_path).checkpoint
    assert found.config.network.each_layer()[0].decay == 1
    np.testing.assert_allclose(found.tensors["layers.0.feedforward.weight"], affine(2, 3).weight, rtol=1e-6)
    np.testing.assert_array_equal(found.tensors["readout.weight"], np.eye(2))


def test_firing_above_the_threshold_is_firing_at_the_next_number(tmp_path: Path) -> None:
    """A neuron that gets exactly theta stays silent in NIR."""
    exactly = nir.Linear(ones(1).reshape(1, 1) @ np.ones((1, 3), np.float32))
    graph = chain(exactly, lif(1, tau=ones(1, 1e-3), r=ones(1)), nir.Linear(np.ones((2, 1), np.float32)))
    found = imported(graph, tmp_path)
    x = np.zeros((4, 1, 3))
    x[1, 0, 0] = 1
    x[3, 0, 0] = 1.001
    assert spikes(found, x)[0].flatten().tolist() == [0, 0, 0, 1]


def test_membranes_that_are_reset_to_their_leak_potential_are_measured_from_there(tmp_path: Path) -> None:
    node = lif(2, v_leak=ones(2, -0.5), v_reset=ones(2, -0.5), v_threshold=ones(2, 0.25))
    own = imported(chain(affine(2, 3), node), tmp_path).checkpoint
    assert own.config.network.each_layer()[0].threshold == pytest.approx(0.75, abs=1e-6)
    np.testing.assert_allclose(own.tensors["layers.0.feedforward.bias"], affine(2, 3).bias, rtol=1e-6)


APART = np.array([2e-3, 3e-3, 2e-3], np.float32)
LOOP = [nir.Delay(ones(3, 2e-3)), nir.Linear(np.eye(3, dtype=np.float32))]


def li(n: int) -> nir.LI:
    return nir.LI(ones(n, 4e-3), ones(n), ones(n, 0))


def cuba(tau_syn: float) -> nir.CubaLIF:
    return nir.CubaLIF(ones(3, tau_syn), ones(3, 2e-3), ones(3), ones(3, 0), ones(3), ones(3, 0))


NOT_OURS: list[tuple[Callable[[], nir.NIRGraph], str]] = [
    (lambda: chain(affine(3, 3), lif(3, tau=ones(3, 5e-4))), r"'1': its tau of 0.0005 does not fit the step of 0.001"),
    (lambda: chain(affine(3, 3), lif(3, tau=ones(3, 0))), "'1': its tau is not positive"),
    (lambda: chain(affine(3, 3), lif(3, v_reset=ones(3, 2))), r"'1': a v_threshold is not positive \(above v_reset\)"),
    (lambda: chain(nir.Conv1d(3, np.ones((1, 2, 1)), 1, 0, 1, 1, ones(1)), lif(3)), r"'0': .* takes 2 channels"),
    (lambda: chain(affine(3, 3), lif(3, v_threshold=ones(3, 0))), "'1': a v_threshold is not positive"),
    (lambda: chain(affine(3, 3), lif(3, r=ones(3, np.nan))), "'1': its r holds NaN"),
    (lambda: chain(affine(3, 3), cuba(5e-4)), r"'1': its tau_syn of 0.0005 does not fit the step of 0.001"),
    (lambda: chain(affine(3, 4), lif(3)), "'0': its weights take 4 values and it is fed 3"),
    (lambda: chain(affine(4, 3), lif(3)), "'1': it has 3 neurons and is fed 4 values"),
    (lambda: chain(affine(3, 3), lif(3), loop={"1": LOOP[1:]}), "'1': it feeds itself in a cycle without a Delay"),
    (
        lambda: chain(affine(3, 3), lif(3), loop={"1": [nir.Delay(ones(3, 1.5e-3)), LOOP[1]]}),
        "'1': the delay of its recurrence, 0.0015, is not a whole number of steps",
    ),
    (
        lambda: chain(affine(3, 3), lif(3, tau=APART), loop={"1": [nir.Delay(ones(3, 64e-3)), LOOP[1]]}),
        r"'1': what it gets from '1' is 64 steps old, and no delay of ours is longer than 63",
    ),
    (
        lambda: chain(affine(3, 3), lif(3), loop={"1": [nir.Delay(ones(3, -1)), LOOP[1]]}),
        r"'loop1\.0': its delay is -1, in the future",
    ),
    (
        lambda: chain(affine(3, 3), lif(3), loop={"1": [affine(3, 3), LOOP[0]]}),
        r"'loop1\.1': it delays a bias",
    ),
    (
        lambda: chain(affine(3, 3), lif(3), loop={"1": LOOP, "0": [nir.Linear(np.eye(3))]}),
        "'0': it is in or behind a cycle through no neuron",
    ),
    (
        lambda: chain(affine(3, 3), lif(3), affine(3, 3), lif(3), extra=(("3", "0"),)),
        "'1': '3' feeds it back in a cycle without a Delay",
    ),
    (lambda: chain(affine(3, 3), nir.Delay(ones(3, 1e-3)), lif(3)), "'1': it delays a bias"),
    (
        lambda: chain(nir.Linear(np.eye(3)), nir.Delay(ones(3, 1.4e-3)), lif(3)),
        "'2': the delay of what it gets from 'input', 0.0014, is not a whole number of steps",
    ),
    (
        lambda: chain(affine(3, 3), lif(3), affine(3, 3), extra=(("input", "2"),)),
        "'output': it is fed by '1', 'input'; our readout is fed by neurons",
    ),
    (lambda: chain(affine(3, 3), lif(3), li(3), affine(2, 3)), "'2': what it sends is changed"),
    (lambda: chain(affine(3, 3), lif(3), li(3), affine(3, 3), lif(3)), "'2': its membrane is passed on"),
    (lambda: chain(affine(3, 3), lif(3), li(3), extra=(("1", "output"),)), "'2': what it sends is .* joined"),
    (lambda: chain(affine(3, 3), li(3)), "its input feeds no spiking neurons"),
    (lambda: chain(affine(3, 3), nir.Threshold(ones(3)), lif(3)), "'1': Threshold has no place.*IF"),
    (lambda: chain(affine(3, 3), nir.I(ones(3)), lif(3)), "'1': an integrator that never fires is our readout"),
    (lambda: chain(affine(3, 3)), "its input feeds no spiking neurons"),
    (lambda: chain(affine(3, 3), lif(3), extra=(("1", "ghost"),)), "there is no node 'ghost'"),
    (lambda: chain(affine(3, 3), lif(3), extra=(("0", "1"),)), "from '0' to '1' stands in it twice"),
    (lambda: chain(affine(3, 3), lif(3), extra=(("1", "input"),)), "'input': something feeds the graph's input"),
    (lambda: chain(affine(65_536, 3), lif(65_536)), "are more than 8192, too many to connect"),
]


@pytest.mark.parametrize(("graph", "says"), NOT_OURS, ids=[says for _, says in NOT_OURS])
def test_what_our_networks_cannot_be_is_named_with_the_node(
    graph: Callable[[], nir.NIRGraph], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSetting, match=says):
        imported(graph(), tmp_path)


def test_a_product_of_thin_matrices_that_would_not_fit_is_refused(tmp_path: Path) -> None:
    graph = chain(nir.Linear(np.zeros((1, 30_000))), nir.Linear(np.zeros((30_000, 1))), lif(30_000))
    graph.nodes["input"] = nir.Input({"input": np.array([30_000])})
    with pytest.raises(InvalidSetting, match="30,000 x 30,000 entries, too many"):
        imported(graph, tmp_path)


def test_weights_beyond_single_precision_are_counted_by_tensor(tmp_path: Path) -> None:
    graph = chain(nir.Linear(np.full((3, 3), 1e200)), nir.Linear(np.full((3, 3), 1e200)), lif(3))
    with pytest.raises(NonFiniteWeights, match=r"'layers\.0\.feedforward\.weight' holds 9 NaN or infinite"):
        imported(graph, tmp_path)


def test_the_time_step_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"`dt`: NIR states time constants and no time step"):
        imported(chain(affine(3, 3), lif(3)), tmp_path, dt=None)
    with pytest.raises(InvalidSetting, match=r"`dt`: -1\.0 is not a positive number"):
        imported(chain(affine(3, 3), lif(3)), tmp_path, dt=-1.0)
    with pytest.raises(InvalidSetting, match="`input_scale`: nan is not a positive number"):
        imported(chain(affine(3, 3), lif(3)), tmp_path, Feed(None, 3, 1, float("nan")))


# --- files of strangers ---------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[h5py.Group], Any]) -> Path:
    """A valid file, then changed behind nir's back. ``change`` gets the group of the nodes."""
    nir.write(path, chain(affine(3, 3), lif(3), affine(2, 3)))
    with h5py.File(path, "r+") as file:
        change(file["node/nodes"])
    return path


def replaced(group: h5py.Group, name: str, **how: Any) -> None:
    del group[name]
    group.create_dataset(name, **how)


HOSTILE: list[tuple[Callable[[h5py.Group], Any], str]] = [
    (
        lambda n: replaced(n["1"], "tau", shape=(3,), dtype=h5py.vlen_dtype(np.int32)),
        "'/node/nodes/1/tau' holds objects",
    ),
    (lambda n: replaced(n["1"], "tau", shape=(3,), dtype=h5py.ref_dtype), "'/node/nodes/1/tau' holds objects"),
    (lambda n: replaced(n["1"], "tau", shape=(3,), dtype="c8"), "'/node/nodes/1/tau' holds complex64"),
    (lambda n: replaced(n["0"], "weight", shape=(2**20, 2**20), dtype="f8", chunks=True), "bytes unpacked"),
    (lambda n: replaced(n["1"], "tau", data=np.float32(1)), r"node '1' has parameters of mixed shape.*tau \(\)"),
    (lambda n: replaced(n["1"], "type", data="Hodgkin"), r"node '1' is of a type that NIR does not know \('Hodgkin'\)"),
    (lambda n: replaced(n["1"], "type", data=np.zeros(3)), "node '1' is of a type that NIR does not know"),
    (lambda n: n.__setitem__("y", h5py.SoftLink("/node")), "'/node/nodes/y' is a link"),
    (lambda n: n.__setitem__("x", h5py.ExternalLink("other.h5", "/")), "'/node/nodes/x' is a link to elsewhere"),
    (lambda n: n.__setitem__("x", n), "nested deeper than 12"),
    (lambda n: n["1"].__delitem__("tau"), "not a NIR graph"),
    (lambda n: n.move("1", "block/1"), "took the slash in the name of node 'block/1' for a group"),
    (lambda n: n.parent.__delitem__("edges"), "not a NIR graph"),
    (lambda n: n.parent.__delitem__("type"), "holds no node, not a graph"),
]


@pytest.mark.parametrize(("change", "says"), HOSTILE, ids=[f"{i} {says}" for i, (_, says) in enumerate(HOSTILE)])
def test_a_file_that_holds_what_no_graph_does_is_refused(
    change: Callable[[h5py.Group], Any], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.nir"
    with pytest.raises(UnreadableFile, match=says):
        nir_import.read(rewritten(path, change), FED, dt=1e-3)


def test_a_file_that_is_no_hdf5_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.nir"
    nir.write(path, chain(affine(3, 3), lif(3)))
    whole = path.read_bytes()
    for content in (b"", b"not HDF5", whole[:100], whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=r"graph\.nir"):
            nir_import.read(path, FED, dt=1e-3)
    with pytest.raises(UnreadableFile, match="No such file"):
        nir_import.read(tmp_path / "absent.nir", FED, dt=1e-3)
    nir.write(path, lif(3))
    with pytest.raises(UnreadableFile, match="a single LIF, not a graph"):
        nir_import.read(path, FED, dt=1e-3)


@pytest.mark.parametrize("how", [("nir",), ("netx", "--steps", "9")])
def test_a_folder_in_the_place_of_a_graph_is_refused_in_a_sentence(
    how: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_export.main([".", "--from", *how]) == 1
    assert f"cannot read {'NIR graph' if how == ('nir',) else 'netx file'} '.'" in capsys.readouterr().err
    assert cli_export.main(["", "--from", *how]) == 1
    assert "'' is no path" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_flipped_bytes_end_in_a_named_error_or_in_a_network(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "graph.nir"
    nir.write(path, chain(affine(3, 3), lif(3), affine(2, 3)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert nir_import.read(path, FED, dt=1e-3).checkpoint.classes >= 1
    except AsrcError as error:
        assert len(str(error).splitlines()) == 1
