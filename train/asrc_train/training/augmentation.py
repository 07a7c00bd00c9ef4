"""More samples out of those there are, for events in time whose channels stand along an axis such as pitch
(Meszaros, Knight and Nowotny, Nature Communications 2025; Nowotny and others, arXiv 2212.01232), and for images.

shift: all events of a sample move by the same number of places, drawn from -reach to reach - 1; an image moves by as
many rows and as many columns, each drawn from -reach to reach.
blend: of two samples of a class both move half-way, in time and in place, so that their means meet; of their events
each is kept with probability 1/2.
What moves beyond an end is dropped, and what comes to lie on another event counts once. An event is what differs from
the value that stands for zero, and where none is left that value is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def shifted(x: Tensor, reach: int, of_place: int = 1, zero: int = 0) -> Tensor:
    """Samples (B, T, channels) of small integers, each shifted; ``of_place`` channels next to each other move as one.

    Draws from PyTorch's generator.
    """
    if not reach:
        return x
    made = torch.full_like(x, zero)
    for i, by in enumerate(torch.randint(-reach, reach, (len(x),)).tolist()):
        _put(made[i], x[i], 0, by * of_place, zero)
    return made


def shifted_images(x: Tensor, reach: int, image: tuple[int, int], order: Tensor | None = None, zero: int = 0) -> Tensor:
    """Samples (B, rows * columns, channels) whose steps scan an image of ``image`` rows and columns, each moved.

    Zeros come in where the image leaves. ``order``: step t is the pixel of that number, if they are not scanned row by
    row. Draws from PyTorch's generator.
    """
    rows, columns = image
    scanned = x if order is None else x[:, order.argsort()]
    framed = pad(scanned.reshape(len(x), rows, columns, -1), (0, 0, reach, reach, reach, reach), value=zero)
    down, right = torch.randint(0, 2 * reach + 1, (2, len(x), 1), device=x.device)
    row = down + torch.arange(rows, device=x.device)
    column = right + torch.arange(columns, device=x.device)
    sample = torch.arange(len(x), device=x.device)
    moved = framed[sample[:, None, None], row[:, :, None], column[:, None, :]].flatten(1, 2)
    return moved if order is None else moved[:, order]


def blended(
    x: Tensor, labels: Tensor, share: float, pool: Tensor, of_class: Tensor, of_place: int = 1, zero: int = 0
) -> Tensor:
    """Samples (B, T, channels) of which each, with probability ``share``, is blended with one of its class.

    The other one is drawn from ``pool`` (n, T, channels), whose classes are ``of_class``, by PyTorch's generator.
    """
    chosen = (torch.rand(len(x)) < share).nonzero().flatten().tolist()
    if not chosen:
        return x
    made = x.clone()
    for i in chosen:
        alike = (of_class == labels[i]).nonzero().flatten()
        other = pool[alike[int(torch.randint(len(alike), ()))]]
        made[i] = _blend(x[i], other, of_place, zero)
    return made


def _blend(first: Tensor, second: Tensor, of_place: int, zero: int) -> Tensor:
    means = [_mean(each, of_place, zero) for each in (first, second)]
    made = torch.full_like(first, zero)
    for each, own in zip((first, second), means, strict=True):
        by = ((sum(means) / 2) - own).round().long().tolist()
        kept = each.masked_fill(torch.rand(each.shape, device=each.device) >= 0.5, zero)
        _put(made, kept, int(by[0]), int(by[1]) * of_place, zero)
    return made


def _mean(sample: Tensor, of_place: int, zero: int) -> Tensor:
    """Mean step and mean place of a sample's events; 0 of none."""
    events = (sample != zero).nonzero()
    if not len(events):
        return torch.zeros(2)
    step, channel = events.T
    return torch.stack([step.double().mean(), (channel // of_place).double().mean()]).cpu().float()


def _put(into: Tensor, sample: Tensor, later: int, higher: int, zero: int) -> None:
    """Lay a sample (T, channels) on another, moved by steps and channels; of two values the further from zero stays."""
    step, channel = at = (sample != zero).nonzero(as_tuple=True)
    values = sample[at]
    step, channel = step + later, channel + higher
    inside = (step >= 0) & (step < into.shape[0]) & (channel >= 0) & (channel < into.shape[1])
    at = step[inside], channel[inside]
    there, new = into[at], values[inside]
    into[at] = torch.where((new.int() - zero).abs() > (there.int() - zero).abs(), new, there)
