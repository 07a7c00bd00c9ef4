"""Making a report: run both networks on the same samples and put every section together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from asrc_core import preprocessing
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork, InvalidSetting, UnreadableFile
from asrc_export import engines
from asrc_export.chip import targets
from asrc_export.chip.devices.built import Summary
from asrc_export.engines import select
from asrc_export.engines.select import Engine
from asrc_export.quantization import taps
from asrc_export.report import outline
from asrc_export.report.accuracy import answers, baselines, scores
from asrc_export.report.behaviour import ablation, ablation_runs, activity, kernels, layers, raster
from asrc_export.report.cost import devices, energy, neurobench, placement, storage
from asrc_export.report.origin import limits, provenance, rounding
from asrc_export.report.origin.confirmations import Confirmation
from asrc_export.report.report import Report
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.baselines.fit import Fitted, fit, learned
from asrc_train.baselines.recurrent import Kind
from asrc_train.data.dataset import Dataset, Labels
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze

Progress = Callable[[float, str], None]


def _silent(done: float, note: str) -> None:
    """Nobody looks on."""


def make(
    network: IntegerNetwork,
    trained: Checkpoint,
    dataset: Dataset,
    engine: Engine,
    *,
    limit: int | None = None,
    confirmations: Sequence[Confirmation] = (),
    float_sha256: str | None = None,
    fitted: Sequence[Fitted] = (),
    builds: Sequence[Summary] = (),
    progress: Progress = _silent,
) -> Report:
    """The integer network beside the checkpoint that it came from, on the data set's test split.

    The data set's steps are in the network's order (`dataset_for`); ``limit`` takes only the first so many samples;
    ``float_sha256`` is the hash of the checkpoint's file; ``fitted`` are baselines to measure on the same samples;
    ``builds`` what its circuits took where they were built; ``progress`` gets the share done and what is being done.
    Raises InvalidSetting if the widths or spans of the two differ, or the hash is not the one that the network states;
    InvalidNetwork for a broken rounding log; InvalidData for samples that do not fit.
    """
    _require_arguments(network, trained, dataset, engine, limit)
    seen = outline.of(network)
    why = _difference(network, seen, trained, float_sha256)
    if why is not None:
        not_the_one = f"the integer network was not exported from it ({why})"
        raise InvalidSetting("checkpoint", f"{not_the_one}; give the one it came from, or export this one anew")
    if engine.name in engines.names():
        engine = select.engine(engine.name, network)  # under the name of the one that really runs it
    log = rounding.of(network.provenance.get("rounding", []))
    x, y = dataset.test_x[:limit], dataset.test_y[:limit]
    samples, steps, names = len(y), int(x.shape[1]), seen.layer_names
    traced = ablation_runs.run(network, trained, x, y, dataset.scale, engine.run, progress)
    confusion = answers.confusion(traced, dataset.classes)
    names_of_classes = dataset.class_names or preprocessing.classes_of(network.provenance, network.classes)
    chip = targets.of(network.target, network.provenance)
    counts = traced.counts
    return Report(
        format="asrc-report",
        version=1,
        schema_path="asrc_export/report/schema.json",
        samples=samples,
        test_samples=len(dataset.test_y),
        steps=steps,
        accuracy=answers.accuracy(traced),
        agreement=answers.agreement(traced),
        disagreeing_samples=answers.disagreeing_samples(traced),
        confusion=confusion,
        scores=scores.of(traced, confusion, names_of_classes),
        baselines=tuple(baselines.of(each, learned(trained), traced, x) for each in fitted),
        ablation=ablation.of(traced, names),
        neurons=activity.neurons(traced, names),
        firing=activity.spikes(traced, names),
        inactive=activity.inactive(traced),
        raster=raster.of(traced, names),
        neurobench=neurobench.of(network, trained, x),
        kernels=kernels.of(seen.layers, trained.network().weight_of_lags(trained.temperature), trained.temperature),
        layers=layers.of(seen.layers, counts[:-1], traced.float_spikes),
        readout=layers.readout(seen.readout, counts[-1]),
        placement=placement.of(network, chip),
        storage=storage.of(network, chip),
        energy=energy.of(network, counts, samples, steps, chip, traced.exact_operations),
        devices=devices.of(network, builds),
        findings=limits.of(network, chip),
        rounding=log,
        confirmations=tuple(confirmations),
        provenance=provenance.of(
            network,
            trained,
            data=dataset.name,
            engine=engine.name,
            float_sha256=float_sha256,
            notes=[*dataset.notes, *_left_out(dataset, y)],
        ),
    )


def make_from_files(
    network_path: str | Path,
    float_path: str | Path,
    engine: Engine,
    *,
    data_name: str | Path | None = None,
    limit: int | None = None,
    confirmations: Sequence[Confirmation] = (),
    baseline: Sequence[Kind] = (),
    baseline_epochs: int | None = None,
    builds: Sequence[Summary] = (),
    folder: str | Path | None = None,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = _silent,
) -> Report:
    """The same from an integer network's file and the file of its checkpoint, on the data set trained on or another.

    ``baseline``: dense networks of as many parameters to train on the same data with the same budget, or with
    ``baseline_epochs``; they are kept in ``folder``, by default the checkpoint's, so that the next report finds them.
    ``say`` is told how long that takes.

    Raises UnreadableFile, InvalidSetting (the two files do not belong together), InvalidData, UnknownName.
    """
    network, trained = network_file.load(network_path), checkpoint.load(float_path)
    float_sha256 = checkpoint.fingerprint(float_path)
    _require_same_checkpoint(network, trained, float_sha256, network_path, float_path)
    try:
        rounding.of(network.provenance.get("rounding", []))
    except InvalidNetwork as error:
        why = "its rounding log is broken"
        raise UnreadableFile(network_path, "integer network", why, "write it again with asrc-export") from error
    dataset = dataset_for(network, data_name)
    keep = Path(float_path).parent if folder is None else folder
    fitted = [
        fit(kind, trained, dataset, keep, epochs=baseline_epochs, say=say, progress=progress) for kind in baseline
    ]
    return make(
        network,
        trained,
        dataset,
        engine,
        limit=limit,
        confirmations=confirmations,
        float_sha256=float_sha256,
        fitted=fitted,
        builds=builds,
        progress=progress,
    )


def _left_out(dataset: Dataset, y: Labels) -> list[str]:
    """What is to be said of samples that only some of the test split are."""
    if len(y) == len(dataset.test_y):
        return []
    absent = dataset.classes - len(np.unique(y))
    without = f"; {absent} of {plural(dataset.classes, 'class')} have none among them" if absent else ""
    return [f"the first {len(y):,} of {plural(len(dataset.test_y), 'test sample')}, in the data set's order{without}"]


def _require_arguments(network: object, trained: object, dataset: object, engine: object, limit: object) -> None:
    for name, given, kind in (
        ("network", network, IntegerNetwork),
        ("checkpoint", trained, Checkpoint),
        ("dataset", dataset, Dataset),
        ("engine", engine, Engine),
    ):
        if not isinstance(given, kind):
            a = "an" if kind.__name__[0] in "EI" else "a"
            raise InvalidSetting(name, f"it is a {type(given).__name__}; give {a} {kind.__name__}")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidSetting("limit", f"{limit!r} is not a whole number of samples, at least 1; None takes all")


def _require_same_checkpoint(
    network: IntegerNetwork, trained: Checkpoint, float_sha256: str, network_path: str | Path, float_path: str | Path
) -> None:
    why = _difference(network, outline.of(network), trained, float_sha256)
    if why is not None:
        not_the_one = f"'{float_path}' is not the checkpoint that '{network_path}' was exported from ({why})"
        way_out = f"give the checkpoint it came from, or write it anew with asrc-export '{float_path}'"
        raise InvalidSetting("`model`", f"{not_the_one}; {way_out}")


def _difference(
    network: IntegerNetwork, seen: outline.Outline, trained: Checkpoint, float_sha256: str | None
) -> str | None:
    """What tells the network from one that came from the checkpoint, if anything does."""
    stated = network.provenance.get("checkpoint_sha256")
    if None not in (stated, float_sha256) and stated != float_sha256:
        return "hashes differ"
    mine = [(layer.neurons, layer.span) for layer in seen.layers]
    layers = taps.whole(freeze(trained)).layers
    names = [layer.name for layer in layers]
    theirs = [
        (layer.neurons, max((each.span for each in layer.connections if each.source in names[i:]), default=0))
        for i, layer in enumerate(layers)
    ]
    return None if mine == theirs and seen.readout.classes == trained.classes else "widths or spans differ"
