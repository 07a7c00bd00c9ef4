"""What the networks answer: accuracy, how often deployed and float agree, which classes are confused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asrc_core.counts import agreeing, plural
from asrc_export.report.part import Part, SampleCount, Share
from asrc_export.report.table import MAX_ROWS, Table
from asrc_train.data.dataset import Labels

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns


class Accuracy(Part):
    """Share of samples answered correctly."""

    float_mixture: Share = Field(description="Float network, softmax mixture over lags.")
    in_float: Share = Field(alias="float", description="Float network, hard-max spans.")
    deployed: Share = Field(description="The integer network.")


class Confusion(Part):
    """Samples by label (row) and answer (column)."""

    in_float: tuple[tuple[SampleCount, ...], ...] = Field(alias="float", description="Float network, hard-max spans.")
    deployed: tuple[tuple[SampleCount, ...], ...] = Field(description="The integer network.")


def accuracy(runs: AblationRuns) -> Accuracy:
    """The three networks' accuracy."""
    of = {stage.name: stage.accuracy for stage in runs.stages}
    return Accuracy(float_mixture=of["float_mixture"], in_float=of["float"], deployed=of["deployed"])


def agreement(runs: AblationRuns) -> float:
    """Share of samples on which deployed and hard-max float give the same answer, right or wrong."""
    return float((runs.predictions["float"] == runs.predictions["deployed"]).mean())


def disagreeing_samples(runs: AblationRuns) -> tuple[int, ...]:
    """Indices of the samples on which they do not."""
    return tuple(np.flatnonzero(runs.predictions["float"] != runs.predictions["deployed"]).tolist())


def confusion(runs: AblationRuns, classes: int) -> Confusion:
    """Both networks' answers, counted by label."""
    in_float, deployed = (
        _counted(runs.labels, answers, classes) for answers in (runs.predictions["float"], runs.predictions["deployed"])
    )
    return Confusion(in_float=in_float, deployed=deployed)


def _counted(labels: Labels, predictions: Labels, classes: int) -> tuple[tuple[int, ...], ...]:
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return tuple(tuple(row) for row in matrix.tolist())


def table(confusion: Confusion, samples: int, names: Sequence[str]) -> Table:
    """The most frequent wrong answers."""
    pairs = [
        (count, label, answer, confusion.in_float[label][answer])
        for label, row in enumerate(confusion.deployed)
        for answer, count in enumerate(row)
        if label != answer and count
    ]
    most = sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))[:MAX_ROWS]
    wrong = sum(pair[0] for pair in pairs)
    shown = "" if len(most) == len(pairs) else f" The {len(most)} most frequent of {len(pairs)} kinds are listed."
    return Table(
        "confusion",
        "Confusion matrix: the most frequent wrong answers",
        ("class", "answered", "times, deployed", "times, float"),
        [(names[label], names[answer], count, in_float) for count, label, answer, in_float in most],
        f"Deployed, {wrong:,} of {plural(samples, 'sample')} {agreeing(wrong, 'gets', 'get')} a wrong answer.{shown}",
    )
