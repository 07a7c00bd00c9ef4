"""Layers step by step in plain torch operations: any neuron and any taps, differentiated by PyTorch.

For what the kernels do not know. All that can be done for several steps at once is: the feed-forward current for all of
them, what comes back over a span for as many steps as it spans, what a mixture takes from before a block for the block.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from asrc_core.counts import plural
from asrc_core.errors import InvalidData
from asrc_train.kernels.layer import SkipLayer, current, require_finite, require_valid
from asrc_train.network.neurons.neuron import Neuron

BLOCK = 16
"""Steps for which a mixture's older part is one matrix product."""


def stepped_recurrence(x: Tensor, layer: SkipLayer, neuron: Neuron) -> Tensor:
    """Spikes (T, B, N) of one layer of ``neuron``, for input (T, B, I), or its current (T, B, N) if it has no weight.

        s[t], state = step(state, g * (W x[t] + b) + U r[t])       step: the neuron's
        r[t] = s[t-taps]                                 taps: a span
        r[t] = sum_{k=1..K} taps[k-1] s[t-k]               taps: mixture weights, (K,)
        r[t] = sum_{k=1..K} taps[t, k-1] s[t-k]            taps: mixture weights of each step, (at least T, K)

    The layer's dynamics are not looked at. Raises InvalidData and InvalidSetting for what does not fit.
    """
    taps = layer.taps
    each_step = isinstance(taps, Tensor) and taps.dim() == 2
    require_valid(x, (layer._replace(taps=1) if each_step else layer,))
    if isinstance(taps, Tensor) and each_step and len(taps) < len(x):
        why = f"it has more than the {plural(len(taps), 'step')} for which spans were learned"
        raise InvalidData("input x", why, "give fewer")
    with torch.autocast(x.device.type, enabled=False):  # what a spike hangs on is not computed in half precision
        driven = current(x, layer)
        require_finite("input x, or the current it makes,", driven)
        if not isinstance(taps, Tensor):
            return _over_span(driven, layer.recurrent, taps, neuron)
        return _over_mixtures(driven, layer.recurrent, taps if each_step else taps.expand(len(x), -1), neuron)


def _over_span(driven: Tensor, recurrent: Tensor, span: int, neuron: Neuron) -> Tensor:
    """``span`` steps take only spikes from before them, so they share a product."""
    state, step = neuron.begin(driven[0])
    s: list[Tensor] = []
    # Split once: a slice would have a gradient as long as all of `driven`, and their sum would grow with T squared.
    for begin, block in zip(range(0, len(driven), span), torch.split(driven, span), strict=True):
        if begin:
            block = block + functional.linear(torch.stack(s[begin - span : begin - span + len(block)]), recurrent)
        for now in block.unbind():
            spikes, state = step(state, now)
            s.append(spikes)
    return torch.stack(s)


def _over_mixtures(driven: Tensor, recurrent: Tensor, mixtures: Tensor, neuron: Neuron) -> Tensor:
    """mixtures: (at least T, K). A step takes spikes from before its block, and of those since, in two products."""
    state, step = neuron.begin(driven[0])
    reach, shape = mixtures.shape[1], driven.shape[1:]
    s = [torch.zeros_like(driven[0])] * reach  # silence before the first step; s[t] stands at reach + t
    blocks = torch.split(driven, BLOCK)  # once, as above
    for weights, block in zip(torch.split(mixtures[: len(driven)], BLOCK), blocks, strict=True):
        older, within = _weights_by_age(weights)
        recalled = (older @ torch.stack(s[-reach:]).flatten(1)).view(-1, *shape)
        for i, (now, old) in enumerate(zip(block.unbind(), recalled.unbind(), strict=True)):
            if i:
                near = torch.stack(s[-i:]).flatten(1)
                old = old + (within[i, :i] @ near).view(shape)
            spikes, state = step(state, now + functional.linear(old, recurrent))
            s.append(spikes)
    return torch.stack(s[reach:])


def _weights_by_age(mixtures: Tensor) -> tuple[Tensor, Tensor]:
    """Of a block's steps (width, K): weights of the K steps before it, and of its own, each (step, oldest first).

    Row i of the mixtures, newest last, moved i places to the right, lies over both.
    """
    width, reach = mixtures.shape
    laid = torch.stack([functional.pad(row.flip(0), (i, width - i)) for i, row in enumerate(mixtures.unbind())])
    return laid[:, :reach], laid[:, reach:]
