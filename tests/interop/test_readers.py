"""NIR that we write for a framework is read by it, in its own environment, and puts out there what it does here.

What is compared is the readout's current in each step, of networks of one to three layers: one spike more or less of
any layer shows in it. Numbers are such that single precision holds their sums, so that membranes equal thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from framework_peers import PEERS, read_there

from asrc_core.contract.interpreter import Session
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.synapses.connection import INPUT
from asrc_export import real_network
from asrc_export.interop.nir import writer
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer, FrozenNetwork, WeightedTap

STEPS, BATCH, NETWORKS = 24, 3, 24
LEAST = 20
NEAR = 1e-5
"""What single precision may lose of a readout's current; a spike more or less changes it by an eighth or more."""


@dataclass(frozen=True)
class Drawn:
    """What a framework's reader knows, of which networks are drawn.

    ``late``: each layer is heard a step later there. ``bounded``: weights such that no membrane reaches twice its
    threshold, and none is below 0. ``kept``: shares of membranes; one that is never emptied takes more digits with each
    step, and single precision holds those of halves only.
    """

    kinds: tuple[str, ...]
    loops: bool
    reset: str = "hard"
    fires: str | None = None
    thresholds: bool = False
    decays: bool = False
    late: bool = False
    bounded: bool = False
    leaky: bool = False
    kept: tuple[float, ...] = (0.5, 0.75, 0.25)


READ = {
    "snntorch": Drawn(("lif", "cuba-lif"), loops=False, decays=True),
    "norse": Drawn(("lif", "cuba-lif", "if"), loops=True, thresholds=True, decays=True, kept=(0.5, 0.75)),
    "sinabs": Drawn(
        ("lif", "if"), loops=False, reset="soft", fires="at", thresholds=True, decays=True, bounded=True, leaky=True
    ),
    "rockpool": Drawn(("cuba-lif",), loops=True, reset="soft", fires="at", bounded=True),
    "spikingjelly": Drawn(("lif", "cuba-lif", "if"), loops=True),
    "spyx": Drawn(
        ("late-reset", "cuba-lif"), loops=True, reset="soft", fires="above", thresholds=True, late=True, kept=(0.5,)
    ),
}


def network(seed: int, how: Drawn) -> FrozenNetwork:
    draw = np.random.default_rng(seed)
    sizes = [int(n) for n in draw.integers(2, 7, draw.integers(2, 5))]
    kind = how.kinds[seed % len(how.kinds)]
    loops, each = how.loops and seed // 2 % 2 == 1, seed % 4 >= 2
    layers: list[FrozenLayer] = []
    for i, n in enumerate(sizes[1:]):
        before = layers[-1].name if layers else INPUT
        connections = [FrozenConnection(before, weights(draw, n, sizes[i], 4 if how.bounded else None))]
        if loops:
            back = weights(draw, n, n, 1 if how.bounded else None)
            connections.append(FrozenConnection(f"layer{i}", back, (WeightedTap(1, 1.0),)))
        biased = seed % 3 == 0 and not how.bounded and not (how.late and i)
        made = neurons(draw, n, kind, how, each, ("at", "above")[seed // 4 % 2], biased)
        layers.append(FrozenLayer(f"layer{i}", tuple(connections), kind if kind != "if" else "lif", made))
    last = weights(draw, 3, sizes[-1], None)
    bias = draw.integers(-4, 5, 3) / 8
    decides = None
    if how.leaky and seed % 3 == 0:
        source = FrozenConnection(layers[-1].name, last)
        decides = FrozenLayer("readout", (source,), "integrator", {"bias": bias, "decay_factor": 0.5})
    return FrozenNetwork(tuple(layers), last, bias, sizes[0], STEPS, 1.0, 1, None, {}, decides)


def neurons(
    draw: np.random.Generator, n: int, kind: str, how: Drawn, each: bool, fires: str, biased: bool
) -> dict[str, Any]:
    decays = draw.choice(how.kept, n) if each and how.decays else float(draw.choice(how.kept))
    constants: dict[str, Any] = {
        "bias": np.zeros(n),
        "threshold": draw.choice([1.0, 0.5, 0.75], n) if each and how.thresholds and not how.bounded else 1.0,
        "decay_factor": 1.0 if kind == "if" else decays,
        "fires": how.fires or fires,
    }
    joins = draw.integers(0, 3, n) / 8 if biased else np.zeros(n)
    if kind == "late-reset":
        return {**constants, "bias": joins}
    if kind == "cuba-lif":
        return {**constants, "current_decay_factor": 0.5, "current_bias": joins, "reset": how.reset}
    return {**constants, "bias": joins, "reset": how.reset}


def weights(draw: np.random.Generator, n: int, inputs: int, most: int | None) -> Floats:
    """Multiples of 1/8; where they are bounded none is below 0 and no neuron gains more than most/8 in a step."""
    if most is None:
        return draw.integers(-4, 9, (n, inputs)) / 8
    parts = draw.integers(0, most, (n, inputs))
    return np.where(np.cumsum(parts, axis=1) <= most, parts, 0) / 8


def shown(frozen: FrozenNetwork, x: Floats) -> tuple[Floats, int]:
    """Currents of the readout, or its membranes where it leaks, (T, B, classes), and spikes of all layers."""
    session = Session(real_network.of(frozen), x.shape[1], RealArithmetic())
    steps, fired = [], 0
    for now in x:
        *hidden, last = session.step(now)
        fired += sum(int(np.sum(each.sent)) for each in hidden)
        current = np.asarray(hidden[-1].sent, np.float64) @ frozen.readout_weight.T + frozen.readout_bias
        steps.append(np.array(last.shown) if frozen.decides is not None else current)
    return np.stack(steps), fired


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_what_we_write_for_a_framework_puts_out_there_what_it_does_here(name: str, tmp_path: Path) -> None:
    how, peer = READ[name], next(each for each in PEERS if each.name == name)
    expected, spikes = {}, 0
    for seed in range(NETWORKS):
        frozen = network(seed, how)
        x = np.random.default_rng(1000 + seed).integers(0, 2, (STEPS, BATCH, frozen.channels)).astype(np.float32)
        writer.save_frozen(frozen, tmp_path / f"{seed}.nir", lossy=True, nir_for=name)
        expected[seed], fired = shown(frozen, x)
        spikes += fired
        later = np.zeros((len(frozen.layers) if how.late else 0, *x.shape[1:]), np.float32)
        np.save(tmp_path / f"{seed}.npy", np.concatenate([x, later]))
    assert spikes > 20 * NETWORKS
    found = read_there(peer, tmp_path)
    assert sorted(found) == sorted(expected)
    assert len(found) >= LEAST
    last = {seed: theirs[len(theirs) - STEPS :] for seed, theirs in sorted(found.items())}
    off = {seed: int((abs(last[seed] - expected[seed]) > NEAR).sum()) for seed in last}
    assert off == dict.fromkeys(off, 0)
