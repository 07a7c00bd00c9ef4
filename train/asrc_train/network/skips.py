"""Which layers a layer hears: the one before it, and with skips the one before that, its spikes beside the others'.

    x_i[t] = (s_{i-1}[t], s_{i-2}[t])

So a layer has weights of its own for each of the two, and a chip sends them spikes only: what is passed on beside a
layer is concatenated, not added to a membrane (residual networks do that with numbers, which would be dense messages).
The samples themselves are not passed on: next to spikes their numbers are large, and the weights of both would have to
share an exponent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Skips = Literal["none", "concat"]
LEAST_LAYERS = 3
"""Below, there is no layer to pass by."""


def heard(skips: Skips, i: int) -> tuple[int, ...]:
    """Places of what layer i hears, the nearest first; -1 is the input."""
    return (i - 1, i - 2) if skips == "concat" and i >= 2 else (i - 1,)


def fan_in(skips: Skips, i: int, channels: int, widths: Sequence[int]) -> int:
    """How many channels or neurons that is, in a network of such widths."""
    return sum(channels if place < 0 else widths[place] for place in heard(skips, i))


def beside(skips: Skips, x: Tensor, sent: Sequence[Tensor]) -> Tensor:
    """What the next layer hears, (T, B, I): ``x`` is the input, ``sent`` what the layers so far sent."""
    import torch  # here only: recipes are checked, and their sizes known, without it

    parts = [x if place < 0 else sent[place] for place in heard(skips, len(sent))]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
