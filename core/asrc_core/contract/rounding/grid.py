"""Integer number formats: which values exist, and the nearest one to a real number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS, Ints
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting


def require_bits(bits: int) -> None:
    """Raise InvalidSetting for a width that no weight of the contract has."""
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise InvalidSetting("`bits`", f"{bits!r} is not a whole number from {MIN_WEIGHT_BITS} to {MAX_WEIGHT_BITS}")
    if not MIN_WEIGHT_BITS <= bits <= MAX_WEIGHT_BITS:
        raise InvalidSetting("`bits`", f"{bits} is outside {MIN_WEIGHT_BITS} to {MAX_WEIGHT_BITS}")


def widths(bits: int | tuple[int, ...], layers: int) -> tuple[int, ...]:
    """The weight bits of each layer and, last, of the readout, where one number stands for all.

    Raises InvalidSetting for a width that no weight has, or another number of them.
    """
    each = bits if isinstance(bits, tuple) else (bits,) * (layers + 1)
    if len(each) != layers + 1:
        raise InvalidSetting("`bits`", f"there are {len(each)} widths for {plural(layers, 'layer')} and the readout")
    for width in each:
        require_bits(width)
    return each


@dataclass(frozen=True)
class WeightGrid:
    """Mixed-sign weights at ``bits`` bits: multiples of 2^(9 - bits) in [-256, 256 - 2^(9 - bits)].

    One bit pays for the sign, so 8 bits hold the even integers from -256 to 254. Lava's `Dense`
    truncates or zeroes anything else without a word.
    """

    bits: int

    @property
    def step(self) -> int:
        """Distance between neighbours."""
        return int(2 ** (9 - self.bits))

    @property
    def low(self) -> int:
        """Most negative value."""
        return -256

    @property
    def high(self) -> int:
        """Most positive value."""
        return 256 - self.step

    def nearest(self, values: NDArray[np.float64]) -> Ints:
        """The closest grid value to each real number; ties go to the even multiple. Values beyond the ends
        must not occur (half a step of rounding aside): the caller chooses the scale so that they fit.
        """
        rounded: Ints = (np.rint(values / self.step) * self.step).astype(np.int64)
        assert rounded.size == 0 or (self.low <= rounded.min() and rounded.max() <= self.high), "scale too large"
        return rounded

    def count_off(self, weights: Ints) -> int:
        """How many values are not on the grid."""
        return int(np.count_nonzero((weights % self.step != 0) | (weights < self.low) | (weights > self.high)))


@dataclass(frozen=True)
class MantissaExponentGrid:
    """m 2^e: a mantissa of ``mantissa_bits`` bits, signed or not, and an exponent between the two given."""

    mantissa_bits: int
    signed: bool
    min_exponent: int
    max_exponent: int

    @property
    def max_mantissa(self) -> int:
        """Greatest mantissa."""
        return int(2 ** (self.mantissa_bits - self.signed) - 1)

    @property
    def high(self) -> int:
        """Greatest value."""
        return self.max_mantissa << self.max_exponent

    def nearest(self, values: NDArray[np.float64]) -> Ints:
        """The closest representable value to each real number, with the smallest exponent that holds it."""
        assert values.size == 0 or np.abs(values).max() <= self.high + 2.0 ** (self.max_exponent - 1), "value too large"
        size = np.maximum(np.abs(values), 1)
        exponent = np.ceil(np.log2(size / (self.max_mantissa + 0.5))).clip(self.min_exponent, self.max_exponent)
        step = np.exp2(exponent)
        mantissa = np.rint(values / step).clip(-self.max_mantissa, self.max_mantissa)
        value: Ints = (mantissa * step).astype(np.int64)
        return value

    def holds(self, value: int) -> bool:
        """Whether the integer is representable."""
        return bool(self.nearest(np.array([float(value)]))[0] == value) if abs(value) <= self.high else False
