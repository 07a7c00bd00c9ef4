"""Several spans at once: whole weights for the taps, and the integer network that hears them as the float one does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_export import taps
from asrc_export.arithmetic import MAX_MESSAGE, MAX_TAPS
from asrc_train.errors import InvalidSetting
from asrc_train.freeze import FrozenLayer, FrozenNetwork, WeightedTap

some_weights = st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=MAX_TAPS)


def layer(*weighed: tuple[int, float]) -> FrozenLayer:
    rng = np.random.default_rng(0)
    heard = tuple(WeightedTap(*each) for each in weighed)
    return FrozenLayer(
        "layer0",
        rng.normal(size=(5, 2)),
        rng.normal(size=(5, 5)),
        rng.normal(size=5),
        decay=0.5,
        threshold=1.0,
        reset="soft",
        span=max(span for span, _ in weighed),
        taps=heard,
    )


def network(*layers: FrozenLayer) -> FrozenNetwork:
    rng = np.random.default_rng(1)
    return FrozenNetwork(layers, rng.normal(size=(3, 5)), rng.normal(size=3), 2, 20, 1 / 16, 16, None, {})


@settings(deadline=None, max_examples=300)
@given(some_weights)
def test_every_share_is_kept_within_its_bound_by_a_sum_that_a_message_holds(weights: list[float]) -> None:
    found = taps.apportioned(np.array(weights))
    shares = np.array(weights) / np.sum(weights)
    assert (found >= 0).all()
    assert 1 <= found.sum() <= MAX_MESSAGE
    assert np.abs(found / found.sum() - shares).max() <= taps.MAX_SHARE_ERROR


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([0.5, 0.5], [1, 1]), ([3.0, 1.0], [3, 1]), ([0.7, 0.2, 0.1], [7, 2, 1]), ([0.999, 0.001], [1, 0])],
)
def test_simple_shares_get_small_numbers(weights: list[float], expected: list[int]) -> None:
    assert taps.apportioned(np.array(weights)).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(some_weights, st.integers(0, 2**31))
def test_whole_weights_and_the_scaled_matrix_hear_what_the_float_layer_hears(weights: list[float], seed: int) -> None:
    """U r[t] for any spikes, within the share's bound times the sum of the weights."""
    rng = np.random.default_rng(seed)
    spans = rng.permutation(32)[: len(weights)] + 1
    before = layer(*zip(spans.tolist(), weights, strict=True))
    (after,) = taps.whole(network(before)).layers
    spikes = rng.integers(0, 2, (33, 5))
    heard = after.taps or (WeightedTap(after.span, 1.0),)
    first, second = (
        u @ sum(weight * spikes[-span] for span, weight in each)
        for u, each in ((before.recurrent, before.taps), (after.recurrent, heard))
    )
    bound = np.abs(before.recurrent).sum(axis=1) * sum(weights) * len(weights) * taps.MAX_SHARE_ERROR
    assert (np.abs(first - second) <= bound * (1 + 1e-9)).all()
    assert after.span == max(span for span, _ in heard)
    assert taps.whole(network(after)).layers[0] is after


def test_a_tap_that_weighs_next_to_nothing_is_not_heard_and_one_left_is_a_span() -> None:
    (made,) = taps.whole(network(layer((2, 0.9995), (30, 0.0005)))).layers
    assert (made.taps, made.span) == ((), 2)
    np.testing.assert_allclose(made.recurrent, layer((2, 1.0)).recurrent)


def test_whole_weights_stay_and_a_layer_with_one_span_is_the_same_object() -> None:
    kept = layer((2, 3.0), (9, 1.0))
    plain = replace(kept, taps=())
    assert all(a is b for a, b in zip(taps.whole(network(kept, plain)).layers, (kept, plain), strict=True))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (layer(*((j + 1, 0.1) for j in range(9))), "layer 'layer0': it hears 9 spans at once.*8 places at most"),
        (layer((2, 0.5), (2, 0.5)), "not all different"),
        (layer((2, 0.5), (3, -0.5)), "not all positive"),
        (layer((2, 0.5), (3, 0.0)), "not all positive"),
        (layer((2, float("nan")), (3, 0.5)), "not all positive"),
        (layer((2, float("inf")), (3, 0.5)), "not all positive"),
    ],
)
def test_taps_that_no_message_holds_are_refused_by_layer(broken: FrozenLayer, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        taps.whole(network(broken))
