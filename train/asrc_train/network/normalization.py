"""Batch normalisation of a layer's feed-forward current, and how it folds into the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON, _MOMENTUM = 1e-5, 0.1  # PyTorch's, and the authors'


class BatchNormalization(nn.Module):
    """y = gamma (x - m) / sqrt(v + 1e-5) + beta for each neuron (Ioffe and Szegedy, 2015).

    While training, m and v are mean and (biased) variance over the samples and steps of the batch; afterwards, their
    running averages. `torch.nn.BatchNorm1d` without its counter of batches, so that all of its state is floats.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(neurons))
        self.beta = nn.Parameter(torch.zeros(neurons))
        self.register_buffer("mean", torch.zeros(neurons))
        self.register_buffer("variance", torch.ones(neurons))

    def forward(self, x: Tensor) -> Tensor:
        """Both current and result are (T, B, N). One value alone has no variance: running averages normalise it."""
        values = x.flatten(0, 1)
        of_batch = self.training and len(values) > 1
        y = nn.functional.batch_norm(
            values, self.mean, self.variance, self.gamma, self.beta, of_batch, _MOMENTUM, EPSILON
        )
        return y.view_as(x)

    @torch.no_grad()
    def seen(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running averages by a batch's mean and biased variance over ``count`` values, as `forward` does."""
        self.mean.lerp_(mean, _MOMENTUM)
        self.variance.lerp_(variance * (count / max(count - 1, 1)), _MOMENTUM)

    def folded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (N, I) and bias (N,) of the affine map that `forward` is of W x + b after training."""
        return fold(weight, bias, self.gamma, self.beta, self.mean, self.variance)


def fold(
    weight: Tensor, bias: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor]:
    """W' = g W and b' = g (b - m) + beta with g = gamma / sqrt(v + 1e-5), in the dtype of the arguments."""
    gain = gamma / torch.sqrt(variance + EPSILON)
    return gain[:, None] * weight, gain * (bias - mean) + beta
