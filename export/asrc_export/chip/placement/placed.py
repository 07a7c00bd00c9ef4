"""A placement: which neurons sit on which neuro-core of which chip."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.contract.numbers import Mapping
from asrc_export.chip.placement.traffic import Route, Seat


@dataclass(frozen=True)
class Share:
    """Neurons ``first`` to ``first + neurons - 1`` of a layer, on one core."""

    layer: str
    first: int
    neurons: int


@dataclass(frozen=True)
class Core:
    """One core in use: its seat, what it holds, and how much of each budget that takes."""

    seat: Seat
    shares: tuple[Share, ...]
    used: dict[str, int]


@dataclass(frozen=True)
class Placement:
    """A network on cores, every budget kept. ``lower_bound``: no placement at all takes fewer cores.

    ``mapping``: where past spikes are kept, None where connections differ in that.
    """

    target: str
    mapping: Mapping | None
    cores: tuple[Core, ...]
    limits: dict[str, int]
    lower_bound: int
    routes: tuple[Route, ...]

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len({core.seat.chip for core in self.cores})

    def cores_of(self, layer: str) -> list[Core]:
        """The cores that hold neurons of a layer."""
        return [core for core in self.cores if any(share.layer == layer for share in core.shares)]
