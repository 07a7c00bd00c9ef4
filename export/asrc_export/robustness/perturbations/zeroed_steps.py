"""Time steps of the input that go missing, the network fed zeros in their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each step of each sample is missing with probability ``level``; 0, or the closest the range has to it, is fed."""
    entry = subject.deployed.input
    missing = rng.random(subject.x.shape[:2]) < level
    nothing = min(max(0, entry.minimum), entry.maximum)
    return replace(subject, x=np.where(missing[:, :, None], nothing, subject.x.astype(np.int32)))


PERTURBATION = Perturbation(
    title="missing steps, zeros instead",
    axis="share of a sample's steps",
    levels=(0, 0.02, 0.05, 0.1, 0.2, 0.4),
    highest=1,
    perturb=perturb,
)
