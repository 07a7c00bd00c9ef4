"""Kernels for networks with delays: equal to each other, and to the exact network as steps become short."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from asrc_core.errors import BackendMissing, InvalidData, InvalidSetting, UnknownName
from asrc_train.kernels.delays.differentiable import Answered, answered
from asrc_train.kernels.delays.dynamics import Cuba, time_constant
from asrc_train.kernels.delays.layer import DelayLayer, Readout, Run, Synapses, as_events, samples_as_events
from asrc_train.kernels.native.library import library
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.recurrence import using
from asrc_train.reference import adjoint, forward, losses
from asrc_train.reference.graph import Graph
from asrc_train.settings.config import NetworkConfig

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS, BATCH, CHANNELS = 19, 11, 5
TOWARD = torch.Generator()


def network(**settings: object) -> DelayNetwork:
    """Two hidden layers that are alive, with delays all over the place."""
    torch.manual_seed(0)
    given = {
        "neuron": "cuba-lif",
        "connection": "delays",
        "hidden": (17, 9),
        "max_delay": 12,
        "delay_start": 12,
        "recurrent_delay_start": 13,
        "input_weights": (1.0, 1.0),
        "hidden_weights": (0.5, 0.5),
        **settings,
    }
    return DelayNetwork(CHANNELS, 3, NetworkConfig.model_validate(given)).double()


def samples() -> Tensor:
    draw = torch.Generator().manual_seed(2)
    there = torch.rand(STEPS, BATCH, CHANNELS, generator=draw) < 0.15
    return there * 2 * torch.rand(STEPS, BATCH, CHANNELS, generator=draw, dtype=torch.float64)


def gradients(made: DelayNetwork, x: Tensor, kernel: str) -> tuple[Answered, list[Tensor]]:
    """Of a loss that looks at the answers and, as the firing-rate term does, at all counts."""
    made.zero_grad()
    with using(kernel):
        done = made.run(x)
        draw = torch.Generator().manual_seed(1)
        seen = [done.answers, *(0.01 * each for each in done.counts)]
        loss = torch.stack([(each * torch.randn(each.shape, generator=draw).double()).sum() for each in seen]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
    return done, [p.grad for p in made.parameters() if p.grad is not None]


@pytest.mark.parametrize("delay_gradient", ["central", "plain"])
@pytest.mark.parametrize(
    "settings",
    [
        {"readout": "exponential"},
        {"readout": "maximum", "recurrent": False},
        {
            "readout": "first-spike",
            "readout_weights": (2.0, 0.5),
            "max_delay": 4,
            "delay_start": 4,
            "recurrent_delay_start": 4,
        },
        {"readout": "mean", "hidden": (), "max_delay": 5, "delay_start": 5, "recurrent_delay_start": 6},
        {"readout": "mean", "max_delay": 300},
        {"readout": "exponential", "max_delay": 0, "delay_start": 0, "recurrent_delay_start": 1},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_the_native_kernel_is_the_plain_one(settings: dict[str, object], delay_gradient: str) -> None:
    made = network(**settings)
    made.differentiate("eventprop", delay_gradient, 0.05)  # type: ignore[arg-type]
    if settings.get("max_delay") == 300:
        with torch.no_grad():
            made.hidden_layers()[0].feedforward.delay[0, 0] = 300.0  # more than a byte holds
    (plain, expected), (fast, found) = (gradients(made, samples(), kernel) for kernel in ("plain", "native"))
    torch.testing.assert_close(fast.answers, plain.answers, rtol=1e-10, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(fast.counts, plain.counts, strict=True))
    assert all(count.sum() > 0 for count in plain.counts)
    assert fast.told == plain.told
    for a, b in zip(fast.spikes(), plain.spikes(), strict=True):
        assert sorted(a.tolist()) == sorted(b.tolist())
    assert len(found) == len(expected)
    assert any(bool(each.any()) for each in expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11 * float(b.abs().max()))


def test_whole_states_lose_their_fraction_in_each_step() -> None:
    """On whole numbers both kernels are the contract's neurons, and equal."""
    rng = np.random.default_rng(0)
    weights, delays = rng.integers(-300, 700, (9, CHANNELS)), rng.integers(0, 6, (9, CHANNELS))
    d_m, d_s, theta = 41, 160, 30_000
    x = (rng.random((STEPS * 8, BATCH, CHANNELS)) < 0.1).astype(np.int64)
    c = v = np.zeros((BATCH, 9), np.int64)
    expected: list[tuple[int, int, int]] = []

    def decayed(state: np.ndarray, d: int) -> np.ndarray:
        return np.sign(state) * (np.abs(state) * (4096 - d) // 4096)

    for t in range(len(x)):
        late = [np.where(t - delays >= 0, x[(t - delays).clip(0), b, np.arange(CHANNELS)], 0) for b in range(BATCH)]
        c = decayed(c, d_s) + np.stack([(weights * each).sum(1) for each in late])
        v = decayed(v, d_m) + c
        expected += [(int(b), t, int(n)) for b, n in np.argwhere(v >= theta)]
        v = np.where(v >= theta, 0, v)
    assert expected
    cuba = Cuba(time_constant(d_m), time_constant(d_s), whole=(d_m, d_s))
    layer = DelayLayer(Synapses(torch.from_numpy(weights).double(), torch.from_numpy(delays)), None, float(theta))
    run = Run(as_events(torch.from_numpy(x).double()), [layer], cuba, Readout("first-spike"), True)
    for kernel in ["plain", *(["native"] if library() else [])]:
        assert sorted(answered(run, kernel=kernel).spikes()[0].tolist()) == sorted(map(list, expected))


def test_threads_and_batches_change_no_bit() -> None:
    made, x = network().float(), samples().float()
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(gradients(made, x, "native")[1])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    with torch.no_grad():
        whole = made.run(x).answers
        alone = torch.cat([made.run(x[:, [b]]).answers for b in range(BATCH)])
    assert torch.equal(whole, alone), "nothing is left over from one sample to the next"


def test_weights_have_the_gradient_of_the_dynamics_where_nothing_fires() -> None:
    """Without spikes in between the network is linear, and autograd over its own equations knows the gradient."""
    made = network(hidden=(), readout="exponential")
    x, (synapses,) = samples(), made.synapses()
    weight = synapses.weight.detach().clone().requires_grad_()
    delay = synapses.delay.detach().round().long()
    current = v = torch.zeros(BATCH, 3, dtype=torch.float64)
    logits = torch.zeros_like(v)
    for t in range(STEPS):
        due = t - delay  # (C, I): which step's input arrives now
        arrived = torch.where(due >= 0, x[due.clamp(min=0), :, torch.arange(CHANNELS)].permute(2, 0, 1), 0)
        current = made.cuba.beta * current + (weight * arrived).sum(2)
        v = made.cuba.alpha * v + made.cuba.gain * current
        logits = logits + v * np.exp(-t / STEPS) / STEPS
    done = made.run(x)
    torch.testing.assert_close(done.answers, logits)
    logits.square().sum().backward()
    done.answers.square().sum().backward()
    assert synapses.weight.grad is not None
    torch.testing.assert_close(synapses.weight.grad, weight.grad)


# ------------------------------------------------------------------------------------------- against the exact network

TAU, END = (20.0, 5.0), 40.0
HIDDEN, OUTPUTS = 6, 2
Matrices = list[np.ndarray]


def drawn(seed: int) -> tuple[Matrices, list[tuple[float, int]]]:
    """Weights and delays (ms) of input, recurrence and readout; delays and input on a grid of a millisecond."""
    rng = np.random.default_rng(seed)
    shapes = ((HIDDEN, CHANNELS), (HIDDEN, HIDDEN), (OUTPUTS, HIDDEN))
    normal = ((1.5, 0.4), (0, 0.3), (0.3, 0.6))
    weights = [rng.normal(m, s, shape) for (m, s), shape in zip(normal, shapes, strict=True)]
    delays = [rng.integers(low, 9, shape).astype(float) for low, shape in zip((0, 1, 1), shapes, strict=True)]
    x = sorted({(float(time), int(channel)) for time in rng.integers(0, 15, 3) for channel in range(CHANNELS)})
    return [*weights, *delays], x


def exact(matrices: Matrices, x: list[tuple[float, int]]) -> Matrices:
    weights_in, weights, delays_in, delays = (np.zeros((HIDDEN + OUTPUTS, n)) for n in (CHANNELS, 8, CHANNELS, 8))
    weights_in[:HIDDEN], weights[:HIDDEN, :HIDDEN], weights[HIDDEN:, :HIDDEN] = matrices[:3]
    delays_in[:HIDDEN], delays[:HIDDEN, :HIDDEN], delays[HIDDEN:, :HIDDEN] = matrices[3:]
    thresholds = np.array([1.0] * HIDDEN + [np.inf] * OUTPUTS)
    graph = Graph(*TAU, thresholds, weights_in, delays_in, weights, delays, OUTPUTS)
    tape = forward.run(graph, x, END)
    found = adjoint.gradients(graph, tape, losses.exponential(graph, tape, 1))
    of_neurons = ((found.weights[:HIDDEN, :HIDDEN], found.weights[HIDDEN:, :HIDDEN]),)
    of_neurons += ((found.delays[:HIDDEN, :HIDDEN], found.delays[HIDDEN:, :HIDDEN]),)
    return [found.weights_in[:HIDDEN], *of_neurons[0], found.delays_in[:HIDDEN], *of_neurons[1]]


def clocked(matrices: Matrices, x: list[tuple[float, int]], dt: float, kernel: str) -> Matrices:
    steps = round(END / dt)
    given = torch.zeros(steps, 1, CHANNELS, dtype=torch.float64)
    for time, channel in x:
        given[round(time / dt), 0, channel] = 1
    weights = [torch.tensor(each, requires_grad=True) for each in matrices[:3]]
    delays = [torch.tensor(each / dt, requires_grad=True) for each in matrices[3:]]
    (w, u, o), (d, e, f) = weights, delays
    layers = [DelayLayer(Synapses(w, d), Synapses(u, e), 1.0), DelayLayer(Synapses(o, f), None, None)]
    read = Readout("weighted", torch.exp(-torch.arange(steps, dtype=torch.float64) / steps) / steps)
    run = Run(as_events(given), layers, Cuba(TAU[0] / dt, TAU[1] / dt, grazing=0.01), read, True)
    logits = answered(run, kernel=kernel).answers
    torch.nn.functional.cross_entropy(logits, torch.tensor([1])).backward()  # type: ignore[no-untyped-call]
    return [each.grad.numpy() for each in weights] + [each.grad.numpy() / dt for each in delays]  # type: ignore[union-attr]


def cosine(a: Matrices, b: Matrices) -> float:
    x, y = (np.concatenate([each.ravel() for each in of]) for of in (a, b))
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize(("dt", "of_weights", "of_delays"), [(1.0, 0.99, 0.97), (0.1, 0.999, 0.998)])
def test_short_steps_lead_to_the_exact_gradients(dt: float, of_weights: float, of_delays: float) -> None:
    """The median over recurrent networks."""
    found = []
    for seed in range(11):
        matrices, x = drawn(seed)
        true, mine = exact(matrices, x), clocked(matrices, x, dt, "native" if library() else "plain")
        found.append((cosine(true[:3], mine[:3]), cosine(true[3:], mine[3:])))
    weights, delays = np.median(found, axis=0)
    assert weights >= of_weights
    assert delays >= of_delays


# ------------------------------------------------------------------------------------------------ surrogate gradients


def test_surrogate_gradients_are_those_of_autograd_over_the_equations() -> None:
    made = network(readout="mean", hidden=(6,), recurrent=True, max_delay=3, delay_start=3, recurrent_delay_start=4)
    made.differentiate("surrogate", "central", 0.05)
    done, found = gradients(made, samples(), "plain")
    from asrc_train.gradients.surrogate import fire

    layer, cuba, x = made.hidden_layers()[0], made.cuba, samples()
    assert layer.recurrent is not None
    weights = [each.weight.detach().clone().requires_grad_() for each in made.synapses()]
    delays = [each.delay.detach().round().long() for each in made.synapses()]
    s: list[Tensor] = []

    def arrived(sent: list[Tensor], weight: Tensor, delay: Tensor, t: int) -> Tensor:
        total = torch.zeros(BATCH, len(weight), dtype=torch.float64)
        for d in range(min(t, 4) + 1):
            if t - d < len(sent):
                total = total + sent[t - d] @ (weight * (delay == d)).t()
        return total

    i = v = torch.zeros(BATCH, 6, dtype=torch.float64)
    j = o = torch.zeros(BATCH, 3, dtype=torch.float64)
    answers, counts = torch.zeros_like(o), torch.zeros_like(v)
    for t in range(STEPS):
        i = cuba.beta * i + arrived(list(x), weights[0], delays[0], t) + arrived(s, weights[1], delays[1], t)
        u = cuba.alpha * v + cuba.gain * i
        s.append(fire(u - 1.0))
        v, counts = u * (1 - s[t]), counts + s[t]
        j = cuba.beta * j + arrived(s, weights[2], delays[2], t)
        o = cuba.alpha * o + cuba.gain * j
        answers = answers + o / STEPS
    torch.testing.assert_close(done.answers, answers)
    draw = torch.Generator().manual_seed(1)
    loss = (answers * torch.randn(answers.shape, generator=draw).double()).sum()
    (loss + (0.01 * counts * torch.randn(counts.shape, generator=draw).double()).sum()).backward()  # type: ignore[no-untyped-call]
    for each, expected in zip(found[::2], weights, strict=True):
        torch.testing.assert_close(each, expected.grad)


# ----------------------------------------------------------------------------------------------------- what is refused


def test_what_comes_too_late_or_barely_happens_is_counted() -> None:
    one = Synapses(torch.tensor([[20.0]]), torch.tensor([[3.0]]))
    layers = [DelayLayer(one, None, 1.0), DelayLayer(Synapses(torch.ones(1, 1), torch.tensor([[8.0]])), None, None)]
    x = torch.zeros(10, 1, 1)
    x[0], x[8] = 1, 1
    for kernel in ("plain", "native"):
        run = Run(as_events(x), layers, Cuba(20.0, 5.0), Readout("maximum"), True)
        done = answered(run, kernel=kernel)
        assert done.counts[0].sum() > 1
        assert done.told.late == 1 + done.counts[0].sum(), "the second input spike, and all that the neuron sends"
        assert done.told.grazing == 0
        weak = [layers[0]._replace(forward=Synapses(torch.tensor([[6.7]]), torch.zeros(1, 1))), layers[1]]
        barely = run._replace(layers=weak, cuba=Cuba(20.0, 5.0, grazing=1.0))
        assert answered(barely, kernel=kernel).told.grazing == 1


def test_what_no_kernel_can_run_is_refused_by_name() -> None:
    made, x = network(), samples()
    with torch.no_grad():
        made.hidden_layers()[0].recurrent.delay[0, 0] = 0  # type: ignore[union-attr]
    with pytest.raises(InvalidSetting, match=r"layer 0, recurrent\.delay: a delay of 0 does not exist"):
        made.run(x)
    made = network()
    with torch.no_grad():
        made.readout.weight[0, 0] = np.nan
    with pytest.raises(InvalidSetting, match=r"layer 2, feedforward.weight: it holds 1 NaN"):
        made.run(x)
    with pytest.raises(InvalidData, match="NaN"):
        network().run(x * np.inf)
    with pytest.raises(UnknownName, match="kernel 'bptt'"), using("bptt"):
        network().run(x)
    surrogate = network()
    surrogate.differentiate("surrogate", "central", 0.05)
    with pytest.raises(BackendMissing, match="membranes"), using("native"):
        surrogate.run(x)


def test_integer_samples_make_the_same_events_as_floats() -> None:
    x = (4 * samples()).long()
    one = samples_as_events(x.transpose(0, 1).contiguous().to(torch.uint8), 0.5, torch.float64)
    other = as_events(x.double() * 0.5)
    assert (one.steps, one.channels) == (other.steps, other.channels)
    assert all(torch.equal(a, b) for a, b in zip(one[2:], other[2:], strict=True))
