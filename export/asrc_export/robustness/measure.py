"""Accuracy over levels: every network, every perturbation, several draws, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import __version__
from asrc_core.contract import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidSetting
from asrc_export import float_network
from asrc_export.engines.select import Run
from asrc_export.robustness import faulty_links, perturbations
from asrc_export.robustness.subject import Perturbation, Subject
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.data.dataset import Labels
from asrc_train.settings.config import NetworkConfig
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import FrozenNetwork, freeze

FORMAT, VERSION = "asrc-robustness", 1
DRAWS = 3
VERSIONS = ("deployed", "float")
MAX_DRAWS, MAX_LEVELS = 1000, 100


@dataclass(frozen=True, eq=False)
class Contender:
    """One integer network, the float network it came from if given, and the name of the line they belong to."""

    file: str
    variant: str
    seed: int | None
    deployed: IntegerNetwork
    floating: FrozenNetwork | None


def contenders(networks: Sequence[str | Path], models: Sequence[str | Path] = ()) -> list[Contender]:
    """Integer networks with their checkpoints, found by the hash that each network carries; in the order given.

    Raises UnreadableFile, InvalidSetting for a checkpoint that none of the networks came from, or a network without
    its checkpoint where some are given.
    """
    floats = {checkpoint.fingerprint(path): path for path in models}
    found = []
    for path in networks:
        network = network_file.load(path)
        born_of = network.provenance.get("checkpoint_sha256")
        model = floats.pop(born_of, None) if isinstance(born_of, str) else None
        if models and model is None:
            why = f"none of them is the checkpoint that '{path}' came from; give it, or leave `models` away"
            raise InvalidSetting("`models`", why)
        if model is None:
            found.append(Contender(str(path), Path(path).name.split(".")[0], None, network, None))
            continue
        trained = checkpoint.load(model)
        variant = variant_of(trained.config.network)
        found.append(Contender(str(path), variant, trained.config.training.seed, network, freeze(trained)))
    if floats:
        left = next(iter(floats.values()))
        raise InvalidSetting("`models`", f"'{left}' is the checkpoint of none of the networks given")
    return found


def variant_of(config: NetworkConfig) -> str:
    """The connection with its constant: vanilla, SRC 8, ASRC 16."""
    constants = {"src": "SRC {0.span}", "asrc": "ASRC {0.kernel_length}"}
    name = constants.get(config.connection, config.connection)
    names = list(dict.fromkeys(name.format(layer) for layer in config.each_layer()))
    return ", ".join(names)


def chosen(only: Sequence[str] | None, levels: Sequence[float] | None) -> dict[str, tuple[Perturbation, list[float]]]:
    """Perturbations by name, each with its levels in ascending order, 0 among them.

    Raises UnknownName, InvalidSetting for levels that make no sense, or for several perturbations at once.
    """
    names = list(dict.fromkeys(only)) if only else perturbations.names()
    found = {name: perturbations.load(name) for name in names}
    if levels is not None and len(found) != 1:
        raise InvalidSetting("`levels`", "levels mean something for one perturbation; name it with `only`")
    if levels is not None and len(levels) > MAX_LEVELS:
        raise InvalidSetting("`levels`", f"{len(levels)} levels are more than {MAX_LEVELS}")
    return {
        name: (each, sorted({0.0, *(each.require(name, level) for level in levels or each.levels)}))
        for name, each in found.items()
    }


def build(
    subjects: Sequence[Contender],
    asked: dict[str, tuple[Perturbation, list[float]]],
    engine: Run,
    *,
    data_name: str | None = None,
    limit: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> dict[str, Any]:
    """Run every network under every perturbation and put the accuracies side by side.

    All networks must take the same data set. Raises UnknownName, InvalidSetting, InvalidData.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise InvalidSetting("`draws`", f"{draws} is outside 1 to {MAX_DRAWS}")
    sets = [dataset_for(each.deployed, data_name) for each in subjects]
    if len({each.name for each in sets}) > 1:
        listed = ", ".join(sorted({each.name for each in sets}))
        raise InvalidSetting("`data`", f"the networks were trained on different data ({listed}); name one")
    y = sets[0].test_y[:limit]
    whole = [
        Subject(dataset.test_x[:limit], each.deployed, each.floating)
        for each, dataset in zip(subjects, sets, strict=True)
    ]
    clean = [answered(subject, y, engine) for subject in whole]
    total = len(subjects) * draws * sum(len(levels) - 1 for _, levels in asked.values())
    done = 0
    measured = []
    for name, (perturbation, levels) in asked.items():
        shares = np.empty((len(subjects), len(VERSIONS), len(levels), draws))
        shares[:, :, 0] = np.array(clean)[:, :, None]
        notes: dict[str, list[float]] = {}
        for at, level in enumerate(levels[1:], 1):
            for i, subject in enumerate(whole):
                for draw in range(draws):
                    rng = np.random.default_rng((seed, draw, *name.encode()))
                    worn = perturbation.perturb(subject, level, rng)
                    shares[i, :, at, draw] = answered(worn, y, engine)
                    for note, value in worn.notes.items():
                        notes.setdefault(note, [0.0] * len(levels))[at] += value / (len(subjects) * draws)
                    done += 1
                    progress(done / total, f"{perturbation.title} {level:g}")
        measured.append(
            {
                "name": name,
                "title": perturbation.title,
                "axis": perturbation.axis,
                "logarithmic": perturbation.logarithmic,
                "levels": levels,
                "notes": notes,
                "curves": _curves(subjects, shares),
            }
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "asrc": __version__,
        "data": sets[0].name,
        "samples": len(y),
        "steps": int(whole[0].x.shape[1]),
        "seed": seed,
        "draws": draws,
        "networks": [
            {
                "file": Path(each.file).name,
                "variant": each.variant,
                "seed": each.seed,
                "spans": [layer.span for layer in each.deployed.layers],
                "network_sha256": network_file.fingerprint(each.deployed),
                "accuracy": {
                    version: share for version, share in zip(VERSIONS, pair, strict=True) if not np.isnan(share)
                },
            }
            for each, pair in zip(subjects, clean, strict=True)
        ],
        "perturbations": measured,
    }


def answered(subject: Subject, y: Labels, engine: Run) -> tuple[float, float]:
    """Accuracy deployed and float (NaN without a float network): by the engine and the training kernels, or by the
    loop with links where spikes get lost.
    """
    if subject.links is None:
        deployed = engine(subject.deployed, subject.x).logits
    else:
        deployed = faulty_links.integer_logits(subject.deployed, subject.x, subject.links)
    if subject.floating is None:
        return _accuracy(deployed, y), float("nan")
    if subject.links is None:
        real = float_network.logits(subject.floating, subject.x)
    else:
        real = faulty_links.float_logits(subject.floating, subject.x, subject.links)
    return _accuracy(deployed, y), _accuracy(real, y)


def _accuracy(logits: NDArray[Any], y: Labels) -> float:
    return float((logits.argmax(axis=1) == y).mean())


def _curves(subjects: Sequence[Contender], shares: NDArray[np.float64]) -> list[dict[str, Any]]:
    """One curve for each variant and version. Spread is over networks where a variant has several, else over draws;
    ``mean_loss`` is what is lost on average over the levels above 0, ``mean_kept`` the share that is left.
    """
    curves = []
    for variant in dict.fromkeys(each.variant for each in subjects):
        mine = [i for i, each in enumerate(subjects) if each.variant == variant]
        for v, version in enumerate(VERSIONS):
            values = shares[mine, v]  # networks, levels, draws
            if np.isnan(values).any():
                continue
            apart = values.mean(axis=2) if len(mine) > 1 else values[0].T  # networks or draws, levels
            later = apart[:, 1:].mean(axis=1) if apart.shape[1] > 1 else apart[:, 0]
            lost, kept = apart[:, 0] - later, later / np.maximum(apart[:, 0], 1e-9)
            curves.append(
                {
                    "variant": variant,
                    "version": version,
                    "networks": mine,
                    "mean": apart.mean(axis=0).tolist(),
                    "spread": _spread(apart),
                    "spread_over": "networks" if len(mine) > 1 else "draws",
                    "mean_loss": float(lost.mean()),
                    "mean_loss_spread": _spread(lost),
                    "mean_kept": float(kept.mean()),
                    "mean_kept_spread": _spread(kept),
                    "accuracy": values.tolist(),
                }
            )
    return curves


def _spread(values: NDArray[np.float64]) -> Any:
    """Standard deviation of a sample along the first axis, as plain data; None of a single one."""
    return values.std(axis=0, ddof=1).tolist() if len(values) > 1 else None
