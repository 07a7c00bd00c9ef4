"""Closed forms of tau_m V' = -V + I, tau_s I' = -I between events; equal time constants are no special case.

    V(t) = V e^(-t/tau_m) + I kappa(t),   kappa(t) = (e^(-t/tau_m) - e^(-t/tau_s)) tau_s / (tau_m - tau_s)

written with expm1, of which the limit for tau_m = tau_s is (t / tau) e^(-t/tau).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_ENOUGH = 200
"""Halvings and Newton steps after which the numbers of float64 are used up."""


@dataclass(frozen=True)
class Membrane:
    """Both time constants."""

    tau_membrane: float
    tau_synapse: float

    @property
    def _gap(self) -> float:
        return 1 / self.tau_synapse - 1 / self.tau_membrane

    def kappa(self, t: float) -> float:
        """What a current of 1 at 0 has made of the membrane by t."""
        x = self._gap * t
        shrinking = 1.0 if x == 0 else -math.expm1(-x) / x
        return math.exp(-t / self.tau_membrane) * t / self.tau_membrane * shrinking

    def after(self, v: float, i: float, t: float) -> tuple[float, float]:
        """V and I after a time without events."""
        return v * math.exp(-t / self.tau_membrane) + i * self.kappa(t), i * math.exp(-t / self.tau_synapse)

    def peak(self, v: float, i: float) -> float:
        """When V is greatest if nothing happens: 0 where it falls from the start, infinity where it has no peak."""
        if i <= v:
            return 0.0
        if i <= 0:
            return math.inf  # it rises towards 0 and does not get there
        ratio = v / i - 1
        if self._gap == 0:
            return -self.tau_synapse * ratio
        inside = self._gap * self.tau_synapse * ratio
        return -math.log1p(inside) / self._gap if inside > -1 else math.inf

    def crossing(self, v: float, i: float, theta: float) -> float:
        """When V < theta first reaches theta if nothing happens; infinity if it does not."""
        if i <= theta:
            return math.inf  # at a crossing I is above theta, and it only falls
        high = self.peak(v, i)
        if not math.isfinite(high) or self.after(v, i, high)[0] < theta:
            return math.inf
        low, t = 0.0, high / 2
        for _ in range(_ENOUGH):  # Newton, within what is known to hold the root
            v_t, i_t = self.after(v, i, t)
            low, high = (low, t) if v_t >= theta else (t, high)
            slope = (i_t - v_t) / self.tau_membrane
            step = t - (v_t - theta) / slope if slope > 0 else math.nan
            following = step if low < step < high else (low + high) / 2
            if abs(following - t) <= 1e-15 * t or high - low <= 1e-15 * high:
                return following
            t = following
        return t
