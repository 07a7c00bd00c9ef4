"""Which kernel runs: the fastest that covers the case, or the one that was asked for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from torch import Tensor

from asrc_core.errors import BackendMissing, UnknownName
from asrc_train.kernels.layer import SkipLayer

if TYPE_CHECKING:
    from asrc_train.kernels.delays import layer as delays
    from asrc_train.kernels.state_space import layer as state_space

NAMES = ("native", "bptt", "autograd")
"""Fastest first."""
DELAY_NAMES = ("native", "plain")
"""Those for networks with a delay for each synapse (`kernels.delays`)."""
STATE_SPACE_NAMES = ("native", "chunks", "fft")
"""Those for state-space neurons (`kernels.state_space`)."""

_log = logging.getLogger("asrc_train.kernels")
_told: set[str] = set()
_asked: ContextVar[str | None] = ContextVar("kernel", default=None)


class Kernel(Protocol):
    """What each kernel's module offers."""

    def why_not(self, x: Tensor, layers: Sequence[SkipLayer]) -> str | None:
        """Why this kernel cannot run ``layers`` on ``x`` here, or None."""

    def spikes(self, x: Tensor, layer: SkipLayer) -> Tensor:
        """Spikes (T, B, N) of one layer."""

    def counts(self, x: Tensor, layers: Sequence[SkipLayer]) -> Tensor:
        """Spikes of the last layer summed over time, (B, N)."""


@runtime_checkable
class KeepsBits(Protocol):
    """What a kernel's module may offer beside."""

    def packed_spikes(self, x: Tensor, layers: Sequence[SkipLayer]) -> tuple[Tensor, list[Tensor]]:
        """`counts` without a gradient, and the spikes of every layer as bits, (B, T, words of 64)."""


@contextmanager
def using(name: str) -> Iterator[None]:
    """Run everything inside with kernel ``name``; takes precedence over ``ASRC_KERNEL``. Raises UnknownName."""
    token = _asked.set(_known(name, dict.fromkeys((*NAMES, *DELAY_NAMES, *STATE_SPACE_NAMES))))
    try:
        yield
    finally:
        _asked.reset(token)


def choose(x: Tensor, layers: Sequence[SkipLayer], name: str | None = None) -> Kernel:
    """The kernel ``name``, else that of `using`, else that of ``ASRC_KERNEL``, else the fastest that covers the case.

    Raises UnknownName, and BackendMissing when a kernel asked for cannot run here. When nobody asked and a faster
    kernel is passed over, the log says so, once for each reason.
    """
    asked = name or _asked.get() or os.environ.get("ASRC_KERNEL")
    if asked:
        kernel = _load(_known(asked))
        reason = kernel.why_not(x, layers)
        if reason:
            raise BackendMissing(asked, reason, "leave the choice open, or ask for 'bptt'")
        return kernel
    for candidate in NAMES[:-1]:
        kernel = _load(candidate)
        reason = kernel.why_not(x, layers)
        if reason is None:
            return kernel
        _tell(f"kernel '{candidate}' is passed over: {reason}.")
    return _load(NAMES[-1])


def choose_delays(run: delays.Run, name: str | None = None) -> delays.Kernel:
    """The same for a network with a delay for each synapse, whose kernels are others."""
    asked = name or _asked.get() or os.environ.get("ASRC_KERNEL")
    for candidate in (_known(asked, DELAY_NAMES),) if asked else DELAY_NAMES:
        kernel = cast("delays.Kernel", import_module(f"asrc_train.kernels.delays.{candidate}"))
        reason = kernel.why_not(run)
        if reason is None:
            return kernel
        if asked:
            raise BackendMissing(asked, reason, "leave the choice open, or ask for 'plain'")
        _tell(f"kernel '{candidate}' for delays is passed over: {reason}.")
    raise AssertionError("the last one covers everything")


def choose_state_space(u: Tensor, layer: state_space.Resonators, name: str | None = None) -> state_space.Kernel:
    """The same for a layer of state-space neurons."""
    asked = name or _asked.get() or os.environ.get("ASRC_KERNEL")
    for candidate in (_known(asked, STATE_SPACE_NAMES),) if asked else STATE_SPACE_NAMES:
        kernel = cast("state_space.Kernel", import_module(f"asrc_train.kernels.state_space.{candidate}"))
        reason = kernel.why_not(u, layer)
        if reason is None:
            return kernel
        if asked or candidate == STATE_SPACE_NAMES[-1]:
            raise BackendMissing(candidate, reason, "leave the choice open, or ask for 'chunks'")
        _tell(f"kernel '{candidate}' for state-space neurons is passed over: {reason}.")
    raise AssertionError("the last one runs or says why not")


def pass_over_all(reason: str) -> None:
    """For what no kernel knows and plain PyTorch runs step by step: the log says so, once for each reason.

    Raises UnknownName, and BackendMissing when a kernel was asked for that does not run that way.
    """
    asked = _asked.get() or os.environ.get("ASRC_KERNEL")
    if asked and _known(asked) != NAMES[-1]:
        raise BackendMissing(asked, reason, f"leave the choice open, or ask for '{NAMES[-1]}'")
    _tell(f"no kernel is used: {reason}.")


def _tell(what: str) -> None:
    if what not in _told:
        _told.add(what)
        _log.warning(what)


def _known(name: str, names: Iterable[str] = NAMES) -> str:
    if name not in names:
        raise UnknownName("kernel", name, names)
    return name


def _load(name: str) -> Kernel:
    return cast(Kernel, import_module(f"asrc_train.kernels.{name}"))
