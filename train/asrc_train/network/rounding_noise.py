"""Noise as large as a rounding's on the weights while they are trained, so that rounding changes little afterwards.

Also known as pseudo-quantization noise: Baskin et al. 2018 (UNIQ), Defossez, Adi and Synnaeve 2021 (DiffQ).
"""

from __future__ import annotations

import torch
from torch import Tensor


def noisy(weight: Tensor, bits: int) -> Tensor:
    """Weights plus e, uniform within half a step to either side, step = 2 max|w| / 2^bits; e is drawn at each call.

    The step is that of a rounding to so many bits at which the largest weight just fits. Weights that are 0, absent
    ones among them, stay 0. Gradients pass as if there were no noise.
    """
    with torch.no_grad():
        step = 2 * weight.abs().max() / 2**bits
        noise: Tensor = (torch.rand_like(weight) - 0.5) * step * (weight != 0)
    return weight + noise
