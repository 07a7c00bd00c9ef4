"""The contract's numbers: widths, limits, and the types that arrays of integers have."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONTRACT_VERSION = 3

STATE_MAX = 2**23 - 1
"""Largest magnitude of a membrane or readout accumulator: 24 bits signed."""
DECAY_ONE = 4096
FACTOR_BITS = 16
FACTOR_ONE = 2**FACTOR_BITS
"""Of gates and couplings: 1 as a factor of 16 bits."""
LINE_BITS = 32
SYNAPTIC_DELAY_MAX = 62
REGISTER_MAX = 2**31 - 1
"""Bound that every sum of a connection, and every register that an engine may keep in 32 bits, provably obeys."""
WIDE_MAX = 2**63 - 1
"""The same for what needs 64 bits."""

MAX_TAPS = 8
MAX_MESSAGE = 127
"""Greatest magnitude of what a neuron sends, and greatest sum of a connection's tap weights: at most 7 bits."""
MIN_WEIGHT_BITS, MAX_WEIGHT_BITS = 2, 8
MAX_EXPONENT = 16
MAX_TABLE = 2**10
"""Most entries of a look-up table."""
MAX_COLUMNS = 8
"""Most numbers of a sort that each neuron of a kind has, such as modes."""
MAX_STATE_BITS = 32
MAX_NEURONS = 2**20
"""Of a layer."""
MAX_NAME = 200
"""Letters of a layer's name."""
WORD = "word"
"""The width of a state that holds the last 32 spikes, bit 0 the latest."""

Mapping = Literal["delay-line", "synaptic-delay"]
Reset = Literal["soft", "hard"]
Fires = Literal["at", "above"]
"""Whether a membrane that equals the threshold fires."""
Ints = NDArray[np.int64]

MAX_SPAN: dict[Mapping, int] = {"delay-line": LINE_BITS, "synaptic-delay": SYNAPTIC_DELAY_MAX + 1}
"""The longest span of a connection from a layer to itself."""
