"""Networks built and simulated in other frameworks, in their own environments, fire the same spikes here.

Weights, constants and inputs are such that single precision holds sums of them: membranes often equal their thresholds.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from framework_peers import LAVA, PEERS, Network, Peer, networks, written

from asrc_core.contract.network import IntegerNetwork
from asrc_export import exporting
from asrc_export.engines import generated
from asrc_export.interop.imported import Feed, Imported
from asrc_export.interop.netx import reader as netx_reader
from asrc_export.interop.nir import reader
from asrc_export.interop.nir.frameworks.readings import FRAMEWORKS
from asrc_lava.boards import sdk
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze

LAVA_DL = "lava-dl" in {found.name for found in importlib.metadata.distributions()}

LEAST = 20
ROUNDED = 0.02
"""Share of spikes that may be others where membranes leak: integers round each of them toward zero in every step."""


def read(network: Network, framework: str, **other: str) -> Imported:
    feed = Feed(steps=len(network.x), maximum=1)
    return reader.read(network.path, feed, written_by=framework, **{**network.how, **other})  # type: ignore[arg-type]


def off(mine: Sequence[Any], network: Network) -> int:
    """Spikes of all layers that are here and not there, or there and not here."""
    assert len(mine) == len(network.spikes)
    return sum(int((here != theirs).sum()) for here, theirs in zip(mine, network.spikes, strict=True))


def differing(network: Network, framework: str, **other: str) -> int:
    with torch.no_grad():
        _, spikes = read(network, framework, **other).checkpoint.network().traced(torch.from_numpy(network.x))
    return off([each.numpy() for each in spikes], network)


def deployed(found: IntegerNetwork, network: Network) -> int:
    """The same of the integer network's engine."""
    trace = generated.run(found, network.x.transpose(1, 0, 2).astype(np.int32), trace=True).trace
    assert trace is not None
    return off([each.spikes for each in trace.layers], network)


def leaks(checkpoint: Checkpoint) -> bool:
    """Whether some membrane or current decays."""
    layers = freeze(checkpoint).layers
    return any("current_decay_factor" in each.constants or bool(np.any(each.decay != 1)) for each in layers)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_not_one_spike_differs_from_the_frameworks_own(peer: Peer, tmp_path: Path) -> None:
    made = list(networks(peer, tmp_path))
    assert len(made) >= LEAST
    assert sum(bool(each.spikes[0].any()) for each in made) >= LEAST - 2
    wrong = {each.seed: differing(each, peer.name) for each in made}
    assert wrong == dict.fromkeys(wrong, 0)
    opposite = "at" if FRAMEWORKS[peer.name].fires == "above" else "above"
    assert any(differing(each, peer.name, fires=opposite) for each in made), "no membrane equalled its threshold"
    found = [(each, read(each, peer.name).checkpoint) for each in made]
    wrong = {each.seed: deployed(exporting.export(mine, "loihi2").network, each) for each, mine in found}
    exact = {each.seed: wrong[each.seed] for each, mine in found if not leaks(mine)}
    assert exact == dict.fromkeys(exact, 0)
    assert sum(wrong.values()) <= ROUNDED * sum(float(spikes.sum()) for each in made for spikes in each.spikes)


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.skipif(sdk.why_no_lava() is not None or not LAVA_DL, reason="lava-dl is not installed")
def test_integers_of_a_netx_file_fire_slayers_own_spikes(tmp_path: Path) -> None:
    made = list(written(LAVA, tmp_path, ".net"))
    assert len(made) >= LEAST
    assert sum(bool(each.spikes[0].any()) for each in made) >= LEAST - 2
    wrong: dict[str, list[int]] = {"above": [], "at": []}
    for each in made:
        for fires, found in wrong.items():
            network = netx_reader.read(each.path, steps=len(each.x), fires=fires)  # type: ignore[arg-type]
            found.append(deployed(network, each))
    assert wrong["above"] == [0] * len(made)
    assert sum(wrong["at"]) > len(made), "no membrane equalled its threshold"
