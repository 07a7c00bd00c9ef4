"""Memory of sequences that is used again: handed out to one at a time, never more than was once in use."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from asrc_train.kernels.native import reuse

MEBI = 1 << 20
LIKE = torch.empty(0)


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    gc.collect()
    reuse.clear()
    yield
    reuse.clear()


def numbers(mebibytes: float) -> Tensor:
    return reuse.empty(LIKE, (int(mebibytes * MEBI) // 4,))


def test_what_was_given_back_is_handed_out_again() -> None:
    first = numbers(4)
    at = first.data_ptr()
    del first
    again = numbers(4)
    assert again.data_ptr() == at
    assert (again.shape, again.dtype) == ((MEBI,), torch.float32)


def test_shape_dtype_and_alignment_are_those_asked_for() -> None:
    made = reuse.empty(LIKE.double(), (2, 300, 512))
    assert (made.shape, made.dtype, made.is_contiguous()) == ((2, 300, 512), torch.float64, True)
    assert made.data_ptr() % 64 == 0


def test_what_is_in_use_is_nobody_elses() -> None:
    first = numbers(4).fill_(1)
    part = first[5:]  # holds the memory, too
    del first
    second = numbers(4).fill_(2)
    assert part.eq(1).all()
    assert second.eq(2).all()


def test_a_graph_holds_its_memory() -> None:
    leaf = torch.ones(MEBI, requires_grad=True)
    y = (leaf * numbers(4).fill_(3)).sum()
    numbers(4).fill_(5)
    (found,) = torch.autograd.grad(y, leaf)
    assert found.eq(3).all()


def test_blocks_that_wait_make_no_process_larger_than_its_need_was() -> None:
    for mebibytes in (2, 5, 11, 23):  # none fits into the one before, none is as little as half of the next
        numbers(mebibytes)
        assert reuse.held() == mebibytes * MEBI
    kept = [numbers(23), numbers(23)]
    assert reuse.held() == 46 * MEBI
    del kept[0]
    numbers(2)
    assert reuse.held() <= 46 * MEBI


def test_a_block_is_not_given_for_half_its_size() -> None:
    numbers(8)
    small = numbers(4)
    assert small.untyped_storage().nbytes() == 4 * MEBI
    assert reuse.held() == 4 * MEBI, "a smaller one makes room for itself"


def test_nothing_waits_when_it_is_cleared() -> None:
    numbers(4)
    reuse.clear()
    assert reuse.held() == 0


def test_little_memory_is_ordinary() -> None:
    numbers(0.5)
    assert reuse.held() == 0
