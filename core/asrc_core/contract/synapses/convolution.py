"""A convolution: how a kernel's few weights become the weights (N, I) of a connection.

    a[o, p] = sum over i, k of  w[o, i, k] x[i, s p - l + d k]                        outside, x is 0

p and k run over the one or two dimensions in which values lie beside each other; values are counted channels first.
Pooling is one, too, whose groups are its channels. The weights written out define what a connection computes. What is
here says where they lie, so that a file stores the kernel alone and an engine finds the neurons of one place together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural

Places = NDArray[np.int64]

MAX_SIDE = 2**20
"""Largest stride, padding or dilation."""
MAX_ELEMENTS = 2**16
"""Most elements of a kernel, those of each group counted."""
DIMENSIONS = (1, 2)


@dataclass(frozen=True)
class Convolution:
    """Where a kernel (channels out, channels in / groups, *kernel) lies over a source's values.

    source, layer: channels, and how many values lie beside each other in each dimension, before and after. padding: how
    far the kernel's first place lies before the first value; behind the last one as far as ``layer`` makes it reach.
    ``groups``: so many parts of the channels keep to themselves.

    Raises ValueError for sizes that do not fit each other.
    """

    source: tuple[int, ...]
    layer: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def __post_init__(self) -> None:
        many = len(self.kernel)
        per_side = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        if many not in DIMENSIONS:
            raise ValueError(f"its kernel has {plural(many, 'dimension')}, not one or two")
        for name, shape in (("source", self.source), ("layer", self.layer)):
            if len(shape) != many + 1:
                raise ValueError(f"its {name} has {plural(len(shape), 'size')}, not the channels' and {many}")
        for name, sizes in per_side.items():
            if len(sizes) != many:
                raise ValueError(f"its {name} has {plural(len(sizes), 'number')} for {plural(many, 'dimension')}")
        least = {"source": 1, "layer": 1, "kernel": 1, "stride": 1, "padding": 0, "dilation": 1}
        for name, low in least.items():
            for size in getattr(self, name):
                if not low <= size <= MAX_SIDE:
                    raise ValueError(f"its {name} {size} is outside {low} to {MAX_SIDE}")
        elements = math.prod(self.kernel) * max(self.groups, 1)
        if elements > MAX_ELEMENTS:
            raise ValueError(f"its kernel of {elements} elements in all groups is too large, beyond {MAX_ELEMENTS}")
        if self.groups < 1 or self.layer[0] % self.groups or self.source[0] % self.groups:
            channels = f"its {self.source[0]} channels and {self.layer[0]}"
            raise ValueError(f"{channels} do not divide into {self.groups} groups")

    @property
    def shape(self) -> tuple[int, int]:
        """(N, I) of the weights written out."""
        return math.prod(self.layer), math.prod(self.source)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Of the kernel with its channels."""
        return (self.layer[0], self.source[0] // self.groups, *self.kernel)

    def unrolled(self, kernel: NDArray[Any]) -> NDArray[Any]:
        """The weights (N, I) that a kernel stands for, of its type. How many they are is for the caller to look at."""
        made = np.zeros((*self.layer, *self.source), kernel.dtype)
        for element, places, values in self._covered():
            at: tuple[Any, ...] = (slice(None), *places, slice(None), *values)
            for into, source in self._groups():
                weights: tuple[Any, ...] = (into, slice(None), *element)
                self._part(made, into, source)[at] = kernel[weights]
        return made.reshape(self.shape)

    def kernel_of(self, weights: NDArray[Any]) -> NDArray[Any] | None:
        """The kernel that weights (N, I) are written out of; None where they are not those of any."""
        apart = weights.reshape(*self.layer, *self.source)
        kernel = np.zeros(self.kernel_shape, weights.dtype)
        for element, places, values in self._covered():
            at: tuple[Any, ...] = (slice(None), *(each[0] for each in places), slice(None), *(v[0] for v in values))
            for into, source in self._groups():
                of: tuple[Any, ...] = (into, slice(None), *element)
                kernel[of] = self._part(apart, into, source)[at]
        return kernel if np.array_equal(self.unrolled(kernel), weights) else None

    def _groups(self) -> Iterator[tuple[slice, slice]]:
        """The channels of each group, after and before."""
        out, into = self.layer[0] // self.groups, self.source[0] // self.groups
        for g in range(self.groups):
            yield slice(g * out, (g + 1) * out), slice(g * into, (g + 1) * into)

    def _part(self, apart: NDArray[Any], into: slice, source: slice) -> NDArray[Any]:
        """Of the weights (*layer, *source) those between some channels. Index arrays that stand apart put their own
        dimension first: places go to (places, channels out, channels in).
        """
        channels: tuple[Any, ...] = (into, *(slice(None) for _ in self.kernel), source)
        part: NDArray[Any] = apart[channels]
        return part

    def _covered(self) -> Iterator[tuple[tuple[int, ...], list[Places], list[Places]]]:
        """Each element of the kernel, the places in which it lies over a value, and these values."""
        sides = [[self._side(dimension, k) for k in range(elements)] for dimension, elements in enumerate(self.kernel)]
        for element in itertools.product(*(range(elements) for elements in self.kernel)):
            found = [sides[dimension][k] for dimension, k in enumerate(element)]
            if not all(places.size for places, _ in found):
                continue
            places, values = (
                [each.reshape(-1) for each in np.meshgrid(*(pair[end] for pair in found), indexing="ij")]
                for end in (0, 1)
            )
            yield element, places, values

    def _side(self, dimension: int, k: int) -> tuple[Places, Places]:
        """Along one dimension, the places in which element k lies over a value, and these values."""
        stride, reach = self.stride[dimension], self.dilation[dimension] * k - self.padding[dimension]
        first = max(0, -(reach // stride))  # the least place whose value, place * stride + reach, is not below 0
        last = min(self.layer[1 + dimension] - 1, (self.source[1 + dimension] - 1 - reach) // stride)
        places = np.arange(first, last + 1)
        return places, places * stride + reach
