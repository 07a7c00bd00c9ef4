"""Gaussian noise on every input, rounded to integers and clipped to the network's range: both networks see the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Feed clip(round(x + level * (maximum - minimum) * n)), n normal; the share of clipped values is noted."""
    entry = subject.deployed.input
    noise = rng.standard_normal(subject.x.shape, np.float32) * np.float32(level * (entry.maximum - entry.minimum))
    noisy = np.rint(subject.x.astype(np.float32) + noise)
    x = noisy.clip(entry.minimum, entry.maximum)
    clipped = float(np.count_nonzero(x != noisy) / x.size)
    return replace(subject, x=x.astype(np.int32), notes={**subject.notes, "clipped": clipped})


PERTURBATION = Perturbation(
    title="input noise",
    axis="standard deviation, share of the input's range",
    levels=(0, 0.02, 0.05, 0.1, 0.2, 0.3),
    highest=10,
    perturb=perturb,
)
