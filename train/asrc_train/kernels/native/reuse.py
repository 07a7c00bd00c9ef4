"""Memory for sequences that is used again: what a process has never touched costs six times a pass over it.

A block goes back when the last tensor on it is gone. Together, blocks in use and blocks that wait take no more than was
once in use at the same time.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from math import prod
from threading import RLock

import torch
from torch import Tensor

LEAST = 1 << 20
"""Bytes from which it pays."""


class _Pool:
    """Blocks that wait, and how many bytes are in use and were at most."""

    def __init__(self) -> None:
        self.lock = RLock()  # a block may come back while another is being taken: whenever Python collects garbage
        self.waiting: list[Tensor] = []
        self.used = self.most = 0

    def take(self, size: int) -> Tensor:
        """A block of at least ``size`` bytes, and less than twice as many."""
        with self.lock:
            fitting = [i for i, block in enumerate(self.waiting) if size <= len(block) < 2 * size]
            if fitting:
                block = self.waiting.pop(min(fitting, key=lambda i: len(self.waiting[i])))
            self.used += len(block) if fitting else size
            self.most = max(self.most, self.used)
            while self.waiting and self.used + sum(map(len, self.waiting)) > self.most:
                del self.waiting[0]
        return block if fitting else torch.empty(size, dtype=torch.uint8)

    def give(self, block: Tensor) -> None:
        """Back."""
        with self.lock:
            self.used -= len(block)
            self.waiting.append(block)

    def held(self) -> int:
        """Bytes in use and waiting."""
        with self.lock:
            return self.used + sum(map(len, self.waiting))

    def clear(self) -> None:
        """Give what waits back to the system."""
        with self.lock:
            self.waiting.clear()
            self.most = self.used


_pool = _Pool()
clear = _pool.clear
held = _pool.held


def empty(like: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor of ``like``'s dtype on the CPU whose numbers are whatever lay there before."""
    size = prod(shape) * like.element_size()
    if size < LEAST:
        return like.new_empty(*shape)
    block = _pool.take(size)
    view = block.numpy()[:size]
    weakref.finalize(view, _pool.give, block).atexit = False
    return torch.from_numpy(view).view(like.dtype).view(*shape)
