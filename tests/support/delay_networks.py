"""Small float networks with a delay for each synapse, as checkpoints that no training made."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip import targets
from asrc_export.quantization.quantize import quantize
from asrc_train import data
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.settings.config import validated
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze


def delay_checkpoint(seed: int = 0, *, dt: float = 1.0, **network: Any) -> Checkpoint:
    """On Yin-Yang in steps of dt: 12 neurons, delays of up to 20 steps, weights with which about half of them fire."""
    torch.manual_seed(seed)
    given = {
        "neuron": "cuba-lif",
        "connection": "delays",
        "hidden": [12],
        "dt": dt,
        "max_delay": 20,
        "delay_start": 12,
        "recurrent_delay_start": 12,
        "input_weights": [2.0, 1.0],
        "recurrent_weights": [0.0, 0.2],
        "readout_weights": [0.5, 0.5],
        **network,
    }
    config = validated({"data": {"name": "yin-yang"}, "network": given}, "test")
    shape = data.shape("yin-yang", dt)
    made = DelayNetwork(shape.channels, shape.classes, config.network, shape.steps)
    return Checkpoint(
        config=config,
        channels=shape.channels,
        classes=shape.classes,
        steps=shape.steps,
        scale=shape.scale,
        maximum=shape.maximum,
        spans=tuple(made.spans),
        temperature=1.0,
        tensors=made.state_dict(),
        permutation=None,
        history=[],
        scores={},
        provenance={},
    )


@cache
def deployed(**network: Any) -> IntegerNetwork:
    """`delay_checkpoint` with these settings, rounded to 8 bits for loihi2; made once, for no test changes it."""
    return quantize(freeze(delay_checkpoint(**network)), targets.load("loihi2")).network
