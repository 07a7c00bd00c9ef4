"""Spikes that get lost on their way to another layer, the readout or back into their own layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Links, Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each spike is lost with probability ``level``, on each connection for itself."""
    return replace(subject, links=Links(loss=level, seed=int(rng.integers(2**32)))) if level else subject


PERTURBATION = Perturbation(
    title="dropped spikes",
    axis="probability that a spike is lost",
    levels=(0, 0.01, 0.03, 0.1, 0.2, 0.3),
    highest=1,
    perturb=perturb,
)
