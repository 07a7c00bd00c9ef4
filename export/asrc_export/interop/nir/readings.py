"""How each framework steps the neurons that its NIR files hold: one row a framework, and the rules for time constants.

NIR states differential equations and no step. What a framework computes instead, and does not write down, is a row of
`FRAMEWORKS`: what it takes for a step, how a time constant becomes a decay factor, what a spike does to the membrane,
and whether a membrane that equals the threshold fires. docs/interop.md shows the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from asrc_core.contract.numbers import Fires, Reset
from asrc_train.trained.frozen import Floats

Integration = Literal["euler", "exact", "rockpool", "spyx"]
Answer = Literal["sum", "last", "maximum"]
"""What of a leaky readout's membrane over time is the logits."""


@dataclass(frozen=True)
class Rule:
    """What becomes of a time constant tau at a step dt, x = dt / tau: u = kept(x) v + gain(x, r) I + (1 - kept) v_leak.

    ``said`` is kept(x) in words. Only a rule of ``any_step`` holds for steps longer than tau.
    """

    kept: Callable[[Floats], Floats]
    gain: Callable[[Floats, Floats], Floats]
    said: str
    any_step: bool


def _euler(x: Floats) -> Floats:
    return 1 - x


def _exact(x: Floats) -> Floats:
    decayed: Floats = np.exp(-x)
    return decayed


def _without_decay(x: Floats, r: Floats) -> Floats:
    """Gain r / (1 - x): 1 where r is the decay factor; nothing is kept and nothing scaled where both are 0."""
    kept = _euler(x)
    return np.where(kept > 0, r / np.where(kept > 0, kept, 1), 1.0)


RULES: Mapping[Integration, Rule] = {
    "euler": Rule(_euler, lambda x, r: x * r, "1 - dt/tau", any_step=False),
    "exact": Rule(_exact, lambda x, r: -np.expm1(-x) * r, "exp(-dt/tau)", any_step=True),
    "rockpool": Rule(_exact, lambda x, r: x * np.exp(x) * r, "exp(-dt/tau)", any_step=True),
    "spyx": Rule(_euler, _without_decay, "1 - dt/tau", any_step=False),
}
"""By name. Rockpool writes r = (tau/dt) exp(-dt/tau) and spyx r = 1 - dt/tau for inputs that they do not scale."""


@dataclass(frozen=True)
class Framework:
    """One framework's row; ``unsaid`` is what its files leave out, a whole sentence.

    ``dt`` is in the unit of its files' time constants, None if it must be told. An integrate-and-fire neuron's input is
    multiplied by r and, where ``steps_if``, by the step. ``source`` says where the row was read or tried.
    """

    title: str
    version: str
    dt: float | None
    integration: Integration
    reset: Reset
    fires: Fires
    source: str
    steps_if: bool = True
    unsaid: str = ""


FRAMEWORKS: Mapping[str, Framework] = {
    "snntorch": Framework(
        "snnTorch",
        "1.0.0",
        1e-4,
        "euler",
        "soft",
        "above",
        "snntorch/export_nir.py; networks of it in our tests",
        unsaid="snnTorch's reset comes a step later unless trained with reset_delay=False, which the file does not "
        "say; `reset='hard'` if trained with reset_mechanism='zero'",
    ),
    "norse": Framework(
        "Norse",
        "1.1.0",
        1e-6,
        "euler",
        "hard",
        "above",
        "norse/torch/utils/export_nir.py; networks of it in our tests",
        steps_if=False,
        unsaid="Norse's membranes start at v_leak, ours where they are reset to",
    ),
    "sinabs": Framework(
        "Sinabs",
        "3.1.3",
        1.0,
        "exact",
        "soft",
        "at",
        "sinabs/nir.py; issue reports with 3.1.3",
        unsaid="Sinabs keeps membranes above min_v_mem (from_model: -threshold), may send several spikes a step and "
        "has neurons with norm_input=False, all of which the file does not say and this network does not do",
    ),
    "rockpool": Framework(
        "Rockpool",
        "3.1.0",
        1e-3,
        "rockpool",
        "soft",
        "at",
        "rockpool/nn/modules/torch/nir.py; issue reports with 3.1.0",
        unsaid="Rockpool may send several spikes a step, ours one; it writes no bias of neurons",
    ),
    "spikingjelly": Framework(
        "SpikingJelly",
        "2.0.0",
        1e-4,
        "euler",
        "hard",
        "at",
        "activation_based/nir_exchange/to_nir.py; issue reports with 2.0.0",
        unsaid="`reset='soft'` if trained with v_reset=None, which the file writes as 0",
    ),
    "spyx": Framework(
        "spyx",
        "1.0.0",
        1.0,
        "spyx",
        "soft",
        "above",
        "src/spyx/nir.py and nn.py of 1.0.0",
        unsaid="spyx fires a step later, and its reset of a leaky neuron subtracts the threshold after the decay, so "
        "only integrate-and-fire neurons are spike for spike the same",
    ),
    "lava-dl": Framework(
        "lava-dl",
        "0.6.0",
        None,
        "euler",
        "hard",
        "at",
        "lava/lib/dl/slayer/spike; lava-dl writes netx files, NIR by converters only",
    ),
}
"""By the name that `written_by` takes."""

_SAID_UNDER = ("written_by", "framework", "exporter", "generator", "tool", "source", "model_name")


def found_in(metadata: Mapping[str, Any]) -> str | None:
    """The framework that a graph's metadata name, if they do and name one alone."""
    texts = (metadata.get(key) for key in _SAID_UNDER)
    said = " ".join(_plain(text) for text in texts if isinstance(text, str | bytes))
    found = [name for name in FRAMEWORKS if _plain(name) in said]
    return found[0] if len(found) == 1 else None


def _plain(text: str | bytes) -> str:
    words = text.decode("utf8", "replace") if isinstance(text, bytes) else text
    return words[:1000].lower().replace("-", "").replace("_", "").replace(" ", "")
