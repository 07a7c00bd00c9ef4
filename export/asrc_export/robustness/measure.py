"""Accuracy over levels: every network, every perturbation, several draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import __version__
from asrc_core.contract.file import network_file
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export import float_network
from asrc_export.engines.select import Run
from asrc_export.robustness import faulty_run, perturbations
from asrc_export.robustness.pairs import NetworkPair
from asrc_export.robustness.report import VERSIONS, Curve, MeasuredNetwork, PerturbationCurves, RobustnessReport
from asrc_export.robustness.subject import Perturbation, Subject
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.data.dataset import Labels

DRAWS = 3
MAX_DRAWS, MAX_LEVELS = 1000, 100


def chosen(only: Sequence[str] | None, levels: Sequence[float] | None) -> dict[str, tuple[Perturbation, list[float]]]:
    """Perturbations by name, each with its levels in ascending order, 0 among them.

    Raises UnknownName, InvalidSetting for levels that make no sense, or for several perturbations at once.
    """
    names = list(dict.fromkeys(only)) if only else perturbations.names()
    found = {name: perturbations.load(name) for name in names}
    if levels is not None and len(found) != 1:
        raise InvalidSetting("`levels`", "levels mean something for one perturbation; name it with `only`")
    if levels is not None and len(levels) > MAX_LEVELS:
        raise InvalidSetting("`levels`", f"{plural(len(levels), 'level')} are more than {MAX_LEVELS}")
    return {
        name: (each, sorted({0.0, *(each.require(name, level) for level in levels or each.levels)}))
        for name, each in found.items()
    }


def make(
    pairs: Sequence[NetworkPair],
    asked: dict[str, tuple[Perturbation, list[float]]],
    engine: Run,
    *,
    data_name: str | None = None,
    limit: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> RobustnessReport:
    """Run every network under every perturbation and put the accuracies side by side.

    All networks must take the same data set. Raises UnknownName, InvalidSetting, InvalidData.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise InvalidSetting("`draws`", f"{draws} is outside 1 to {MAX_DRAWS}")
    sets = [dataset_for(each.deployed, data_name) for each in pairs]
    if len({each.name for each in sets}) > 1:
        listed = ", ".join(sorted({each.name for each in sets}))
        raise InvalidSetting("`data`", f"the networks were trained on different data ({listed}); name one")
    y = sets[0].test_y[:limit]
    whole = [
        Subject(dataset.test_x[:limit], each.deployed, each.floating, nothing=dataset.nothing)
        for each, dataset in zip(pairs, sets, strict=True)
    ]
    clean = [answered(subject, y, engine) for subject in whole]
    total = len(pairs) * draws * sum(len(levels) - 1 for _, levels in asked.values())
    done = 0
    measured = []
    for name, (perturbation, levels) in asked.items():
        shares = np.empty((len(pairs), len(VERSIONS), len(levels), draws))
        shares[:, :, 0] = np.array(clean)[:, :, None]
        notes: dict[str, list[float]] = {}
        for at, level in enumerate(levels[1:], 1):
            for i, subject in enumerate(whole):
                for draw in range(draws):
                    rng = np.random.default_rng((seed, draw, *name.encode()))
                    worn = perturbation.perturb(subject, level, rng)
                    shares[i, :, at, draw] = answered(worn, y, engine)
                    for note, value in worn.notes.items():
                        notes.setdefault(note, [0.0] * len(levels))[at] += value / (len(pairs) * draws)
                    done += 1
                    progress(done / total, f"{perturbation.title} {level:g}")
        measured.append(
            PerturbationCurves(
                name=name,
                title=perturbation.title,
                axis=perturbation.axis,
                logarithmic=perturbation.logarithmic,
                levels=tuple(levels),
                notes={note: tuple(values) for note, values in notes.items()},
                curves=_curves(pairs, shares),
            )
        )
    return RobustnessReport(
        format="asrc-robustness",
        version=1,
        asrc=__version__,
        data=sets[0].name,
        samples=len(y),
        steps=int(whole[0].x.shape[1]),
        seed=seed,
        draws=draws,
        networks=tuple(_network(each, *accuracy) for each, accuracy in zip(pairs, clean, strict=True)),
        perturbations=tuple(measured),
    )


def _network(pair: NetworkPair, deployed: float, floating: float) -> MeasuredNetwork:
    """The pair with its accuracy unperturbed; NaN without a float network."""
    return MeasuredNetwork(
        file=Path(pair.file).name,
        variant=pair.variant,
        seed=pair.seed,
        spans=tuple(max(each.longest_lag for each in layer.connections) for layer in pair.deployed.hidden),
        network_sha256=network_file.fingerprint(pair.deployed),
        accuracy={"deployed": deployed} if np.isnan(floating) else {"deployed": deployed, "float": floating},
    )


def answered(subject: Subject, y: Labels, engine: Run) -> tuple[float, float]:
    """Accuracy deployed and float (NaN without a float network): by the engine and the training kernels, or by the
    contract's interpreter where something is broken between neurons.
    """
    broken = subject.links is not None or bool(subject.stuck)
    deployed: NDArray[Any]
    real: NDArray[Any]
    if broken:
        deployed = faulty_run.integer_logits(subject.deployed, subject.x, subject.links, subject.stuck)
    else:
        deployed = engine(subject.deployed, subject.x).logits
    if subject.floating is None:
        return _accuracy(deployed, y), float("nan")
    if broken:
        real = faulty_run.float_logits(subject.floating, subject.x, subject.links, subject.stuck)
    else:
        real = float_network.logits(subject.floating, subject.x)
    return _accuracy(deployed, y), _accuracy(real, y)


def _accuracy(logits: NDArray[Any], y: Labels) -> float:
    return float((logits.argmax(axis=1) == y).mean())


def _curves(pairs: Sequence[NetworkPair], shares: NDArray[np.float64]) -> tuple[Curve, ...]:
    """One curve for each variant and version, of accuracies (networks, versions, levels, draws)."""
    curves = []
    for variant in dict.fromkeys(each.variant for each in pairs):
        mine = [i for i, each in enumerate(pairs) if each.variant == variant]
        for v, version in enumerate(VERSIONS):
            values = shares[mine, v]  # networks, levels, draws
            if np.isnan(values).any():
                continue
            apart = values.mean(axis=2) if len(mine) > 1 else values[0].T  # networks or draws, levels
            later = apart[:, 1:].mean(axis=1) if apart.shape[1] > 1 else apart[:, 0]
            lost = apart[:, 0] - later
            kept = later / apart[:, 0] if apart[:, 0].all() else None  # of nothing, no part is left
            several = len(apart) > 1
            curves.append(
                Curve(
                    variant=variant,
                    version=version,
                    networks=tuple(mine),
                    mean=tuple(apart.mean(axis=0).tolist()),
                    spread=tuple(apart.std(axis=0, ddof=1).tolist()) if several else None,
                    spread_over="networks" if len(mine) > 1 else "draws",
                    mean_loss=float(lost.mean()),
                    mean_loss_spread=float(lost.std(ddof=1)) if several else None,
                    mean_kept=None if kept is None else float(kept.mean()),
                    mean_kept_spread=float(kept.std(ddof=1)) if several and kept is not None else None,
                    accuracy=tuple(tuple(map(tuple, levels)) for levels in values.tolist()),
                )
            )
    return tuple(curves)
