"""Energy of a sample: counted events times published constants, as ranges. Never measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Literal

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts
from asrc_export.chip import placement, targets
from asrc_export.chip.cost import energy
from asrc_export.chip.cost.arrivals import Operations
from asrc_export.chip.cost.events import events
from asrc_export.chip.cost.latency import latency as step_time
from asrc_export.chip.shape import of_network
from asrc_export.chip.targets import Target
from asrc_export.report.cost import latency
from asrc_export.report.cost.latency import ModelledLatency, StaticPower, UnknownLatency
from asrc_export.report.part import (
    MeanHops,
    MeanMessages,
    MeanOperations,
    MeanSpikes,
    MeanUpdates,
    Nanojoules,
    Part,
)
from asrc_export.report.table import Table, interval

BASELINE = "loihi1"
"""The chip whose prices have been published: estimated in any case."""


class EnergyEstimate(Part):
    """Energy of one sample, as a range."""

    name: str
    scale: str = Field(description="What its prices are of. Only rows of one scale can be compared.")
    low_nj: Nanojoules
    high_nj: Nanojoules
    covers: str = Field(description="What is in it and what is not.")
    sources: tuple[str, ...]
    breakdown: dict[str, tuple[Nanojoules, Nanojoules]] = Field(description="Low and high by kind of event.")
    basis: Literal["modelled"]


CMOS = "arithmetic in 45 nm CMOS"
"""The scale of the float networks."""


def on_chips(energy: Energy) -> list[EnergyEstimate]:
    """The estimates at a chip's published prices."""
    return [each for each in energy.estimates if each.scale != CMOS]


def in_cmos(energy: Energy) -> list[EnergyEstimate]:
    """The estimates of float networks' arithmetic."""
    return [each for each in energy.estimates if each.scale == CMOS]


class LayerEvents(Part):
    """Events of one layer while one sample is run, on average."""

    name: str
    feedforward_operations: MeanOperations = Field(description="Additions of a weight for a spike of another layer.")
    recurrent_operations: MeanOperations = Field(description="The same for a spike of the layer's own.")
    graded_operations: MeanOperations = Field(description="Multiply-accumulates of graded messages.")
    neuron_updates: MeanUpdates
    spikes: MeanSpikes
    messages: MeanMessages = Field(description="A spike is one message for each connection and core that it goes to.")
    messages_to_other_chips: MeanMessages
    hops_east_west: MeanHops = Field(description="From tile to tile within a chip.")
    hops_north_south: MeanHops


EVENTS = {
    "feedforward_operations": "feed-forward",
    "recurrent_operations": "recurrent",
    "graded_operations": "graded",
    "neuron_updates": "updates",
    "spikes": "spikes",
    "messages": "messages",
    "hops_east_west": "hops E-W",
    "hops_north_south": "hops N-S",
}
"""Events of a layer, and their headings."""


class Energy(Part):
    """Modelled from counted events and cited constants, never measured."""

    basis: Literal["modelled"]
    unit: Literal["nJ per sample"]
    estimates: tuple[EnergyEstimate, ...] = Field(description="Deployed, then float networks of the same widths.")
    targets_without_published_prices: tuple[str, ...]
    targets_without_such_neurons: tuple[str, ...] = Field(
        description="Targets whose prices are of other neurons than the network's."
    )
    graded_operations_per_sample: MeanOperations
    own_operations_per_sample: MeanOperations = Field(
        description="Synaptic operations, graded ones too, on the weights that the network's own target stores."
    )
    events_on: str = Field(
        description="The target that the events are those of: the first whose prices the network has, else its own."
    )
    events_per_sample: tuple[LayerEvents, ...] = Field(description="By layer, the readout last.")
    latency: tuple[ModelledLatency | UnknownLatency, ...]
    static_power: tuple[StaticPower, ...]


def of(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    steps: int,
    chip: Target,
    exact: Operations | None = None,
) -> Energy:
    """Estimates for one sample: the network's own target first if it has prices, Loihi 1 in any case, then float
    networks of the same widths; the events that the first of them rests on, the time of a step and of a sample, the
    static power.
    ``exact``: operations on weights that are not 0, where they were counted (`arrivals`).
    """
    chips = [chip] if chip.name == BASELINE else [chip, targets.load(BASELINE)]
    shape = of_network(network)
    placed = [placement.place_if_possible(shape.layers, each) for each in chips]
    priced = [
        energy.on_chip(network, counts, samples, each, seats, exact) for each, seats in zip(chips, placed, strict=True)
    ]
    timed = [
        None if seats is None else step_time(network, counts, samples, steps, each, seats, exact)
        for each, seats in zip(chips, placed, strict=True)
    ]
    constants = targets.load_baseline("cmos45nm")
    estimates = [
        *((estimate, f"prices of {each.name}") for each, estimate in zip(chips, priced, strict=True) if estimate),
        (energy.float_spiking(network, counts, samples, constants), CMOS),
        (energy.float_dense(network, steps, constants), CMOS),
        (energy.float_gru(network, steps, constants), CMOS),
    ]
    known = [(each, seats) for each, seats, estimate in zip(chips, placed, priced, strict=True) if estimate]
    on, there = (*known, (chip, placed[0]))[0]
    happened = events(network, counts, samples, there, on, exact)
    return Energy(
        basis="modelled",
        unit="nJ per sample",
        estimates=tuple(EnergyEstimate(scale=scale, **asdict(estimate)) for estimate, scale in estimates),
        targets_without_published_prices=tuple(each.name for each in chips if each.energy is None),
        targets_without_such_neurons=tuple(
            each.name for each, estimate in zip(chips, priced, strict=True) if each.energy and estimate is None
        ),
        graded_operations_per_sample=sum(each.graded_operations for each in happened),
        own_operations_per_sample=sum(each.operations for each in events(network, counts, samples, None, chip, exact)),
        events_on=on.name,
        events_per_sample=tuple(
            LayerEvents(name=layer.name, **asdict(each)) for layer, each in zip(shape.layers, happened, strict=True)
        ),
        latency=tuple(
            latency.of(each, found, fits=seats is not None)
            for each, found, seats in zip(chips, timed, placed, strict=True)
        ),
        static_power=tuple(latency.static_power(each) for each in chips),
    )


def tables(energy: Energy) -> Iterator[Table]:
    """Estimates, their sources, the events below them, and time."""
    note = "Modelled, not measured."
    for chip in energy.targets_without_published_prices:
        note += f" No per-event energy of {chip} has been published, so none is given."
    for chip in energy.targets_without_such_neurons:
        note += f" The neurons that the prices of {chip} are of compute something else, so none is given."
    if energy.graded_operations_per_sample:
        note += f" Products of graded messages: {energy.graded_operations_per_sample:,.0f} a sample."
    yield Table(
        "energy",
        "Energy per sample on a chip",
        ("network", "nJ", "what it covers"),
        [(each.name, interval(each.low_nj, each.high_nj), each.covers) for each in on_chips(energy)],
        note,
    )
    yield Table(
        "arithmetic",
        "Energy per sample of float networks' arithmetic",
        ("network", "nJ", "what it covers"),
        [(each.name, interval(each.low_nj, each.high_nj), each.covers) for each in in_cmos(energy)],
        "Modelled, not measured: what the operations alone would take in 45 nm CMOS. A scale of its own, without the "
        "control, routing and memory of a chip: compare these rows with each other, not with those of a chip.",
    )
    sources = dict.fromkeys(source for estimate in energy.estimates for source in estimate.sources)
    yield Table(
        "prices",
        "Where the energies come from",
        ("source", "certainty"),
        [tuple(source.rsplit(", ", 1)) for source in sources],
        "Printed: read in source code or a tool's output. Vendor: text of the maker or a paper. Second-hand: quoted by "
        "others. Inferred: calculated from those. Uncertain: sources are missing or disagree.",
    )
    yield Table(
        "events",
        "Events per sample",
        ("layer", *EVENTS.values()),
        [(each.name, *(f"{getattr(each, key):,.1f}" for key in EVENTS)) for each in energy.events_per_sample],
        f"Those of {energy.events_on}, counted by running the integer network: synaptic operations on the weights that "
        f"it stores, {_messages(energy)}. Synaptic operations add a weight, graded ones multiply first."
        + _elsewhere(energy),
    )
    yield latency.table(energy.latency, energy.static_power)


def _elsewhere(energy: Energy) -> str:
    """What the network's own target does, where it stores weights that the priced one does not."""
    own = energy.own_operations_per_sample
    here = sum(
        each.feedforward_operations + each.recurrent_operations + each.graded_operations
        for each in energy.events_per_sample
    )
    if abs(own - here) < 1:
        return ""
    return f" The network's own target stores other weights, on which it performs {own:,.0f} operations a sample."


def _messages(energy: Energy) -> str:
    unplaced = [
        each.target for each in energy.latency if isinstance(each, UnknownLatency) and each.why == "does not fit"
    ]
    if energy.events_on in unplaced:
        return "each spike one message and no hops, since the network does not fit it"
    return "messages and hops as placed on it"
