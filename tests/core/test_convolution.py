"""Convolutions: a kernel written out, found again, and sizes that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.synapses.convolution import MAX_ELEMENTS, Convolution


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    many, groups = draw(st.integers(1, 2)), draw(st.integers(1, 3))

    def sizes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(many))

    source, layer = (groups * draw(st.integers(1, 3)), *sizes(1, 6)), (groups * draw(st.integers(1, 3)), *sizes(1, 6))
    return Convolution(source, layer, sizes(1, 4), sizes(1, 3), sizes(0, 3), sizes(1, 3), groups)


def one_by_one(convolution: Convolution, kernel: Any) -> Any:
    """The equation as it stands in the module, number by number."""
    made = np.zeros((*convolution.layer, *convolution.source), np.int64)
    into, out = convolution.source[0] // convolution.groups, convolution.layer[0] // convolution.groups
    for o, *p in np.ndindex(convolution.layer):
        for i, *k in np.ndindex((into, *convolution.kernel)):
            sides = zip(p, k, convolution.stride, convolution.padding, convolution.dilation, strict=True)
            x = [s * at - left + d * element for at, element, s, left, d in sides]
            if all(0 <= each < size for each, size in zip(x, convolution.source[1:], strict=True)):
                made[(o, *p, o // out * into + i, *x)] += kernel[(o, i, *k)]
    return made.reshape(convolution.shape)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(0, 2**32 - 1))
def test_a_kernel_is_written_out_as_the_equation_says_and_found_again(convolution: Convolution, seed: int) -> None:
    kernel = np.random.default_rng(seed).integers(1, 100, convolution.kernel_shape)
    weights = convolution.unrolled(kernel)
    np.testing.assert_array_equal(weights, one_by_one(convolution, kernel))
    found = convolution.kernel_of(weights)
    assert found is not None
    reaches = found != 0  # elements that lie over nothing anywhere weigh nothing
    np.testing.assert_array_equal(found[reaches], kernel[reaches])
    np.testing.assert_array_equal(convolution.unrolled(found), weights)


def test_weights_of_which_one_differs_are_no_kernel() -> None:
    convolution = Convolution((2, 5, 5), (3, 5, 5), (3, 3), (1, 1), (1, 1), (1, 1))
    weights = convolution.unrolled(np.arange(1, 55).reshape(3, 2, 3, 3))
    for at in ((0, 0), (40, 20), (0, 49)):  # shared ones, and one that no kernel reaches
        other = weights.copy()
        other[at] += 1
        assert convolution.kernel_of(other) is None


FIT: dict[str, Any] = {
    "source": (4, 9),
    "layer": (6, 9),
    "kernel": (3,),
    "stride": (1,),
    "padding": (1,),
    "dilation": (1,),
}
UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"kernel": ()}, "its kernel has 0 dimensions, not one or two"),
    ({"kernel": (1, 1, 1)}, "its kernel has 3 dimensions"),
    ({"source": (4, 9, 9)}, "its source has 3 sizes, not the channels' and 1"),
    ({"stride": (1, 1)}, "its stride has 2 numbers for 1 dimension"),
    ({"stride": (0,)}, "its stride 0 is outside 1 to"),
    ({"padding": (-1,)}, "its padding -1 is outside 0 to"),
    ({"dilation": (2**21,)}, "its dilation 2097152 is outside"),
    ({"layer": (6, 0)}, "its layer 0 is outside"),
    ({"groups": 4}, "its 4 channels and 6 do not divide into 4 groups"),
    ({"groups": 0}, "do not divide into 0 groups"),
    ({"groups": -2}, "do not divide into -2 groups"),
    ({"kernel": (MAX_ELEMENTS + 1,)}, "its kernel of 65537 elements in all groups is too large"),
    ({"kernel": (MAX_ELEMENTS,), "groups": 2}, "its kernel of 131072 elements in all groups is too large"),
]


@pytest.mark.parametrize(("change", "says"), UNFIT, ids=[says for _, says in UNFIT])
def test_sizes_that_do_not_fit_are_named(change: dict[str, Any], says: str) -> None:
    assert Convolution(**FIT).shape == (54, 36)
    with pytest.raises(ValueError, match=says):
        Convolution(**{**FIT, **change})
