"""The NIR paper's own networks load, run, deploy, and fire as their authors published it where the input is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrc_core.contract.interpreter import Session
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.parity import require_equal
from asrc_export import exporting, float_network, real_network
from asrc_export.engines import generated
from asrc_export.engines import numpy as numpy_engine
from asrc_export.interop.imported import Feed, Imported
from asrc_export.interop.nir import reader
from asrc_train.trained.freeze import freeze

FILES = Path(__file__).parents[1] / "support" / "nir_paper"
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def traces() -> dict[str, Array]:
    with np.load(FILES / "traces.npz") as held:
        return dict(held)


def spikes(found: Imported, x: Array) -> Array:
    """(T, N) of the first layer, for one sample (T, channels)."""
    first: Array = next(iter(float_network.spikes(freeze(found.checkpoint), x[None].astype(np.int64))))[:, 0]
    return first


def deployed(found: Imported, x: Array) -> Array:
    """The same of the integer network, equal in NumPy and in the generated engine."""
    network = exporting.export(found.checkpoint, "loihi2").network
    batch = x[None].astype(np.int64)
    mine, theirs = (engine.run(network, batch, trace=True) for engine in (numpy_engine, generated))
    require_equal(network, theirs, mine, ("generated", "numpy"))
    assert mine.trace is not None
    sent: Array = mine.trace.layers[0].spikes[:, 0]
    return sent


# --- one LIF neuron ---------------------------------------------------------------------------------------------------


def lif(name: str = "norse", **how: Any) -> Imported:
    return reader.read(FILES / f"lif_{name}.nir", Feed(steps=1000, maximum=1), **how)


def test_the_lif_neuron_fires_as_five_simulators_published_it(traces: dict[str, Array]) -> None:
    mine = spikes(lif(dt=1e-4), traces["lif_input"][:, None])[:, 0]
    assert mine.sum() == 4
    for simulator in ("norse", "snntorch", "nengo", "spinnaker2", "exact"):
        np.testing.assert_array_equal(mine, traces[f"lif_{simulator}"], err_msg=simulator)


@pytest.mark.parametrize("simulator", ["spyx", "lava_cpu_float"])
def test_two_simulators_fire_the_same_spikes_a_step_later(simulator: str, traces: dict[str, Array]) -> None:
    mine = spikes(lif(dt=1e-4), traces["lif_input"][:, None])[:, 0]
    np.testing.assert_array_equal(mine[:-1], traces[f"lif_{simulator}"][1:])


def test_the_lif_membrane_is_norses(traces: dict[str, Array]) -> None:
    session = Session(real_network.of(freeze(lif(dt=1e-4).checkpoint)), 1, RealArithmetic())
    kept = []
    for value in traces["lif_input"]:
        first, _ = session.step(np.array([[float(value)]]))
        kept.append(0.0 if first.sent[0, 0] else first.shown[0, 0])  # Norse's is that after the reset
    np.testing.assert_allclose(kept, traces["lif_norse_membrane"], atol=1e-7)


def test_rockpools_own_file_fires_as_rockpool_published_it(traces: dict[str, Array]) -> None:
    mine = spikes(lif("rockpool", written_by="rockpool", dt=1e-4), traces["lif_input"][:, None])[:, 0]
    np.testing.assert_array_equal(mine, traces["lif_rockpool"])


def test_the_deployed_lif_neuron_fires_the_published_spikes(traces: dict[str, Array]) -> None:
    np.testing.assert_array_equal(deployed(lif(dt=1e-4), traces["lif_input"][:, None])[:, 0], traces["lif_norse"])


# --- recurrent networks for Braille letters ---------------------------------------------------------------------------


def braille(which: str) -> Imported:
    name, reset = {"zero": ("bias_zero", "hard"), "subtract": ("noBias_subtract", "soft")}[which]
    path = FILES / f"braille_noDelay_{name}.nir"
    return reader.read(path, Feed(steps=256, maximum=1), written_by="snntorch", reset=reset)  # type: ignore[arg-type]


def test_the_braille_network_that_resets_to_zero_fires_as_snntorch_published_it(traces: dict[str, Array]) -> None:
    """All 256 x 38, through recurrent synapses and two currents that last, with biases that join the current."""
    found = braille("zero")
    assert [layer.kind for layer in found.checkpoint.config.network.graph] == ["cuba-lif", "cuba-lif", "integrator"]
    mine = spikes(found, traces["braille_input"])
    assert mine.sum() == 119
    np.testing.assert_array_equal(mine, traces["braille_zero_snntorch"])


def subtracting(traces: dict[str, Array], *, again: bool) -> Array:
    """The other network's first layer as snnTorch computes it: what was above its threshold after the reset, too, has
    theta taken in the next step and, if it does not fire, given back after it (``again``).
    """
    import nir

    nodes = nir.read(FILES / "braille_noDelay_noBias_subtract.nir").nodes
    neuron = nodes["lif1.lif"]
    alpha, beta = (1 - 1e-4 / np.asarray(tau, np.float64) for tau in (neuron.tau_syn, neuron.tau_mem))
    c, v, s = (np.zeros(40) for _ in range(3))
    sent = []
    for x in traces["braille_input"].astype(np.float64):
        taken = (v > 1).astype(float) * again
        c = alpha * c + nodes["fc1"].weight @ x + nodes["lif1.w_rec"].weight @ s
        v = beta * v + c - taken
        s = (v > 1).astype(float)
        v = v - (s - taken)
        sent.append(s)
    return np.stack(sent)


def test_the_braille_network_that_resets_by_subtraction_differs_by_snntorchs_second_reset_alone(
    traces: dict[str, Array],
) -> None:
    mine, published = spikes(braille("subtract"), traces["braille_input"]), traces["braille_subtract_snntorch"]
    np.testing.assert_array_equal(mine, subtracting(traces, again=False))
    np.testing.assert_array_equal(published, subtracting(traces, again=True))
    assert (mine != published).sum() == 46


@pytest.mark.parametrize(("which", "off"), [("zero", 110), ("subtract", 90)])
def test_the_deployed_braille_networks_stay_near_what_was_published(
    which: str, off: int, traces: dict[str, Array]
) -> None:
    """At 8 bits, with 12 for the decays: no further off than the paper's other simulators are from snnTorch."""
    published = traces[f"braille_{which}_snntorch"]
    others = [name for name in traces if name.startswith(f"braille_{which}_") and not name.endswith("snntorch")]
    away = (deployed(braille(which), traces["braille_input"]) != published).sum()
    assert away <= off < max((traces[name] != published).sum() for name in others)


# --- the convolutional network for N-MNIST ----------------------------------------------------------------------------


def moving(samples: int, steps: int) -> Array:
    """Events of a blob that moves in a circle, about 14 a step on 2 x 34 x 34: no recordings of N-MNIST are here."""
    draw = np.random.default_rng(0)
    x = np.zeros((samples, steps, 2, 34, 34), np.int32)
    for b in range(samples):
        for t in range(steps):
            many = draw.poisson(14)
            centre = 17 + 6 * np.array([np.sin(t / 48 + b), np.cos(t / 48 + b)])
            rows, columns = np.clip(draw.normal(centre[:, None], 5, (2, many)), 0, 33).astype(int)
            x[b, t, draw.integers(0, 2, many), rows, columns] = 1
    return x.reshape(samples, steps, -1)


@pytest.fixture(scope="module")
def scnn() -> Imported:
    return reader.read(FILES / "cnn_sinabs.nir", Feed(steps=300, maximum=1), written_by="sinabs")


@pytest.mark.slow
def test_the_convolutional_network_fires_as_convolutions_of_pytorch_do(scnn: Imported) -> None:
    import nir
    import torch

    nodes = nir.read(FILES / "cnn_sinabs.nir").nodes
    x = moving(1, 20)
    weight = {name: torch.from_numpy(np.asarray(nodes[name].weight, np.float64)) for name in ("0", "2", "5", "9", "11")}
    functional, v, layers = torch.nn.functional, [0.0] * 5, list(float_network.spikes(freeze(scnn.checkpoint), x))

    def fire(i: int, drive: Any) -> Any:
        u = v[i] + drive
        s = (u >= 1).double()
        v[i] = u - s
        return s

    for t in range(20):
        now = torch.from_numpy(x[:, t].reshape(1, 2, 34, 34).astype(np.float64))
        first = fire(0, functional.conv2d(now, weight["0"], stride=2, padding=1))
        second = fire(1, functional.conv2d(first, weight["2"], padding=1))
        third = fire(2, functional.conv2d(4 * functional.avg_pool2d(second, 2), weight["5"], padding=1))
        fourth = fire(3, (4 * functional.avg_pool2d(third, 2)).flatten(1) @ weight["9"].T)
        fifth = fire(4, fourth @ weight["11"].T)
        for mine, theirs in zip(layers, (first, second, third, fourth, fifth), strict=True):
            np.testing.assert_array_equal(mine[t], theirs.flatten(1).numpy())
    assert layers[3].any()


@pytest.mark.slow
def test_the_convolutional_network_deploys_and_is_equal_on_engines(scnn: Imported) -> None:
    exported = exporting.export(scnn.checkpoint, "loihi2")
    x = moving(1, 12)
    mine, theirs = (engine.run(exported.network, x, trace=True) for engine in (numpy_engine, generated))
    require_equal(exported.network, theirs, mine, ("generated", "numpy"))
    assert [layer.neurons for layer in exported.network.layers] == [4096, 4096, 512, 256, 10, 10]
    assert mine.trace is not None
    real = list(float_network.spikes(freeze(scnn.checkpoint), x))
    same = [(a == b.spikes).mean() for a, b in zip(real, mine.trace.layers, strict=True)]
    assert min(same) > 0.95
