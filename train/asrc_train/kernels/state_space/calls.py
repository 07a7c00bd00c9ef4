"""Calls of the compiled kernels: W x + b, the neurons on what it makes, and the way back through both.

Between layers all is by sample: currents and gradients (B, T, N padded), spikes as bits (B, T, words of 64).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from asrc_train.kernels.native import projection_library, resonators_library, reuse
from asrc_train.kernels.native.library import instruction_set, require_memory
from asrc_train.kernels.native.projection_library import CProjectionCall
from asrc_train.kernels.native.resonators_library import CResonatorsCall
from asrc_train.kernels.native.rows import CRows, by_sample, by_step, in_rows, padded, pointer
from asrc_train.kernels.state_space.layer import Gate, Resonators


class Kind(NamedTuple):
    """Of neurons, what is no tensor."""

    neurons: int
    modes: int
    taps: int
    threshold: float
    period: int
    gate: Gate

    @classmethod
    def of(cls, layer: Resonators) -> Kind:
        """Of these."""
        return cls(layer.neurons, layer.modes, layer.taps, layer.threshold, layer.period, layer.gate)


class Sequences(NamedTuple):
    """Numbers of T steps and B samples, by step (T, B, n) or by sample (B, T, n padded)."""

    numbers: Tensor
    padded: bool

    @property
    def rows(self) -> CRows:
        """As the kernels take them."""
        return by_sample(self.numbers) if self.padded else by_step(self.numbers)

    @property
    def shape(self) -> tuple[int, int]:
        """T and B."""
        first, second = self.numbers.shape[:2]
        return (second, first) if self.padded else (first, second)


class Heard(NamedTuple):
    """What a layer hears, (T, B, I): numbers, their rows in one piece, or bits (B, T, words)."""

    inputs: int
    numbers: Tensor | None
    bits: Tensor | None


def room(like: Tensor, steps: int, batch: int, width: int) -> Tensor:
    """For numbers by sample."""
    return reuse.empty(like, (batch, steps, padded(width)))


def constants_of(layer: Resonators, scale: Tensor, shift: Tensor) -> Tensor:
    """The rows of asrc_resonators_call."""
    window = torch.ones_like(layer.direct)[:, None] if layer.window is None else layer.window
    parts = [*layer.pole, *layer.readout, layer.direct[:, None], window, scale[:, None], shift[:, None]]
    return torch.cat([part.t() for part in parts])


def fired(
    current: Sequences,
    constants: Tensor,
    kind: Kind,
    gain: Tensor | None,
    keep: bool,
    *,
    spikes: Tensor | None = None,
    bits: Tensor | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """Write the spikes into those of ``spikes`` (T, B, N), ``bits`` and ``counts`` (B, N) that are given. What the way
    back needs comes back, if anything is to be kept: a state every 32 steps.
    """
    call = _resonators(current, constants, kind, gain)
    if spikes is not None:
        call.spikes = by_step(spikes)
    call.bits, call.counts = pointer(bits), pointer(counts)
    functions = resonators_library.functions()
    kept = constants.new_empty(call.batch, functions.asrc_resonators_words(call) if keep else 0)
    call.kept = kept.data_ptr() if keep else None
    require_memory(functions.asrc_resonators_forward(call) == 0)
    return kept


def walked_back(
    current: Sequences,
    constants: Tensor,
    kind: Kind,
    gain: Tensor | None,
    kept: Tensor,
    above: Sequences,
    to: Sequences,
) -> Tensor:
    """Write dL/dx into ``to``, which may be ``above``, dL/ds; the gradient of the constants comes back."""
    if not above.padded:  # a sum over steps sends the same to all of them, which is not copied out here
        above = Sequences(in_rows(above.numbers), padded=False)
    call = _resonators(current, constants, kind, gain)
    of_samples = constants.new_empty(call.batch, *constants.shape)
    call.kept, call.above, call.grad_input = kept.data_ptr(), above.rows, to.rows
    call.grad_constants = of_samples.data_ptr()
    require_memory(resonators_library.functions().asrc_resonators_backward(call) == 0)
    return of_samples.sum(0)


def projected(heard: Heard, weight: Tensor, bias: Tensor, to: Tensor, moments: bool) -> tuple[Tensor, Tensor] | None:
    """Write W x + b by sample into ``to``. With ``moments``, its first row (N,) and the sums of what it is away from
    that and of the squares, (2, N) in double precision, come back.
    """
    call = _projection(heard, weight, bias, to)
    found = None
    if moments:
        found = torch.empty_like(bias), torch.empty(2, len(bias), dtype=torch.float64)
        call.origin, call.moments = found[0].data_ptr(), found[1].data_ptr()
    require_memory(projection_library.functions().asrc_projection_forward(call) == 0)
    return found


def unprojected(
    heard: Heard,
    weight: Tensor,
    bias: Tensor,
    made: Tensor,
    above: Tensor,
    settle: Tensor | None,
    below: Sequences | None,
) -> tuple[Tensor, Tensor]:
    """The gradients of W and b for dL/dy = ``above``, by sample, to which settle[0] + settle[1] y is added; dL/dx is
    written into ``below``, which may be ``above``.
    """
    call = _projection(heard, weight, bias, made)
    found = torch.empty_like(weight), torch.empty_like(bias)
    call.above, call.settle = above.data_ptr(), pointer(settle)
    call.grad_weight, call.grad_bias = found[0].data_ptr(), found[1].data_ptr()
    if below is not None:
        call.below = below.rows
    require_memory(projection_library.functions().asrc_projection_backward(call) == 0)
    return found


def _projection(heard: Heard, weight: Tensor, bias: Tensor, made: Tensor) -> CProjectionCall:
    call = CProjectionCall(
        element_bytes=made.dtype.itemsize,
        isa=instruction_set(),
        threads=torch.get_num_threads(),
        steps=made.shape[1],
        batch=made.shape[0],
        inputs=heard.inputs,
        neurons=len(bias),
        weight=weight.data_ptr(),
        bias=bias.data_ptr(),
        bits=pointer(heard.bits),
        made=made.data_ptr(),
    )
    if heard.numbers is not None:
        call.heard = by_step(heard.numbers)
    return call


def _resonators(current: Sequences, constants: Tensor, kind: Kind, gain: Tensor | None) -> CResonatorsCall:
    steps, batch = current.shape
    return CResonatorsCall(
        element_bytes=constants.dtype.itemsize,
        isa=instruction_set(),
        threads=torch.get_num_threads(),
        steps=steps,
        batch=batch,
        neurons=kind.neurons,
        modes=kind.modes,
        taps=kind.taps,
        period=kind.period,
        masked=kind.gate == "masked",
        threshold=kind.threshold,
        constants=constants.data_ptr(),
        gain=pointer(gain),
        input=current.rows,
    )
