"""The contract's operations in PyTorch: integers forward, and backward gradients as if nothing had been rounded.

Values are floats of double precision that hold whole numbers, exactly up to 2^53. Roundings count as if they were not
there (straight-through), a saturation passes what it does not change, a comparison has the surrogate's triangle, as
wide as the layer's scale; a selection passes each side where it was chosen, and to its condition the difference of the
two. Words of spikes and look-up tables pass nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.operations import Shift, Value
from asrc_train.gradients.straight_through import straight_through
from asrc_train.gradients.surrogate import fire


class TorchOperations:
    """Tensors (B, N). ``width``: how far from equality a comparison's gradient reaches, in integer units.

    ``detach_reset``: a selection passes nothing to its condition, so no gradient flows through a reset's spike.
    ``saturations`` counts the entries that `saturate` changed.
    """

    def __init__(
        self,
        width: float = 1.0,
        *,
        detach_reset: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | None = None,
    ) -> None:
        self.saturations = 0
        self._width, self._detach_reset, self._dtype, self._device = width, detach_reset, dtype, device

    def add(self, a: Value, b: Value) -> Value:
        """A + b."""
        return self._value(a) + self._value(b)

    def sub(self, a: Value, b: Value) -> Value:
        """A - b."""
        return self._value(a) - self._value(b)

    def mul(self, a: Value, b: Value) -> Value:
        """A b."""
        return self._value(a) * self._value(b)

    def shl(self, a: Value, k: Shift) -> Value:
        """A 2^k."""
        return self._value(a) * self._power(k)

    def floor(self, a: Value, k: Shift) -> Value:
        """A / 2^k, rounded down."""
        exact = self._value(a) / self._power(k)
        return straight_through(exact, exact.detach().floor())

    def toward_zero(self, a: Value, k: Shift) -> Value:
        """A / 2^k, rounded toward zero."""
        exact = self._value(a) / self._power(k)
        return straight_through(exact, exact.detach().trunc())

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """A kept within +-(2^(bits - 1) - 1)."""
        most = 2 ** (bits - 1) - 1
        value = self._value(a)
        beyond = value.detach().abs() > most
        self.saturations += int(torch.count_nonzero(beyond))
        return torch.where(beyond, value.detach().clamp(-most, most), value)

    def min(self, a: Value, b: Value) -> Value:
        """The smaller one."""
        a, b = self._value(a), self._value(b)
        return torch.where(a <= b, a, b)

    def max(self, a: Value, b: Value) -> Value:
        """The greater one."""
        a, b = self._value(a), self._value(b)
        return torch.where(a >= b, a, b)

    def ge(self, a: Value, b: Value) -> Value:
        """1 where a >= b."""
        return fire(self.sub(a, b) / self._width)

    def and_(self, a: Value, b: Value) -> Value:
        """1 where both hold."""
        return self.mul(a, b)

    def or_(self, a: Value, b: Value) -> Value:
        """1 where one holds."""
        a, b = self._value(a), self._value(b)
        return a + b - a * b

    def not_(self, a: Value) -> Value:
        """1 - a."""
        return self.sub(1, a)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """A where the condition holds, else b."""
        holds, b = self._value(condition), self._value(b)
        return b + (holds.detach() if self._detach_reset else holds) * (self._value(a) - b)

    def push(self, word: Value, bit: Value) -> Value:
        """(2 word + bit) mod 2^32."""
        return torch.remainder(2 * self._value(word).detach() + self._value(bit).detach(), 2.0**32)

    def mask(self, word: Value, k: Shift) -> Value:
        """Word mod 2^k."""
        return torch.remainder(self._value(word).detach(), self._power(k))

    def table(self, index: Value, entries: Ints) -> Value:
        """entries[index]."""
        return self._value(entries)[self._value(index).detach().long()]

    def _value(self, operand: Value) -> Tensor:
        if isinstance(operand, Tensor):
            return operand
        return torch.tensor(operand, dtype=self._dtype, device=self._device)

    def _power(self, k: Shift) -> Any:
        """2^k."""
        return 2.0**k if isinstance(k, int) else self._value(np.exp2(k))


class UnroundedOperations(TorchOperations):
    """The same without any rounding or saturation: what a kind computes on floats."""

    def floor(self, a: Value, k: Shift) -> Value:
        """A / 2^k."""
        return self._value(a) / self._power(k)

    def toward_zero(self, a: Value, k: Shift) -> Value:
        """A / 2^k."""
        return self.floor(a, k)

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """A as it is."""
        return self._value(a)
