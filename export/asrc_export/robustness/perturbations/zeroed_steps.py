"""Time steps of the input that go missing, the network fed what stands for nothing in their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each step of each sample is missing with probability ``level``; the data's zero is fed: 0 of pixels and events,
    the mean of channels that were standardised. Of a range without it, the closest that it has.
    """
    entry = subject.deployed.input
    missing = rng.random(subject.x.shape[:2]) < level
    nothing = np.clip(np.asarray(subject.nothing, np.int32), entry.minimum, entry.maximum)
    return replace(subject, x=np.where(missing[:, :, None], nothing, subject.x.astype(np.int32)))


PERTURBATION = Perturbation(
    title="missing steps, zeros instead",
    axis="share of a sample's steps",
    levels=(0, 0.02, 0.05, 0.1, 0.2, 0.4),
    highest=1,
    perturb=perturb,
)
