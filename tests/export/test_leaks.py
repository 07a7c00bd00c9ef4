"""Leaks that 12 bits hold badly are told, with their numbers, and refused where that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from asrc_core.contract.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_export.checks import leaks
from asrc_export.chip import targets
from asrc_export.quantization import quantize
from asrc_train.trained.frozen import FrozenNetwork, skip_layer


def told(decay: float) -> list[str]:
    layer = skip_layer(
        "layer0",
        np.full((2, 1), 0.1),
        np.zeros((2, 2)),
        np.zeros(2),
        source=INPUT,
        span=1,
        decay_factor=decay,
        threshold=1.0,
        reset="hard",
    )
    frozen = FrozenNetwork((layer,), np.ones((2, 2)), np.zeros(2), 1, 20, 1.0, 1, None, {})
    made = quantize.quantize(frozen, targets.load("loihi2")).network
    return list(leaks.badly_rounded(frozen.layers, made.hidden))


@pytest.mark.parametrize("decay", [0.0, 1e-4, 0.5, 0.9, 0.99, 1 - 10 / 4096, 1.0])
def test_decays_that_12_bits_hold_are_not_mentioned(decay: float) -> None:
    assert told(decay) == []


def test_a_leak_that_rounds_to_none_is_told() -> None:
    (said,) = told(1 - 1e-4)
    assert said == (
        "layer 'layer0': its decay factor of 0.9999 (a time constant of 9,999 steps) rounds to no leak at all"
    )


def test_a_time_constant_that_is_off_by_more_than_a_tenth_is_told_with_both_and_refused_if_asked() -> None:
    sentences = told(1 - 1.4 / 4096)
    assert len(sentences) == 1
    assert "a time constant of 4,095 steps for 2,925" in sentences[0]
    with pytest.raises(InvalidSetting, match=r"`strict`: layer 'layer0': .* 4,095 steps for 2,925"):
        leaks.require_kept(sentences)
    leaks.require_kept([])
