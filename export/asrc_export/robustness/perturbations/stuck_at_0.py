"""Neurons that never fire."""

from __future__ import annotations

import numpy as np

from asrc_export.robustness.stuck import stuck
from asrc_export.robustness.subject import Perturbation, Subject


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """A share ``level`` of each layer's neurons, rounded, is silent."""
    return stuck(subject, level, rng, firing=False)


PERTURBATION = Perturbation(
    title="neurons stuck at 0",
    axis="share of each layer's neurons",
    levels=(0, 0.02, 0.05, 0.1, 0.2, 0.3),
    highest=1,
    perturb=perturb,
)
