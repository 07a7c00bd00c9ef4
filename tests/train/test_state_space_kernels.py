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
from asrc_train.kernels.state_space.layer import Driven, Normalization, Resonators
from asrc_train.kernels.state_space.run import driven_spikes, state_space_spikes, takes_weights
from asrc_train.network.normalization import EPSILON
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


HIDDEN = 40
"""Neurons of the first of two layers: not a whole word of spikes."""


def two_layers(variant: dict[str, Any], inputs: int, normalized: bool, gain: bool) -> tuple[list[Driven], list[Tensor]]:
    """Layers of 40 and 5 neurons, and what they learn."""
    draw = torch.Generator().manual_seed(4)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    layers, leaves = [], []
    for fan_in, width in ((inputs, HIDDEN), (HIDDEN, 5)):
        made, weight, bias = neurons(width, **variant), drawn(width, fan_in), 2 * drawn(width)
        norm = Normalization(1 + 0.2 * drawn(width), 0.3 * drawn(width), EPSILON) if normalized else None
        learned = [weight, bias, *(norm[:2] if norm else ())]
        for leaf in learned:
            leaf.requires_grad_()
        of_layer = (drawn(3, width) > -1).double() / 0.7 if gain else None
        layers.append(Driven(weight, bias, made.resonators(), norm, of_layer))
        leaves += [*learned, *made.parameters()]
    return layers, leaves


def by_hand(x: Tensor, layers: list[Driven]) -> tuple[Tensor, list[Tensor]]:
    """The same in plain PyTorch, and mean and variance of each layer."""
    seen: list[Tensor] = []
    for weight, bias, of, norm, gain, _ in layers:
        u = torch.nn.functional.linear(x, weight, bias)
        if norm is not None:
            seen += [u.mean((0, 1)), u.var((0, 1), correction=0)]
            rows = torch.nn.functional.batch_norm(u.flatten(0, 1), None, None, *norm[:2], True, 0.1, norm.epsilon)
            u = rows.view_as(u)
        x = state_space_spikes(u if gain is None else u * gain, of, kernel="fft")
    return x, seen


def of_leaves(made: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of the sum; 0 for what it does not depend on, as a single step does not on poles."""
    return torch.autograd.grad(made.sum(), leaves, retain_graph=True, allow_unused=True, materialize_grads=True)


def heard(steps: int, inputs: int) -> Tensor:
    """Numbers on up to 5 inputs, spikes on more."""
    draw = torch.Generator().manual_seed(steps)
    x = torch.rand(steps, 3, inputs, generator=draw, dtype=torch.float64)
    return x if inputs <= 5 else (x > 0.7).double()


@pytest.mark.parametrize("variant", VARIANTS[:6], ids=lambda variant: "-".join(map(str, variant.values())))
@pytest.mark.parametrize("inputs", [1, 5, 70])
def test_layers_with_their_weights_are_those_of_plain_products(variant: dict[str, Any], inputs: int) -> None:
    """Spikes, statistics and gradients, of what is heard too; `inputs` beyond the kernel's few are spikes."""
    for steps, normalized, gain in ((70, True, False), (41, True, True), (1, False, False), (600, False, True)):
        x = heard(steps, inputs).requires_grad_()
        layers, leaves = two_layers(variant, inputs, normalized, gain)
        leaves = [x, *leaves]
        expected, seen = by_hand(x, layers)
        toward = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        gradients = of_leaves(expected * toward, leaves)
        for summed in (False, True):
            found, statistics = driven_spikes(x, layers, summed=summed)
            assert torch.equal(found, expected.sum(0) if summed else expected)
            told = [each for pair in statistics if pair is not None for each in pair]
            assert len(told) == (4 if normalized else 0)
            for a, b in zip(told, seen, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
            if summed:
                continue
            for a, b in zip(of_leaves(found * toward, leaves), gradients, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)
        if steps == 70:
            assert 0.01 < float(expected.detach().mean()) < 0.6, "the layers should be alive"


def test_the_gradient_of_a_sum_over_time_is_that_of_all_steps() -> None:
    x = heard(70, 70)
    layers, leaves = two_layers({"modes": 2}, 70, True, False)
    counts = driven_spikes(x, layers, summed=True)[0]
    of_sum = torch.autograd.grad(counts.square().sum(), leaves, retain_graph=True)
    of_steps = torch.autograd.grad(driven_spikes(x, layers)[0].sum(0).square().sum(), leaves)
    for a, b in zip(of_sum, of_steps, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_threads_change_no_bit_of_layers_with_their_weights() -> None:
    x, before, found = heard(1100, 70), torch.get_num_threads(), []
    try:
        for threads in (1, 3, 1):
            torch.set_num_threads(threads)
            layers, leaves = two_layers({"modes": 2}, 70, True, False)
            spikes = driven_spikes(x, layers)[0]
            found.append([spikes, *torch.autograd.grad(spikes[::2].sum(), leaves)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_neurons_that_pad_a_word_of_spikes_send_none() -> None:
    """They would at a threshold below 0, where silence crosses it."""
    made = neurons(HIDDEN, modes=1)
    made.threshold = -0.5
    draw = torch.Generator().manual_seed(1)
    weights = [torch.randn(n, i, generator=draw, dtype=torch.float64) for n, i in ((HIDDEN, 2), (5, HIDDEN))]
    below = Driven(weights[0], torch.zeros(HIDDEN, dtype=torch.float64), made.resonators())
    above = Driven(weights[1], torch.zeros(5, dtype=torch.float64), neurons(modes=1).resonators())
    x = heard(40, 2)
    expected, _ = by_hand(x, [below, above])
    assert torch.equal(driven_spikes(x, [below, above])[0], expected)


def test_what_is_kept_for_the_way_back_is_a_current_and_bits() -> None:
    layers, _ = two_layers({"modes": 2}, 70, True, False)
    x, kept = heard(256, 70), []

    def pack(tensor: Tensor) -> Tensor:
        kept.append((tensor.dtype, tensor.numel()))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        driven_spikes(x, layers)
    assert sorted(n for dtype, n in kept if dtype == torch.int64) == [3 * 256 * 1, 3 * 256 * 2], "bits heard"
    rows = sorted(n for dtype, n in kept if dtype == torch.float64)[-2:]
    assert rows == [3 * 256 * 32, 3 * 256 * 64], "currents, padded to 32 numbers"


def test_a_second_way_back_is_the_first_again() -> None:
    """No memory is used again while a graph needs it."""
    x = heard(1600, 70)
    layers, leaves = two_layers({"modes": 2}, 70, True, False)
    spikes = driven_spikes(x, layers)[0]
    first = torch.autograd.grad(spikes.sum(), leaves, retain_graph=True)
    torch.autograd.grad(driven_spikes(1 - x, layers)[0].sum(), leaves, retain_graph=True)
    for a, b in zip(torch.autograd.grad(spikes.sum(), leaves), first, strict=True):
        assert torch.equal(a, b)


def test_only_the_native_kernel_takes_the_weights() -> None:
    made, x = neurons(modes=2), current()
    assert takes_weights(x, made.resonators())
    for kernel in ("fft", "chunks"):
        with using(kernel):
            assert not takes_weights(x, made.resonators())


def test_layers_that_do_not_fit_are_named() -> None:
    layers, _ = two_layers({"modes": 2}, 70, True, False)
    named = [layer._replace(where=f"layer {i}, ") for i, layer in enumerate(layers)]
    x = heard(20, 70)
    for wrong in (x[0], x[..., :69], x.float(), x[:0]):
        with pytest.raises(InvalidData, match=r"layer 0, input.*give torch\.float64 on cpu, \(T, B, 70\)"):
            driven_spikes(wrong, named)
    with pytest.raises(InvalidData, match="layer 0, input: it holds 1 NaN"):
        driven_spikes(torch.where(torch.arange(70) == 3, float("nan"), x[:1, :1]), named)
    with pytest.raises(InvalidSetting, match="layer 0, weight: it has 70 inputs, and the layer before 40 neurons"):
        driven_spikes(x, named[:1] * 2)
    broken = named[1]._replace(bias=torch.full((5,), float("inf"), dtype=torch.float64))
    with pytest.raises(InvalidSetting, match=r"layer 1, bias.*it holds 5 NaN"):
        driven_spikes(x, [named[0], broken])
    huge = named[0]._replace(weight=torch.full((HIDDEN, 70), 1e308, dtype=torch.float64))
    with pytest.raises(InvalidData, match="layer 0, current"):
        driven_spikes(x, [huge])


def test_a_gradient_that_is_the_same_for_all_steps_is_not_copied_out() -> None:
    made, u = neurons(modes=2), current().requires_grad_()
    of_sum = torch.autograd.grad(state_space_spikes(u, made.resonators(), kernel="native").sum(0).square().sum(), u)[0]
    spikes = state_space_spikes(u, made.resonators(), kernel="native")
    toward = (2 * spikes.sum(0)).expand(spikes.shape).contiguous()
    assert torch.equal(of_sum, torch.autograd.grad(spikes, u, toward)[0])
