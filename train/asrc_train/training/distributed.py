"""Data-parallel training under torchrun: every process takes its share of each batch, gradients are summed.

The joint gradient is that of the whole batch, so losses equal those of one process to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class World:
    """The processes of one training: this one's rank, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """The part of a batch of indices that falls to this process; may be empty."""
        return batch.tensor_split(self.size)[self.rank]

    def sum_gradients(self, parameters: Iterable[nn.Parameter], figures: Tensor) -> Tensor:
        """Sum the gradients in place over all processes, and with them the figures, which are returned."""
        if self.size == 1:
            return figures
        learned = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in learned:
            if parameter.grad is None:  # its share of the batch was empty
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), figures])
        distributed.all_reduce(flat)
        *summed, total = torch.split(flat, [*(gradient.numel() for gradient in gradients), figures.numel()])
        for gradient, joint in zip(gradients, summed, strict=True):
            gradient.copy_(joint.view_as(gradient))
        joint_figures: Tensor = total
        return joint_figures

    def wait(self) -> None:
        """Return once all processes have come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: str) -> Iterator[tuple[World, str]]:
    """The world that torchrun started this process in, and the device that is this process's own.

    Without torchrun, a world of one. gloo on CPUs, nccl on GPUs (one for each process).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(), device
        return
    own = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    if device == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size()), own
    finally:
        distributed.destroy_process_group()
