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
from asrc_core.errors import InvalidNetwork
from asrc_core.files.atomic import replacing
from asrc_export.onnx_model.nodes import Nodes, value
from asrc_export.onnx_model.step import COUNTED, step, traces_of, widths_of, word_of

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

    Raises ExtraMissing without the onnx package, InvalidNetwork, SpanTooLong, UnwritableOutput.
    """
    model = build(network)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def build(network: IntegerNetwork, *, trace: bool = False) -> ModelProto:
    """The network as an ONNX model, batch B and length T dynamic.

    Input ``x`` (B, T, channels) int32, in the network's input range. Outputs, L layers and then the readout:
    ``logits`` (B, C) int32; per sample (B, L + 1) int64 ``spikes``, ``delivered`` (spikes that a recurrent connection
    took in) and ``saturations``. With ``trace`` also, for each layer, ``layer<i>_spikes`` (T, B, N) uint8 and
    ``layer<i>_membrane`` (T, B, N) int32 before reset, and ``readout_accumulator`` (T, B, C) int32.

    The metadata's key `asrc` is the manifest; `permutation`, if the network has one, the JSON list of the order in
    which a sample's steps are fed. Raises ExtraMissing, SpanTooLong, InvalidNetwork (which includes weights beyond
    the 2 GiB of an ONNX file).
    """
    with extras.importing():
        from onnx import helper
    if network.synapses + 7 * network.layers[0].feedforward.size > MAX_BYTES:  # a graded layer's may take 8 bytes each
        raise InvalidNetwork("weights", f"{network.synapses} of them exceed the 2 GiB that an ONNX file can hold")
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


def _over_time(network: IntegerNetwork, trace: bool) -> GraphProto:
    """The whole sequence: the step, scanned over time from a state of zeros."""
    from onnx import helper

    classes, groups = network.readout.classes, len(network.layers) + 1
    columns = sum(widths_of(network))
    traces = traces_of(network) if trace else []
    main = Nodes("")
    batch = main("Slice", main("Shape", "x"), main.integers([0], np.int64), main.integers([1], np.int64))
    rows = main("Mul", batch, main.integers([len(COUNTED)], np.int64))
    main(
        "Scan",
        main.zeros(batch, columns, np.int32),
        main.zeros(batch, columns, word_of(network)),
        main.zeros(rows, groups, np.int64),
        main("Transpose", "x", perm=[1, 0, 2]),
        outputs=["registers", "histories", "counters", *(name for name, _, _ in traces)],
        body=step(network, traces),
        num_scan_inputs=1,
    )
    ends = ([columns - classes], [columns], [1])  # from, to, axis
    main("Slice", "registers", *(main.integers(end, np.int64) for end in ends), outputs=["logits"])
    main("Split", "counters", outputs=COUNTED, axis=0, num_outputs=len(COUNTED))
    return helper.make_graph(
        main.nodes,
        "skip_recurrent_spiking_network",
        [value(("x", np.int32, network.input.channels), "B", "T")],
        [
            value(("logits", np.int32, classes), "B"),
            *(value((name, np.int64, groups), "B") for name in COUNTED),
            *(value(port, "T", "B") for port in traces),
        ],
        main.initializers,
    )


def _description(network: IntegerNetwork) -> str:
    entry = network.input
    return (
        "Skip-recurrent spiking network in integers, "
        f"version {contract_version(network.layers)} of the asrc arithmetic contract. "
        f"x[b, t] holds {entry.channels} integer(s) from {entry.minimum} to {entry.maximum}; their real value is "
        f"x * {entry.scale!r}. The prediction is the first maximum of the logits. Counts are per sample; column i is "
        f"layer i, the last column the readout. Exported for samples of {network.steps} steps; others run too."
    )
