"""What the build before version 3 of the contract computed: ten thousand random chains, and the networks in examples/.

`tests/core/recorded/outputs.npz` holds eight bytes for each network: of its traced outputs, and of its file. They were
written by that build's NumPy engine (and compared with its native one on every twentieth).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.result import Result

NETWORKS = 10_000
FILE = Path(__file__).parents[1] / "core" / "recorded" / "outputs.npz"
EXAMPLES = {
    "psmnist-asrc.loihi2.safetensors": "bbb0e35a281fb764",
    "psmnist-src.loihi2.safetensors": "8631265d2b412fff",
}
"""Digests of eight samples of noise from generator 0."""


def outputs() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Digests (n, 8) of each network's outputs and of its file."""
    with np.load(FILE, allow_pickle=False) as held:
        return held["outputs"], held["files"]


def settings(seed: int) -> dict[str, Any]:
    """What `random_network(seed, ...)` is asked for."""
    rng = np.random.default_rng(10**6 + seed)
    depth = int(rng.integers(1, 4))
    mapping = "synaptic-delay" if rng.random() < 0.3 else "delay-line"
    longest = 63 if mapping == "synaptic-delay" else 32

    def span() -> Any:
        if mapping == "delay-line" and rng.random() < 0.3:
            spans = sorted(rng.choice(np.arange(1, 33), int(rng.integers(2, 5)), replace=False).tolist())
            return [(each, int(rng.integers(1, 16))) for each in spans]
        return int(rng.integers(1, longest + 1))

    low, high = [(0, 1), (0, 255), (-128, 127), (0, 15), (-3, 3)][int(rng.integers(5))]
    return {
        "channels": int(rng.integers(1, 6)),
        "widths": tuple(rng.integers(1, 20, depth).tolist()),
        "spans": tuple(span() for _ in range(depth)),
        "classes": int(rng.integers(1, 6)),
        "steps": int(rng.integers(1, 40)),
        "input_range": (low, high),
        "exponents": tuple(rng.integers(-4, 3, 2).tolist()),
        "weight_bits": int(rng.integers(2, 9)),
        "activation_shift": int(rng.integers(0, 7)),
        "decay": [0, 4096, 2048, int(rng.integers(0, 4097))][int(rng.integers(4))],
        "reset": "soft" if rng.random() < 0.5 else "hard",
        "mapping": mapping,
    }


def samples(seed: int) -> NDArray[np.int64]:
    """Two samples for that network, (2, T, channels)."""
    asked = settings(seed)
    low, high = asked["input_range"]
    return np.random.default_rng(2 * 10**6 + seed).integers(low, high + 1, (2, asked["steps"], asked["channels"]))


def digest(result: Result) -> bytes:
    """Eight bytes that stand for every integer of a traced result: logits, spikes, membranes, accumulators, counts."""
    assert result.trace is not None
    hashed = hashlib.sha256(np.ascontiguousarray(result.logits, "<i8").tobytes())
    for layer in result.trace.layers:
        hashed.update(np.ascontiguousarray(layer.spikes, "u1").tobytes())
        hashed.update(np.ascontiguousarray(layer.membrane, "<i4").tobytes())
    hashed.update(np.ascontiguousarray(result.trace.readout, "<i4").tobytes())
    for count in result.counts:
        five = (
            count.spikes,
            count.feedforward_operations,
            count.recurrent_operations,
            count.neuron_updates,
            count.saturations,
        )
        hashed.update(np.array(five, "<i8").tobytes())
    return hashed.digest()[:8]
