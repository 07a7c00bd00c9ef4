"""Sparse connectivity: a fixed random part of a weight matrix is absent, from the first step of training on.

Which part is drawn once, when the layer is made, and goes with the weights wherever they go (`mask`, kept in the
checkpoint). An absent weight is exactly 0 and gets no gradient, so that no optimizer of ours moves it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

MAX_UNPACKED = 2**32
"""Bytes of weights that a file's packed ones may become."""
_MASK = ".mask"


def sparsify(linear: nn.Linear, sparsity: float) -> None:
    """Take that share of the weights away, to the nearest whole number of them.

    The others grow by 1 / sqrt(1 - sparsity), so that sums over them vary as much as before: a PyTorch Linear of so
    many fewer inputs would start there. ``linear.mask``, a buffer (N, I) of booleans, says which weights are there.
    """
    weight = linear.weight
    order = torch.randperm(weight.numel(), device=weight.device)
    mask = (order >= round(sparsity * weight.numel())).view_as(weight)
    linear.register_buffer("mask", mask)
    with torch.no_grad():
        weight.masked_fill_(~mask, 0).div_(math.sqrt(1 - sparsity))
    keep_absent(linear)


def keep_absent(linear: nn.Linear) -> None:
    """Let absent weights get no gradient. A copy of a layer needs it again: hooks are not copied."""

    def masked(gradient: Tensor) -> Tensor:
        return gradient * linear.get_buffer("mask")

    linear.weight.register_hook(masked)  # type: ignore[no-untyped-call]


def absent(tensors: Mapping[str, Tensor]) -> int:
    """How many weights are not there, by the masks of a state dict."""
    return sum(int((~mask).sum()) for name, mask in tensors.items() if name.endswith(_MASK))


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of a state dict's tensors; of sparse weights, only those that are there, and of masks a bit for each.

    A mask becomes bytes, first weight in the highest bit, and its weight a row of numbers.
    """
    small = {name: tensor.clone() for name, tensor in tensors.items()}
    for name, mask in tensors.items():
        if name.endswith(_MASK):
            weight = _of_mask(name)
            small[weight] = tensors[weight][mask]
            small[name] = torch.from_numpy(np.packbits(mask.numpy()))
    return small


def unpacked(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The state dict again, whose tensors have these shapes; names are the same in both.

    Raises ValueError naming the tensor whose bits and numbers do not fit each other or the shape.
    """
    whole = dict(tensors)
    masks = {name: shapes[name] for name in shapes if name.endswith(_MASK)}
    if sum(4 * math.prod(shape) for shape in masks.values()) > MAX_UNPACKED:
        raise ValueError("its sparse weights would unpack to more than any network of ours has")
    for name, shape in masks.items():
        bits, values, size = tensors[name], tensors[_of_mask(name)], math.prod(shape)
        if bits.dtype != torch.uint8 or bits.shape != (-(-size // 8),):
            raise ValueError(f"tensor '{name}' is not a bit for each weight")
        mask = torch.from_numpy(np.unpackbits(bits.numpy(), count=size).astype(bool)).view(shape)
        if values.shape != (int(mask.sum()),) or not values.is_floating_point():
            raise ValueError(f"tensor '{_of_mask(name)}' is not a number for each weight of its mask")
        whole[name] = mask
        whole[_of_mask(name)] = values.new_zeros(shape).masked_scatter_(mask, values)
    return whole


def _of_mask(name: str) -> str:
    return f"{name.removesuffix(_MASK)}.weight"
