"""GLIF with one conductance for all steps, so that the integer contract holds it: `glif`, c[t] = c.

All else is learned, and starts, as there. Samples may have any number of steps.
"""

from __future__ import annotations

from asrc_train.network.neurons import glif
from asrc_train.settings.config import NetworkConfig

INDIRECT = "multiply a current by a conductance"
"""Why a current is not simply added to the membrane of its step."""


def build(config: NetworkConfig, neurons: int, steps: int | None) -> glif.GLIF:
    """Fresh neurons. Raises InvalidSetting as those of `glif` do."""
    return glif.build(config, neurons, steps, steady=True)
