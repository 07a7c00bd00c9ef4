"""Every kernel gives the spikes and the gradients of the written equations, or says why it does not run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asrc_core.errors import BackendMissing, InvalidData, InvalidSetting, UnknownName
from asrc_train.kernels import choice
from asrc_train.kernels.native.library import instruction_sets
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.network.recurrence import Dynamics, SkipLayer, driven_recurrence, skip_recurrence, spike_counts, using
from asrc_train.settings.config import NetworkConfig
from asrc_train.training.evaluate import traced

BUILT = bool(instruction_sets())
FAST = ["native", "bptt"] if BUILT else ["bptt"]
needs_native = pytest.mark.skipif(not BUILT, reason="no C++ compiler when the package was installed")
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
        return {name: tensor for name, tensor in ({"x": self.x} | named).items() if tensor.requires_grad}

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

    steps, batch = draw(st.integers(1, 30)), draw(st.integers(1, 19))
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
        reset, resolution = draw(st.sampled_from(["soft", "hard"])), draw(st.sampled_from([None, 2.0**-3, 2.0**-10]))
        dynamics = Dynamics(decay, threshold, reset, draw(st.booleans()), resolution)
        driven = not layers and draw(st.integers(0, 5)) == 0
        if driven:
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
    """Norm of the difference, relative to the norm of what is expected.

    Where a lone neuron sits at the surrogate's edge, the gradient is as small as the rounding of u is large: a norm
    below a hundredth of what such cases have counts as a hundredth.
    """
    for name, gradient in expected.items():
        distance, norm = float((got[name] - gradient).norm()), float(gradient.norm())
        assert distance <= tolerance * max(norm, 0.01), f"{name}: off by {distance} of {norm}"


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


def small(kernel_length: int = 5, dtype: torch.dtype = torch.float32, batch: int = 9, steps: int = 30) -> Case:
    """Three layers, one of them wider than a word of spikes, at a healthy spike rate."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    x = normal(steps, batch, 2)
    layers, fan_in = [], 2
    for neurons in (40, 70, 20):
        taps = torch.softmax(normal(kernel_length), 0).requires_grad_()
        weight = (normal(neurons, fan_in) * (2 / fan_in) ** 0.5).requires_grad_()
        recurrent = (normal(neurons, neurons) * 0.5 / neurons**0.5).requires_grad_()
        layers.append(SkipLayer(weight, (normal(neurons) * 0.1 + 0.2).requires_grad_(), recurrent, taps, Dynamics()))
        fan_in = neurons
    return Case(x, tuple(layers), normal(steps, batch, fan_in))


def with_threads(threads: int, body: Callable[[], Any]) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return body()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("isa", instruction_sets())
@settings(deadline=None, max_examples=15)
@given(case=cases())
def test_every_instruction_set_gives_the_same_gradients(isa: str, case: Case) -> None:
    expected_counts, expected = case.counts("autograd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASRC_ISA", isa)
        counts, gradients = case.counts("native")
    assert torch.equal(counts, expected_counts)
    assert_close(gradients, expected, EXACT)


def integer_neurons(dtype: torch.dtype) -> Case:
    """Whole numbers, in a layer's unit: up to 2^22 of them in a membrane, then so few that all rounding shows."""
    generator = torch.Generator().manual_seed(11)

    def whole(*shape: int, most: int) -> Tensor:
        return torch.randint(-most, most + 1, shape, generator=generator).to(dtype)

    layers, fan_in = [], 1
    for neurons, units, most, reset in ((40, 512, 2**13, "soft"), (70, 16, 6, "hard"), (20, 16, 6, "soft")):
        dynamics = Dynamics(0.5, (units + 1) / units, reset, resolution=1 / units)  # type: ignore[arg-type]
        shapes = (neurons, fan_in), (neurons,), (neurons, neurons)
        weight, bias, recurrent = (whole(*shape, most=most) / units for shape in shapes)
        layers.append(SkipLayer(weight, bias, recurrent, 3, dynamics))
        fan_in = neurons
    x = torch.randint(0, 256, (60, 17, 1), generator=generator).to(dtype)
    return Case(x, tuple(layers), torch.ones(60, 17, 20, dtype=dtype))


@pytest.mark.parametrize("isa", [None, *instruction_sets()])
def test_single_precision_computes_integer_neurons_exactly(isa: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = ["native"] if isa else ["bptt", "autograd"]
    if isa:
        monkeypatch.setenv("ASRC_ISA", isa)
    exact, single = integer_neurons(torch.float64), integer_neurons(torch.float32)
    expected = spike_counts(exact.x, exact.layers, kernel="autograd").float()
    assert 0.02 < expected.mean() / 60 < 0.9, "the network should be alive"
    blunt = [each._replace(dynamics=replace(each.dynamics, resolution=None)) for each in exact.layers]
    assert not torch.equal(expected, spike_counts(exact.x, blunt, kernel="autograd").float()), "rounding should matter"
    for kernel in kernels:
        assert torch.equal(expected, spike_counts(single.x, single.layers, kernel=kernel))


@pytest.mark.parametrize("kernel", FAST)
def test_gradients_flow_through_the_rounding_of_the_membrane_as_if_it_were_not_there(kernel: str) -> None:
    case = small(dtype=torch.float64)
    fine = tuple(each._replace(dynamics=Dynamics(0.5, 1.0, resolution=2.0**-32)) for each in case.layers)
    rounded = Case(case.x, fine, case.toward)
    assert torch.equal(case.counts(kernel)[0], rounded.counts(kernel)[0])
    assert_close(rounded.counts(kernel)[1], case.counts(kernel)[1], 1e-6)


@needs_native
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_native_kernel_gives_the_same_bits_whatever_the_threads(threads: int) -> None:
    case = small(batch=41)
    once = with_threads(1, lambda: case.counts("native"))
    again = with_threads(threads, lambda: case.counts("native"))
    assert torch.equal(once[0], again[0])
    assert all(torch.equal(once[1][name], again[1][name]) for name in once[1])


@pytest.mark.parametrize("kernel", FAST)
def test_the_same_call_gives_the_same_bits_twice(kernel: str) -> None:
    case = small()
    once, again = case.spikes(kernel), case.spikes(kernel)
    assert torch.equal(once[0], again[0])
    assert all(torch.equal(once[1][name], again[1][name]) for name in once[1])


@pytest.mark.parametrize("kernel", FAST)
@pytest.mark.parametrize("taps", [None, 3])
def test_single_precision_predicts_as_the_equations_do(kernel: str, taps: int | None) -> None:
    case = small(batch=200, steps=100)
    layers = tuple(layer if taps is None else layer._replace(taps=taps) for layer in case.layers)
    readout = torch.randn(20, 10, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = spike_counts(case.x, layers, kernel="autograd")
        counts = spike_counts(case.x, layers, kernel=kernel)
    agreement = ((counts @ readout).argmax(1) == (expected @ readout).argmax(1)).double().mean()
    assert 0.02 < expected.mean() / 100 < 0.6, "the network should be alive"
    assert agreement >= 0.99


@pytest.mark.parametrize("kernel", FAST)
def test_gradients_from_single_precision_are_close(kernel: str) -> None:
    case = small()
    assert_close(case.spikes(kernel)[1], case.spikes("autograd")[1], 1e-4)


@pytest.mark.parametrize("kernel", FAST)
def test_an_input_seen_through_strides_is_the_input(kernel: str) -> None:
    layer = small().layers[0]
    batch_first = torch.randn(9, 30, 2, generator=torch.Generator().manual_seed(0))
    seen = skip_recurrence(batch_first.transpose(0, 1), *layer, kernel=kernel)
    assert torch.equal(seen, skip_recurrence(batch_first.transpose(0, 1).contiguous(), *layer, kernel=kernel))
    every_other = torch.randn(30, 9, 4, generator=torch.Generator().manual_seed(0))[..., ::2]
    seen = skip_recurrence(every_other, *layer, kernel=kernel)
    assert torch.equal(seen, skip_recurrence(every_other.contiguous(), *layer, kernel=kernel))


@pytest.mark.parametrize("kernel", FAST)
def test_autocast_does_not_reach_what_a_spike_hangs_on(kernel: str) -> None:
    case = small()
    wide = torch.randn(4, 3, 40, generator=torch.Generator().manual_seed(0))
    layer = case.layers[0]._replace(weight=torch.eye(40))
    expected, apart = case.counts(kernel), skip_recurrence(wide, *layer, kernel=kernel)
    with torch.autocast("cpu", torch.bfloat16):
        counts = spike_counts(case.x, case.layers, kernel=kernel)
        assert torch.equal(skip_recurrence(wide, *layer, kernel=kernel), apart)
    gradients = torch.autograd.grad((counts * case.toward[0]).sum(), list(case.leaves.values()))
    assert torch.equal(counts, expected[0])
    assert all(map(torch.equal, gradients, expected[1].values()))


@pytest.mark.parametrize("kernel", FAST)
def test_lags_beyond_the_sequence_have_no_gradient(kernel: str) -> None:
    case = small(kernel_length=50, steps=30, dtype=torch.float64)
    expected, gradients = case.counts("autograd")[1], case.counts(kernel)[1]
    assert not gradients["0.taps"][29:].any()
    assert_close(gradients, expected, EXACT)


@pytest.mark.parametrize("kernel", FAST)
def test_a_span_beyond_the_sequence_is_silence(kernel: str) -> None:
    case = small()
    layer = case.layers[0]._replace(taps=31)
    alone = layer._replace(recurrent=torch.zeros_like(layer.recurrent))
    assert torch.equal(skip_recurrence(case.x, *layer, kernel=kernel), skip_recurrence(case.x, *alone, kernel=kernel))


@pytest.mark.parametrize("kernel", FAST)
def test_without_gradients_nothing_is_kept(kernel: str) -> None:
    case = small()
    with torch.no_grad():
        counts = spike_counts(case.x, case.layers, kernel=kernel)
    assert not counts.requires_grad
    assert torch.equal(counts, case.counts(kernel)[0])


@pytest.mark.parametrize("kernel", FAST)
def test_a_second_backward_pass_gives_the_same(kernel: str) -> None:
    case = small()
    loss = (spike_counts(case.x, case.layers, kernel=kernel) * case.toward[0]).sum()
    leaves = list(case.leaves.values())
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    assert all(map(torch.equal, first, torch.autograd.grad(loss, leaves)))


def broken(name: str) -> tuple[Tensor, SkipLayer]:
    """A layer and input with one thing wrong."""
    case = small()
    x, layer = case.x, case.layers[0]
    nan = torch.tensor(float("nan"))

    def spoiled(tensor: Tensor | None, value: float) -> Tensor:
        assert tensor is not None
        copy = tensor.detach().clone()
        copy.view(-1)[0] = value
        return copy

    changes: dict[str, tuple[Tensor, SkipLayer]] = {
        "NaN in x": (spoiled(x, float("nan")), layer),
        "infinity in x": (spoiled(x, float("inf")), layer),
        "NaN in wide x": (
            spoiled(torch.zeros(4, 2, 40), float("nan")),
            layer._replace(weight=torch.ones(40, 40)),
        ),
        "NaN in weight": (x, layer._replace(weight=spoiled(layer.weight, float("nan")))),
        "infinity in recurrent": (x, layer._replace(recurrent=spoiled(layer.recurrent, float("-inf")))),
        "NaN in taps": (x, layer._replace(taps=nan.expand(3))),
        "NaN in decay": (x, layer._replace(dynamics=Dynamics(decay=nan))),
        "infinite threshold": (x, layer._replace(dynamics=Dynamics(threshold=float("inf")))),
        "no taps": (x, layer._replace(taps=torch.ones(0))),
        "span 0": (x, layer._replace(taps=0)),
        "negative span": (x, layer._replace(taps=-3)),
        "taps of two dimensions": (x, layer._replace(taps=torch.ones(2, 2))),
        "weight of another fan-in": (x, layer._replace(weight=torch.ones(40, 3))),
        "bias of another width": (x, layer._replace(bias=torch.ones(41))),
        "recurrent not square": (x, layer._replace(recurrent=torch.ones(40, 41))),
        "gain of another batch": (x, layer._replace(gain=torch.ones(8, 40))),
        "learned decay for each neuron": (x, layer._replace(dynamics=Dynamics(decay=torch.ones(40)))),
        "another dtype": (x, layer._replace(recurrent=layer.recurrent.double())),
        "another device": (x, layer._replace(recurrent=layer.recurrent.to("meta"))),
        "resolution of 0.3": (x, layer._replace(dynamics=Dynamics(resolution=0.3))),
        "negative resolution": (x, layer._replace(dynamics=Dynamics(resolution=-0.5))),
        "unknown reset": (x, layer._replace(dynamics=Dynamics(reset="none"))),  # type: ignore[arg-type]
        "x of two dimensions": (x[0], layer),
        "x of integers": (x.long(), layer),
        "no values": (x.to("meta"), layer),
        "no steps": (x[:0], layer),
        "bias without weight": (torch.ones(5, 2, 40), layer._replace(weight=None)),
    }
    return changes[name] if name else (x, layer)


BROKEN = [
    "NaN in x", "infinity in x", "NaN in wide x", "NaN in weight", "infinity in recurrent", "NaN in taps",
    "NaN in decay", "infinite threshold", "no taps", "span 0", "negative span", "taps of two dimensions",
    "weight of another fan-in", "bias of another width", "recurrent not square", "gain of another batch",
    "learned decay for each neuron", "resolution of 0.3", "negative resolution", "another dtype", "another device",
    "unknown reset", "x of two dimensions",
    "x of integers", "no values", "no steps", "bias without weight",
]  # fmt: skip


@pytest.mark.parametrize("kernel", choice.NAMES)
@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_a_named_error(name: str, kernel: str) -> None:
    x, layer = broken(name)
    with pytest.raises((InvalidSetting, InvalidData)) as caught:
        skip_recurrence(x, *layer, kernel=kernel)
    assert "\n" not in str(caught.value)


def test_a_stack_needs_layers_and_weights_between_them() -> None:
    case = small()
    with pytest.raises(InvalidSetting, match="at least one"):
        spike_counts(case.x, ())
    with pytest.raises(InvalidSetting, match="layer 1, weight"):
        spike_counts(case.x, (case.layers[0], case.layers[1]._replace(weight=None, bias=None)))


def test_an_unknown_kernel_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    case = small()
    with pytest.raises(UnknownName, match="autograd, bptt, native"):
        spike_counts(case.x, case.layers, kernel="fast")
    monkeypatch.setenv("ASRC_KERNEL", "fast")
    with pytest.raises(UnknownName):
        spike_counts(case.x, case.layers)


@needs_native
def test_an_unknown_instruction_set_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    case = small()
    monkeypatch.setenv("ASRC_ISA", "mmx")
    with pytest.raises(UnknownName, match="instruction set in ASRC_ISA 'mmx'"):
        spike_counts(case.x, case.layers, kernel="native")


def test_a_kernel_that_is_asked_for_and_cannot_run_is_a_named_error() -> None:
    case = small(dtype=torch.bfloat16)
    with pytest.raises(BackendMissing, match="native"):
        spike_counts(case.x, case.layers, kernel="native")


def test_what_a_kernel_does_not_cover_falls_to_the_next_and_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_told", set())
    monkeypatch.delenv("ASRC_KERNEL", raising=False)
    case = small(dtype=torch.bfloat16)
    with caplog.at_level(logging.WARNING, "asrc_train.kernels"):
        counts = spike_counts(case.x, case.layers)
        spike_counts(case.x, case.layers)
    assert torch.equal(counts, spike_counts(case.x, case.layers, kernel="bptt"))
    assert len(caplog.records) == 1
    assert "native" in caplog.text


@pytest.mark.parametrize("changes", [{"neuron": "clif"}, {"connection": "per-step"}], ids=["neuron", "connection"])
def test_what_no_kernel_knows_is_said_once_and_refused_where_one_is_asked_for(
    changes: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_told", set())
    monkeypatch.delenv("ASRC_KERNEL", raising=False)
    network = SkipRecurrentNetwork(2, 3, NetworkConfig.model_validate({"hidden": [4, 4], **changes}), 5).eval()
    x = torch.rand(5, 2, 2)
    with caplog.at_level(logging.WARNING, "asrc_train.kernels"):
        logits = network(x)
        network(x)
    assert len(caplog.records) == 1
    with using("autograd"):
        assert torch.equal(network(x), logits)
    with using("native"), pytest.raises(BackendMissing, match="step by step"):
        network(x)


def test_argument_context_and_environment_choose_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x, layers = small().x, small().layers
    monkeypatch.setenv("ASRC_KERNEL", "autograd")
    assert choice.choose(x, layers).__name__.endswith("autograd")  # type: ignore[attr-defined]
    with using("bptt"):
        assert choice.choose(x, layers).__name__.endswith("bptt")  # type: ignore[attr-defined]
        assert choice.choose(x, layers, "autograd").__name__.endswith("autograd")  # type: ignore[attr-defined]
    monkeypatch.delenv("ASRC_KERNEL")
    assert choice.choose(x, layers).__name__.endswith("native" if instruction_sets() else "bptt")  # type: ignore[attr-defined]


@pytest.mark.parametrize("temperature", [None, 0.5])
def test_spikes_kept_as_bits_are_the_spikes_and_the_logits_the_same(temperature: float | None) -> None:
    config = NetworkConfig(hidden=(70, 9), connection="asrc", kernel_length=5)
    torch.manual_seed(3)
    network = SkipRecurrentNetwork(2, 4, config)
    x = torch.rand(13, 6, 2) * 3
    packed = network.packed(x, temperature)
    if packed is None:
        pytest.skip("the native kernel was not built here")
    logits, spikes = traced(network, x, temperature)
    expected, each = network.traced(x, temperature)
    assert torch.equal(logits, expected)
    for mine, theirs in zip(spikes, each, strict=True):
        assert np.array_equal(mine, theirs.detach().numpy())
    assert any(each.any() for each in spikes)
    with using("autograd"):
        assert network.packed(x, temperature) is None
        assert np.array_equal(traced(network, x, temperature)[1][1], spikes[1])
