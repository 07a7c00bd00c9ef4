"""NIR graphs of other frameworks as float networks of ours.

NIR's neurons live in continuous time; ours step. With the time step dt, which NIR does not state, and one of the two
discretisations in use,

    tau dv/dt = (v_leak - v) + R I        LIF
    euler    k = dt / tau                 snnTorch, Norse, SpikingJelly
    exact    k = 1 - exp(-dt / tau)       Sinabs, Rockpool: the solution for an input constant over the step
    u[t] = (1 - k) v[t-1] + k R I[t] + k v_leak

so alpha = 1 - k, rows of W and U are multiplied by k R, and k v_leak joins the bias. All potentials are measured from
v_reset, and there the membrane starts. IF: alpha = 1, rows times dt R. Rockpool and spyx write another R for the same
equation (`readings`). CUBA-LIF puts  tau_syn dI/dt = -I + w_in S  in front; where the current does not outlive the
step (euler: tau_syn = dt) it is an LIF whose rows are multiplied by w_in, too. A membrane that fires is reset to
v_reset, or loses theta where ``reset`` says so. NIR fires above the threshold; some frameworks fire at it (``fires``).

A layer is a neuron node that is fed by the layer before it through Linear, Affine and Scale nodes, and its own spikes
through such nodes and a Delay of span dt. A loop without a Delay is refused unless the caller gives its span. The
output is the last layer's spikes through Linear or Affine, summed over time (an I node at the end says so itself), or
the last layer itself, whose spike counts then decide. Thresholds may differ from neuron to neuron (rows are
rescaled), time constants may not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asrc_core import __version__
from asrc_core.contract.numbers import Fires, Reset
from asrc_core.errors import NonFiniteWeights
from asrc_export.interop.imported import Feed, Imported, settle
from asrc_export.interop.nir import nir_file
from asrc_export.interop.nir.layers import NeuronLayer, chained, read_out
from asrc_export.interop.nir.metadata import stated_feed, step_order, without_scale
from asrc_export.interop.nir.nir_graph import flatten, signals, width_of
from asrc_export.interop.nir.reading import Asked, read_as, read_as_stated
from asrc_export.interop.nir.readings import Integration
from asrc_train.settings.config import validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.frozen import Floats


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
) -> Imported:
    """The network of a NIR file; what the file leaves open and how it was settled is among the notes.

    ``dt`` is in the unit of the graph's time constants. What is not given is what the framework does that wrote the
    file (``written_by``, or the graph's metadata; `readings.FRAMEWORKS`), else what NIR defines. Raises UnreadableFile
    (see `nir_file.read`), InvalidSetting naming the node, what it asks for and what comes closest, UnknownName,
    NonFiniteWeights, ExtraMissing, and what `imported.settle` raises.
    """
    graph = nir_file.read(path)
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    ours = nir_file.MARK in metadata
    if ours and str(metadata[nir_file.MARK]) != nir_file.VERSION:
        nir_file.refuse(path, f"its metadata are of version {metadata[nir_file.MARK]!s:.20}, this package knows 1")
    told = Asked(dt, integration, reset, loop_span, fires, written_by)
    reading = read_as_stated(metadata, told) if ours else read_as(told, metadata)
    notes = list(reading.notes)
    flat = flatten(graph)
    scale = without_scale(flat, metadata) if ours else None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named by _tensors
        fed = signals(flat, reading.dt)
        layers = list(chained(flat, fed, reading, notes))
        weight, bias = read_out(flat, fed[flat.output], layers[-1], notes)
        tensors = _tensors(layers, weight, bias)
    stated = stated_feed(metadata, scale) if ours else Feed()
    channels, classes = width_of(flat, flat.input), len(bias)
    feed = settle(asked, stated, channels, classes)
    order = step_order(metadata) if ours else None
    return Imported(
        Checkpoint(
            config=_config(layers, feed.data, order is not None),
            channels=channels,
            classes=classes,
            steps=feed.steps,
            scale=feed.scale,
            maximum=feed.maximum,
            spans=tuple(layer.span for layer in layers),
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


def _config(layers: list[NeuronLayer], data: str | None, permuted: bool) -> Any:
    own = [
        {
            "span": layer.span,
            "decay": layer.neurons.decay,
            "threshold": layer.neurons.threshold,
            "reset": layer.neurons.reset,
            "fires": layer.neurons.fires,
        }
        for layer in layers
    ]
    network = {"connection": "src", "hidden": [len(layer.bias) for layer in layers], "layers": own}
    return validated({"data": {"name": data, "permute": permuted}, "network": network}, "NIR graph")


def _tensors(layers: list[NeuronLayer], weight: Floats, bias: Floats) -> dict[str, Any]:
    import torch

    named: dict[str, Floats] = {}
    for i, layer in enumerate(layers):
        named[f"layers.{i}.feedforward.weight"] = layer.weight
        named[f"layers.{i}.feedforward.bias"] = layer.bias
        named[f"layers.{i}.recurrent.weight"] = layer.recurrent
    named |= {"readout.weight": weight, "readout.bias": bias}
    single = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in named.items()}
    for name, array in single.items():
        infinite = int((~np.isfinite(array)).sum())
        if infinite:
            raise NonFiniteWeights(name, infinite)
    return {name: torch.from_numpy(array) for name, array in single.items()}
