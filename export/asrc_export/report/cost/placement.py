"""The placement: which cores the network takes on its target, and how many under either mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Mapping
from asrc_core.counts import plural
from asrc_export.chip import placement as chip_placement
from asrc_export.chip.shape import of_network
from asrc_export.chip.targets import Target
from asrc_export.report.part import (
    BitCount,
    ChipCount,
    CoreCount,
    Count,
    Index,
    MeanHops,
    MeanMessages,
    NeuronCount,
    Part,
    Unit,
    Units,
)
from asrc_export.report.table import Table

Budgets = Annotated[
    dict[str, Count],
    Units(
        {
            "neurons": "neuron",
            "synaptic_memory": "bit",
            "core_memory": "bit",
            "input_axons": "axon",
            "output_axons": "axon",
            "output_axons_to_other_chips": "axon",
            "delay_slots": "entry",
            "neuron_groups": "entry",
            "synapse_formats": "entry",
        }
    ),
]
HopCount = Annotated[int, Field(ge=0), Unit("hop")]


class CoreShare(Part):
    """Neurons of one layer on one core."""

    layer: str
    first: Index = Field(description="The first of them.")
    neurons: NeuronCount = Field(description="How many, one after the other.")


class PlacedCore(Part):
    """A neuro-core in use, what it holds and how much of each budget that takes."""

    chip: Index
    core: Index = Field(description="Its index on the chip.")
    tile_row: Index | None = Field(description="Of its tile in the chip's mesh; null where the mesh is not known.")
    tile_column: Index | None
    shares: tuple[CoreShare, ...]
    used: Budgets


class ReportedRoute(Part):
    """What one spike of a layer costs on its way to another layer's cores, averaged over the sending neurons."""

    sender: str
    receiver: str
    messages: MeanMessages = Field(description="Cores that it goes to, one message each.")
    messages_to_other_chips: MeanMessages
    hops_east_west: MeanHops = Field(description="From tile to tile within a chip.")
    hops_north_south: MeanHops
    farthest_hops: tuple[HopCount, HopCount] = Field(description="East-west and north-south hops of the longest way.")


class ReportedMesh(Part):
    """The chip's tiles."""

    rows: Count
    columns: Count
    cores_per_tile: CoreCount


class MappingFits(Part):
    """What a mapping takes."""

    fits: Literal[True]
    cores_used: CoreCount
    lower_bound: CoreCount = Field(description="No placement takes fewer.")
    chips: ChipCount
    synaptic_memory: BitCount = Field(description="Bits on all cores, the target's overhead included.")


class MappingDoesNotFit(Part):
    """Why a mapping is out of the question."""

    fits: Literal[False]
    why: str


class ReportedPlacement(Part):
    """Neuro-cores in use, what each holds and how much of each budget that takes."""

    target: str
    mapping: Mapping | None = Field(description="Null where connections differ in it.")
    cores_used: CoreCount
    lower_bound: CoreCount = Field(description="No placement takes fewer.")
    chips: ChipCount
    cores_available: CoreCount = Field(description="Cores of that many chips.")
    limits: Budgets = Field(description="What a core has of each budget.")
    cores: tuple[PlacedCore, ...]
    routes: tuple[ReportedRoute, ...]
    mesh: ReportedMesh | None = Field(description="Null where the target's mesh is not known.")
    mappings: dict[Mapping, MappingFits | MappingDoesNotFit]


def of(network: IntegerNetwork, chip: Target) -> ReportedPlacement | None:
    """The placement in use, and beside it what either mapping takes; None if the network fits no number of cores."""
    layers = of_network(network).layers
    compared, found = chip_placement.compared(layers, chip), chip_placement.place_if_possible(layers, chip)
    if found is None:
        return None
    mesh = chip.mesh
    return ReportedPlacement(
        target=found.target,
        mapping=found.mapping,
        cores_used=len(found.cores),
        lower_bound=found.lower_bound,
        chips=found.chips,
        cores_available=found.chips * chip.limits.cores_per_chip.count,
        limits=dict(found.limits),
        cores=tuple(_core(core) for core in found.cores),
        routes=tuple(ReportedRoute(**asdict(route)) for route in found.routes),
        mesh=None
        if mesh is None
        else ReportedMesh(rows=mesh.rows.count, columns=mesh.columns.count, cores_per_tile=mesh.cores_per_tile.count),
        mappings={mapping: _summary(each) for mapping, each in compared.items()},
    )


def _core(core: chip_placement.Core) -> PlacedCore:
    seat = core.seat
    return PlacedCore(
        chip=seat.chip,
        core=seat.index,
        tile_row=seat.row,
        tile_column=seat.column,
        shares=tuple(CoreShare(**asdict(share)) for share in core.shares),
        used=dict(core.used),
    )


def _summary(found: chip_placement.Placement | str) -> MappingFits | MappingDoesNotFit:
    if isinstance(found, str):
        return MappingDoesNotFit(fits=False, why=found)
    return MappingFits(
        fits=True,
        cores_used=len(found.cores),
        lower_bound=found.lower_bound,
        chips=found.chips,
        synaptic_memory=sum(core.used["synaptic_memory"] for core in found.cores),
    )


def tables(placement: ReportedPlacement) -> Iterator[Table]:
    """How full the cores are, and both mappings side by side."""
    cores = placement.cores
    rows = []
    for budget, limit in placement.limits.items():
        used = [core.used.get(budget, 0) for core in cores]
        fullest = max(used, default=0)
        rows.append(
            (
                budget.replace("_", " "),
                f"{sum(used):,}",
                f"{fullest:,}",
                f"{limit:,}",
                f"{fullest / limit:.1%}" if limit else "",
            )
        )
    yield Table(
        "placement",
        "Cores",
        ("budget of a core", "used in all", "on the fullest core", "limit", "fullest core"),
        rows,
        f"{len(cores):,} of {plural(placement.cores_available, 'core')}, on {plural(placement.chips, 'chip')}; "
        f"no placement takes fewer than {placement.lower_bound:,}.",
    )
    yield Table(
        "mappings",
        "Cores by mapping",
        ("mapping", "cores", "at least", "chips", "synaptic memory, bits"),
        [_mapping_row(mapping, found) for mapping, found in placement.mappings.items()],
        " ".join(
            f"{mapping}: {found.why}"
            for mapping, found in placement.mappings.items()
            if isinstance(found, MappingDoesNotFit)
        ),
    )


def _mapping_row(mapping: str, found: MappingFits | MappingDoesNotFit) -> tuple[str, ...]:
    if isinstance(found, MappingDoesNotFit):
        return mapping, "does not fit", "", "", ""
    taken = (found.cores_used, found.lower_bound, found.chips, found.synaptic_memory)
    return mapping, *(f"{each:,}" for each in taken)
