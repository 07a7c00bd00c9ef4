"""Engines by name, imported only when asked for, and which one takes over where one cannot run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_core import choices
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, Result, StreamStep
from asrc_core.errors import BackendFailed
from asrc_export import engines

DEFAULT = "native"


class Run(Protocol):
    """Runs (B, T, channels) integer samples through a network; every engine gives the same bits."""

    def __call__(self, network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Raises InvalidData when the samples do not fit the network's input."""


class Stream(Protocol):
    """One sample fed frame by frame, its state kept between steps; serves one thread at a time."""

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame: the logits so far, (C,) int64, and what each layer sent in this step,
        (N,) uint8 (int32 where a kind sends numbers). Raises InvalidData for a frame that does not fit the input.
        """

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer, the readout last."""


class Prepared(Protocol):
    """A network made ready to run many times; any number of threads may use it at once."""

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """As `Run`, for this network."""

    def stream(self) -> Stream:
        """One sample fed frame by frame, from its first step on."""


@dataclass(frozen=True)
class Engine:
    """An engine under the name by which results speak of it."""

    name: str
    run: Run


def engine(name: str = DEFAULT, network: IntegerNetwork | None = None) -> Engine:
    """The engine of that name, or the one that takes over: for the network, or else on this machine.

    Where an engine cannot be used here, one line on stderr says why and which one takes over. Without ``network``, its
    ``run`` looks at each network by itself: what the native engine does not run goes to the generated one.
    Raises UnknownName, listing those there are; BackendMissing or ExtraMissing where no other takes over.
    """
    told: set[str] = set()
    taken = _taken(name, network, told)
    if network is not None or _otherwise(taken) is None:
        return Engine(taken, _module(taken).run)

    def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        result: Result = _module(_taken(taken, network, told)).run(network, x, trace=trace)
        return result

    return Engine(taken, run)


def prepared(network: IntegerNetwork, name: str = DEFAULT) -> tuple[str, Prepared]:
    """The name of the engine that runs the network, as in `engine`, and the network made ready in it.

    Raises what `engine` does, and BackendFailed for an engine that keeps nothing from one run to the next.
    """
    taken = _taken(name, network, set())
    prepare: Callable[[IntegerNetwork], Prepared] | None = getattr(_module(taken), "prepared", None)
    if prepare is None:
        raise BackendFailed(taken, "it makes every network ready anew for each run", "use the native engine")
    return taken, prepare(network)


def _taken(name: str, network: IntegerNetwork | None, told: set[str]) -> str:
    """The first of the engine and those that take over from it which runs the network on this machine."""
    missing = []
    while (after := _otherwise(name)) is not None:
        if network is None or _asked(name, "why_not", network) is None:
            why = _asked(name, "unavailable")
            if why is None:
                break
            missing.append(why)
        name = after
    line = f"asrc: {' '.join(missing)} The {name} engine takes over: the same bits, more slowly."
    if missing and line not in told:
        told.add(line)
        print(line, file=sys.stderr)
    return name


def _module(name: str) -> ModuleType:
    return choices.module(engines.__name__, "engine", name, engines.names())


def _otherwise(name: str) -> str | None:
    after: str | None = getattr(_module(name), "OTHERWISE", None)
    return after


def _asked(name: str, question: str, *about: IntegerNetwork) -> str | None:
    """The engine's answer, a sentence or None; None where it has no such question."""
    answer: Callable[..., str | None] = getattr(_module(name), question, lambda *_: None)
    return answer(*about)
