"""What a network costs on its target, as plain data for the report: placement, storage, energy and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts
from asrc_core.errors import RulesBroken
from asrc_export.chip import energy, placement, storage
from asrc_export.chip import target as targets
from asrc_export.chip.placement import Placement
from asrc_export.chip.shape import NetworkShape, of_network
from asrc_export.chip.target import Target


def placement_data(network: IntegerNetwork, chip: Target) -> dict[str, Any] | None:
    """The placement in use, and beside it what either mapping takes; None if the network fits no number of cores."""
    compared = placement.compared(of_network(network).layers, chip)
    mine = _placed(network, chip)
    if mine is None:
        return None
    mesh = chip.mesh
    return {
        **placement.as_data(mine),
        "mesh": None if mesh is None else {name: getattr(mesh, name).count for name in type(mesh).model_fields},
        "mappings": {mapping: _summary(found) for mapping, found in compared.items()},
    }


def storage_data(network: IntegerNetwork, chip: Target) -> dict[str, Any]:
    """Bits by kind for each layer and for each of its neurons, deployed and float; spike history by mapping."""
    on_chip, in_float = storage.deployed(network, chip), storage.float32(network)
    shape = of_network(network)
    zero = storage.Storage(0, 0, 0, 0)
    by_mapping = {name.replace("-", "_"): bits for name, bits in storage.history_by_mapping(shape).items()}
    per_neuron = {key: bits / shape.neurons for key, bits in by_mapping.items()}
    return {
        "deployed": _with_total(sum(on_chip, zero)),
        "float": _with_total(sum(in_float, zero)),
        "layers": [
            {
                "name": layer.name,
                "deployed": _with_total(mine),
                "float": _with_total(theirs),
                "bits_per_neuron": {"deployed": mine.total / layer.neurons, "float": theirs.total / layer.neurons},
            }
            for layer, mine, theirs in zip(shape.layers, on_chip, in_float, strict=True)
        ],
        "spike_history": by_mapping,
        "spike_history_bits_per_neuron": per_neuron,
        "paper_statement": _paper_statement(shape, sum(each.history for each in on_chip) / shape.neurons),
        "synaptic_memory_on_target": storage.synaptic_memory(network, chip),
        "synaptic_memory_if_sparse": _if_sparse(network, chip),
        "axon_tables": _axon_tables(network, chip),
    }


def energy_data(
    network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, steps: int, chip: Target
) -> dict[str, Any]:
    """Estimates for one sample: the network's own target first if it has prices, Loihi 1 in any case, then float
    networks of the same widths; the events they rest on, the time of a step and of a sample, the static power.
    """
    chips = [chip] if chip.name == "loihi1" else [chip, targets.load("loihi1")]
    placed = {each.name: _placed(network, each) for each in chips}
    priced = [energy.on_chip(network, counts, samples, each, placed[each.name]) for each in chips]
    constants = targets.load_baseline("cmos45nm")
    estimates = [
        *(estimate for estimate in priced if estimate is not None),
        energy.float_spiking(network, counts, samples, constants),
        energy.float_dense(network, steps, constants),
        energy.float_gru(network, steps, constants),
    ]
    happened = energy.events(network, counts, samples, placed[chip.name])
    return {
        "basis": energy.BASIS,
        "unit": "nJ per sample",
        "estimates": [asdict(estimate) for estimate in estimates],
        "targets_without_published_prices": [
            each.name for each, estimate in zip(chips, priced, strict=True) if estimate is None
        ],
        "graded_operations_per_sample": sum(each.graded_operations for each in happened),
        "events_per_sample": [
            {"name": name, **asdict(each)} for name, each in zip(network.names, happened, strict=True)
        ],
        "latency": [_latency(network, counts, samples, steps, each, placed[each.name]) for each in chips],
        "static_power": [_static_power(each) for each in chips],
    }


def _summary(found: Placement | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"fits": False, "why": found}
    return {
        "fits": True,
        "cores_used": len(found.cores),
        "lower_bound": found.lower_bound,
        "chips": found.chips,
        "synaptic_memory": sum(core.used["synaptic_memory"] for core in found.cores),
    }


def _placed(network: IntegerNetwork, chip: Target) -> Placement | None:
    try:
        return placement.place(of_network(network).layers, chip)
    except RulesBroken:
        return None


def _with_total(each: storage.Storage) -> dict[str, int]:
    return {**asdict(each), "total": each.total}


def _if_sparse(network: IntegerNetwork, chip: Target) -> dict[str, Any] | None:
    """Bits of synapses without those of weight 0, by the target's sparse encoding; None if none is public."""
    bits, encoding = storage.sparse_synaptic_memory(network, chip), chip.synapses.sparse
    if bits is None or encoding is None:
        return None
    return {"bits": bits, "overhead_bits": encoding.overhead.count, "source": encoding.overhead.sources[0]}


def _paper_statement(shape: NetworkShape, deployed: float) -> dict[str, Any]:
    """Whether the paper's "at most 32 bits of spike history per neuron" holds for this network as deployed."""
    longest = max(layer.span for layer in shape.layers)
    holds = deployed <= storage.PAPER_HISTORY_BITS
    return {
        "claimed_bits_per_neuron": storage.PAPER_HISTORY_BITS,
        "deployed_bits_per_neuron": deployed,
        "longest_span": longest,
        "holds": holds,
        "sentence": f"The paper says that past spikes take at most {storage.PAPER_HISTORY_BITS} bits a neuron; "
        f"with {f'the {shape.mapping} mapping' if shape.mapping else 'both mappings'} they take {deployed:,.1f} (longest span {longest}), so the statement "
        f"{'holds' if holds else 'does not hold'} here.",
    }


def _axon_tables(network: IntegerNetwork, chip: Target) -> list[dict[str, Any]] | None:
    placed = _placed(network, chip)
    if placed is None:
        return None
    layers = of_network(network).layers
    entries = storage.axon_entries(layers, placed, chip)
    return [{"name": layer.name, **asdict(each)} for layer, each in zip(layers, entries, strict=True)]


def _latency(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    steps: int,
    chip: Target,
    placed: Placement | None,
) -> dict[str, Any]:
    found = None if placed is None else energy.latency(network, counts, samples, steps, chip, placed)
    return {"target": chip.name, **(asdict(found) if found else {"basis": None})}


def _static_power(chip: Target) -> dict[str, Any]:
    """Watts of one idle chip, in no estimate above; a network is on as many chips as its placement says."""
    power = chip.static_power
    if power is None:
        return {"target": chip.name, "low_w": None, "high_w": None, "sources": []}
    return {"target": chip.name, "low_w": power.lowest, "high_w": power.highest, "sources": list(power.sources)}
