"""ONNX Runtime as an engine: the model that `asrc_export.onnx_model.graph.save` writes, run in process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace, checked_input, run_in_parts
from asrc_core.errors import BackendFailed
from asrc_export.onnx_model.graph import build
from asrc_export.onnx_model.history import row_count
from asrc_export.onnx_model.step import COUNTED

STEP_CELLS = 2**17
"""A chunk of samples has at most this many (sample, neuron) cells, so that a step stays in the processor's cache."""
MESSAGES = 2**22
"""And at most this many messages that enter products in a step: a delay for each synapse multiplies them."""
COPIED_CELLS = 2**25
"""And at most this many numbers that the runtime holds for all steps at once: its copy of the input, and the traces."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input, ExtraMissing without onnx and onnxruntime,
    BackendFailed when the runtime refuses.
    """
    samples = checked_input(network, x)
    session = _session(network, trace)
    names = [output.name for output in session.get_outputs()]
    chunk = _chunk(network, samples.shape[1], trace)

    def result(part: NDArray[np.int32]) -> Result:
        outputs = dict(zip(names, _sentence(session.run, names, {"x": part}), strict=True))
        return _result(network, part, outputs, trace)

    return run_in_parts(result, samples, chunk)


def _chunk(network: IntegerNetwork, steps: int, trace: bool) -> int:
    """Samples to run at once."""
    neurons, channels = sum(layer.neurons for layer in network.layers), network.input.channels
    messages = sum(row_count(each) for layer in network.layers for each in layer.connections)
    copied = steps * (channels + (neurons if trace else 0))
    return max(1, min(STEP_CELLS // (neurons + channels), MESSAGES // messages, COPIED_CELLS // copied))


def _session(network: IntegerNetwork, trace: bool) -> Any:
    with extras.importing():
        import onnxruntime
    model = build(network, trace=trace).SerializeToString()
    return _sentence(onnxruntime.InferenceSession, model, providers=["CPUExecutionProvider"])


def _sentence(call: Any, *arguments: Any, **options: Any) -> Any:
    """The call's value. The runtime's exceptions have no common root but Exception, and its message is the news."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackendFailed("onnx", why, "the native engine gives the same integers") from error


def _result(
    network: IntegerNetwork, samples: NDArray[np.int32], outputs: dict[str, NDArray[Any]], trace: bool
) -> Result:
    batch, steps, _ = samples.shape
    spikes, operations, saturations = (outputs[name].sum(axis=0).tolist() for name in COUNTED)
    counts, first = [], 0
    for i, (layer, ranges) in enumerate(zip(network.layers, network.ranges, strict=True)):
        of_layer = operations[first : first + len(layer.connections)]
        first += len(layer.connections)
        back = sum(n for n, comes_back in zip(of_layer, ranges.recurrent_connections, strict=True) if comes_back)
        updates = batch * steps * layer.neurons
        counts.append(LayerCounts(spikes[i], sum(of_layer) - back, back, updates, saturations[i]))
    kept = _trace(len(network.hidden), outputs) if trace else None
    return Result(outputs["logits"].astype(np.int64), tuple(counts), kept)


def _trace(depth: int, outputs: dict[str, NDArray[Any]]) -> Trace:
    layers = (LayerTrace(outputs[f"layer{i}_spikes"], outputs[f"layer{i}_membrane"]) for i in range(depth))
    return Trace(tuple(layers), outputs["readout_accumulator"])
