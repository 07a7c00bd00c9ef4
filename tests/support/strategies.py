"""Hypothesis strategies shared by the parity suites: random valid networks and inputs for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, MAX_MESSAGE, MAX_TAPS
from asrc_core.contract.random_network import random_network
from asrc_core.errors import InvalidNetwork


def _heard(max_span: int) -> st.SearchStrategy[int | list[tuple[int, int]]]:
    """A span or, where delay lines hold all of them, several taps as pairs of span and weight."""
    spans = st.integers(1, max_span)
    if max_span == 1 or max_span > LINE_BITS:
        return spans
    pairs = st.tuples(spans, st.integers(1, MAX_MESSAGE // MAX_TAPS))
    taps = st.lists(pairs, min_size=2, max_size=MAX_TAPS, unique_by=lambda pair: pair[0]).map(sorted)
    return st.one_of(spans, spans, taps)


@st.composite
def cases(
    draw: st.DrawFn, max_width: int = 70, max_steps: int = 40, max_span: int = 32
) -> tuple[IntegerNetwork, NDArray[np.int32]]:
    """A network and a batch for it: odd sizes, one span or several taps, exponents of both signs, graded, binary and
    signed input, both resets, every weight width, saturating cases (high exponents, no decay)."""
    depth = draw(st.integers(1, 3))
    settings: dict[str, Any] = {
        "channels": draw(st.integers(1, 9)),
        "widths": draw(st.lists(st.integers(1, max_width), min_size=depth, max_size=depth)),
        "spans": draw(st.lists(_heard(max_span), min_size=depth, max_size=depth)),
        "classes": draw(st.integers(1, 11)),
        "steps": draw(st.integers(1, max_steps)),
        "input_range": draw(st.sampled_from([(0, 1), (0, 16), (0, 255), (-128, 127), (3, 3)])),
        "exponents": (draw(st.integers(-7, 7)), draw(st.integers(-7, 7))),
        "weight_bits": draw(st.integers(2, 8)),
        "activation_shift": draw(st.integers(0, 6)),
        "decay": draw(st.one_of(st.sampled_from([0, 1, 2048, 4095, 4096]), st.integers(0, 4096))),
        "reset": draw(st.sampled_from(["soft", "hard"])),
        "mapping": "delay-line" if max_span <= LINE_BITS else "synaptic-delay",
        "fires": draw(st.sampled_from(["at", "above"])),
        "threshold": draw(st.one_of(st.none(), st.sampled_from([1, 64, 2**23 - 1]))),
    }
    seed = draw(st.integers(0, 2**32 - 1))
    try:
        network = random_network(seed, **settings)
    except InvalidNetwork:  # its sums could leave 32 bits: no engine has to run it
        assume(False)
        raise
    low, high = settings["input_range"]
    shape = (draw(st.integers(1, 5)), network.steps, network.input.channels)
    return network, np.random.default_rng(seed + 1).integers(low, high + 1, shape, dtype=np.int32)
