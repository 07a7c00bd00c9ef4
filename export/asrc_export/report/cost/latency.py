"""Time of a step and of a sample, and static power: modelled from published constants, or left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from asrc_export.chip.cost.latency import Latency
from asrc_export.chip.targets import Target
from asrc_export.report.part import Index, Part, Unit
from asrc_export.report.table import Table, interval

Nanoseconds = Annotated[float, Field(ge=0), Unit("ns")]
Microseconds = Annotated[float, Field(ge=0), Unit("us")]
Watts = Annotated[float, Field(ge=0), Unit("W")]


class ModelledLatency(Part):
    """Time on a target, as a range."""

    target: str
    low_ns_per_step: Nanoseconds
    high_ns_per_step: Nanoseconds
    low_us_per_sample: Microseconds
    high_us_per_sample: Microseconds
    busiest_core: tuple[Index, Index] = Field(description="Chip and index of the core that all others wait for.")
    covers: str = Field(description="What is in it and what is not.")
    sources: tuple[str, ...]
    basis: Literal["modelled"]


Why = Literal["no published times", "does not fit", "no such neurons"]
REASONS: dict[Why, str] = {
    "no published times": "no time per event of {target} has been published",
    "does not fit": "the network does not fit {target}",
    "no such neurons": "{target} has no such neurons",
}


class UnknownLatency(Part):
    """A target whose times have not been published, that the network does not fit, or that has no such neurons."""

    target: str
    why: Why
    basis: None

    @property
    def reason(self) -> str:
        """Why no time is given, in a clause."""
        return REASONS[self.why].format(target=self.target)


class StaticPower(Part):
    """Power of one idle chip, in no estimate; null where no figure has been published."""

    target: str
    low_w: Watts | None
    high_w: Watts | None
    sources: tuple[str, ...]


def of(target: Target, found: Latency | None, *, fits: bool) -> ModelledLatency | UnknownLatency:
    """Latency on a target, as far as it is known."""
    if found is not None:
        return ModelledLatency(target=target.name, **asdict(found))
    why: Why = "no published times" if target.timing is None else "no such neurons"
    return UnknownLatency(target=target.name, why=why if fits else "does not fit", basis=None)


def static_power(chip: Target) -> StaticPower:
    """Watts of one idle chip; a network is on as many chips as its placement says."""
    power = chip.static_power
    if power is None:
        return StaticPower(target=chip.name, low_w=None, high_w=None, sources=())
    return StaticPower(target=chip.name, low_w=power.lowest, high_w=power.highest, sources=power.sources)


def table(latencies: Sequence[ModelledLatency | UnknownLatency], powers: Sequence[StaticPower]) -> Table:
    """Time by target, and the static power that is in no estimate."""
    timed = [each for each in latencies if isinstance(each, ModelledLatency)]
    untimed = [each for each in latencies if isinstance(each, UnknownLatency)]
    static = [
        f"{each.target}: {interval(each.low_w, each.high_w, 3)} W a chip ({'; '.join(each.sources)})"
        for each in powers
        if each.low_w is not None and each.high_w is not None
    ]
    return Table(
        "latency",
        "Time, modelled",
        ("target", "ns per step", "µs per sample", "busiest core"),
        [
            (
                each.target,
                interval(each.low_ns_per_step, each.high_ns_per_step),
                interval(each.low_us_per_sample, each.high_us_per_sample),
                "chip {} core {}".format(*each.busiest_core),
            )
            for each in timed
        ],
        f"Modelled, not measured. {timed[0].covers.capitalize() + '. ' if timed else ''}"
        + "".join(f"{each.reason[0].upper()}{each.reason[1:]}, so no time is given. " for each in untimed)
        + f"Static power is in no estimate. {'. '.join(static) or 'No figure is known'}.",
    )
