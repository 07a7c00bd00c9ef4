"""How sure the accuracies are, whether deployed and float differ in it, and how well each class is told.

Confidence intervals are Wilson's (J. Am. Stat. Assoc. 22, 1927): of k right answers out of n, with z = 1.96 for 95 %,
(k + z^2 / 2 +- z sqrt(k (n - k) / n + z^2 / 4)) / (n + z^2). Whether two networks differ on the same samples is
McNemar's exact test (Psychometrika 12, 1947): of the samples that only one of them gets right, how likely a fair coin
would split them at least as unevenly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asrc_core.counts import plural
from asrc_export.report.accuracy.answers import Confusion
from asrc_export.report.behaviour.stages import FLOAT
from asrc_export.report.part import Index, Part, SampleCount, Share
from asrc_export.report.table import MAX_ROWS, Table

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns

CONFIDENCE = 0.95
Z = 1.959963984540054
"""Of the normal distribution, at 95 % confidence on both sides."""
TITLES = {"float_mixture": "float, softmax mixture", "float": "float, hard-max spans", "deployed": "deployed integers"}


class Interval(Part):
    """Ends of a confidence interval."""

    low: Share
    high: Share


class Paired(Part):
    """Two networks on the same samples: which of them only one gets right, and whether that could be chance."""

    only_first: SampleCount = Field(description="Samples that only the first gets right.")
    only_second: SampleCount = Field(description="Samples that only the second gets right.")
    p: Share = Field(description="McNemar's exact test, both sides: how likely so uneven a split is by chance.")

    @property
    def told_apart(self) -> bool:
        """Whether the difference is more than these samples give by chance."""
        return self.p < 1 - CONFIDENCE


class ClassScore(Part):
    """One class. Of no samples, or of no answers, there is no such share: null."""

    label: Index
    name: str = Field(description="Its name where the data has names, else its number.")
    samples: SampleCount = Field(description="Samples of the class.")
    answered: SampleCount = Field(description="Times that it was the answer, deployed.")
    precision: Share | None = Field(description="Share of these answers that are right.")
    recall: Share | None = Field(description="Share of the class's samples that are found.")
    f1: Share | None = Field(description="Harmonic mean of precision and recall.")
    f1_float: Share | None = Field(description="The same of hard-max float.")


class Scores(Part):
    """Confidence and classes."""

    confidence: Share = Field(description="Of all intervals.")
    accuracy: dict[str, Interval] = Field(description="By network.")
    agreement: Interval
    deployed_against_float: Paired
    wrong: tuple[Index, ...] = Field(description="Samples that the deployed network gets wrong.")
    macro_f1: Share = Field(description="Mean F1 over the classes that have samples, deployed.")
    macro_f1_float: Share
    classes: tuple[ClassScore, ...]


def wilson(right: int, of: int) -> Interval:
    """The interval of a share, at 95 %."""
    middle, half = right + Z**2 / 2, Z * math.sqrt(right * (of - right) / of + Z**2 / 4)
    low, high = ((middle + sign * half) / (of + Z**2) for sign in (-1, 1))
    return Interval(low=max(0.0, low) if right else 0.0, high=min(1.0, high) if right < of else 1.0)


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Of two networks' right answers on the same samples."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    splits, tail = 1, 1  # ways to split n into k and the rest, from k = 0 on: exact, each from the one before
    for k in range(1, fewer + 1):
        splits = splits * (n - k + 1) // k
        tail += splits
    return Paired(only_first=only_first, only_second=only_second, p=min(1.0, 2 * tail / 2**n))


def of(runs: AblationRuns, confusion: Confusion, names: Sequence[str]) -> Scores:
    """From the runs and their confusion matrices; ``names`` are the classes', empty where they have none."""
    right = {name: predicted == runs.labels for name, predicted in runs.predictions.items()}
    count = len(runs.labels)
    agreeing = int((runs.predictions["float"] == runs.predictions["deployed"]).sum())
    mine, theirs = (_each_class(np.array(matrix)) for matrix in (confusion.deployed, confusion.in_float))
    classes = tuple(
        ClassScore(
            label=label,
            name=names[label] if names else str(label),
            samples=samples,
            answered=answered,
            precision=precision,
            recall=recall,
            f1=f1,
            f1_float=theirs[label][4],
        )
        for label, (samples, answered, precision, recall, f1) in enumerate(mine)
    )
    return Scores(
        confidence=CONFIDENCE,
        accuracy={name: wilson(int(right[name].sum()), count) for name in ("float_mixture", "float", "deployed")},
        agreement=wilson(agreeing, count),
        deployed_against_float=paired(right["deployed"], right["float"]),
        wrong=tuple(np.flatnonzero(~right["deployed"]).tolist()),
        macro_f1=_mean_f1(mine),
        macro_f1_float=_mean_f1(theirs),
        classes=classes,
    )


_Class = tuple[int, int, float | None, float | None, float | None]


def _each_class(matrix: NDArray[np.int64]) -> list[_Class]:
    """Samples, answers, precision, recall and F1 of each class, from a confusion matrix of labels by answers."""
    found: list[_Class] = []
    for label, right in enumerate(np.diag(matrix).tolist()):
        samples, answered = int(matrix[label].sum()), int(matrix[:, label].sum())
        f1 = 2 * right / (samples + answered) if samples + answered else None
        found.append(
            (samples, answered, right / answered if answered else None, right / samples if samples else None, f1)
        )
    return found


def _mean_f1(classes: Sequence[_Class]) -> float:
    """Over the classes that have samples, the same ones for every network: others say nothing of what is told apart."""
    known = [f1 for samples, _, _, _, f1 in classes if samples and f1 is not None]
    return sum(known) / len(known)


def accuracy_table(
    scores: Scores, accuracies: Mapping[str, float], samples: int, more: Sequence[tuple[str, ...]], *, mixture: bool
) -> Table:
    """Each network's accuracy with its interval; ``more`` are rows of other networks on the same samples.

    ``mixture``: whether the network was trained as one over lags, which then has a row.
    """
    in_float = "hard-max float" if mixture else FLOAT
    titles = TITLES if mixture else {"float": FLOAT, "deployed": TITLES["deployed"]}
    rows = [
        (titles[name], f"{accuracies[name]:.2%}", span(interval), f"{round(accuracies[name] * samples):,}")
        for name, interval in scores.accuracy.items()
        if name in titles
    ]
    return Table(
        "accuracy",
        "Accuracy",
        ("network", "accuracy", f"{scores.confidence:.0%} interval", f"right, of {samples:,}"),
        [*rows, *more],
        f"{difference(scores.deployed_against_float, 'deployed', in_float)} Intervals: Wilson's.",
    )


def difference(found: Paired, first: str, second: str) -> str:
    """Whether two networks differ in accuracy, in a sentence."""
    told = "differ in accuracy" if found.told_apart else "do not differ in accuracy by more than chance"
    return (
        f"On these samples {first} and {second} {told}: only {first} is right on {found.only_first:,} of them, only "
        f"{second} on {found.only_second:,} (McNemar's exact test, p = {found.p:.2g})."
    )


def span(interval: Interval) -> str:
    """Both ends."""
    return f"{interval.low:.1%} to {interval.high:.1%}"


def table(scores: Scores) -> Table:
    """Each class, or those that are told worst."""
    worst = sorted(scores.classes, key=lambda each: (each.f1 is None, each.f1 or 0))[:MAX_ROWS]
    shown = [each for each in scores.classes if each in worst]
    left = "" if len(shown) == len(scores.classes) else f" The {plural(len(shown), 'class')} of lowest F1 are listed."
    return Table(
        "scores",
        "Precision, recall and F1 by class",
        ("class", "samples", "precision", "recall", "F1", "F1, float"),
        [
            (each.name, f"{each.samples:,}", *map(_share, (each.precision, each.recall, each.f1, each.f1_float)))
            for each in shown
        ],
        f"Deployed; mean F1 over the classes that have samples {scores.macro_f1:.1%}, "
        f"float {scores.macro_f1_float:.1%}.{left}",
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
