"""The integer network over a whole sequence as one ONNX model that any ONNX Runtime computes with the same bits.

A user without this package feeds integers and gets logits and event counts: examples/run_onnx.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asrc_core import __version__, extras
from asrc_core.contract.file.network_file import contract_version, manifest
from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork
from asrc_core.files.atomic import replacing
from asrc_export.onnx_model.history import message_type, row_count
from asrc_export.onnx_model.nodes import Nodes, Port
from asrc_export.onnx_model.step import columns_of, step, traces_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

OPSET = 18
"""The first with integer bitwise operators."""
IR_VERSION = 8
"""The file format of opset 18's time, so that older runtimes read the file too."""
MAX_BYTES = 2**31 - 2**27
"""For the weights: protocol buffers end at 2 GiB, and everything else fits into 128 MiB."""


def save(network: IntegerNetwork, path: str | Path) -> None:
    """Write the network as an ONNX model; the file at ``path`` is replaced only once the new one is whole.

    Raises ExtraMissing without the onnx package, InvalidNetwork for weights beyond 2 GiB, UnwritableOutput.
    """
    model = build(network)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def build(network: IntegerNetwork, *, trace: bool = False) -> ModelProto:
    """The network as an ONNX model, batch B and length T dynamic.

    Input ``x`` (B, T, channels) int32, in the network's input range. Outputs: ``logits`` (B, C) int32, and counts for
    each sample, int64: ``spikes`` (B, L), the messages other than 0 that each layer sent, and ``saturations`` (B, L),
    the readout last; ``operations`` (B, J), the synaptic operations of each connection, in the layers' order. With
    ``trace`` also, for each hidden layer, ``layer<i>_spikes`` (T, B, N), uint8, or int32 where numbers are sent, and
    ``layer<i>_membrane`` (T, B, N) int32, what its neurons show; and ``readout_accumulator`` (T, B, C) int32.

    Weights take a byte each, or four where messages may be negative or beyond 7 bits; those of a connection with a
    delay for each synapse are there once for every lag that occurs. The metadata's key `asrc` is the manifest;
    `permutation`, if the network has one, the JSON list of the order in which a sample's steps are fed.

    Raises ExtraMissing, and InvalidNetwork for weights beyond the 2 GiB of an ONNX file.
    """
    with extras.importing():
        from onnx import helper
    size = weight_bytes(network)
    if size > MAX_BYTES:
        raise InvalidNetwork(
            "weights", f"they would take {plural(size, 'byte')}, which exceed the 2 GiB an ONNX file can hold"
        )
    model = helper.make_model(
        _over_time(network, trace),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="asrc",
        producer_version=__version__,
        doc_string=_description(network),
    )
    metadata = {"asrc": manifest(network)}
    if network.permutation is not None:
        metadata["permutation"] = str(network.permutation.tolist())
    helper.set_model_props(model, metadata)
    return model


def weight_bytes(network: IntegerNetwork) -> int:
    """What the model's weights take."""
    return sum(
        row_count(each) * each.neurons * np.dtype(message_type(each.message(network.sent(each.source)))).itemsize
        for layer in network.layers
        for each in layer.connections
    )


def _over_time(network: IntegerNetwork, trace: bool) -> GraphProto:
    """The whole sequence: the step, scanned over time from a state of zeros."""
    from onnx import helper

    traces = traces_of(network) if trace else []
    made = step(network, traces)
    main = Nodes()
    batch = main("Slice", main("Shape", "x"), main.integers([0], np.int64), main.integers([1], np.int64))
    fed = main.cast("x", message_type(network.input.range))
    main(
        "Scan",
        *(main.zeros(batch, port) for port in made.state),
        main("Transpose", fed, perm=[1, 0, 2]),
        outputs=[*(port.name for port in made.state), *(port.name for port in traces)],
        body=made.body,
        num_scan_inputs=1,
    )
    for name, weights in made.counts.items():
        main("MatMul", "counters", main.integers(weights, np.int64), outputs=[name])
    return helper.make_graph(
        main.nodes,
        "spiking_network",
        [Port("x", np.int32, (network.input.channels,)).declared("B", "T")],
        [
            Port("logits", np.int32, (network.classes,)).declared("B"),
            *(Port(name, np.int64, (columns,)).declared("B") for name, columns in columns_of(network).items()),
            *(port.declared("T", "B") for port in traces),
        ],
        main.initializers,
    )


def _description(network: IntegerNetwork) -> str:
    entry = network.input
    return (
        f"Spiking network in integers, version {contract_version(network)} of the asrc arithmetic contract. "
        f"x[b, t] holds {plural(entry.channels, 'integer')} from {entry.minimum} to {entry.maximum}; their "
        "real value is "
        f"x * {entry.scale!r}. The prediction is the first maximum of the logits. Counts are per sample; column i of "
        "spikes and saturations is layer i, the last the readout, and column j of operations is connection j. "
        f"Exported for samples of {plural(network.steps, 'step')}; others run too."
    )
