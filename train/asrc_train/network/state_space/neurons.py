"""State-space neurons: K modes each, a linear memory that spikes do not touch, and what makes spikes of it.

In continuous time a mode is A_k = -exp(alpha_k) + i beta_k; a step of the neuron's own length dt makes of it

    a_k = exp(dt A_k)                                  zero-order hold, |a_k| < 1 whatever is learned
    r_k = C_k sqrt(2 (1 - |a_k|^2) / K)                so that white noise of variance 1 gives y variance 1 at the start

and the rest stands in `kernels.state_space.layer`. C, D, dt, alpha, beta and the window are learned. Where C is left
out ("plain"), it is 1 and D = 0: the resonate-and-fire neuron. (S4D takes (a - 1) / A in place of the root, which slow
modes make small; the root is the normalisation of Orvieto et al., "Resurrecting recurrent neural networks for long
sequences", 2023. With a learned C both span the same neurons.)

Starts, with n = 0 .. K - 1 (Gu et al., "On the parameterization and initialization of diagonal state space models",
2022):

    s4d-lin    A_n = -1/2 + i pi n                          of a single mode: n is the neuron's number modulo 8
    s4d-inv    A_n = -1/2 + i (2K / pi) (2K / (2n + 1) - 1)
    real       A_n = -(n + 1)
    real-lin   A_n = -|-1/2 + i pi n|: real poles spread as those of s4d-lin are, to compare with

dt starts log-uniform in [1 / T, 1 / 4], T the steps of a sample, or in [0.001, 0.1] where they are not known; beta no
higher than a phase of pi / 2 a step.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from asrc_core.errors import InvalidSetting
from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.state_space.layer import Gate, Resonators
from asrc_train.network.neurons.neuron import Constants, State, Step, require_left_alone
from asrc_train.network.state_space.folding import folded
from asrc_train.settings.config import NetworkConfig

Initialization = Literal["s4d-lin", "s4d-inv", "real", "real-lin"]
SPREAD = 8
"""Multiples of pi over which neurons of a single mode are spread."""


class Kept(NamedTuple):
    """Between two steps: re and im of the modes (B, N, K), the y that the window looks back at, steps left to wait."""

    re: Tensor
    im: Tensor
    past: tuple[Tensor, ...]
    wait: Tensor


class StateSpaceNeurons(nn.Module):
    """N neurons of K modes; ``window`` taps (1: none), refractory ``period``; ``plain``: without C and D."""

    kind: str | None = "resonator"
    missing: str | None = None

    def __init__(
        self,
        neurons: int,
        modes: int,
        *,
        threshold: float = 1.0,
        window: int = 1,
        period: int = 0,
        gate: Gate = "through",
        initialization: Initialization = "s4d-lin",
        plain: bool = False,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        self.neurons, self.modes, self.threshold, self.period, self.gate = neurons, modes, threshold, period, gate
        self.log_dt = nn.Parameter(torch.empty(neurons, 1))
        self.log_decay = nn.Parameter(torch.empty(neurons, modes))
        turns = not initialization.startswith("real")
        self.turn = nn.Parameter(torch.empty(neurons, modes)) if turns else None
        self.read = None if plain else nn.Parameter(torch.empty(neurons, modes, 2))
        self.direct = None if plain else nn.Parameter(torch.empty(neurons))
        self.window = nn.Parameter(torch.empty(neurons, window)) if window > 1 else None
        if not self.log_dt.is_meta:  # where a checkpoint's shapes are checked: arithmetic would import the compiler
            self._start(initialization, steps)

    @torch.no_grad()
    def _start(self, initialization: Initialization, steps: int | None) -> None:
        """Every parameter's first value; dt lies between 1 / steps and 1 / 4."""
        least, most = (1e-3, 1e-1) if steps is None else (1 / max(steps, 8), 1 / 4)
        self.log_dt.uniform_().mul_(math.log(most / least)).add_(math.log(least))
        decay, turn = started(initialization, self.neurons, self.modes)
        self.log_decay.copy_(decay.log())
        if self.turn is not None and turn is not None:
            self.turn.copy_(torch.minimum(turn, math.pi / 2 / self.log_dt.exp()))
        if self.read is not None:
            self.read.normal_().div_(math.sqrt(2))
        if self.direct is not None:
            self.direct.normal_()
        if self.window is not None:
            self.window.zero_()[:, 0] = 1

    def resonators(self) -> Resonators:
        """The discrete constants, differentiable, in the parameters' dtype."""
        dt = self.log_dt.exp()
        shrink, phase = dt * self.log_decay.exp(), self.phase(dt)
        size = torch.exp(-shrink)
        pole = (size * torch.cos(phase), size * torch.sin(phase))
        gain = torch.sqrt(-torch.expm1(-2 * shrink) * (2 / self.modes))
        read = (
            (gain, torch.zeros_like(gain))
            if self.read is None
            else (gain * self.read[..., 0], gain * self.read[..., 1])
        )
        direct = torch.zeros_like(self.log_dt[:, 0]) if self.direct is None else self.direct
        return Resonators(pole, read, direct, self.window, self.threshold, self.period, self.gate)

    def phase(self, dt: Tensor) -> Tensor:
        """By how much each mode turns in a step, (N, K)."""
        return torch.zeros_like(self.log_decay) if self.turn is None else dt * self.turn

    @torch.no_grad()
    def aliased(self) -> int:
        """How many modes turn by more than pi a step, which is a slower turn the other way."""
        return int((self.phase(self.log_dt.exp()).abs() > math.pi).sum())

    def timing(self) -> list[nn.Parameter]:
        """What moves poles: small rates suit it."""
        return [each for each in (self.log_dt, self.log_decay, self.turn) if each is not None]

    def reading(self) -> list[nn.Parameter]:
        """What reads the modes."""
        return [each for each in (self.read, self.direct, self.window) if each is not None]

    def dynamics(self) -> None:
        """The kernels of skip-recurrent layers do not know these neurons."""
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The step form, equal to all steps at once: states are 0 before a sample's first step."""
        of = self.resonators()
        (c, d), (p, q) = of.pole, of.readout

        def step(kept: Kept, current: Tensor) -> tuple[Tensor, State]:
            re = c * kept.re - d * kept.im + current[..., None]
            im = d * kept.re + c * kept.im
            y = (p * re - q * im).sum(-1) + of.direct * current
            seen = (y, *kept.past)
            h = (
                y
                if of.window is None
                else torch.stack([w * each for w, each in zip(of.window.t(), seen, strict=True)]).sum(0)
            )
            crossed = fire(h - of.threshold)
            allowed = crossed.detach() * (kept.wait == 0)
            if of.period == 0:
                s = crossed
            elif of.gate == "masked":
                s = crossed * (kept.wait == 0)
            else:
                s = crossed + (allowed - crossed).detach()
            wait = torch.where(allowed > 0, of.period, (kept.wait - 1).clamp(min=0))
            return s, Kept(re, im, seen[: of.taps - 1], wait)

        silent = torch.zeros_like(like)
        modes = silent[..., None].expand(*like.shape, self.modes)
        waiting = torch.zeros(like.shape, dtype=torch.int64, device=like.device)
        return Kept(modes, modes, (silent,) * (of.taps - 1), waiting), step

    def constants(self) -> Constants:
        """What the contract's kind takes, without the bias: `folding.folded`."""
        return folded(self)._asdict()


def started(initialization: Initialization, neurons: int, modes: int) -> tuple[Tensor, Tensor | None]:
    """Decay -Re A and turn Im A at the start, (N, K) each; no turn of real poles."""
    n = torch.arange(modes, dtype=torch.get_default_dtype()).expand(neurons, modes)
    if initialization == "real":
        return n + 1, None
    if modes == 1:
        n = torch.arange(neurons, dtype=torch.get_default_dtype())[:, None] % SPREAD
    half = torch.full((neurons, modes), 0.5)
    turn = math.pi * n if initialization != "s4d-inv" else 2 * modes / math.pi * (2 * modes / (2 * n + 1) - 1)
    return (torch.hypot(half, turn), None) if initialization == "real-lin" else (half, turn)


def configured(
    config: NetworkConfig,
    neurons: int,
    steps: int | None,
    *,
    modes: int,
    window: int = 1,
    period: int = 0,
    plain: bool = False,
) -> StateSpaceNeurons:
    """Fresh neurons; ``modes``, ``window`` and ``period`` where the configuration leaves them out.

    Raises InvalidSetting for what these neurons do not have.
    """
    require_left_alone(config, "decay", "reset", "fires", "detach_reset")
    if plain and (config.modes or 1) != 1:
        why = f"it has one mode, not {config.modes}; neuron 'ssm' has as many as `modes` says"
        raise InvalidSetting(f"neuron '{config.neuron}'", why)
    return StateSpaceNeurons(
        neurons,
        config.modes or modes,
        threshold=config.threshold,
        window=config.window or window,
        period=period if config.period is None else config.period,
        gate=config.gate,
        initialization=config.initialization,
        plain=plain,
        steps=steps,
    )
