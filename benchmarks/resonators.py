"""A training step of state-space neurons: our kernels beside step-by-step training and our own recurrent networks.

    python benchmarks/resonators.py                 the three comparisons below
    python benchmarks/resonators.py --modes 4 --rounds 9 --json

A training step is forward, cross-entropy and backward, three layers of 128, batch normalisation included. Figures are
processor time of one thread, medians over rounds in which all take turns, in one process. "x" means as many times as
fast.

    kernels     T = 784, B = 64: native, fft and chunks, and the same equations stepped through as snntorch does it: one
                step after the other, layer by layer, differentiated by autograd
    src         the same beside a skip-recurrent network (SRC, span 12) of equal widths on its native kernel, once
                batch-normalised, as ours is, and once not: then its upper layers are all but silent at the start,
                which makes them fast. The share of steps at which layers fire is told, since both go by events
    length      the native kernel from T = 256 to 16,384 at T B = 16,384: time for a step of a sample, which is flat
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import torch
from in_turns import median_seconds
from torch import Tensor, nn

from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.network.recurrence import using

STEPS, BATCH, WIDTHS, CLASSES = 784, 64, (128, 128, 128), 10
LENGTHS = (256, 1024, 4096, 16_384)
AT_ONCE = 16_384
"""T B of the comparison of lengths."""


def state_space(modes: int, steps: int) -> SkipRecurrentNetwork:
    """Neurons of so many modes; of one, PRF."""
    torch.manual_seed(0)
    neuron = "prf" if modes == 1 else "ssm"
    return SkipRecurrentNetwork(
        1,
        CLASSES,
        hidden=WIDTHS,
        neuron=neuron,
        modes=modes,
        connection="none",
        batch_norm=True,
        steps=steps,
    )


def samples(steps: int, batch: int) -> tuple[Tensor, Tensor]:
    """Random pixels (T, B, 1), and labels."""
    draw = torch.Generator().manual_seed(1)
    return torch.rand(steps, batch, 1, generator=draw), torch.randint(CLASSES, (batch,), generator=draw)


def at_once(network: SkipRecurrentNetwork, x: Tensor, labels: Tensor, kernel: str) -> Callable[[], None]:
    """A training step on one of our kernels."""

    def step() -> None:
        network.zero_grad()
        with using(kernel):
            nn.functional.cross_entropy(network(x), labels).backward()  # type: ignore[no-untyped-call]

    return step


def stepped(network: SkipRecurrentNetwork, x: Tensor, labels: Tensor) -> Callable[[], None]:
    """The same equations one step at a time, on running statistics: those of a whole batch need all steps."""

    def step() -> None:
        network.zero_grad()
        layers = network.state_space_layers()
        weights = [
            (of.feedforward.weight, of.feedforward.bias)
            if of.normalization is None
            else of.normalization.folded(of.feedforward.weight, of.feedforward.bias)
            for of in layers
        ]
        begun = [of.neuron.begin(x.new_zeros(x.shape[1], width)) for of, width in zip(layers, WIDTHS, strict=True)]
        states, moves = [state for state, _ in begun], [move for _, move in begun]
        answer = x.new_zeros(x.shape[1], CLASSES)
        for now in x:
            sent = now
            for i, (weight, bias) in enumerate(weights):
                sent, states[i] = moves[i](states[i], nn.functional.linear(sent, weight, bias))
            answer = answer + network.readout(sent)
        nn.functional.cross_entropy(answer / len(x), labels).backward()  # type: ignore[no-untyped-call]

    return step


@torch.no_grad()
def tell_firing(name: str, network: SkipRecurrentNetwork, x: Tensor) -> None:
    """Print the share of steps at which each layer's neurons fire."""
    shares = (f"{100 * float(spikes.mean()):.0f}" for spikes in network.traced(x)[1])
    print(f"layers of {name} fire at {', '.join(shares)} % of steps")


def beside_others(modes: int, rounds: int) -> dict[str, float]:
    """Seconds of a training step: our kernels, stepping, and SRC."""
    x, labels = samples(STEPS, BATCH)
    network = state_space(modes, STEPS)
    tell_firing("state-space", network, x)
    recurrent = [
        SkipRecurrentNetwork(1, CLASSES, hidden=WIDTHS, connection="src", span=12, batch_norm=normalized)
        for normalized in (True, False)
    ]
    tell_firing("src, normalised", recurrent[0], x)
    tell_firing("src", recurrent[1], x)
    return median_seconds(
        {
            **{kernel: at_once(network, x, labels, kernel) for kernel in ("native", "fft", "chunks")},
            "stepped": stepped(network, x, labels),
            "src, normalised": at_once(recurrent[0], x, labels, "native"),
            "src": at_once(recurrent[1], x, labels, "native"),
        },
        rounds,
    )


def by_length(modes: int, rounds: int) -> dict[str, float]:
    """Microseconds for a step of a sample, by the number of steps."""
    made = {}
    for steps in LENGTHS:
        made[str(steps)] = at_once(state_space(modes, steps), *samples(steps, AT_ONCE // steps), "native")
    return {name: 1e6 * each / AT_ONCE for name, each in median_seconds(made, rounds).items()}


def main() -> None:
    """Print all three."""
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modes", type=int, default=1, help="complex modes of a neuron (1 is PRF)")
    parser.add_argument("--rounds", type=int, default=5, help="repeats of which the median counts")
    parser.add_argument("--json", action="store_true", help="print all figures as one object at the end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = beside_others(options.modes, options.rounds)
    print(f"training step, T = {STEPS}, B = {BATCH}, {len(WIDTHS)} layers of {WIDTHS[0]}, {options.modes} mode(s)")
    for name, each in found.items():
        print(f"  {name:15} {1000 * each:9.1f} ms    native is {each / found['native']:5.2f} x")
    lengths = by_length(options.modes, options.rounds)
    print(f"a step of a sample at T B = {AT_ONCE}")
    for name, each in lengths.items():
        print(f"  T = {name:>6} {each:8.2f} us    {each / lengths[str(LENGTHS[0])]:5.2f} of T = {LENGTHS[0]}")
    if options.json:
        print(json.dumps({"step": found, "length": lengths}))


if __name__ == "__main__":
    main()
