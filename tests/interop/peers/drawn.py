"""What all peers draw: weights, constants and inputs that single precision holds exactly, so that ties are ties.

A peer runs in its framework's own environment, without our packages: `python PEER.py FOLDER` writes what its networks
are, what they were fed and which spikes its framework fired.
"""

import json
import sys
from pathlib import Path

import nir
import numpy as np

STEPS, BATCH, NETWORKS = 24, 3, 24
DECAYS = (0.5, 0.75, 0.25)


def weights(draw, n, inputs, scale=8):
    """Multiples of 1/scale, mostly positive, so that layers fire and membranes often equal a threshold."""
    return (draw.integers(-scale // 2, scale + 1, (n, inputs)) / scale).astype(np.float32)


def bounded(draw, n, inputs, most=4):
    """Multiples of 1/8, none below 0, such that no neuron gains more than most/8 in a step."""
    parts = draw.integers(0, 4, (n, inputs))
    return np.where(np.cumsum(parts, axis=1) <= most, parts, 0).astype(np.float32) / 8


def widths(draw):
    """Channels and one to three layers."""
    return [int(n) for n in draw.integers(2, 7, draw.integers(2, 5))]


def thresholds(draw, n, each):
    """1, or one for each neuron."""
    values = draw.choice([1.0, 0.5, 0.75, 1.25], n) if each else np.ones(n)
    return values.astype(np.float32)


def decays(draw, n, each):
    """One for the layer, or one for each neuron."""
    values = draw.choice(DECAYS, n) if each else np.full(n, draw.choice(DECAYS))
    return values.astype(np.float32)


def fed(draw, channels):
    """Spikes (T, B, channels)."""
    return draw.integers(0, 2, (STEPS, BATCH, channels)).astype(np.float32)


def main(networks):
    """Write what ``networks(seed, draw)`` gives, a graph, its input, each layer's spikes and how it is to be read."""
    folder = Path(sys.argv[1])
    for seed in range(NETWORKS):
        graph, x, spikes, how = networks(seed, np.random.default_rng(seed))
        nir.write(folder / f"{seed}.nir", graph)
        np.savez(folder / f"{seed}.npz", x=x, **{f"layer{i}": each for i, each in enumerate(spikes)})
        (folder / f"{seed}.json").write_text(json.dumps(how))
