"""What changes from epoch to epoch: the mixture's temperature, the learning rate, Adam's momentum."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from asrc_core.counts import plural
from asrc_train.settings.config import Config


def temperature_in(config: Config, epoch: int) -> float:
    """Tau of an epoch, counted from 0: multiplied by the annealing factor after each one."""
    return float(config.training.temperature * config.training.annealing**epoch)


def seed_in(config: Config, epoch: int) -> int:
    """Of the draws of an epoch, counted from 0: a resumed training draws what an uninterrupted one would have."""
    return (config.training.seed << 20) + epoch


WARM = 0.1
"""Share of its first temperature above which a training's last epoch is warm."""


def note_on_temperature(config: Config) -> str | None:
    """What is to be said of a training of spans that ends so warm that a mixture may be far from one span; None if
    nothing.
    """
    last = temperature_in(config, config.training.epochs - 1)
    if last <= WARM * config.training.temperature:
        return None
    epochs = config.training.epochs
    return (
        f"the last of {plural(epochs, 'epoch')} has the temperature {last:.2g}: mixtures may answer what "
        "one span a layer "
        f"does not; train longer, or anneal faster (training.annealing, now {config.training.annealing:.3g})"
    )


def learning_rate_and_momentum(config: Config, epochs: float) -> tuple[float, float]:
    """Learning rate and Adam's first beta after a (fractional) number of epochs.

    constant: as configured, and 0.9. cosine: the rate ends at a hundredth. one-cycle (Smith and Topin,
    "Super-Convergence", 2018, with the defaults of PyTorch's OneCycleLR): half cosines from rate / 25 up to the rate
    over the first 30 % of the epochs, then down to rate / 250,000; beta goes the other way, from 0.95 to 0.85 and back.
    In all of them the rate is also multiplied by learning_rate_annealing after each whole epoch.
    """
    rate, momentum = _scheduled(config, epochs)
    return rate * config.training.learning_rate_annealing ** int(epochs), momentum


def set_rates(optimizer: Optimizer, config: Config, epochs: float) -> float:
    """Give each group its momentum and learning rate, times its "factor" if it has one; returns the rate without."""
    rate, momentum = learning_rate_and_momentum(config, epochs)
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = rate * group.get("factor", 1.0), (momentum, group["betas"][1])
    return rate


def _scheduled(config: Config, epochs: float) -> tuple[float, float]:
    training = config.training
    highest, done = training.learning_rate, epochs / training.epochs
    if training.schedule == "constant":
        return highest, 0.9
    if training.schedule == "cosine":
        return _half_cosine(highest, highest / 100, done), 0.9
    rising = 0.3
    if done < rising:
        return _half_cosine(highest / 25, highest, done / rising), _half_cosine(0.95, 0.85, done / rising)
    falling = (done - rising) / (1 - rising)
    return _half_cosine(highest, highest / 250_000, falling), _half_cosine(0.85, 0.95, falling)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
