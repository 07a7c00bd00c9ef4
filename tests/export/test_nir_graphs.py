"""NIR graphs that form no chain: what they compute is NIR's equations stepped, on floats and on every engine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from backends import BACKENDS, equal_on

from asrc_core.contract.file import network_file
from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_export import exporting, float_network
from asrc_export.engines import generated
from asrc_export.engines import numpy as numpy_engine
from asrc_export.interop.imported import Feed, Imported
from asrc_export.interop.nir import images, reader
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork

DT, STEPS, N = 1e-3, 24, 6
RNG = np.random.default_rng(7)
Array = np.ndarray[Any, Any]


def full(n: int, value: float) -> Array:
    return np.full(n, value, np.float32)


def drawn(*shape: int, spread: float = 1.0) -> Array:
    return RNG.normal(0, spread, shape).astype(np.float32)


def graph(nodes: dict[str, Any], *edges: str, inputs: dict[str, tuple[int, ...]] | None = None) -> nir.NIRGraph:
    """Nodes and edges as "a>b"; Input nodes as many as named, and one Output."""
    ends = {name: nir.Input({"input": np.array(shape)}) for name, shape in (inputs or {"input": (3,)}).items()}
    ends["output"] = nir.Output({"output": np.array([1])})
    pairs = [tuple(edge.split(">")) for edge in edges]
    return nir.NIRGraph({**ends, **nodes}, pairs, type_check=False)


def imported(made: nir.NIRGraph, folder: Path, maximum: int = 1, **how: Any) -> Imported:
    nir.write(folder / "graph.nir", made)
    return reader.read(folder / "graph.nir", Feed(steps=STEPS, maximum=maximum), **{"dt": DT, **how})


def samples(channels: int, maximum: int = 1, many: int = 3) -> Array:
    return np.random.default_rng(1).integers(0, maximum + 1, (many, STEPS, channels))


def run(frozen: FrozenNetwork, x: Array) -> tuple[list[Array], Array]:
    """Spikes (T, B, N) of each layer, and the logits."""
    return list(float_network.spikes(frozen, x)), float_network.logits(frozen, x)


def lif(n: int, tau: Any = 4e-3, **more: Any) -> nir.LIF:
    given = {"r": full(n, 4), "v_leak": full(n, 0), "v_threshold": full(n, 1), "v_reset": full(n, 0), **more}
    return nir.LIF(tau=np.broadcast_to(np.float32(tau), (n,)), **given)


def cuba(n: int, tau_syn: Any = 3e-3, tau_mem: Any = 5e-3) -> nir.CubaLIF:
    both = (np.broadcast_to(np.float32(tau), (n,)) for tau in (tau_syn, tau_mem))
    return nir.CubaLIF(*both, full(n, 5), full(n, 0.1), full(n, 1), full(n, 0), w_in=full(n, 3))


TAUS = np.linspace(2e-3, 2e-2, N).astype(np.float32)
LATER = np.float32([1e-3, 1e-3, 3e-3, 7e-3, 7e-3, 3e-3])


def everything() -> nir.NIRGraph:
    """Time constants of each neuron, a lasting current with a bias, delays of each neuron, feedback, a skip, LI."""
    nodes = {
        "in": nir.Affine(drawn(N, 3), full(N, 0.1)),
        "a": lif(N, TAUS),
        "ab": nir.Affine(drawn(N, N, spread=0.5), drawn(N, spread=0.1)),
        "b": cuba(N, tau_syn=TAUS, tau_mem=TAUS[::-1].copy()),
        "later": nir.Delay(LATER),
        "ba": nir.Linear(drawn(N, N, spread=0.3)),
        "soon": nir.Delay(full(N, 2e-3)),
        "aa": nir.Linear(drawn(N, N, spread=0.3)),
        "skip": nir.Linear(drawn(2, N)),
        "out": nir.Linear(drawn(2, N)),
        "li": nir.LI(full(2, 6e-3), full(2, 2), full(2, 0.5)),
    }
    return graph(
        nodes,
        *("input>in", "in>a", "a>ab", "ab>b", "b>later", "later>ba", "ba>a", "a>soon", "soon>aa", "aa>a"),
        *("a>skip", "skip>li", "b>out", "out>li", "li>output"),
    )


def stepped(made: nir.NIRGraph, x: Array) -> tuple[list[Array], Array]:
    """Forward Euler of `everything`, written out: spikes of both layers (T, B, N), LI's membrane (T, B, 2)."""
    n = {name: made.nodes[name] for name in made.nodes}
    w = {name: np.asarray(n[name].weight, np.float64) for name in ("in", "ab", "ba", "aa", "skip", "out")}
    batch = len(x)
    va, vb, cb, y = np.zeros((batch, N)), np.zeros((batch, N)), np.zeros((batch, N)), np.zeros((batch, 2))
    a_sent, b_sent, shown = [], [], []
    ka, km, ks = (DT / np.asarray(tau, np.float64) for tau in (n["a"].tau, n["b"].tau_mem, n["b"].tau_syn))
    lags = np.rint(LATER / DT).astype(int)
    for t in range(x.shape[1]):
        back = np.zeros((batch, N))
        for j in range(N):
            if t >= lags[j]:
                back[:, j] = b_sent[t - lags[j]][:, j]
        own = a_sent[t - 2] if t >= 2 else np.zeros((batch, N))
        drive = x[:, t] @ w["in"].T + n["in"].bias + back @ w["ba"].T + own @ w["aa"].T
        va = (1 - ka) * va + ka * 4 * drive
        a = (va > 1).astype(float)
        va = np.where(a > 0, 0, va)
        cb = (1 - ks) * cb + ks * 3 * (a @ w["ab"].T + n["ab"].bias)
        vb = (1 - km) * vb + km * (0.1 + 5 * cb)
        b = (vb > 1).astype(float)
        vb = np.where(b > 0, 0, vb)
        k = DT / 6e-3
        y = (1 - k) * y + k * (0.5 + 2 * (a @ w["skip"].T + b @ w["out"].T))
        a_sent.append(a), b_sent.append(b), shown.append(y)
    return [np.stack(a_sent), np.stack(b_sent)], np.stack(shown)


@pytest.fixture(scope="module")
def one_of_everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[nir.NIRGraph, Imported]:
    made = everything()
    return made, imported(made, tmp_path_factory.mktemp("graph"))


def test_a_graph_computes_nirs_equations_stepped(
    one_of_everything: tuple[nir.NIRGraph, Imported], tmp_path: Path
) -> None:
    made, found = one_of_everything
    x = samples(3)
    spikes, membrane = stepped(made, x)
    answers = {"sum": membrane.sum(0), "last": membrane[-1], "maximum": membrane.max(0)}
    for answer, wanted in answers.items():
        frozen = freeze(imported(made, tmp_path, answer=answer).checkpoint)
        mine, logits = run(frozen, x)
        for got, expected in zip(mine, spikes, strict=True):
            assert 0.01 < expected.mean() < 0.9
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_allclose(logits, wanted, rtol=1e-5)
    assert "layer0 is 'a'; layer1 is 'b'" in found.notes


def test_the_checkpoints_own_network_fires_the_same(one_of_everything: tuple[nir.NIRGraph, Imported]) -> None:
    _, found = one_of_everything
    x = samples(3)
    logits, sent = found.checkpoint.network().traced(torch.from_numpy(x.astype(np.float32)).transpose(0, 1))
    mine, wanted = run(freeze(found.checkpoint), x)
    np.testing.assert_allclose(logits.numpy(), wanted)
    for got, expected in zip(sent, mine, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)


def test_a_checkpoint_of_a_graph_is_read_as_it_was_written(
    one_of_everything: tuple[nir.NIRGraph, Imported], tmp_path: Path
) -> None:
    _, found = one_of_everything
    checkpoint.save(found.checkpoint, tmp_path / "graph.pt")
    again = checkpoint.load(tmp_path / "graph.pt")
    assert again.config == found.checkpoint.config
    for name, tensor in found.checkpoint.tensors.items():
        assert torch.equal(again.tensors[name], tensor)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer", [*(pytest.param(each, marks=pytest.mark.slow) for each in ("sum", "last")), "maximum"]
)
def test_a_graph_becomes_integers_that_are_equal_on_every_engine(
    one_of_everything: tuple[nir.NIRGraph, Imported], answer: str, tmp_path: Path
) -> None:
    made, _ = one_of_everything
    exported = exporting.export(imported(made, tmp_path, answer=answer).checkpoint, "loihi2", samples=samples(3))
    first, second = exported.network.hidden
    assert np.ptp(first.neuron.parameters["decay"]) > 0
    assert second.neuron.kind == "cuba-lif"
    assert np.any(second.neuron.parameters["current_bias"])
    assert [each.delays is not None for each in first.connections] == [False, True, False]
    assert {each.name for each in exported.observed} == {"layer0", "layer1", "readout"}
    equal_on(BACKENDS, [exported.network])


CONVOLUTIONS = {
    "strided": ((2, 1), (1, 2), (1, 1), 1, (3, 2)),
    "grouped and dilated": ((1, 2), (0, 1), (2, 1), 2, (2, 3)),
    "same": ((1, 1), "same", (1, 2), 1, (3, 4)),
    "valid": ((2, 2), "valid", (1, 1), 2, (3, 3)),
}


@pytest.mark.parametrize("how", CONVOLUTIONS.values(), ids=list(CONVOLUTIONS))
def test_a_convolution_written_out_is_the_convolution(how: tuple[Any, ...]) -> None:
    stride, padding, dilation, groups, kernel = how
    weight, bias, x = drawn(6, 4 // groups, *kernel), drawn(6), drawn(4, 7, 8)
    made = images.unrolled("conv", nir.Conv2d((7, 8), weight, stride, padding, dilation, groups, bias), x.shape, 2**20)
    tensors = (torch.from_numpy(each.astype(np.float64)) for each in (x[None], weight, bias))
    wanted = torch.nn.functional.conv2d(*tensors, stride, padding, dilation, groups)[0].numpy()
    assert made.shape == wanted.shape
    np.testing.assert_allclose((made.weight @ x.reshape(-1) + made.bias).reshape(made.shape), wanted, atol=1e-12)


@pytest.mark.parametrize(("kind", "function"), [(nir.AvgPool2d, "avg_pool2d"), (nir.SumPool2d, "lp_pool2d")])
def test_pooling_written_out_is_pooling(kind: Any, function: str) -> None:
    x = np.abs(drawn(3, 7, 8))
    made = images.unrolled("pool", kind(np.array([2, 3]), np.array([2, 2]), np.array([0, 0])), x.shape, 2**20)
    pooled = getattr(torch.nn.functional, function)
    tensor = torch.from_numpy(x[None].astype(np.float64))
    wanted = pooled(tensor, (2, 3), (2, 2)) if function == "avg_pool2d" else pooled(tensor, 1, (2, 3), (2, 2))
    np.testing.assert_allclose((made.weight @ x.reshape(-1)).reshape(made.shape), wanted[0].numpy(), atol=1e-12)


def pictures() -> tuple[nir.NIRGraph, list[Array]]:
    """Conv2d, IF, SumPool2d, Conv2d, LIF, Flatten, Linear, IF on 2 x 10 x 10, and the weights."""
    weights = [drawn(8, 2, 3, 3, spread=0.4), drawn(8, 8, 3, 3, spread=0.2), drawn(4, 128, spread=0.3)]
    cube = [np.ones((8, 10, 10), np.float32), np.ones((8, 4, 4), np.float32), np.ones(4, np.float32)]
    nodes = {
        "c1": nir.Conv2d((10, 10), weights[0], 1, 1, 1, 1, np.zeros(8, np.float32)),
        "s1": nir.IF(cube[0], cube[0], cube[0] * 0),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "c2": nir.Conv2d((5, 5), weights[1], 1, (0, 0), 1, 1, np.full(8, 0.1, np.float32)),
        "s2": nir.IF(np.ones((8, 3, 3), np.float32), np.ones((8, 3, 3), np.float32), np.zeros((8, 3, 3), np.float32)),
        "flat": nir.Flatten({"input": np.array([8, 3, 3])}, 0, -1),
        "fc": nir.Linear(weights[2][:, :72].copy()),
        "s3": nir.IF(cube[2], cube[2], cube[2] * 0),
    }
    order = ["input", *nodes, "output"]
    edges = [f"{a}>{b}" for a, b in pairwise(order)]
    return graph(nodes, *edges, inputs={"input": (2, 10, 10)}), weights


def test_convolutions_and_pooling_fire_as_in_the_framework(tmp_path: Path) -> None:
    made, weights = pictures()
    found = imported(made, tmp_path, dt=1.0, reset="soft", fires="at")
    x = samples(200, many=2)
    mine, _ = run(freeze(found.checkpoint), x)
    functional, w = torch.nn.functional, [torch.from_numpy(each.astype(np.float64)) for each in weights]
    v = [torch.zeros(2, 8, 10, 10), torch.zeros(2, 8, 3, 3), torch.zeros(2, 4)]

    def fire(i: int, drive: Any) -> Any:
        u = v[i] + drive
        s = (u >= 1).double()
        v[i] = u - s
        return s

    for t in range(STEPS):
        now = torch.from_numpy(x[:, t].reshape(2, 2, 10, 10).astype(np.float64))
        first = fire(0, functional.conv2d(now, w[0], padding=1))
        pooled = 4 * functional.avg_pool2d(first, 2)
        second = fire(1, functional.conv2d(pooled, w[1], torch.full((8,), 0.1, dtype=torch.float64)))
        third = fire(2, second.flatten(1) @ w[2][:, :72].T)
        for got, expected in zip(mine, (first, second, third), strict=True):
            np.testing.assert_array_equal(got[t], expected.flatten(1).numpy())
    assert all(0.005 < each.mean() < 0.9 for each in mine)


def test_a_convolution_deploys_with_the_same_integers_on_every_engine(tmp_path: Path) -> None:
    made, _ = pictures()
    exported = exporting.export(imported(made, tmp_path, dt=1.0, reset="soft", fires="at").checkpoint, "loihi2")
    assert all(layer.neuron.parameters["decay"] == 0 for layer in exported.network.hidden)
    assert (exported.network.hidden[0].connections[0].weights == 0).mean() > 0.8
    equal_on(BACKENDS, [exported.network])
    checkpoint.save(imported(made, tmp_path, dt=1.0).checkpoint, tmp_path / "graph.pt")
    assert checkpoint.load(tmp_path / "graph.pt").config.network.graph[0].connections[0].sparse


def test_several_inputs_lie_side_by_side(tmp_path: Path) -> None:
    w, u = drawn(N, 3), drawn(N, 2)
    nodes = {"w": nir.Linear(w), "u": nir.Linear(u), "late": nir.Delay(full(2, 2e-3)), "a": lif(N)}
    edges = ("left>w", "right>late", "late>u", "w>a", "u>a", "a>output")
    found = imported(graph(nodes, *edges, inputs={"left": (3,), "right": (2,)}), tmp_path)
    assert found.checkpoint.channels == 5
    assert "the inputs lie side by side in this order: left, right" in found.notes
    layer = freeze(found.checkpoint).layers[0]
    assert [(each.span, each.weight.shape) for each in layer.connections] == [(2, (N, 5))]
    delays, weight = layer.connections[0].delays, layer.connections[0].weight
    assert delays is not None
    np.testing.assert_array_equal(delays, np.broadcast_to([0, 0, 0, 2, 2], (N, 5)))
    np.testing.assert_allclose(weight, np.concatenate([w, u], axis=1), rtol=1e-6)


def test_feedback_without_a_delay_is_as_old_as_told(tmp_path: Path) -> None:
    nodes = {
        "w": nir.Linear(drawn(N, 3)),
        "a": lif(N),
        "ab": nir.Linear(drawn(N, N)),
        "b": lif(N, 2e-3),
        "ba": nir.Linear(drawn(N, N)),
    }
    edges = ("input>w", "w>a", "a>ab", "ab>b", "b>ba", "ba>a", "b>output")
    with pytest.raises(InvalidSetting, match=r"'a': 'b' feeds it back in a cycle without a Delay.*`loop_span=1`"):
        imported(graph(nodes, *edges), tmp_path)
    found = imported(graph(nodes, *edges), tmp_path, loop_span=3)
    first, second = freeze(found.checkpoint).layers
    assert [(each.source, each.span) for each in first.connections] == [("input", 0), ("layer1", 3)]
    assert [(each.source, each.span) for each in second.connections] == [("layer0", 0)]


def test_a_synapse_with_two_delays_is_two_synapses(tmp_path: Path) -> None:
    nodes = {
        "w": nir.Linear(drawn(N, 3)),
        "a": lif(N),
        "late": nir.Delay(full(N, 2e-3)),
        "ab": nir.Linear(drawn(N, N)),
        "b": lif(N),
    }
    found = imported(graph(nodes, "input>w", "w>a", "a>ab", "a>late", "late>ab", "ab>b", "b>output"), tmp_path)
    _, second = freeze(found.checkpoint).layers
    assert [(each.source, each.span, each.delays) for each in second.connections] == [
        ("layer0", 0, None),
        ("layer0", 2, None),
    ]
    np.testing.assert_array_equal(second.connections[0].weight, second.connections[1].weight)


def test_a_current_that_is_gone_after_a_step_leaves_a_lif(tmp_path: Path) -> None:
    """As for networks that are chains already: the same kind, whatever the node is called."""
    nodes = {"w": nir.Affine(drawn(N, 3), drawn(N)), "a": cuba(N, tau_syn=DT, tau_mem=TAUS)}
    found = imported(graph(nodes, "input>w", "w>a", "a>output"), tmp_path)
    assert found.checkpoint.config.network.graph[0].kind == "lif"


def test_an_integrate_and_fire_layer_saturates_and_says_so(tmp_path: Path) -> None:
    """Nothing brings a membrane back that is only pushed down; what the 24 bits cut off is counted everywhere."""
    nodes = {"w": nir.Linear(np.float32([[1, 0, 0], [-1, -1, -1]])), "a": nir.IF(full(2, 1), full(2, 1), full(2, 0))}
    graph_ = graph(nodes, "input>w", "w>a", "a>output")
    nir.write(tmp_path / "if.nir", graph_)
    got = reader.read(tmp_path / "if.nir", Feed(steps=400, maximum=1), dt=1.0, reset="soft")
    network = exporting.export(got.checkpoint, "loihi2").network
    x = np.ones((1, 400, 3), np.int64)
    there, here = generated.run(network, x, trace=True), numpy_engine.run(network, x, trace=True)
    assert there.counts == here.counts
    assert here.counts[0].saturations > 0
    assert here.trace is not None
    assert here.trace.layers[0].membrane.min() == -(2**23 - 1)


def conv(**changed: Any) -> nir.Conv2d:
    """As a file could hold it, whatever the package itself would have said."""
    node = nir.Conv2d((4, 4), np.ones((1, 1, 3, 3)), 1, 0, 1, 1, np.zeros(1))
    for name, value in changed.items():
        setattr(node, name, value)
    return node


def pool(**changed: Any) -> nir.SumPool2d:
    given = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    return nir.SumPool2d(**{**given, **changed})


@pytest.mark.parametrize(("rows", "places"), [(8, 4), (9, 5)])
def test_convolutions_and_pooling_in_a_row_are_one_kernel_in_the_file(tmp_path: Path, rows: int, places: int) -> None:
    """But where pooling leaves a row out, over which the kernel lies; and a matrix behind a Flatten shares nothing."""
    one, other = drawn(4, 2, 3, 3), drawn(6, 4, 3, 3)
    nodes = {
        "c1": nir.Conv2d((rows, 8), one, 2, 1, 1, 1, np.zeros(4, np.float32)),
        "a": nir.IF(full((4, places, 4), 1), full((4, places, 4), 1), full((4, places, 4), 0)),
        "p": pool(),
        "c2": nir.Conv2d((2, 2), other, 1, 1, 1, 1, np.zeros(6, np.float32)),
        "b": nir.IF(full((6, 2, 2), 1), full((6, 2, 2), 1), full((6, 2, 2), 0)),
        "f": nir.Flatten({"input": np.array([6, 2, 2])}, 0),
        "w": nir.Linear(drawn(5, 24)),
        "d": lif(5),
    }
    edges = ("input>c1", "c1>a", "a>p", "p>c2", "c2>b", "b>f", "f>w", "w>d", "d>output")
    found = imported(graph(nodes, *edges, inputs={"input": (2, rows, 8)}), tmp_path, dt=1e-3)
    network = exporting.export(found.checkpoint, "loihi2").network
    network_file.save(network, tmp_path / "net.safetensors")
    again = network_file.load(tmp_path / "net.safetensors")
    said = [layer.connections[0].convolution for layer in again.layers]
    assert said == [
        Convolution((2, rows, 8), (4, places, 4), (3, 3), (2, 2), (1, 1), (1, 1)),
        Convolution((4, 4, 4), (6, 2, 2), (6, 6), (2, 2), (2, 2), (1, 1)) if places == 4 else None,
        None,
        None,
    ]
    for mine, theirs in zip(again.layers, network.layers, strict=True):
        np.testing.assert_array_equal(mine.connections[0].weights, theirs.connections[0].weights)


SHAPE = (1, 4, 4)
UNFIT: list[tuple[Callable[[], Any], tuple[int, ...], str]] = [
    (lambda: conv(weight=np.ones((1, 2, 3, 3))), SHAPE, "takes 2 channels"),
    (lambda: conv(weight=np.ones((3, 3))), SHAPE, r"its weights have shape \(3, 3\), expected 4 dimensions"),
    (lambda: conv(weight=np.full((1, 1, 3, 3), np.nan)), SHAPE, "its weight holds NaN"),
    (lambda: conv(stride=0), SHAPE, "its stride 0.* is not a whole number of at least 1"),
    (lambda: conv(stride=1.5), SHAPE, "its stride 1.5 is not a whole number"),
    (lambda: conv(dilation=3), SHAPE, "its kernel of 3 does not fit into 4 values"),
    (lambda: conv(padding=2**20), SHAPE, r"written out, it has 4\d+ x 16 entries, too many"),
    (lambda: conv(padding="mirror"), SHAPE, "its padding 'mirror' is neither"),
    (lambda: conv(groups=2), SHAPE, "its 1 channels do not divide into 2 groups"),
    (lambda: conv(bias=np.zeros(7)), SHAPE, r"its bias has shape \(7,\) for 1 channels"),
    (lambda: conv(), (2, 2, 4, 4), "takes 1 channels in 2 dimension"),
    (lambda: conv(stride=np.array([1, 1, 1])), SHAPE, "its stride has 3 numbers for 2"),
    (pool, (16,), r"it is fed values of shape \(16,\), and pools channels, rows and columns"),
    (lambda: pool(kernel_size=np.array([9, 9])), SHAPE, "its kernel of 9 does not fit into 4"),
    (lambda: pool(kernel_size=np.array([2, -2])), SHAPE, "kernel_size -2.* is not a whole number"),
    (lambda: pool(kernel_size=np.array([2**14, 2**14])), SHAPE, "elements for 1 channels is too large"),
    (lambda: conv(padding=1), (1, 512, 512), r"written out, it has 262144 x 262144 entries, too many"),
]


@pytest.mark.parametrize(("node", "shape", "says"), UNFIT, ids=[says for _, _, says in UNFIT])
def test_what_does_not_fit_is_named_before_anything_is_made(
    node: Callable[[], Any], shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(InvalidSetting, match=f"NIR node 'x': .*{says}"):
        images.unrolled("x", node(), shape, 2**27)


def test_more_delays_than_a_connection_has_are_refused(tmp_path: Path) -> None:
    many = np.arange(1, 71, dtype=np.float32) * np.float32(DT)
    nodes = {"w": nir.Linear(drawn(70, 3)), "late": nir.Delay(many), "a": lif(70)}
    with pytest.raises(InvalidSetting, match="'late': its values are delayed in 70 ways, more than 64"):
        imported(graph(nodes, "input>w", "w>late", "late>a", "a>output"), tmp_path)


def test_a_convolution_on_values_in_a_row_needs_the_shape_that_the_node_says(tmp_path: Path) -> None:
    nodes = {"c": conv(), "a": nir.IF(full(4, 1), full(4, 1), full(4, 0))}
    edges = ("input>c", "c>a", "a>output")
    assert imported(graph(nodes, *edges, inputs={"input": (16,)}), tmp_path, dt=1.0).checkpoint.channels == 16
    nodes["c"] = conv(input_shape=(5, 5))
    with pytest.raises(InvalidSetting, match="'c': it is fed values of shape"):
        imported(graph(nodes, *edges, inputs={"input": (16,)}), tmp_path, dt=1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda g: g[0].update(kind="lava"), "there is no 'lava'"),
        (lambda g: g[0].update(name="layer1"), "two of its layers have one name"),
        (lambda g: g[0].update(neurons=N + 1), "do not have the widths of `hidden`"),
        (lambda g: g[0]["connections"][0].update(source="nobody"), "nothing that sends is called 'nobody'"),
        (lambda g: g[0]["connections"][1].update(source="layer1", span=0), "closes a loop without delay"),
        (lambda g: g[0]["connections"][0].update(span=64), "less than or equal to 63"),
        (lambda g: g[0]["constants"].update(colour=1.0), "'colour' is none of"),
        (lambda g: g[0].update(each=["bias", "bias"]), "'bias' is given twice"),
        (lambda g: g.pop(), "do not have the widths of `hidden`|the last layer reads out, and no other"),
    ],
)
def test_a_checkpoint_whose_graph_is_none_is_refused(
    change: Callable[[Any], None],
    says: str,
    one_of_everything: tuple[nir.NIRGraph, Imported],
    tmp_path: Path,
) -> None:
    import json

    checkpoint.save(one_of_everything[1].checkpoint, tmp_path / "graph.pt")
    content = torch.load(tmp_path / "graph.pt", weights_only=True)
    manifest = json.loads(content["manifest"])
    change(manifest["config"]["network"]["graph"])
    torch.save({**content, "manifest": json.dumps(manifest)}, tmp_path / "graph.pt")
    with pytest.raises(UnreadableFile, match=says):
        checkpoint.load(tmp_path / "graph.pt")
