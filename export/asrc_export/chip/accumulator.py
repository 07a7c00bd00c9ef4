"""The register in which a chip's neuron adds up a step's synaptic input, shifted to the membrane's scale."""

from __future__ import annotations

import numpy as np

from asrc_core.contract.network import Layer


def activation_shift(layer: Layer) -> int:
    """The most places by which a neuron of the layer shifts the sum of its connections; 0 of a kind that does not."""
    return int(np.max(layer.neuron.parameters.get("activation_shift", 0)))
