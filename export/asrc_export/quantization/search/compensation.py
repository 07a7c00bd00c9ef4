"""Rounding a matrix so that what it computes changes least, not each of its entries.

Rounded one by one, weights that are active together may all err the same way. Given the second moments of the inputs,
G = E[z z^T], the mean square error of a row's sum is a quadratic form of the row's errors, (q - w)^T G (q - w): one
weight's error can make up for another's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_train.trained.frozen import Floats

SWEEPS = 4
"""Passes over all columns, unless one changes nothing."""
SHRUNK = 0.02
"""Share of the inputs' mean power by which `settled` raises the power of each."""


def compensated(weights: Floats, units: Floats, low: Floats, high: Floats, moments: Floats) -> Floats:
    """The multiples of the units with the least (q - w)^T G (q - w) that coordinate descent finds, row by row.

    weights (N, D); units, low, high (D,): column d becomes whole multiples of units[d], from low[d] to high[d] of
    them; moments: G (D, D), symmetric. Starts at the nearest multiples, so the result is never worse than those.
    Columns whose input is silent keep them, and weights of 0 stay 0: of sparse layers, those are absent. Returns the
    multiples (N, D), whole numbers.
    """
    multiples = nearest(weights, units, low, high)
    pull = (multiples * units - weights) @ moments  # half the gradient
    order = [int(d) for d in np.argsort(-moments.diagonal(), kind="stable") if moments[d, d] > 0]
    for _ in range(SWEEPS):
        moved = False
        for d in order:
            wanted = multiples[:, d] - pull[:, d] / (moments[d, d] * units[d])
            steps = np.where(weights[:, d] == 0, 0, np.clip(np.rint(wanted), low[d], high[d]) - multiples[:, d])
            if steps.any():
                moved = True
                multiples[:, d] += steps
                pull += np.outer(steps * units[d], moments[d])
        if not moved:
            break
    return multiples


def nearest(weights: Floats, units: Floats, low: Floats, high: Floats) -> Floats:
    """The multiple nearest to each weight, those beyond the ends cut off."""
    multiples: Floats = np.clip(np.rint(weights / units), low, high)
    return multiples


def error(weights: Floats, values: Floats, moments: Floats) -> float:
    """Mean over the rows of (q - w)^T G (q - w)."""
    off = values - weights
    return float(np.einsum("nd,nd->", off @ moments, off) / len(off))


def on_grid(weights: Floats, units: Floats, grid: WeightGrid, moments: Floats) -> Floats:
    """The weights rounded with compensation to the grid, each column in its own unit of it; as real values."""
    steps = units * grid.step
    low, high = (np.full(len(units), end / grid.step) for end in (grid.low, grid.high))
    return compensated(weights, steps, low, high, moments) * steps


def settled(moments: Floats, blocks: tuple[slice, ...]) -> Floats:
    """The moments with a small share of each block's mean power added to its diagonal: rare inputs count, too.

    Rounded to single precision: the last digits are the order in which a BLAS adds, and should decide nothing.
    """
    added = np.zeros(len(moments))
    for block in blocks:
        added[block] = SHRUNK * moments.diagonal()[block].mean()
    return (moments + np.diag(added)).astype(np.float32).astype(np.float64)


def exact(x: NDArray[np.generic], weights: Floats) -> Ints:
    """X @ weights of whole numbers through the floating-point BLAS, in the precision that holds every partial sum."""
    reach = float(np.abs(x).max(initial=0)) * float(np.abs(weights).sum(axis=0).max(initial=0))
    held = np.float32 if reach < 2**24 else np.float64  # a valid network's sums stay below 2^31
    product: Ints = (x.astype(held, copy=False) @ weights.astype(held)).astype(np.int64)
    return product
