"""The operations in PyTorch: NumPy's integers forward, and backward what stands in for their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_export.quantization.training.torch_operations import TorchOperations, UnroundedOperations

numbers = st.lists(st.integers(-(2**30), 2**30), min_size=4, max_size=4)
words = st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4)
bits = st.lists(st.integers(0, 1), min_size=4, max_size=4)
shifts = st.integers(0, 20) | st.lists(st.integers(0, 20), min_size=4, max_size=4).map(np.array)


def same(name: str, *operands: Any) -> None:
    """The operation on tensors and on arrays; operands that are no lists are constants."""
    numpy, pytorch = NumpyOperations(), TorchOperations()
    arrays = [np.array(each) if isinstance(each, list) else each for each in operands]
    tensors = [torch.tensor(each, dtype=torch.float64) if isinstance(each, list) else each for each in operands]
    expected, found = getattr(numpy, name)(*arrays), getattr(pytorch, name)(*tensors)
    np.testing.assert_array_equal(found.numpy(), np.asarray(expected))
    assert pytorch.saturations == numpy.saturations


@settings(max_examples=60)
@given(numbers, numbers, bits, bits, words, shifts, st.integers(2, 31), st.integers(-99, 99))
def test_forward_they_are_numpys(
    a: list[int], b: list[int], x: list[int], y: list[int], word: list[int], k: Any, width: int, constant: int
) -> None:
    small = [each // 2**8 for each in b]
    for name in ("add", "sub", "min", "max", "ge"):
        same(name, a, b)
        same(name, a, constant)
        same(name, constant, np.array(b))
    same("mul", a, small)
    same("shl", a, k)
    same("floor", a, k)
    same("toward_zero", a, k)
    same("saturate", a, width)
    same("and_", x, y)
    same("or_", x, y)
    same("not_", x)
    same("select", x, a, b)
    same("select", x, constant, np.array(b))
    same("push", word, x)
    same("mask", word, k)
    same("table", [each % 7 for each in word], np.arange(100, 107))


def slope(operation: Callable[[Tensor], Tensor], at: float) -> float:
    x = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    return float(torch.autograd.grad((operation(x) + 0 * x).sum(), x)[0])


def test_a_rounding_has_the_gradient_of_what_it_rounds() -> None:
    o = TorchOperations()
    for at in (-7.0, 0.0, 5.0):
        assert slope(lambda x: o.floor(x, 3), at) == slope(lambda x: o.toward_zero(x, 3), at) == 1 / 8
        assert slope(lambda x: o.shl(x, 3), at) == 8
        assert slope(lambda x: o.mul(x, o.floor(x, 1)), at) == np.floor(at / 2) + at / 2


def test_a_saturation_passes_what_it_does_not_change() -> None:
    o = TorchOperations()
    assert [slope(lambda x: o.saturate(x, 4), at) for at in (-8.0, -7.0, 0.0, 7.0, 8.0)] == [0, 1, 1, 1, 0]


def test_a_comparison_has_a_triangle_as_wide_as_it_is_told() -> None:
    o = TorchOperations(width=4.0)
    assert [slope(lambda x: o.ge(x, 10), at) for at in (6.0, 8.0, 10.0, 12.0, 14.0)] == [0, 1 / 8, 1 / 4, 1 / 8, 0]
    assert slope(lambda x: o.ge(10, x), 8.0) == -1 / 8


def test_branches_pass_their_own_gradient_and_a_condition_gets_the_difference() -> None:
    o, detached = TorchOperations(width=4.0), TorchOperations(width=4.0, detach_reset=True)
    assert [slope(lambda x: o.min(x, 3), at) for at in (2.0, 4.0)] == [1, 0]
    assert [slope(lambda x: o.max(x, 3), at) for at in (2.0, 4.0)] == [0, 1]
    assert [slope(lambda x: o.select(torch.tensor([c]), x, o.mul(x, 5)), 1.0) for c in (1.0, 0.0)] == [1, 5]
    # A reset by subtraction, u - 10 s: to u comes 1, and through s -10 times the surrogate's 1/4.
    assert slope(lambda x: o.select(o.ge(x, 10), o.sub(x, 10), x), 10.0) == 1 - 10 / 4
    assert slope(lambda x: detached.select(detached.ge(x, 10), detached.sub(x, 10), x), 10.0) == 1


def test_words_and_tables_pass_nothing() -> None:
    o = TorchOperations()
    assert slope(lambda x: o.push(x, 1), 5.0) == slope(lambda x: o.mask(x, 2), 5.0) == 0
    assert slope(lambda x: o.table(x, np.arange(9)), 5.0) == 0


@pytest.mark.parametrize(("name", "expected"), [("floor", 1.75), ("toward_zero", 1.75)])
def test_unrounded_nothing_is_rounded_nor_saturated(name: str, expected: float) -> None:
    o = UnroundedOperations()
    assert float(getattr(o, name)(torch.tensor(7.0, dtype=torch.float64), 2)) == expected
    assert float(o.saturate(torch.tensor(1e9, dtype=torch.float64))) == 1e9
