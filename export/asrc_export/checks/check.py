"""How far an integer network's accumulators get, what makes them overflow, which neurons are inactive: all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from asrc_core import html
from asrc_core.contract.file.network_file import integers
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import checked_input
from asrc_core.counts import plural
from asrc_export.checks import calibrate, firing, overflow
from asrc_export.checks.headroom import Headroom, headroom
from asrc_export.checks.overflow import Verdict
from asrc_export.chip import targets
from asrc_export.engines import select
from asrc_export.engines.select import Run


@dataclass(frozen=True, eq=False)
class Checked:
    """What is known of a network's registers: of each its room, of each layer whether it can overflow.

    ``inactive``: neurons that never, hardly ever or always fire on the samples, if any were given; ``samples``: how
    many were run.
    """

    network: IntegerNetwork
    headroom: Sequence[Headroom]
    verdicts: Sequence[Verdict]
    inactive: Sequence[firing.Finding]
    samples: int

    def __repr__(self) -> str:
        least = min((each.bits for each in self.headroom), default=0.0)
        return f"Checked({self.network!r}, least headroom {least:.1f} bits, {plural(len(self.inactive), 'finding')})"

    def _repr_html_(self) -> str:
        rows = [(each.layer, each.quantity, each.limit, f"{each.bits:.1f}") for each in self.headroom]
        said = html.table("overflow", ("",), [(str(each),) for each in self.verdicts])
        return html.table(repr(self), ("layer", "quantity", "limit", "headroom, bits"), rows) + said


def check(
    network: IntegerNetwork | str | Path, samples: NDArray[Any] | None = None, *, run: Run | None = None
) -> Checked:
    """Check a network, or its file, on up to `calibrate.SAMPLES` samples (n, T, channels) if any are given.

    ``run``: the engine, by default the fastest here. Raises UnreadableFile, InvalidNetwork, InvalidSetting,
    InvalidData.
    """
    read = integers(network)
    x = None if samples is None else checked_input(read, samples)[: calibrate.SAMPLES]
    engine = run or select.engine(network=read).run
    width = targets.of(read.target, read.provenance).formats.accumulator_bits
    spare = headroom(read, x, accumulator_bits=None if width is None else width.count)
    verdicts = overflow.search(read, engine, x)
    trace = None if x is None else engine(read, x, trace=True).trace
    inactive: list[firing.Finding] = []
    if trace is not None:
        pairs = zip(read.hidden, trace.layers, strict=True)
        inactive = firing.findings([firing.of_spikes(layer.name, each.spikes) for layer, each in pairs])
    return Checked(read, spare, verdicts, inactive, 0 if x is None else len(x))
