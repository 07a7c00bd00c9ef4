"""How each framework steps the neurons that its NIR files hold: one row a framework, and the rules for time constants.

NIR states differential equations and no step. What a framework computes instead, and does not write down, is a row of
`FRAMEWORKS`: what it takes for a step, how a time constant becomes a decay factor, what a spike does to the membrane,
and whether a membrane that equals the threshold fires. docs/interop.md shows the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from asrc_core.contract.numbers import Fires

if TYPE_CHECKING:  # it loads torch, which naming the frameworks does not need
    from asrc_train.trained.frozen import Floats

Integration = Literal["euler", "exact", "rockpool", "spyx"]
Reset = Literal["soft", "hard", "late"]
"""Late: the threshold is subtracted a step after the spike, from a membrane that has decayed."""
Jump = Literal["share", "whole", "decayed"]
"""What a spike adds to a current that lasts: its share k w_in, w_in itself, or w_in of which a step has decayed."""
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
    multiplied by r and, where ``steps_if``, by the step. ``jump``: what a spike adds to a current that lasts. ``late``:
    by how many steps its neurons fire later than their membranes say. ``lasting_reset`` is that of neurons with such a
    current, where it is another. ``misled``: recurrent layers are written as if their input passed the recurrent
    weights, which it does not. ``source`` says where the row was read or tried.
    """

    title: str
    version: str
    dt: float | None
    integration: Integration
    reset: Reset
    fires: Fires
    source: str
    steps_if: bool = True
    jump: Jump = "share"
    late: int = 0
    lasting_reset: Reset | None = None
    misled: bool = False
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
        "say: `reset='late'` for it; `reset='hard'` if trained with reset_mechanism='zero', with either",
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
        jump="whole",
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
        "rockpool/nn/modules/torch/nir.py and lif_torch.py of 3.1.0; networks of it in our tests",
        jump="decayed",
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
        unsaid="SpikingJelly 2.0.0 refuses to write neurons of v_reset=None; of earlier files of such, `reset='soft'`",
    ),
    "spyx": Framework(
        "spyx",
        "1.0.0",
        1.0,
        "spyx",
        "late",
        "above",
        "src/spyx/nir.py and nn.py of 1.0.0; networks of it in our tests",
        jump="whole",
        late=1,
        lasting_reset="soft",
        misled=True,
        unsaid="spyx sends a spike a step after its membrane crosses: layers are fed so, and spikes are named by the "
        "step of the membrane",
    ),
    "lava-dl": Framework(
        "lava-dl",
        "0.6.0",
        None,
        "euler",
        "hard",
        "above",
        "lava/lib/dl/slayer/neuron/cuba.py; networks of it in our tests, by netx; NIR by converters only",
    ),
    "brian2": Framework(
        "Brian 2",
        "2.9.0",
        1e-3,
        "exact",
        "hard",
        "above",
        "networks of it in our tests, with a converter there",
        unsaid="Brian 2 writes no NIR: a converter has to put a Delay of a step where synapses are, which are heard in "
        "the next step, and its step into `dt`; `reset='soft'` for 'v -= theta'",
    ),
    "nengo": Framework(
        "Nengo",
        "4.1.0",
        1e-3,
        "euler",
        "soft",
        "at",
        "nengo/neurons.py of 4.1.0; networks of it in our tests, with a converter there",
        unsaid="Nengo writes no NIR: a converter is meant, of SpikingRectifiedLinear with one spike a step at most and "
        "input that is never negative; its LIF starts anew within a step, which no step of ours does",
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
