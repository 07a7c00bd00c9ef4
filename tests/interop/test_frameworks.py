"""Networks built and simulated in other frameworks, in their own environments, fire the same spikes here.

Weights, constants and inputs are such that single precision holds sums of them: membranes often equal their thresholds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from framework_peers import PEERS, Network, Peer, networks

from asrc_export.interop.imported import Feed
from asrc_export.interop.nir import reader

LEAST = 20


def differing(network: Network, framework: str, **other: str) -> int:
    """Spikes of all layers that are here and not there, or there and not here."""
    feed = Feed(steps=len(network.x), maximum=1)
    found = reader.read(network.path, feed, written_by=framework, **{**network.how, **other})  # type: ignore[arg-type]
    with torch.no_grad():
        _, spikes = found.checkpoint.network().traced(torch.from_numpy(network.x))
    assert len(spikes) == len(network.spikes)
    return sum(int((mine.numpy() != theirs).sum()) for mine, theirs in zip(spikes, network.spikes, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_not_one_spike_differs_from_the_frameworks_own(peer: Peer, tmp_path: Path) -> None:
    made = list(networks(peer, tmp_path))
    assert len(made) >= LEAST
    assert sum(bool(each.spikes[0].any()) for each in made) >= LEAST - 2
    off = {each.seed: differing(each, peer.name) for each in made}
    assert off == dict.fromkeys(off, 0)
    opposite = "at" if peer.name in ("snntorch", "norse", "spyx") else "above"
    assert any(differing(each, peer.name, fires=opposite) for each in made), "no membrane equalled its threshold"
