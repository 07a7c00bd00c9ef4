"""NIR graphs of other frameworks as float networks of ours.

NIR's neurons live in continuous time; ours step. With the time step dt, which NIR does not state, and one of the two
discretisations in use,

    tau dv/dt = (v_leak - v) + R I        LIF
    euler    k = dt / tau                 snnTorch, Norse, SpikingJelly
    exact    k = 1 - exp(-dt / tau)       Sinabs, Rockpool: the solution for an input constant over the step
    u[t] = (1 - k) v[t-1] + k R I[t] + k v_leak

so alpha = 1 - k, rows of W and U are multiplied by k R, and k v_leak joins the bias. All potentials are measured from
v_reset, and there the membrane starts. IF: alpha = 1, rows times dt R. Rockpool and spyx write another R for the same
equation (`readings`). CUBA-LIF puts  tau_syn dI/dt = -I + w_in S  in front, with k_syn = dt / tau_syn or the other:

    c[t] = (1 - k_syn) c[t-1] + k R k_syn w_in S[t];    u[t] = (1 - k) v[t-1] + c[t] + k v_leak

where nothing is left of the current after a step (euler: tau_syn = dt) it is an LIF. A membrane that fires is reset to
v_reset, or loses theta where ``reset`` says so. NIR fires above the threshold; some frameworks fire at it (``fires``).

What lies between neuron nodes, Linear, Affine, Scale, Conv1d, Conv2d, SumPool2d, AvgPool2d and Flatten, is one matrix
for each source and delay; a Delay may be another one for each of its values, in whole steps. A cycle without a Delay is
refused unless the caller gives its span. The output is what neurons send through such nodes, summed over time (an I
node at the end says so itself), or a leaky integrator (LI, CubaLI). Thresholds that differ from neuron to neuron are
made one (rows are rescaled).

A chain of layers with a span each is written as our own networks are, all else as a graph (`as_graph`): several time
constants, a current that lasts, skips, feedback between layers, delays, several inputs, leaky readouts, convolutions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asrc_core import __version__
from asrc_core.contract.numbers import Fires
from asrc_core.errors import NonFiniteWeights
from asrc_export.interop.imported import Feed, Imported, settle
from asrc_export.interop.nir import nir_file
from asrc_export.interop.nir.as_graph import graph_of
from asrc_export.interop.nir.frameworks.readings import Answer, Integration, Reset
from asrc_export.interop.nir.layers import Layers, is_chain, layered
from asrc_export.interop.nir.metadata import stated_answer, stated_feed, step_order, without_scale
from asrc_export.interop.nir.nir_graph import flatten, past_the_recurrence, signals, square, width_of
from asrc_export.interop.nir.reading import Asked, read_as, read_as_stated
from asrc_train.settings.config import validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint


def read(
    path: str | Path,
    asked: Feed,
    *,
    dt: float | None = None,
    integration: Integration | None = None,
    reset: Reset | None = None,
    loop_span: int | None = None,
    fires: Fires | None = None,
    written_by: str | None = None,
    answer: Answer | None = None,
) -> Imported:
    """The network of a NIR file; what the file leaves open and how it was settled is among the notes.

    ``dt`` is in the unit of the graph's time constants. What is not given is what the framework does that wrote the
    file (``written_by``, or the graph's metadata; `readings.FRAMEWORKS`), else what NIR defines. ``answer``: what of a
    leaky readout's membrane is the logits, its sum over time if nothing is said. Raises UnreadableFile
    (see `nir_file.read`), InvalidSetting naming the node, what it asks for and what comes closest, UnknownName,
    NonFiniteWeights, ExtraMissing, and what `imported.settle` raises.
    """
    graph = nir_file.read(path)
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    ours = nir_file.MARK in metadata
    if ours and str(metadata[nir_file.MARK]) != nir_file.VERSION:
        nir_file.refuse(path, f"its metadata are of version {metadata[nir_file.MARK]!s:.20}, this package knows 1")
    told = Asked(dt, integration, reset, loop_span, fires, written_by, answer)
    reading = read_as_stated(metadata, told) if ours else read_as(told, metadata)
    notes = list(reading.notes)
    flat = flatten(graph)
    if reading.misled:
        past_the_recurrence(flat)
    scale = without_scale(flat, metadata) if ours else None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named by _tensors
        fed = signals(flat, reading.dt)
        layers = layered(flat, fed, reading, notes)
        chain = is_chain(flat, layers)
        counted, weights = stated_answer(metadata) if ours else (reading.answer, None)
        network, arrays = _chain(layers) if chain else graph_of(layers, counted, notes, weights)
        tensors = _tensors(arrays)
    if len(flat.inputs) > 1:
        notes.append(f"the inputs lie side by side in this order: {', '.join(flat.inputs)}")
    stated = stated_feed(metadata, scale) if ours else Feed()
    channels, classes = sum(width_of(flat, each) for each in flat.inputs), len(layers.readout.constant)
    feed = settle(asked, stated, channels, classes)
    order = step_order(metadata) if ours else None
    return Imported(
        Checkpoint(
            config=validated(
                {"data": {"name": feed.data, "permute": order is not None}, "network": network}, "NIR graph"
            ),
            channels=channels,
            classes=classes,
            steps=feed.steps,
            scale=feed.scale,
            maximum=feed.maximum,
            spans=_spans(layers, chain),
            temperature=1.0,
            tensors=tensors,
            permutation=order,
            history=[],
            scores={},
            provenance={
                "asrc": __version__,
                "imported_from": "nir",
                "source_sha256": checkpoint.fingerprint(path),
                "import_notes": "; ".join(notes),
            },
        ),
        tuple(notes),
    )


def _chain(layers: Layers) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and tensors of skip-recurrent layers; one that does not feed itself has recurrent weights of 0."""
    own = [
        {
            "span": span,
            "decay": layer.neurons.decay,
            "threshold": layer.neurons.threshold,
            "reset": layer.neurons.reset,
            "fires": layer.neurons.fires,
        }
        for layer, span in zip(layers.hidden, _spans(layers, chain=True), strict=True)
    ]
    arrays: dict[str, Any] = {}
    for i, layer in enumerate(layers.hidden):
        width = len(layer.constant)
        arrays[f"layers.{i}.feedforward.weight"] = layer.forward.weight
        arrays[f"layers.{i}.feedforward.bias"] = layer.neurons.gain * layer.constant + layer.neurons.offset
        arrays[f"layers.{i}.recurrent.weight"] = (
            np.zeros((square(layer.name, width), width)) if layer.back is None else layer.back.weight
        )
    arrays |= {"readout.weight": layers.readout.incoming[0].weight, "readout.bias": layers.readout.constant}
    return {"connection": "src", "hidden": [len(layer.constant) for layer in layers.hidden], "layers": own}, arrays


def _spans(layers: Layers, chain: bool) -> tuple[int, ...]:
    """How long ago what each layer sends itself was sent at most; in a chain, 1 where it sends itself nothing."""
    lags = ((each.lag for each in layer.incoming if each.source == layer.name) for layer in layers.hidden)
    return tuple(max(own, default=1 if chain else 0) for own in lags)


def _tensors(named: dict[str, Any]) -> dict[str, Any]:
    import torch

    single = {
        name: np.ascontiguousarray(array, dtype=bool if array.dtype == bool else np.float32)
        for name, array in named.items()
    }
    for name, array in single.items():
        infinite = int((~np.isfinite(array)).sum())
        if infinite:
            raise NonFiniteWeights(name, infinite)
    return {name: torch.from_numpy(array) for name, array in single.items()}
