"""A learned delay for every synapse, feed-forward and recurrent, on current-based neurons (`kernels.delays`).

    a[t] = sum_j W_ij x_j[t - d_ij] + sum_j U_ij s_j[t - e_ij]

d = round(D) steps in 0..max_delay, e = round(E) in 1..max_delay + 1, half to even; D and E are learned as floats.
`network.delay_network` is the network; nothing here runs step by step.
"""

from __future__ import annotations

from typing import NoReturn

from torch import nn

from asrc_core.counts import plural
from asrc_train.settings.config import NetworkConfig

NEURON = "cuba-lif"
LEFT_ALONE = ("batch_norm", "dropout", "rounding_noise", "sparsity", "shared_span")
OF_A_LAYER = ("neuron", "kernel_length", "span", "decay", "reset", "fires")

SETTINGS: tuple[str, ...] = ()


class OwnDelays(nn.Module):
    """What is asked of a connection without a network; what it learns is the network's."""

    each_step = False
    missing: str | None = None

    def taps(self, temperature: float | None) -> NoReturn:
        """There are none that a whole layer shares."""
        raise AssertionError("a network with a delay for each synapse has no taps")


def build(config: NetworkConfig, steps: int | None) -> OwnDelays:
    """Nothing that learns."""
    return OwnDelays()


def longest_span(config: NetworkConfig) -> int:
    """The longest delay that training may give a recurrent synapse, or any where there are none."""
    return config.max_delay + 1 if config.recurrent else config.max_delay


def most_taps(config: NetworkConfig) -> int:
    """One: a spike reaches each neuron once."""
    return 1


def why_not(config: NetworkConfig) -> str | None:
    """Other neurons, what these do not have, and delays that do not exist."""
    if config.neuron != NEURON:
        return f"connection: delays are learned for neuron '{NEURON}', not for '{config.neuron}'"
    if config.reset != "hard" or config.fires != "at":
        return "reset: with delays neurons fire at the threshold and are reset to 0, 'hard'"
    for name in LEFT_ALONE:
        default = NetworkConfig.model_fields[name].default
        if getattr(config, name) != default:
            off = "leave it away" if default is None else f"set it to {str(default).lower()}"
            return f"{name}: a network with a delay for each synapse has none; {off}"
    for name in OF_A_LAYER:
        if any(getattr(own, name) is not None for own in config.layers):
            return f"layers: with delays a layer has no {name} of its own"
    if config.delay_start > config.max_delay:
        return f"delay_start: delays would start beyond the longest, {plural(config.max_delay, 'step')} (max_delay)"
    if config.recurrent_delay_start > config.max_delay + 1:
        return f"recurrent_delay_start: delays would start beyond the longest, {config.max_delay + 1} (max_delay + 1)"
    return None


def title(config: NetworkConfig) -> str:
    """`delays up to 62`."""
    return f"delays up to {config.max_delay}"


def short_title(config: NetworkConfig) -> str:
    """`delays`."""
    return "delays"
