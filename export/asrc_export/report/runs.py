"""Both networks on the same samples: what every number about answers and events rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result
from asrc_export.engines.select import Run
from asrc_train.data.dataset import Labels, Samples

if TYPE_CHECKING:  # they load torch, which drawing a report from its JSON does not need
    from asrc_train.trained.checkpoint import Checkpoint
    from asrc_train.training.evaluate import Evaluation


@dataclass(frozen=True, eq=False)
class Runs:
    """Labels (n,), and what three networks make of the samples: the trained one with its recurrence a softmax mixture
    over lags, the same with each mixture frozen to its span (hard-max), and the integer network.
    """

    labels: Labels
    float_mixture: Evaluation
    in_float: Evaluation
    deployed: Result


def run(network: IntegerNetwork, trained: Checkpoint, x: Samples, y: Labels, scale: float, engine: Run) -> Runs:
    """Run samples (n, T, channels) with labels (n,) through all three. Raises InvalidData if they do not fit."""
    from asrc_train.training.evaluate import evaluate

    deployed, model = engine(network, x), trained.network()
    mixture = evaluate(model, x, scale, temperature=trained.temperature)
    return Runs(y, mixture, evaluate(model, x, scale), deployed)
