"""Inactive neurons: silent, always firing, the same on every sample; before export and after, with advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints
from asrc_core.contract.tally import steps_not_zero
from asrc_core.counts import agreeing, plural

Kind = Literal["dead-layer", "silent", "nearly-silent", "always-firing", "nearly-always-firing", "constant"]
RARE = 0.001
"""Nearly silent: fewer spikes than in this share of the steps. Nearly always firing: fewer steps without one."""
LISTED = 8
"""At most so many neurons are named."""


@dataclass(frozen=True, eq=False)
class Firing:
    """One layer's spikes on samples: of each neuron (N,) in all, and the least and the most of one sample.

    What a neuron of a kind that sends numbers sends counts where it is not 0.
    """

    name: str
    samples: int
    steps: int
    total: Ints
    least: Ints
    most: Ints
    graded: bool = False
    """Whether more than 0 and 1 was sent: how often is then not how much, so only silence counts."""

    def of(self, kind: Kind) -> NDArray[np.bool_]:
        """Which neurons are of that kind, (N,). No neuron is of two; in a dead layer all are."""
        every, rate = self.samples * self.steps, self.total / (self.samples * self.steps)
        silent, always = self.total == 0, (self.total == every) & (not self.graded)
        rare, often = ~silent & (rate < RARE), ~always & (rate > 1 - RARE) & (not self.graded)
        alike = (self.least == self.most) & (self.samples > 1) & (not self.graded)
        constant = ~(silent | always | rare | often) & alike
        masks: dict[Kind, NDArray[np.bool_]] = {
            "dead-layer": silent & silent.all(),
            "silent": silent & ~silent.all(),
            "nearly-silent": rare,
            "always-firing": always,
            "nearly-always-firing": often,
            "constant": constant,
        }
        return masks[kind]


@dataclass(frozen=True)
class Finding:
    """Inactive neurons of a layer: how many before export (None: not known) and after, and what to do."""

    layer: str
    kind: Kind
    neurons: tuple[int, ...]
    """After export."""
    before: int | None
    after: int
    of: int
    advice: str

    @property
    def serious(self) -> bool:
        """Whether the network cannot do its work: nothing gets through the layer."""
        return self.kind == "dead-layer" and self.after == self.of

    def __str__(self) -> str:
        counted = f"{self.after} of {plural(self.of, 'neuron')}" if not self.serious else "all neurons"
        before = "" if self.before is None else f" ({self.before} before export)"
        named = ", ".join(map(str, self.neurons[:LISTED])) + (", ..." if len(self.neurons) > LISTED else "")
        which = f": {named}" if self.neurons and not self.serious else ""
        said = SAID[self.kind]
        does = said if self.serious else agreeing(self.after, said.replace("fire", "fires", 1), said)
        return f"layer '{self.layer}': {counted} {does}{before}{which}; {self.advice}"


SAID: dict[Kind, str] = {
    "dead-layer": "never fire, the layer is dead",
    "silent": "never fire",
    "nearly-silent": f"fire in fewer than {RARE:.1%} of all steps",
    "always-firing": "fire at every step",
    "nearly-always-firing": f"fire in more than {1 - RARE:.1%} of all steps",
    "constant": "fire equally often in every sample",
}
_ROUNDED = "rounding did that: use more `bits`, or `finetune`"
ADVICE: dict[Kind, str] = {
    "dead-layer": "nothing reaches the layers after it, so the answer does not depend on the input; train longer, with "
    "a higher `learning_rate` or a lower threshold, or start from another `seed`",
    "silent": "such neurons cost storage and do nothing; train with fewer `hidden` neurons, or a lower threshold",
    "nearly-silent": "such neurons hardly matter; fewer `hidden` neurons may do",
    "always-firing": "such neurons act as a bias; train with a higher threshold, more weight decay, or fewer `hidden` "
    "neurons",
    "nearly-always-firing": "such neurons act almost as a bias; a higher threshold makes them count",
    "constant": "such counts tell samples apart no better than a bias; when such neurons fire may still matter",
}
"""What to do, by what was found; a sentence's second half."""


def of_spikes(name: str, spikes: NDArray[np.generic]) -> Firing:
    """From what one layer sends, (T, B, N): zeros and ones, or whole numbers."""
    per_sample = steps_not_zero(spikes)  # (B, N)
    steps, samples, _ = spikes.shape
    total, least, most = per_sample.sum(0), per_sample.min(0), per_sample.max(0)
    graded = bool(spikes.size) and bool(spikes.min() < 0 or spikes.max() > 1)
    return Firing(name, samples, steps, total, least, most, graded)


def joined(parts: Sequence[Firing]) -> Firing:
    """The same layer on several batches."""
    first = parts[0]
    return Firing(
        first.name,
        sum(part.samples for part in parts),
        first.steps,
        np.sum([part.total for part in parts], axis=0),
        np.min([part.least for part in parts], axis=0),
        np.max([part.most for part in parts], axis=0),
        any(part.graded for part in parts),
    )


def findings(after: Sequence[Firing], before: Sequence[Firing] | None = None) -> list[Finding]:
    """What is worth knowing of the layers deployed, beside the float ones (the same layers in the same order).

    Dead layers come first.
    """
    found = [each for i, layer in enumerate(after) for each in _of_layer(layer, before[i] if before else None)]
    return sorted(found, key=lambda each: not each.serious)


def _of_layer(after: Firing, before: Firing | None) -> Iterator[Finding]:
    dead = bool(after.of("dead-layer").any())
    for kind, advice in ADVICE.items():
        if dead and kind == "silent":
            continue  # all are, which is told already
        now = np.flatnonzero(after.of(kind))
        then = None if before is None else np.flatnonzero(before.of(kind))
        if dead and kind == "dead-layer" and before is not None:
            then = np.flatnonzero(before.total == 0)
        if len(now) == 0 and (then is None or len(then) == 0):
            continue
        if then is not None and len(then) < len(now) / 2:
            advice = _ROUNDED if kind in ("silent", "dead-layer", "always-firing") else advice
        elif len(now) == 0:
            advice = "none of them after export"
        count = None if then is None else len(then)
        yield Finding(after.name, kind, tuple(now.tolist()), count, len(now), len(after.total), advice)
