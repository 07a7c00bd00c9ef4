"""Storage: bits by kind for each layer and each of its neurons, deployed and float; spike history by mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS
from asrc_core.counts import plural
from asrc_export.chip import placement
from asrc_export.chip.cost import storage
from asrc_export.chip.shape import NetworkShape, of_network
from asrc_export.chip.targets import Target
from asrc_export.report.part import BitCount, Count, EntryCount, MeanBits, Part, Span
from asrc_export.report.table import Table

KINDS = {"weights": "weights", "biases": "biases", "state": "membranes", "history": "spike history"}
"""Kinds of bits, and their headings."""


class StoredBits(Part):
    """Bits by kind."""

    weights: BitCount
    biases: BitCount
    state: BitCount = Field(description="Membranes and accumulators.")
    history: BitCount = Field(description="Past spikes.")
    total: BitCount

    def row(self) -> tuple[str, ...]:
        """All kinds in the order of their headings, and the total."""
        return tuple(f"{getattr(self, kind):,}" for kind in (*KINDS, "total"))


class BitsPerNeuron(Part):
    """All kinds together, shared among a layer's neurons."""

    deployed: MeanBits
    in_float: MeanBits = Field(alias="float")


class LayerStorage(Part):
    """One layer, or the readout."""

    name: str
    deployed: StoredBits
    in_float: StoredBits = Field(alias="float")
    bits_per_neuron: BitsPerNeuron


class HistoryBits(Part):
    """Bits that remember past spikes, under either mapping; null where delay lines do not reach as far."""

    delay_line: BitCount | None
    synaptic_delay: BitCount


class HistoryBitsPerNeuron(Part):
    """The same, shared among the neurons."""

    delay_line: MeanBits | None
    synaptic_delay: MeanBits


class PaperStatement(Part):
    """Whether the paper's "at most 32 bits of spike history per neuron" holds for this network as deployed."""

    claimed_bits_per_neuron: BitCount
    deployed_bits_per_neuron: MeanBits
    longest_span: Span
    holds: bool
    sentence: str


class SparseSynapses(Part):
    """Synaptic memory without the weights that are 0, by the target's sparse encoding."""

    bits: BitCount
    overhead_bits: BitCount = Field(description="On top of each weight that is stored.")
    source: str


class SparseConnection(Part):
    """A connection in the target's sparse encoding."""

    name: str = Field(description="The layer that it leads to.")
    source: str
    synapses: Count = Field(description="Weights that are stored.")
    of: Count = Field(description="All weights, those of 0 included.")


class AxonTable(Part):
    """A layer's entries in the tables that route spikes, over all its cores."""

    name: str
    input: EntryCount = Field(description="For axons that come in.")
    output: EntryCount = Field(description="For axons that go out.")
    bits: BitCount | None = Field(description="Null where the size of an entry is not known.")


class Storage(Part):
    """Bits of the deployed network and of the same in float32."""

    deployed: StoredBits
    in_float: StoredBits = Field(
        alias="float", description="Float32: past spikes as PyTorch keeps them, of a convolution the kernel alone."
    )
    layers: tuple[LayerStorage, ...] = Field(description="The readout last.")
    spike_history: HistoryBits
    spike_history_bits_per_neuron: HistoryBitsPerNeuron
    paper_statement: PaperStatement
    programmed_state: str | None = Field(description="On what kinds that the target has not built in; null without.")
    synaptic_memory_on_target: BitCount = Field(description="The target's overhead of each synapse included.")
    synaptic_memory_if_sparse: SparseSynapses | None = Field(description="Null where no sparse encoding is public.")
    stored_sparsely: tuple[SparseConnection, ...] = Field(
        description="Connections whose weights of 0 are left out, which takes fewer words; all others store them."
    )
    axon_tables: tuple[AxonTable, ...] | None = Field(description="Null where no placement is possible.")


def of(network: IntegerNetwork, chip: Target) -> Storage:
    """Storage on a target, and of the same network in float32."""
    on_chip, in_float = storage.deployed(network, chip), storage.float32(network, chip)
    shape, zero = of_network(network), storage.Storage(0, 0, 0, 0)
    by_mapping = storage.history_by_mapping(shape, chip)
    history = HistoryBits(
        delay_line=by_mapping["delay-line"] if _delay_lines_reach(shape) else None,
        synaptic_delay=by_mapping["synaptic-delay"],
    )
    per_neuron = HistoryBitsPerNeuron(
        delay_line=None if history.delay_line is None else history.delay_line / shape.neurons,
        synaptic_delay=history.synaptic_delay / shape.neurons,
    )
    return Storage(
        deployed=_stored(sum(on_chip, zero)),
        in_float=_stored(sum(in_float, zero)),
        layers=tuple(
            LayerStorage(
                name=layer.name,
                deployed=_stored(mine),
                in_float=_stored(theirs),
                bits_per_neuron=BitsPerNeuron(
                    deployed=mine.total / layer.neurons, in_float=theirs.total / layer.neurons
                ),
            )
            for layer, mine, theirs in zip(shape.layers, on_chip, in_float, strict=True)
        ),
        spike_history=history,
        spike_history_bits_per_neuron=per_neuron,
        paper_statement=_paper_statement(shape, sum(each.history for each in on_chip) / shape.neurons),
        programmed_state=_programmed_state(shape, chip),
        synaptic_memory_on_target=storage.synaptic_memory(network, chip),
        synaptic_memory_if_sparse=_if_sparse(network, chip),
        stored_sparsely=tuple(
            SparseConnection(
                name=name,
                source=each.connection.source,
                synapses=each.synapses,
                of=each.neurons * each.connection.inputs,
            )
            for name, each in storage.stored(shape, chip)
            if each.sparse
        ),
        axon_tables=_axon_tables(shape, chip),
    )


def _programmed_state(shape: NetworkShape, chip: Target) -> str | None:
    """What neurons that have to be programmed keep, and how certain it is that they can be."""
    runs = chip.neurons
    if runs is None:
        return None
    kept = {layer.kind: sum(layer.state_bits) for layer in shape.layers if layer.kind not in runs.kinds}
    if not kept:
        return None
    each = ", ".join(f"{bits} bits of state for each neuron of kind '{kind}'" for kind, bits in sorted(kept.items()))
    return f"Programmed: {each}; that {chip.name} can be programmed so is {runs.certainty} ({runs.source})."


def _stored(bits: storage.Storage) -> StoredBits:
    return StoredBits(
        weights=bits.weights, biases=bits.biases, state=bits.state, history=bits.history, total=bits.total
    )


def _if_sparse(network: IntegerNetwork, chip: Target) -> SparseSynapses | None:
    bits, encoding = storage.sparse_synaptic_memory(network, chip), chip.synapses.sparse
    if bits is None or encoding is None:
        return None
    return SparseSynapses(bits=bits, overhead_bits=encoding.overhead.count, source=encoding.overhead.sources[0])


def _paper_statement(shape: NetworkShape, deployed: float) -> PaperStatement:
    mapping = "both mappings" if shape.mapping is None else f"the {shape.mapping} mapping"
    longest = max(layer.span for layer in shape.layers)
    holds = deployed <= storage.PAPER_HISTORY_BITS
    return PaperStatement(
        claimed_bits_per_neuron=storage.PAPER_HISTORY_BITS,
        deployed_bits_per_neuron=deployed,
        longest_span=longest,
        holds=holds,
        sentence=f"The paper says that past spikes take at most {storage.PAPER_HISTORY_BITS} bits a neuron; "
        f"with {mapping} they take {deployed:,.1f} (longest span {longest}), so the statement "
        f"{'holds' if holds else 'does not hold'} here.",
    )


def _axon_tables(shape: NetworkShape, chip: Target) -> tuple[AxonTable, ...] | None:
    placed = placement.place_if_possible(shape.layers, chip)
    if placed is None:
        return None
    entries = storage.axon_entries(shape.layers, placed, chip)
    return tuple(
        AxonTable(name=layer.name, input=each.input, output=each.output, bits=each.bits)
        for layer, each in zip(shape.layers, entries, strict=True)
    )


def _delay_lines_reach(shape: NetworkShape) -> bool:
    """Whether a word of each neuron holds all that its connections read: no more steps, no delay for each synapse."""
    each = [connection for layer in shape.layers for connection in layer.connections]
    return all(connection.lag <= LINE_BITS and not connection.delay_for_each for connection in each)


def _whole_and_each(bits: int | None, per_neuron: float | None) -> tuple[str, str]:
    return ("does not fit", "") if bits is None or per_neuron is None else (f"{bits:,}", f"{per_neuron:.1f}")


def tables(storage: Storage) -> Iterator[Table]:
    """Bits by layer and kind, spike history by mapping, axon tables."""
    rows: list[tuple[str, ...]] = []
    for layer in storage.layers:
        rows += [(layer.name, "deployed", *layer.deployed.row()), (layer.name, "float", *layer.in_float.row())]
    rows += [("all", "deployed", *storage.deployed.row()), ("all", "float", *storage.in_float.row())]
    yield Table(
        "storage",
        "Storage in bits",
        ("layer", "version", *KINDS.values(), "total"),
        rows,
        (f"{storage.programmed_state} " if storage.programmed_state else "")
        + f"Synapses take {plural(storage.synaptic_memory_on_target, 'bit')} on the target, its overhead included; the "
        "rows of a core's memory begin on whole words, with which the placement counts."
        + _sparse_sentence(storage)
        + _kernel_sentence(storage),
    )
    history, per_neuron = storage.spike_history, storage.spike_history_bits_per_neuron
    yield Table(
        "history",
        "Spike history by mapping",
        ("mapping", "bits", "bits per neuron"),
        [
            ("delay line", *_whole_and_each(history.delay_line, per_neuron.delay_line)),
            ("synaptic delays", *_whole_and_each(history.synaptic_delay, per_neuron.synaptic_delay)),
        ],
        storage.paper_statement.sentence,
    )
    if storage.axon_tables:
        yield _axon_table(storage.axon_tables)


def _axon_table(tables: Sequence[AxonTable]) -> Table:
    return Table(
        "axons",
        "Axon tables",
        ("layer", "input axons", "output axons", "bits"),
        [
            (each.name, f"{each.input:,}", f"{each.output:,}", "unknown" if each.bits is None else f"{each.bits:,}")
            for each in tables
        ],
        "Entries over all cores of a layer; bits where the size of an entry is known.",
    )


def _kernel_sentence(storage: Storage) -> str:
    # No weight takes as many bits as a float: where float takes fewer in all, it is a kernel used at many places.
    kernels = [each.name for each in storage.layers if each.in_float.weights < each.deployed.weights]
    if not kernels:
        return ""
    return f" In float32, a convolution is its kernel; on the target it is written out ({', '.join(kernels)})."


def _sparse_sentence(storage: Storage) -> str:
    sparse = storage.synaptic_memory_if_sparse
    if sparse is None:
        return ""
    said = "; ".join(
        f"{each.name} from {each.source} ({each.synapses:,} of {plural(each.of, 'weight')})"
        for each in storage.stored_sparsely
    )
    where = f"Stored sparsely, where that is smaller: {said}" if said else "Every weight is stored, which is smaller"
    return (
        f" {where}. All connections stored sparsely: {plural(sparse.bits, 'bit')}, {sparse.overhead_bits} of them on "
        f"top of each weight that is not 0 ({sparse.source})."
    )
