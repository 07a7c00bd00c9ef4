"""State-space layers that learn on their integers: these run, and the float layers pass the gradient.

Forward, the integer network that the parameters stand for runs in an engine, spike for spike. Backward, each layer is
the float one on what the integer layers before it sent, its weights on their grid: every rounding counts as if it were
not there (straight-through), those of poles, read-outs and states, too. So poles, time steps, read-outs and windows
learn, at their own rates, and no gradient is taken through the steps one by one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from asrc_core.contract.network import IntegerNetwork
from asrc_export.engines import select
from asrc_train.gradients.straight_through import straight_through
from asrc_train.kernels.state_space.run import state_space_spikes
from asrc_train.network.state_space.layer import StateSpaceLayer


def exact_spikes(network: IntegerNetwork, x: Tensor) -> list[Tensor]:
    """What each layer of the network sends, (T, B, N), on whole numbers (T, B, channels). Raises InvalidData."""
    samples = np.ascontiguousarray(x.detach().cpu().numpy().transpose(1, 0, 2)).astype(np.int64)
    trace = select.engine(network=network).run(network, samples, trace=True).trace
    assert trace is not None, "it was asked for"
    return [torch.from_numpy(layer.spikes).to(x.device) for layer in trace.layers]


def passed(layer: StateSpaceLayer, x: Tensor, weight: Tensor, exact: Tensor) -> Tensor:
    """The exact spikes, with the gradient of the float layer's on what it hears, (T, B, I); ``weight`` takes the place
    of its W.
    """
    like = layer.feedforward.bias
    exact = exact.to(like.dtype)
    if not torch.is_grad_enabled():
        return exact
    current = torch.nn.functional.linear(x.to(like.dtype), weight.to(like.dtype), like)
    return straight_through(state_space_spikes(current, layer.neuron.resonators(), layer.where), exact)
