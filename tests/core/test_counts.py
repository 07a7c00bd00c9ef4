"""Counts in sentences."""

from __future__ import annotations

import pytest

from asrc_core.counts import agreeing, plural


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "epoch", "0 epochs"),
        (1, "epoch", "1 epoch"),
        (2, "test sample", "2 test samples"),
        (1000, "class", "1,000 classes"),
        (1, "class", "1 class"),
        (3, "entry", "3 entries"),
        (2, "array", "2 arrays"),
        (2, "bias", "2 biases"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, noun: str, said: str) -> None:
    assert plural(count, noun) == said


def test_a_verb_agrees_with_its_count() -> None:
    assert [agreeing(count, "lies", "lie") for count in (0, 1, 2)] == ["lie", "lies", "lie"]
