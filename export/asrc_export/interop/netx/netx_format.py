"""What lava-dl's netx reads: an HDF5 file with a group `layer`, in it one group a block, named by its number.

Facts of lava-dl 0.6.0 on lava-nc 0.10.0, and of lava-dl's last public commit (d825ac5), that both directions rest on:

* A `dense` block has `weight` (N, I), `bias` (N,), `neuron`; `dense_rec` also `weight_rec` (N, N), which reads the
  spikes of the step before: a span of 1. There is no key for a delay of the recurrence alone, and with `delay`, which
  then holds for both matrices, the block cannot be built or computes with a wrong exponent.
* Neurons `CUBA` (or `LOIHI`): current u[t] = decay(u[t-1], iDecay) + 64 W s, membrane v = decay(v, vDecay) + u
  + 64 bias, a spike if v > 64 vThMant, reset to 0. With iDecay = 4096 the current has no memory, and this is the
  contract's layer with activation shift 6, hard reset and a threshold of 64 vThMant + 1: netx compares with >, the
  contract with >=.
* The current wraps at 24 bits and the membrane saturates one below the contract's 2^23 - 1: neither may happen.
* Weights are cut to integers and clipped to [-256, 254]; W and W_rec share bits and exponent. A stored matrix is
  exact if it holds even numbers in that range or any integers in [-128, 127]; but one without positive weights whose
  lowest is a power of two is scaled to -256, where Lava, by then taking it for inhibitory, clips at -255.
"""

from __future__ import annotations

from asrc_core import extras
from asrc_core.contract.arithmetic import shift
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid

SHIFT = 6
"""The activation shift, and the exponents of threshold and bias."""
FULL_DECAY = 4096
MAX_THRESHOLD = 2**17 - 1
MIN_BIAS, MAX_BIAS = -(2**12), 2**12 - 1
EIGHT_BITS = WeightGrid(8)


def threshold(mantissa: int) -> int:
    """The contract's threshold for netx's: v > 64 m is v >= 64 m + 1."""
    return (mantissa << SHIFT) + 1


def stored(weights: Ints, exponent: int) -> Ints | None:
    """The integers E with E x = shift(W x, exponent) for every x, or None if there are none.

    A negative exponent rounds the sum down; it does so without loss only where it divides every weight.
    """
    if exponent < 0 and (weights % (1 << -exponent)).any():
        return None
    return shift(weights, exponent)


def exact(weights: Ints) -> bool:
    """Whether netx and Lava compute with just these integers."""
    low, high = int(weights.min()), int(weights.max())
    if low == high == 0:  # netx divides by its extent
        return False
    if high <= 0 and -low & (-low - 1) == 0:  # a power of two, which netx scales to -256 and Lava clips to -255
        return False
    return EIGHT_BITS.count_off(weights) == 0 or (low >= -128 and high <= 127)


def contracted(weights: Ints) -> tuple[Ints, int]:
    """The contract's weights, on the 8-bit grid, and exponent for a matrix that netx holds exactly."""
    return (weights, 0) if EIGHT_BITS.count_off(weights) == 0 else (2 * weights, -1)


def require_h5py() -> None:
    """Raise ExtraMissing unless HDF5 files can be read and written."""
    extras.require("netx")
