"""Convolution, pooling and Flatten, written out: one matrix (values out, values in), channels first.

    y[o, p] = sum over i, k of  w[o, i, k] x[i, s p - left + d k] + b[o]        Conv1d, Conv2d; outside x is 0
    y[c, p] = sum over k of  x[c, s p - left + k],  divided by the kernel's size for AvgPool2d

p and k run over the one or two dimensions in which values lie beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from asrc_core.contract.synapses.convolution import MAX_ELEMENTS, MAX_SIDE, Convolution
from asrc_export.interop.nir.numbers import broken, numbers
from asrc_train.trained.frozen import Floats


class Unrolled(NamedTuple):
    """A matrix (values out, values in), a bias for each value out, and where the weights lie."""

    weight: Floats
    bias: Floats
    convolution: Convolution

    @property
    def shape(self) -> tuple[int, ...]:
        """How the values out lie."""
        return self.convolution.layer


class Window(NamedTuple):
    """How a kernel moves over one dimension: what it covers at p is s p - left + d k for k below ``kernel``."""

    size: int
    kernel: int
    stride: int
    left: int
    right: int
    dilation: int

    @property
    def places(self) -> int:
        """Where it fits."""
        return (self.size + self.left + self.right - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


def flattened(name: str, node: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """How values lie behind a Flatten."""
    start, end = (_whole(name, each, getattr(node, each), -64) for each in ("start_dim", "end_dim"))
    many = len(shape)
    first, last = start % many if -many <= start < many else 0, end % many if -many <= end < many else many - 1
    if first > last:
        raise broken(name, f"it flattens dimensions {start} to {end} of {many}")
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def unrolled(name: str, node: Any, shape: tuple[int, ...], most: int) -> Unrolled:
    """The matrix of a Conv1d, Conv2d, SumPool2d or AvgPool2d that is fed values of that shape.

    Raises InvalidSetting for what does not fit, and for a matrix of more than ``most`` entries, which is not made.
    """
    return _convolution(name, node, shape, most) if hasattr(node, "weight") else _pooling(name, node, shape, most)


def _convolution(name: str, node: Any, shape: tuple[int, ...], most: int) -> Unrolled:
    weight = numbers(name, "weight", node.weight)
    dimensions = 1 if type(node).__name__ == "Conv1d" else 2
    if weight.ndim != dimensions + 2 or 0 in weight.shape:
        raise broken(name, f"its weights have shape {weight.shape}, expected {dimensions + 2} dimensions of at least 1")
    groups = _whole(name, "groups", node.groups, 1)
    out, each, *kernel = weight.shape
    if out % groups:
        raise broken(name, f"its {out} channels do not divide into {groups} groups")
    sizes = _image(name, node, shape, each * groups, dimensions)
    windows = _windows(name, node, sizes, kernel)
    bias = numbers(name, "bias", node.bias)
    if bias.size not in (1, out):
        raise broken(name, f"its bias has shape {bias.shape} for {out} channels")
    _require_small(name, kernel, groups, "groups")
    return _written_out(
        name, weight, (each * groups, *sizes), windows, groups, np.broadcast_to(bias.reshape(-1), (out,)), most
    )


def _pooling(name: str, node: Any, shape: tuple[int, ...], most: int) -> Unrolled:
    if len(shape) != 3:
        raise broken(name, f"it is fed values of shape {shape}, and pools channels, rows and columns")
    kernel = _pair(name, "kernel_size", node.kernel_size, 2, 1)
    channels, sizes = shape[0], shape[1:]
    _require_small(name, kernel, channels, "channels")
    windows = _windows(name, node, sizes, kernel)
    share = 1 / math.prod(kernel) if type(node).__name__ == "AvgPool2d" else 1.0
    same = np.full((channels, 1, *kernel), share)
    return _written_out(name, same, (channels, *sizes), windows, channels, np.zeros(channels), most)


def _require_small(name: str, kernel: Sequence[int], groups: int, what: str) -> None:
    if groups * math.prod(kernel) > MAX_ELEMENTS:
        raise broken(name, f"its kernel of {math.prod(kernel)} elements for {groups} {what} is too large")


def _image(name: str, node: Any, shape: tuple[int, ...], channels: int, dimensions: int) -> tuple[int, ...]:
    """How many values lie beside each other in each dimension: as they come or, of a row, as the node says."""
    sizes = shape[1:] if len(shape) == dimensions + 1 else ()
    if not sizes and node.input_shape is not None:
        sizes = tuple(np.asarray(node.input_shape).astype(int).reshape(-1).tolist())
    if len(sizes) != dimensions or min(sizes) < 1 or channels * math.prod(sizes) != math.prod(shape):
        raise broken(
            name, f"it is fed values of shape {shape} and takes {channels} channels in {dimensions} dimension(s)"
        )
    if len(shape) == dimensions + 1 and shape[0] != channels:
        raise broken(name, f"it is fed {shape[0]} channels and takes {channels}")
    return sizes


def _windows(name: str, node: Any, sizes: Sequence[int], kernel: Sequence[int]) -> list[Window]:
    many = len(sizes)
    strides = _pair(name, "stride", node.stride, many, 1)
    dilations = _pair(name, "dilation", node.dilation, many, 1) if hasattr(node, "dilation") else [1] * many
    made = []
    for i, (size, elements, stride, dilation) in enumerate(zip(sizes, kernel, strides, dilations, strict=True)):
        left, right = _padding(name, node.padding, i, many, dilation * (elements - 1), stride)
        made.append(Window(size, elements, stride, left, right, dilation))
        if made[-1].places < 1:
            raise broken(name, f"its kernel of {elements} does not fit into {size} values")
    return made


def _padding(name: str, given: Any, i: int, many: int, reach: int, stride: int) -> tuple[int, int]:
    if isinstance(given, str | bytes):
        said = given.decode("utf8", "replace") if isinstance(given, bytes) else given
        if said == "valid":
            return 0, 0
        if said != "same" or stride != 1:
            raise broken(name, f"its padding '{said[:20]}' is neither numbers nor 'valid', nor 'same' at a stride of 1")
        return reach // 2, reach - reach // 2
    both = _pair(name, "padding", given, many, 0)[i]
    return both, both


def _pair(name: str, parameter: str, given: Any, many: int, least: int) -> list[int]:
    """A whole number for each dimension; one stands for all."""
    values = numbers(name, parameter, given).reshape(-1)
    if values.size not in (1, many):
        raise broken(name, f"its {parameter} has {values.size} numbers for {many} dimension(s)")
    return [_whole(name, parameter, each, least) for each in np.broadcast_to(values, (many,)).tolist()]


def _whole(name: str, parameter: str, given: Any, least: int) -> int:
    value = numbers(name, parameter, given).reshape(-1)
    if value.size != 1 or value[0] != np.rint(value[0]) or not least <= value[0] <= MAX_SIDE:
        raise broken(name, f"its {parameter} {given!r:.40} is not a whole number of at least {least}")
    return int(value[0])


def _written_out(
    name: str, kernel: Floats, source: Sequence[int], windows: Sequence[Window], groups: int, bias: Floats, most: int
) -> Unrolled:
    """What a kernel (channels out, channels in / groups, *elements) becomes over values of that shape."""
    places = tuple(each.places for each in windows)
    rows, columns = len(kernel) * math.prod(places), math.prod(source)
    if rows * columns > most:
        raise broken(name, f"written out, it has {rows} x {columns} entries, too many")
    convolution = Convolution(
        source=tuple(source),
        layer=(len(kernel), *places),
        kernel=tuple(each.kernel for each in windows),
        stride=tuple(each.stride for each in windows),
        padding=tuple(each.left for each in windows),
        dilation=tuple(each.dilation for each in windows),
        groups=groups,
    )
    return Unrolled(convolution.unrolled(kernel), np.repeat(bias, math.prod(places)), convolution)


def in_a_row(first: Convolution | None, second: Convolution) -> Convolution | None:
    """Where weights lie that two convolutions in a row become; None where that cannot be said.

    Of the second's places p, its elements cover s2 p - l2 + d2 k2 of the first's, and these s1 (...) - l1 + d1 k1.
    """
    if first is None or first.layer != second.source:
        return None
    sides = zip(*((each.kernel, each.stride, each.padding, each.dilation) for each in (first, second)), strict=True)
    (kernel1, kernel2), (stride1, stride2), (left1, left2), (dilation1, dilation2) = sides
    reach = [
        s1 * d2 * (k2 - 1) + d1 * (k1 - 1)
        for s1, d1, k1, d2, k2 in zip(stride1, dilation1, kernel1, dilation2, kernel2, strict=True)
    ]
    try:
        return Convolution(
            source=first.source,
            layer=second.layer,
            kernel=tuple(each + 1 for each in reach),
            stride=tuple(a * b for a, b in zip(stride1, stride2, strict=True)),
            padding=tuple(s1 * l2 + l1 for s1, l1, l2 in zip(stride1, left1, left2, strict=True)),
            dilation=(1,) * len(reach),
            groups=second.groups if _by_channel(first) else first.groups if _by_channel(second) else 1,
        )
    except ValueError:
        return None


def _by_channel(convolution: Convolution) -> bool:
    """Whether every channel keeps to itself, as in pooling."""
    return convolution.groups == convolution.source[0] == convolution.layer[0]
