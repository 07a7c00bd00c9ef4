"""Every kernel gives the spikes and the gradients of the written equations, or says why it does not run."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asrc_train.recurrence import Dynamics, SkipLayer, driven_recurrence, skip_recurrence, spike_counts

FAST = ["bptt"]
EXACT = 1e-12


@dataclass
class Case:
    """A stack of layers, an input for it, and the weights of a scalar to differentiate."""

    x: Tensor
    layers: tuple[SkipLayer, ...]
    toward: Tensor

    @property
    def leaves(self) -> dict[str, Tensor]:
        named = {f"{i}.{name}": tensor for i, layer in enumerate(self.layers) for name, tensor in layer.tensors()}
        return {"x": self.x} | {name: tensor for name, tensor in named.items() if tensor.requires_grad}

    def spikes(self, kernel: str) -> tuple[Tensor, dict[str, Tensor]]:
        s = self.x
        for layer in self.layers:
            s = (
                skip_recurrence(s, *layer, kernel=kernel)
                if layer.weight is not None
                else driven_recurrence(s, layer.recurrent, layer.taps, layer.dynamics, kernel=kernel)
            )
        return s.detach(), self._gradients((s * self.toward).sum())

    def counts(self, kernel: str) -> tuple[Tensor, dict[str, Tensor]]:
        counts = spike_counts(self.x, self.layers, kernel=kernel)
        return counts.detach(), self._gradients((counts * self.toward[0]).sum())

    def _gradients(self, loss: Tensor) -> dict[str, Tensor]:
        leaves = self.leaves
        return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True), strict=True))


@st.composite
def cases(draw: st.DrawFn, depth: int | None = None, dtype: torch.dtype = torch.float64) -> Case:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    steps, batch = draw(st.integers(1, 50)), draw(st.integers(1, 19))
    inputs = draw(st.sampled_from([1, 2, 3, 17, 33]))
    x = normal(steps, batch, inputs)
    if draw(st.booleans()):
        x = (x > 0.5).to(dtype) * draw(st.sampled_from([1.0, 1.25]))  # spikes, as they are or scaled by dropout
    layers = []
    fan_in = inputs
    for _ in range(depth or draw(st.integers(1, 3))):
        neurons = draw(st.sampled_from([1, 7, 31, 32, 64, 65, 100]))
        taps: Tensor | int = draw(st.one_of(st.integers(1, 20), st.sampled_from([steps, steps + 1, 60])))
        if draw(st.booleans()):
            taps = torch.softmax(normal(int(taps)), 0).requires_grad_()
        learned = draw(st.booleans())
        decay: float | Tensor = draw(st.sampled_from([0.0, 0.5, 0.9]))
        threshold: float | Tensor = draw(st.sampled_from([0.5, 1.0]))
        if learned:
            decay, threshold = (torch.tensor(value, dtype=dtype, requires_grad=True) for value in (decay, threshold))
        dynamics = Dynamics(decay, threshold, draw(st.sampled_from(["soft", "hard"])), draw(st.booleans()))
        driven = draw(st.integers(0, 5)) == 0 and (fan_in == neurons or not layers)
        if driven and not layers:
            x = normal(steps, batch, neurons)
        gain = None if driven or draw(st.booleans()) else (normal(batch, neurons) > -1).to(dtype) * 1.25
        layers.append(
            SkipLayer(
                None if driven else (normal(neurons, fan_in) * (2 / fan_in) ** 0.5).requires_grad_(),
                None if driven or draw(st.booleans()) else (normal(neurons) * 0.2 + 0.3).requires_grad_(),
                (normal(neurons, neurons) * 0.7 / neurons**0.5).requires_grad_(),
                taps,
                dynamics,
                gain,
            )
        )
        fan_in = neurons
    return Case(x.requires_grad_(), tuple(layers), normal(steps, batch, fan_in) + 1)


def assert_close(got: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Norm of the difference, relative to the norm of what is expected."""
    for name, gradient in expected.items():
        distance = float((got[name] - gradient).norm())
        assert distance <= tolerance * float(gradient.norm()), f"{name}: off by {distance} of {gradient.norm()}"


@pytest.mark.parametrize("kernel", FAST)
@settings(deadline=None, max_examples=60)
@given(case=cases(depth=1))
def test_spikes_and_gradients_of_one_layer_are_those_of_the_equations(kernel: str, case: Case) -> None:
    expected_spikes, expected = case.spikes("autograd")
    spikes, gradients = case.spikes(kernel)
    assert torch.equal(spikes, expected_spikes)
    assert_close(gradients, expected, EXACT)


@pytest.mark.parametrize("kernel", FAST)
@settings(deadline=None, max_examples=40)
@given(case=cases())
def test_counts_and_gradients_of_a_stack_are_those_of_the_equations(kernel: str, case: Case) -> None:
    expected_counts, expected = case.counts("autograd")
    counts, gradients = case.counts(kernel)
    assert torch.equal(counts, expected_counts)
    assert_close(gradients, expected, EXACT)
