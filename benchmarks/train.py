"""A training step and inference of a skip-recurrent network: our kernels beside a plain loop and the authors' code.

    python benchmarks/train.py                          kernels against the plain loop, written as the authors do it
    python benchmarks/train.py --authors ../ASRC-SNN    and against their unmodified model (needs spikingjelly)
    python benchmarks/train.py --quick --json

A training step is forward, cross-entropy, backward and AdamW. Inference is hard-max, as the authors evaluate. All have
the same weights, with biases that let each layer fire at about a tenth; the figures are medians over rounds in which
all take turns, in one process. Memory is the peak of a fresh process above what it took after its imports and a step
of next to nothing. Ratios are speed over speed and memory over memory, "x" means as many times as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from asrc_train.gradients.surrogate import fire
from asrc_train.network.recurrence import Dynamics, SkipLayer, skip_recurrence, spike_counts

DECAY, THRESHOLD, CLASSES, RATE = 0.5, 1.0, 10, 0.1
KERNELS = ("native", "native, layer by layer", "bptt")
PLAIN, AUTHORS = "plain loop", "authors"


@dataclass(frozen=True)
class Setting:
    """What is trained: a mixture of K spans ("asrc") or a single span ("src")."""

    connection: str
    reach: int
    batch: int
    steps: int
    widths: tuple[int, ...]

    def __str__(self) -> str:
        name = f"ASRC K={self.reach}" if self.connection == "asrc" else f"SRC span {self.reach}"
        return f"{name}, B={self.batch}, T={self.steps}, {list(self.widths)}"


class LayerWeights(NamedTuple):
    """W, b, U and skip logits."""

    weight: Tensor
    bias: Tensor
    recurrent: Tensor
    logits: Tensor


@dataclass
class Problem:
    """Weights and one batch, the same for everyone."""

    setting: Setting
    layers: list[LayerWeights]
    readout: tuple[Tensor, Tensor]
    x: Tensor  # (B, T, 1)
    labels: Tensor


class Contestant(NamedTuple):
    """One implementation: a training step, inference giving logits."""

    train: Callable[[], None]
    infer: Callable[[], Tensor]


def problem(setting: Setting) -> Problem:
    """Random weights as the paper starts from, sparse input like strokes, biases for the wanted spike rate."""
    torch.manual_seed(0)
    x = torch.rand(setting.batch, setting.steps, 1) * (torch.rand(setting.batch, setting.steps, 1) < 0.2)
    layers: list[LayerWeights] = []
    fan_in = 1
    for neurons in setting.widths:
        linear = nn.Linear(fan_in, neurons)
        recurrent = nn.init.orthogonal_(torch.empty(neurons, neurons))
        logits = 0.01 * torch.randn(setting.reach)
        layers.append(LayerWeights(linear.weight.detach(), linear.bias.detach(), recurrent, logits))
        fan_in = neurons
    readout = nn.Linear(fan_in, CLASSES)
    made = Problem(
        setting,
        layers,
        (readout.weight.detach(), readout.bias.detach()),
        x,
        torch.randint(0, CLASSES, (setting.batch,)),
    )
    for index, layer in enumerate(layers):
        start, low, high = layer.bias.clone(), -2.0, 3.0
        for _ in range(16):
            layer.bias.copy_(start + (low + high) / 2)
            sample = x[:16].transpose(0, 1)
            rate = float(spike_counts(sample, specification(setting, layers[: index + 1], True)).mean()) / setting.steps
            low, high = ((low + high) / 2, high) if rate < RATE else (low, (low + high) / 2)
    return made


def specification(setting: Setting, layers: Sequence[LayerWeights], training: bool) -> list[SkipLayer]:
    """The layers as our kernels take them; hard-max spans outside training."""

    def taps(logits: Tensor) -> Tensor | int:
        if setting.connection == "src":
            return setting.reach
        return torch.softmax(logits, 0) if training else 1 + int(logits.argmax())

    dynamics = Dynamics(DECAY, THRESHOLD)
    return [SkipLayer(each.weight, each.bias, each.recurrent, taps(each.logits), dynamics) for each in layers]


def optimizer(weights: Sequence[Tensor], logits: Sequence[Tensor]) -> torch.optim.Optimizer:
    """AdamW as the paper sets it; a rate of almost nothing, so that all go on with the same weights."""
    return torch.optim.AdamW(
        [{"params": list(weights), "weight_decay": 0.01}, {"params": list(logits), "weight_decay": 0.0}], lr=1e-9
    )


def stepper(forward: Callable[[], Tensor], labels: Tensor, optimize: torch.optim.Optimizer) -> Callable[[], None]:
    """Forward, cross-entropy, backward, optimizer."""

    def step() -> None:
        optimize.zero_grad()
        functional.cross_entropy(forward(), labels).backward()  # type: ignore[no-untyped-call]
        optimize.step()

    return step


# ------------------------------------------------------------------------------------------------ implementations


def ours(given: Problem, kernel: str) -> Contestant:
    """Our kernels: the whole stack at once, or layer by layer with all spikes in between as numbers."""
    name, _, piecewise = kernel.partition(", ")
    layers = [LayerWeights(*(tensor.clone().requires_grad_() for tensor in layer)) for layer in given.layers]
    w_o, b_o = (tensor.clone().requires_grad_() for tensor in given.readout)
    x = given.x.transpose(0, 1)

    def logits(training: bool) -> Tensor:
        stack = specification(given.setting, layers, training)
        if piecewise:
            s = x
            for layer in stack:
                s = skip_recurrence(s, *layer, kernel=name)  # type: ignore[arg-type]
            counts = s.sum(0)
        else:
            counts = spike_counts(x, stack, kernel=name)
        return functional.linear(counts, w_o, len(x) * b_o)

    mixed = given.setting.connection == "asrc"
    weights = [tensor for layer in layers for tensor in layer[:3]] + [w_o, b_o]
    optimize = optimizer(weights, [layer.logits for layer in layers] if mixed else [])
    return Contestant(stepper(lambda: logits(True), given.labels, optimize), torch.no_grad()(lambda: logits(False)))


class PlainLayer(nn.Module):
    """One layer, one step at a time: the last spikes in a buffer that is rolled and, in ASRC, summed every step."""

    def __init__(self, setting: Setting, given: LayerWeights) -> None:
        super().__init__()
        self.setting = setting
        self.weights = nn.ParameterList(nn.Parameter(tensor.clone()) for tensor in given)

    def reset(self, batch: int) -> None:
        """Silence before the first step."""
        neurons = len(self.weights[2])
        self.past, self.v = torch.zeros(self.setting.reach, batch, neurons), torch.zeros(batch, neurons)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of the next step."""
        weight, bias, recurrent, logits = self.weights
        if self.setting.connection == "src":
            recalled = self.past[-1]
        elif self.training:
            recalled = (torch.softmax(logits, 0)[:, None, None] * self.past).sum(0)
        else:
            recalled = self.past[int(logits.argmax())]
        u = self.v * DECAY + functional.linear(recalled, recurrent) + functional.linear(x, weight, bias)
        s = fire(u - THRESHOLD)
        self.v = u - s * THRESHOLD
        self.past = torch.roll(self.past, 1, 0)
        self.past[0] = s
        return s


def plain(given: Problem) -> Contestant:
    """The loop over steps and layers, differentiated by PyTorch."""
    layers = nn.ModuleList(PlainLayer(given.setting, layer) for layer in given.layers)
    w_o, b_o = (nn.Parameter(tensor.clone()) for tensor in given.readout)

    def logits(training: bool) -> Tensor:
        layers.train(training)
        for layer in layers:
            layer.reset(len(given.x))  # type: ignore[operator]
        outputs = []
        for t in range(given.setting.steps):
            s = given.x[:, t]
            for layer in layers:
                s = layer(s)
            outputs.append(functional.linear(s, w_o, b_o))
        return torch.stack(outputs).sum(0)

    mixed = given.setting.connection == "asrc"
    weights = [tensor for layer in layers for tensor in list(layer.weights)[:3]] + [w_o, b_o]
    optimize = optimizer(weights, [layer.weights[3] for layer in layers] if mixed else [])
    return Contestant(stepper(lambda: logits(True), given.labels, optimize), torch.no_grad()(lambda: logits(False)))


def authors(given: Problem, checkout: str) -> Contestant:
    """The model of github.com/dgxdn/ASRC-SNN as it stands there."""
    network = authors_model(given.setting, checkout)
    give_weights(network, given.layers, given.readout)

    def logits(training: bool) -> Tensor:
        network.train(training)
        return from_silence(network, given.x)

    optimize = optimizer(*weights_and_skips(network))
    return Contestant(stepper(lambda: logits(True), given.labels, optimize), torch.no_grad()(lambda: logits(False)))


def give_weights(network: Any, layers: Sequence[LayerWeights], readout: tuple[Tensor, Tensor]) -> None:
    """Put weights into the authors' network. Each of its layers is three modules: linear, dropout, recurrent."""
    features = network.features
    with torch.no_grad():
        for index, layer in enumerate(layers):
            linear, connection = features[3 * index], features[3 * index + 2]
            linear.weight.copy_(layer.weight)
            linear.bias.copy_(layer.bias)
            connection.mlp.weight.copy_(layer.recurrent)
            if hasattr(connection, "skip_para"):  # ASRC
                connection.skip_para.copy_(layer.logits[:, None, None])
        features[-1].weight.copy_(readout[0])
        features[-1].bias.copy_(readout[1])


def from_silence(network: Any, x: Tensor) -> Tensor:
    """Logits of the authors' network, whose modules keep their state from one batch to the next unless reset."""
    for module in network.modules():
        if hasattr(module, "reset"):
            module.reset()
    result: Tensor = network(x)
    return result


def weights_and_skips(network: Any) -> tuple[list[Tensor], list[Tensor]]:
    """What the authors' network learns: its weights, and the logits of its spans."""
    learned = {name: each for name, each in network.named_parameters() if each.requires_grad}
    skips = [each for name, each in learned.items() if "skip_para" in name]
    return [each for name, each in learned.items() if "skip_para" not in name], skips


def authors_model(setting: Setting, checkout: str) -> Any:
    """Their network for ``setting``, from a checkout of their repository."""
    settings = argparse.Namespace(
        model_version=setting.connection.upper(),
        layers=list(setting.widths),
        skip=[setting.reach] * len(setting.widths),
        input_dim=1,
        output_dim=CLASSES,
        bias=True,
        drop=0.0,
        sg="triangle",
        neuron="lif",
        threshold=THRESHOLD,
        decay_para=DECAY,
        hard_reset=False,
        detach_reset=False,
        network_wise=False,
        neuron_channel_wise=False,
        use_layernorm=False,
        de_tau=0.96,
    )
    sys.path.insert(0, checkout)  # their modules import each other by plain names, some of them late
    try:
        from model import MODEL  # type: ignore[import-not-found]

        return MODEL(settings)
    except ModuleNotFoundError as error:
        sys.exit(f"train.py: '{checkout}' is no checkout of their repository that imports: {error}.")
    finally:
        sys.path.remove(checkout)


def contestant(name: str, given: Problem, checkout: str | None) -> Contestant:
    """The implementation of that name."""
    if name == PLAIN:
        return plain(given)
    if name == AUTHORS:
        assert checkout
        return authors(given, checkout)
    return ours(given, name)


# ---------------------------------------------------------------------------------------------------- measurement


def seconds(body: Callable[[], object]) -> float:
    """Wall time of one call, or the mean over as many as fill a few milliseconds."""
    begin, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - begin < 0.05:
        body()
        calls += 1
    return (time.perf_counter() - begin) / calls


def timed(given: Problem, names: Sequence[str], checkout: str | None, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of "train" and "infer" for each name; all take turns in each round. The first is a warm-up."""
    contestants = {name: contestant(name, given, checkout) for name in names}
    logits = {name: each.infer() for name, each in contestants.items()}
    for name, result in logits.items():
        same = float((result.argmax(1) == logits[names[-1]].argmax(1)).double().mean())
        assert same >= 0.95, f"'{name}' and '{names[-1]}' predict the same for {same:.0%} of samples only"
    taken: dict[str, dict[str, list[float]]] = {name: {"train": [], "infer": []} for name in names}
    for turn in range(rounds + 1):
        for name, each in contestants.items():
            for task, body in each._asdict().items():
                spent = seconds(body)
                if turn:
                    taken[name][task].append(spent)
    return {name: {task: statistics.median(each) for task, each in tasks.items()} for name, tasks in taken.items()}


def peak_memory(name: str, setting: Setting, checkout: str | None) -> int:
    """Bytes that a fresh process needs for training steps, above what it has after its imports."""
    command = [sys.executable, __file__, "--memory-of", name, json.dumps(asdict(setting))]
    command += ["--authors", checkout] if checkout else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"train.py: measuring the memory of '{name}' failed: {done.stderr.strip().splitlines()[-1:]}")
    return int(done.stdout.split()[-1])


def measure_own_memory(name: str, setting: Setting, checkout: str | None) -> int:
    """The same within this process. A first step of next to nothing lets PyTorch import what it puts off."""
    contestant(name, problem(Setting(setting.connection, 1, 1, 1, (1,))), checkout).train()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    body = contestant(name, problem(setting), checkout).train
    body()
    body()
    return resident("VmHWM") - before


def resident(what: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


# ------------------------------------------------------------------------------------------------------- the rest


def settings(quick: bool) -> list[Setting]:
    """What is measured: the paper's network, then one thing at a time changed."""
    paper = (64, 128, 128)
    if quick:
        return [
            Setting("asrc", 51, 64, 160, paper),
            Setting("asrc", 11, 64, 160, paper),
            Setting("src", 16, 64, 160, paper),
        ]
    return [
        *(Setting("asrc", reach, 64, 784, paper) for reach in (51, 21, 11)),
        *(Setting("src", 16, batch, 784, paper) for batch in (64, 256)),
        Setting("asrc", 51, 256, 784, paper),
        Setting("asrc", 51, 64, 196, paper),
        Setting("asrc", 31, 64, 784, (64, 212, 212)),
    ]


def affordable(name: str, setting: Setting, free: int) -> bool:
    """Whether the loops' memory, which grows with batch and reach, fits: about (reach + 20) numbers a spike."""
    if name not in (PLAIN, AUTHORS):
        return True
    spikes = setting.batch * setting.steps * sum(setting.widths)
    return spikes * 4 * ((setting.reach if setting.connection == "asrc" else 2) + 25) * 1.3 < free


def free_memory() -> int:
    """Bytes of memory that nothing uses."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def measure(setting: Setting, checkout: str | None, rounds: int) -> dict[str, float]:
    """Prints a table of one setting and returns its ratios by name."""
    wanted = (*KERNELS, PLAIN, *((AUTHORS,) if checkout else ()))
    names = [name for name in wanted if affordable(name, setting, free_memory())]
    times = timed(problem(setting), names, checkout, rounds)
    memory = {name: peak_memory(name, setting, checkout) for name in names}
    print(f"\n{setting}")
    for name in wanted:
        if name not in names:
            print(f"  {name:24} not run: needs more memory than there is")
            continue
        train, infer = (setting.batch / times[name][task] for task in ("train", "infer"))
        print(f"  {name:24} train {train:8.1f}/s  infer {infer:9.1f}/s  memory {memory[name] / 1e6:8.1f} MB")
    ratios: dict[str, float] = {}
    for name in KERNELS:
        for rival in (PLAIN, AUTHORS):
            if rival in names:
                key = f"{setting}: {name} over {rival}"
                for task in ("train", "infer"):
                    ratios[f"{key}, {task}"] = round(times[rival][task] / times[name][task], 2)
                ratios[f"{key}, memory"] = round(memory[name] / memory[rival], 5)
                train, infer, share = (ratios[f"{key}, {what}"] for what in ("train", "infer", "memory"))
                print(f"  {name} over {rival}: train {train:.1f} x, infer {infer:.1f} x, memory 1/{1 / share:.0f}")
    ratios[f"{setting}: native seconds of a training step"] = times["native"]["train"]
    return ratios


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--authors", metavar="PATH", help="checkout of github.com/dgxdn/ASRC-SNN")
    parser.add_argument("--rounds", type=int, default=5, help="repeats of which the median counts")
    parser.add_argument("--only", metavar="TEXT", default="", help="settings whose name contains this")
    parser.add_argument("--quick", action="store_true", help="under a minute: short sequences, fewer settings")
    parser.add_argument("--json", action="store_true", help="print all ratios as one object at the end")
    parser.add_argument("--memory-of", nargs=2, metavar=("NAME", "SETTING"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        name, fields = given.memory_of
        values = json.loads(fields)
        print(measure_own_memory(name, Setting(**(values | {"widths": tuple(values["widths"])})), given.authors))
        return
    ratios: dict[str, float] = {}
    for setting in settings(given.quick):
        if given.only in str(setting):
            ratios |= measure(setting, given.authors, 2 if given.quick else given.rounds)
    ratios = {key: value for key, value in with_flatness(ratios).items() if "seconds" not in key}
    if given.json:
        print(json.dumps(ratios))


def with_flatness(ratios: dict[str, float]) -> dict[str, float]:
    """How much longer a native step takes with the longest mixture than with the shortest, the rest being equal."""
    costs = {key: value for key, value in ratios.items() if "K=51" in key and "seconds" in key}
    for key, longest in costs.items():
        shortest = ratios.get(key.replace("K=51", "K=11"))
        if shortest:
            name = f"{key.replace('K=51', 'K=51 over K=11').partition(': native')[0]}: cost of a native training step"
            ratios[name] = round(longest / shortest, 3)
            print(f"\n{name}: {ratios[name]:.2f} x")
    return ratios


if __name__ == "__main__":
    main()
