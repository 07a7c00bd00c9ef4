"""Spikes that arrive late, on their way to another layer, the readout or back into their own layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Links, Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each spike arrives 0 to ``level`` steps late, all equally likely, on each connection for itself."""
    return replace(subject, links=Links(jitter=int(level), seed=int(rng.integers(2**32)))) if level else subject


PERTURBATION = Perturbation(
    title="jittered spikes",
    axis="greatest delay in steps",
    levels=(0, 1, 2, 3, 5, 8),
    highest=64,
    perturb=perturb,
    whole=True,
)
