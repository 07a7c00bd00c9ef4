"""Dense float networks of as many parameters, trained on the same samples with the same budget, and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from asrc_export.report.accuracy import scores
from asrc_export.report.accuracy.scores import Interval, Paired
from asrc_export.report.part import Count, Index, NeuronCount, Part, Seconds, Share, Unit
from asrc_export.report.table import Table
from asrc_train.data.dataset import Samples

if TYPE_CHECKING:  # they load torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns
    from asrc_train.baselines.fit import Fitted

ParameterCount = Annotated[int, Field(ge=0), Unit("parameter")]


class Baseline(Part):
    """One of them."""

    kind: Literal["gru", "rnn"]
    title: str
    layers: Count
    width: NeuronCount = Field(description="Neurons of each layer.")
    parameters: ParameterCount
    parameters_spiking: ParameterCount = Field(description="Of the spiking network, its spans left out.")
    epochs: Count = Field(description="That it was trained for.")
    best_epoch: Index = Field(description="The one it was taken from, by validation, counted from 1.")
    seconds: Seconds = Field(description="Of training, on this machine.")
    accuracy: Share = Field(description="On the report's test samples.")
    interval: Interval
    deployed_against_it: Paired


def of(fitted: Fitted, spiking: int, runs: AblationRuns, x: Samples) -> Baseline:
    """A trained one on the report's samples (n, T, channels); ``spiking`` counts the other network's parameters."""
    from asrc_train.baselines.recurrent import TITLES

    right = np.asarray(fitted.predictions(x) == runs.labels)
    return Baseline(
        kind=fitted.kind,
        title=TITLES[fitted.kind],
        layers=fitted.layers,
        width=fitted.width,
        parameters=fitted.parameters,
        parameters_spiking=spiking,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        seconds=fitted.seconds,
        accuracy=float(right.mean()),
        interval=scores.wilson(int(right.sum()), len(right)),
        deployed_against_it=scores.paired(runs.predictions["deployed"] == runs.labels, right),
    )


def rows(found: Sequence[Baseline], samples: int) -> list[tuple[str, ...]]:
    """As rows of the table of accuracies."""
    return [
        (each.title, f"{each.accuracy:.2%}", scores.span(each.interval), f"{round(each.accuracy * samples):,}")
        for each in found
    ]


def tables(found: Sequence[Baseline]) -> Iterator[Table]:
    """How they were made, and whether the deployed network differs from them."""
    if not found:
        return
    told = [scores.difference(each.deployed_against_it, "deployed", f"the {each.title}") for each in found]
    yield Table(
        "baselines",
        "Against dense float networks of as many parameters",
        ("network", "accuracy", "layers", "neurons", "parameters", "spiking", "epochs", "best", "minutes"),
        [
            (
                each.title,
                f"{each.accuracy:.2%}",
                each.layers,
                each.width,
                f"{each.parameters:,}",
                f"{each.parameters_spiking:,}",
                each.epochs,
                each.best_epoch,
                f"{each.seconds / 60:.1f}",
            )
            for each in found
        ],
        " ".join(told) + " Trained here on the same samples with the same batches, schedule and seed, for the epochs "
        "in the table (by default those of the spiking network), from one seed only; spans do not count as parameters.",
    )
