"""ONNX Runtime as an engine: the model that `onnx_file.save` writes, run in process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace, checked_input, joined
from asrc_core.errors import BackendFailed
from asrc_export.onnx_model.graph import build

STEP_CELLS = 2**17
"""A chunk of samples has at most this many (sample, neuron) cells, so that a step stays in the processor's cache."""
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
    parts = []
    for i in range(0, len(samples), chunk):
        part = samples[i : i + chunk]
        outputs = dict(zip(names, _sentence(session.run, names, {"x": part}), strict=True))
        parts.append(_result(network, part, outputs, trace))
    return joined(parts)


def _chunk(network: IntegerNetwork, steps: int, trace: bool) -> int:
    """Samples to run at once."""
    neurons, channels = sum(layer.neurons for layer in network.layers), network.input.channels
    copied = steps * (channels + (neurons if trace else 0))
    return max(1, min(STEP_CELLS // (neurons + channels), COPIED_CELLS // copied))


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
    network: IntegerNetwork, samples: NDArray[np.int32], outputs: dict[str, NDArray[np.generic]], trace: bool
) -> Result:
    batch, steps, _ = samples.shape
    spikes, delivered, saturations = (
        [int(count) for count in outputs[name].sum(axis=0)] for name in ("spikes", "delivered", "saturations")
    )
    counts = []
    fed = int(np.count_nonzero(samples))
    widths = [*(layer.neurons for layer in network.layers), network.readout.classes]
    for i, width in enumerate(widths):
        updates = batch * steps * width
        counts.append(LayerCounts(spikes[i], fed * width, delivered[i] * width, updates, saturations[i]))
        fed = spikes[i]
    return Result(
        outputs["logits"].astype(np.int64), tuple(counts), _trace(len(network.layers), outputs) if trace else None
    )


def _trace(depth: int, outputs: dict[str, NDArray[Any]]) -> Trace:
    layers = (LayerTrace(outputs[f"layer{i}_spikes"], outputs[f"layer{i}_membrane"]) for i in range(depth))
    return Trace(tuple(layers), outputs["readout_accumulator"])
