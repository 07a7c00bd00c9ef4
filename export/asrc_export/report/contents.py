"""The report: the deployed network beside the float model it came from, as plain data.

Every number about the deployed network comes from running that network; `formats` turns the data into pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from asrc_core import __version__
from asrc_core.contract import network_file
from asrc_core.contract.arithmetic import STATE_MAX
from asrc_core.contract.network import IntegerNetwork, LayerRanges, SkipLayer, worst_case
from asrc_core.contract.ranges import headroom_bits
from asrc_core.contract.result import Result
from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_export.chip import rules
from asrc_export.chip import target as targets
from asrc_export.quantization import taps
from asrc_export.report import costs, ladder, neurobench_counts, spikes
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.data.dataset import Labels
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.evaluate import evaluate

Engine = Callable[..., Result]
FORMAT = "asrc-report"
VERSION = 1
CARRIED = ("torch", "python", "imported_from", "import_notes")
"""What the report repeats of the checkpoint's provenance: above all, what an import had to settle and how."""
SCHEMA = "asrc_export/report/schema.json"
"""The JSON Schema that every report obeys; it lies beside this module."""


@dataclass(frozen=True)
class Confirmation:
    """Another backend that ran the same network on the same samples: how many, and how many differed at all."""

    backend: str
    samples: int
    differing: int
    seconds: float


def build(
    network_path: str | Path,
    float_path: str | Path,
    *,
    engine: Engine,
    engine_name: str,
    data_name: str | None = None,
    limit: int | None = None,
    confirmations: Sequence[Confirmation] = (),
) -> dict[str, Any]:
    """Run both networks on the test split and put side by side what they answer and what they cost.

    Raises UnreadableFile, InvalidSetting (the two files do not belong together), InvalidData, UnknownName.
    """
    network = network_file.load(network_path)
    trained = checkpoint.load(float_path)
    _require_kinship(network, trained, network_path, float_path)
    rounding = _rounding(network, network_path)
    dataset = dataset_for(network, data_name)
    x, y = dataset.test_x[:limit], dataset.test_y[:limit]
    result = engine(network, x)
    model = trained.network()
    hard = evaluate(model, x, dataset.scale)
    mixture = evaluate(model, x, dataset.scale, temperature=trained.temperature)
    climbed = ladder.climb(network, trained, x, y, dataset.scale, engine)
    chip = targets.of(network.target, network.provenance)
    ranges = worst_case(network)
    agreement = float((hard.predictions == result.predictions).mean())
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "schema": SCHEMA,
        "samples": len(y),
        "steps": int(x.shape[1]),
        "accuracy": {
            "float_mixture": mixture.accuracy(y),
            "float": hard.accuracy(y),
            "deployed": float((result.predictions == y).mean()),
        },
        "agreement": agreement,
        "disagreeing_samples": np.flatnonzero(hard.predictions != result.predictions).tolist(),
        "confusion": {
            "float": _confusion(y, hard.predictions, dataset.classes),
            "deployed": _confusion(y, result.predictions, dataset.classes),
        },
        **spikes.sections(climbed, [layer.name for layer in network.layers]),
        "neurobench": neurobench_counts.section(network, trained, x, engine),
        "kernels": _kernels(network, trained),
        "layers": _layers(network, result, hard.spikes_per_layer, ranges[:-1]),
        "readout": _readout(network, result, ranges[-1]),
        "placement": costs.placement_data(network, chip),
        "storage_bits": costs.storage_data(network, chip),
        "energy": costs.energy_data(network, result.counts, len(y), int(x.shape[1]), chip),
        "findings": [asdict(finding) for finding in rules.check(network, chip)],
        "rounding": rounding,
        "confirmations": [asdict(confirmation) for confirmation in confirmations],
        "provenance": {
            "data": dataset.name,
            "target": network.target,
            "mapping": network.mapping,
            "engine": engine_name,
            "network_sha256": network_file.fingerprint(network),
            "float_sha256": checkpoint.fingerprint(float_path),
            "seed": trained.config.training.seed,
            "asrc": __version__,
            **{key: trained.provenance[key] for key in CARRIED if key in trained.provenance},
        },
    }

    # The report is what its JSON says: no tuple here that would be a list there.
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def _require_kinship(
    network: IntegerNetwork, trained: Checkpoint, network_path: str | Path, float_path: str | Path
) -> None:
    way_out = f"give the checkpoint it came from, or write it anew with asrc-export '{float_path}'"
    not_the_one = f"'{float_path}' is not the checkpoint that '{network_path}' was exported from"
    born_of = network.provenance.get("checkpoint_sha256")
    if born_of is not None and born_of != checkpoint.fingerprint(float_path):
        raise InvalidSetting("`model`", f"{not_the_one} (hashes differ); {way_out}")
    mine = [(layer.neurons, layer.span) for layer in network.layers]
    theirs = [(len(layer.bias), layer.span) for layer in taps.whole(freeze(trained)).layers]
    if mine != theirs or network.readout.classes != trained.classes:
        raise InvalidSetting("`model`", f"{not_the_one} (widths or spans differ); {way_out}")


def _rounding(network: IntegerNetwork, path: str | Path) -> list[dict[str, Any]]:
    """The network's rounding log. Raises UnreadableFile if somebody put something else there.

    Earlier exporters cut nothing off and rounded everything to the nearest, and their logs do not say so.
    """
    log = network.provenance.get("rounding", [])
    names, values, counts = ("layer", "parameter"), ("float", "integer", "effective", "error"), ("cut_off", "moved")
    for line in log if isinstance(log, list) else [log]:
        given = isinstance(line, dict)
        numbers = [*(line.get(key) for key in values), *(line.get(key, 0) for key in counts)] if given else [None]
        if not all(isinstance(number, (int, float)) and isfinite(number) for number in numbers):
            why = "its rounding log is broken"
            raise UnreadableFile(path, "integer network", why, "write it again with asrc-export")
    return [
        {
            **{key: str(line.get(key, "")) for key in names},
            **{key: line[key] for key in values},
            **{key: int(line.get(key, 0)) for key in counts},
        }
        for line in log
    ]


def _confusion(labels: Labels, predictions: Labels, classes: int) -> list[list[int]]:
    """Samples by label (row) and answer (column)."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    counts: list[list[int]] = matrix.tolist()
    return counts


def _kernels(network: IntegerNetwork, trained: Checkpoint) -> dict[str, Any]:
    """Each layer's weights over lags 1 to K as training left them, at its temperature; None for a given span."""
    weights = trained.network().weight_of_lags(trained.temperature)
    return {
        "temperature": trained.temperature,
        "layers": [
            {
                "name": layer.name,
                "span": layer.span,
                **_taps(layer),
                "weights": each or None,
            }
            for layer, each in zip(network.layers, weights, strict=True)
        ],
    }


def _taps(layer: SkipLayer) -> dict[str, list[dict[str, int]]]:
    """The spans that a layer hears at once and their whole weights, where it hears several."""
    return {"taps": [tap._asdict() for tap in layer.taps]} if layer.taps else {}


def _layers(
    network: IntegerNetwork, result: Result, float_spikes: Sequence[int], worst: Sequence[LayerRanges]
) -> list[dict[str, Any]]:
    rows = []
    for layer, count, ranges, float_count in zip(network.layers, result.counts[:-1], worst, float_spikes, strict=True):
        rows.append(
            {
                "name": layer.name,
                "neurons": layer.neurons,
                "inputs": layer.inputs,
                "span": layer.span,
                **_taps(layer),
                "weight_bits": layer.weight_bits,
                "spikes": count.spikes,
                "spikes_float": float_count,
                "spike_rate": count.spikes / count.neuron_updates,
                "synaptic_operations": count.feedforward_operations + count.recurrent_operations,
                "feedforward_operations": count.feedforward_operations,
                "recurrent_operations": count.recurrent_operations,
                "neuron_updates": count.neuron_updates,
                "saturations": count.saturations,
                "worst_case_membrane": ranges.state.magnitude,
                "can_saturate": not ranges.state.fits_state,
                "headroom_bits": headroom_bits(ranges.state.magnitude, STATE_MAX),
            }
        )
    return rows


def _readout(network: IntegerNetwork, result: Result, ranges: LayerRanges) -> dict[str, Any]:
    count = result.counts[-1]
    return {
        "name": network.readout.name,
        "classes": network.readout.classes,
        "synaptic_operations": count.feedforward_operations,
        "saturations": count.saturations,
        "worst_case_accumulator": ranges.state.magnitude,
        "can_saturate": not ranges.state.fits_state,
        "headroom_bits": headroom_bits(ranges.state.magnitude, STATE_MAX),
    }
