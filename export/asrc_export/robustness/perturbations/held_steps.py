"""Time steps of the input that go missing, the last one that arrived fed again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_export.robustness.subject import Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each step of each sample but its first is missing with probability ``level``; the one before is held."""
    steps = subject.x.shape[1]
    missing = rng.random(subject.x.shape[:2]) < level
    missing[:, 0] = False
    latest = np.maximum.accumulate(np.where(missing, 0, np.arange(steps)), axis=1)
    return replace(subject, x=np.take_along_axis(subject.x, latest[:, :, None], axis=1))


PERTURBATION = Perturbation(
    title="missing steps, last one held",
    axis="share of a sample's steps",
    levels=(0, 0.02, 0.05, 0.1, 0.2, 0.4),
    highest=1,
    perturb=perturb,
)
