"""Kernels of state-space neurons: equal to the step form, and so are their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asrc_core.errors import BackendMissing, InvalidData, InvalidSetting, UnknownName
from asrc_train.kernels.choice import STATE_SPACE_NAMES, choose_state_space, using
from asrc_train.kernels.state_space import chunks, fft
from asrc_train.kernels.state_space.firing import refractory
from asrc_train.kernels.state_space.layer import Resonators
from asrc_train.kernels.state_space.run import normalized_spikes, state_space_spikes
from asrc_train.network.normalization import EPSILON, BatchNormalization
from asrc_train.network.state_space.neurons import StateSpaceNeurons

pytestmark = pytest.mark.usefixtures("one_thread")

VARIANTS: list[dict[str, Any]] = [
    {"modes": 1, "plain": True},
    {"modes": 4},
    {"modes": 4, "window": 4},
    {"modes": 2, "period": 3},
    {"modes": 2, "period": 3, "gate": "masked"},
    {"modes": 3, "window": 2, "period": 1, "initialization": "s4d-inv"},
    {"modes": 4, "initialization": "real-lin", "window": 3, "period": 31, "gate": "masked"},
    {"modes": 8, "window": 8, "initialization": "real"},
]


def neurons(count: int = 5, **settings: Any) -> StateSpaceNeurons:
    torch.manual_seed(3)
    made = StateSpaceNeurons(count, steps=70, **settings).double()
    if made.window is not None:
        with torch.no_grad():
            made.window.add_(0.3 * torch.randn_like(made.window))
    return made


def current(steps: int = 70, batch: int = 3, count: int = 5) -> Tensor:
    draw = torch.Generator().manual_seed(steps)
    return 1.3 * torch.randn(steps, batch, count, generator=draw, dtype=torch.float64)


def by_steps(made: StateSpaceNeurons, u: Tensor) -> Tensor:
    state, step = made.begin(u[0])
    spikes = []
    for now in u:
        s, state = step(state, now)
        spikes.append(s)
    return torch.stack(spikes)


def with_gradients(made: StateSpaceNeurons, u: Tensor, run: Any) -> tuple[Tensor, list[Tensor]]:
    given = u.clone().requires_grad_()
    spikes = run(given)
    toward = torch.randn(u.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(u)
    leaves = [given, *made.parameters()]
    found = torch.autograd.grad((spikes * toward).sum(), leaves, allow_unused=True, materialize_grads=True)
    return spikes.detach(), list(found)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_all_kernels_are_the_step_form_with_its_gradients(variant: dict[str, Any]) -> None:
    made = neurons(**variant)
    for steps in (1, 2, 31, 32, 33, 70):  # around the ends of chunks
        u = current(steps)
        expected, gradients = with_gradients(made, u, lambda given: by_steps(made, given))
        if steps == 70:
            assert 0.01 < float(expected.mean()) < 0.6, "the layer should be alive"
        for kernel in STATE_SPACE_NAMES:
            found, mine = with_gradients(
                made, u, lambda given, kernel=kernel: state_space_spikes(given, made.resonators(), kernel=kernel)
            )
            assert torch.equal(found, expected)
            for a, b in zip(mine, gradients, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_spikes_are_those_of_the_equations_in_numpy() -> None:
    made = neurons(modes=3, window=3, period=2)
    of, u = made.resonators(), current().numpy()
    pole, read = (part[0].detach().numpy() + 1j * part[1].detach().numpy() for part in (of.pole, of.readout))
    window, direct = made.window.detach().numpy(), made.direct.detach().numpy()  # type: ignore[union-attr]
    z, y, last = np.zeros((3, 5, 3), complex), [np.zeros((3, 5))] * 2, np.full((3, 5), -9)
    expected = np.zeros_like(u)
    for t, now in enumerate(u):
        z = pole * z + now[..., None]
        y.append((read * z).sum(-1).real + direct * now)
        over = sum(window[:, j] * y[-1 - j] for j in range(3)) >= 1
        expected[t] = over & (t - last > 2)
        last = np.where(expected[t] > 0, t, last)
    np.testing.assert_array_equal(state_space_spikes(torch.from_numpy(u), of).detach().numpy(), expected)
    assert 0.02 < expected.mean() < 0.34


@pytest.mark.parametrize("kernel", ["fft", "chunks"])
def test_the_read_out_has_the_gradient_that_finite_differences_find(kernel: str) -> None:
    made = neurons(2, modes=2, window=2)
    u = current(37, 2, 2).requires_grad_()
    names = list(dict(made.named_parameters()))

    def y(given: Tensor, *parameters: Tensor) -> Tensor:
        of: Resonators = torch.func.functional_call(  # type: ignore[attr-defined]
            _Discrete(made), {f"of.{name}": p for name, p in zip(names, parameters, strict=True)}, ()
        )
        return fft.convolved(given, fft.impulse_response(of, 37)) if kernel == "fft" else chunks.read_out(given, of)

    assert torch.autograd.gradcheck(y, (u, *made.parameters()))


class _Discrete(torch.nn.Module):
    """The neurons' discrete constants as a forward pass."""

    def __init__(self, of: StateSpaceNeurons) -> None:
        super().__init__()
        self.of = of

    def forward(self) -> Resonators:
        return self.of.resonators()


def test_single_precision_differs_by_few_spikes_only() -> None:
    made, u = neurons(64, modes=4, window=4), current(400, 4, 64)
    exact = state_space_spikes(u, made.resonators(), kernel="native")
    made.float()
    for kernel in STATE_SPACE_NAMES:
        found = state_space_spikes(u.float(), made.resonators(), kernel=kernel)
        assert (found != exact).double().mean() < 1e-4


def test_what_comes_later_or_in_another_sample_changes_nothing() -> None:
    made, u = neurons(modes=4, window=4, period=2), current()
    whole = state_space_spikes(u, made.resonators())
    for kernel in STATE_SPACE_NAMES:
        short = state_space_spikes(u[:41], made.resonators(), kernel=kernel)
        assert torch.equal(short, whole[:41])
        alone = torch.cat([state_space_spikes(u[:, [b]], made.resonators(), kernel=kernel) for b in range(3)], 1)
        assert torch.equal(alone, whole)


def test_threads_change_no_bit() -> None:
    made, u = neurons(37, modes=2, period=1).float(), current(65, 7, 37).float()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(
                with_gradients(made, u, lambda given: state_space_spikes(given, made.resonators(), kernel="native"))
            )
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_what_is_kept_for_the_backward_pass_is_a_state_every_32_steps() -> None:
    made = neurons(32, modes=2).float()
    for steps in (256, 1024):
        kept = sizes_kept(made, current(steps, 2, 32).float())
        assert kept[-1] == steps * 2 * 32, "the current"
        assert kept[-2] == 2 * (steps // 32) * (2 * 2 + 1) * 32


def sizes_kept(made: StateSpaceNeurons, u: Tensor) -> list[int]:
    """How many numbers each tensor holds that waits for the backward pass, the largest last."""
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        state_space_spikes(u.requires_grad_(), made.resonators(), kernel="native")
    return sorted(kept)


def test_a_neuron_rests_for_as_many_steps_as_its_period_says() -> None:
    crossed = torch.ones(9, 1, 1, dtype=torch.bool)
    crossed[0] = False
    spikes, free = refractory(crossed, 3)
    assert spikes.flatten().tolist() == [False, True, False, False, False, True, False, False, False]
    assert free.flatten().tolist() == [True, True, False, False, False, True, False, False, False]


def test_the_masked_gradient_is_none_at_suppressed_crossings() -> None:
    made = neurons(1, modes=1, period=3, plain=True)
    u = torch.full((4, 1, 1), 1.2 / made.resonators().readout[0].item(), dtype=torch.float64)
    made.gate = "masked"
    for kernel in STATE_SPACE_NAMES:
        given = u.clone().requires_grad_()
        spikes = state_space_spikes(given, made.resonators(), kernel=kernel)
        assert spikes.flatten().tolist() == [1, 0, 0, 0]
        spikes[1:].sum().backward()  # type: ignore[no-untyped-call]
        assert not given.grad.any()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"pole": (torch.full((5, 2), 0.6), torch.full((5, 2), 0.8))},
            "layer 1, pole.*neuron 0, mode 0, has the size 1",
        ),
        ({"pole": (torch.full((5, 2), float("nan")), torch.zeros(5, 2))}, "pole.*neuron 0, mode 0, has the size nan"),
        ({"period": 32}, "period.*32 steps, where 0 to 31 fit"),
        ({"direct": torch.zeros(4)}, r"direct.*\(4,\) where"),
        ({"window": torch.zeros(5, 9)}, "window.*9 taps, where 1 to 8 fit"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], says: str) -> None:
    layer = neurons(modes=2).resonators()._replace(**change)
    with pytest.raises(InvalidSetting, match=says):
        state_space_spikes(current(), layer, "layer 1, ")


def test_currents_that_do_not_fit_are_named() -> None:
    layer = neurons(modes=2).resonators()
    for u in (current(count=4), current()[0], current() * float("inf")):
        with pytest.raises(InvalidData, match="current"):
            state_space_spikes(u, layer)


def test_a_kernel_that_is_asked_for_runs_or_says_why_not() -> None:
    layer, u = neurons(modes=2).resonators(), current()
    with using("chunks"):
        assert choose_state_space(u, layer) is chunks  # type: ignore[comparison-overlap]
    with pytest.raises(UnknownName, match="kernel"):
        choose_state_space(u, layer, "plain")
    with pytest.raises(BackendMissing, match="float32 and float64, not in bfloat16"):
        choose_state_space(u.bfloat16(), layer, "native")


@pytest.mark.parametrize("variant", VARIANTS[:6], ids=lambda variant: "-".join(map(str, variant.values())))
def test_a_batch_normalised_in_the_kernel_is_one_normalised_before(variant: dict[str, Any]) -> None:
    """Spikes, statistics and gradients, of gamma and beta too."""
    made, x = neurons(**variant), 3 + 2 * current(41)
    draw = torch.Generator().manual_seed(2)
    toward = torch.randn(x.shape, generator=draw, dtype=torch.float64)
    found = []
    for fused in (True, False):
        norm = BatchNormalization(5).double()
        with torch.no_grad():
            norm.gamma.copy_(torch.linspace(0.5, 2, 5))
            norm.beta.copy_(torch.linspace(-0.5, 0.5, 5))
        given = x.clone().requires_grad_()
        if fused:
            done = normalized_spikes(given, made.resonators(), norm.gamma, norm.beta, EPSILON)
            assert done is not None
            spikes, mean, variance = done
            norm.seen(mean, variance, 41 * 3)
        else:
            spikes = state_space_spikes(norm(given), made.resonators(), kernel="fft")
        leaves = [given, *norm.parameters(), *made.parameters()]
        found.append([spikes.detach(), norm.mean, norm.variance, *torch.autograd.grad((spikes * toward).sum(), leaves)])
    assert torch.equal(found[0][0], found[1][0])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


def test_only_the_native_kernel_normalises() -> None:
    made, x = neurons(modes=2), current()
    with using("fft"):
        assert normalized_spikes(x, made.resonators(), torch.ones(5), torch.zeros(5), EPSILON) is None


def test_a_gradient_that_is_the_same_for_all_steps_is_not_copied_out() -> None:
    made, u = neurons(modes=2), current().requires_grad_()
    of_sum = torch.autograd.grad(state_space_spikes(u, made.resonators(), kernel="native").sum(0).square().sum(), u)[0]
    spikes = state_space_spikes(u, made.resonators(), kernel="native")
    toward = (2 * spikes.sum(0)).expand(spikes.shape).contiguous()
    assert torch.equal(of_sum, torch.autograd.grad(spikes, u, toward)[0])
