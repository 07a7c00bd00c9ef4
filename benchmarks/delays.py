"""A training sample of a network with a delay for each synapse: our kernel and DCLS side by side.

    python benchmarks/delays.py                    ours, and DCLS if `dcls` (PyPI) can be imported
    python benchmarks/delays.py --rounds 9 --json
    python benchmarks/delays.py --memory           what a pass takes, over the number of steps and of delays (Linux)

Figures are processor time of one thread for one sample, forward and backward, medians over rounds in which all take
turns. Two settings:

    recurrent   700 inputs, 256 recurrent neurons, 20 integrators; T = 1000, about 20,000 spikes. benchmarks/mlgenn.py
                measures mlGeNN's CPU backend beside it.
    forward     700 inputs, 256 neurons without recurrence, 20 integrators; T = 100, 25 delays, 5,000 input spikes. DCLS
                (Hammouamri and others, ICLR 2024) convolves over time with kernels of 25 steps, its neurons are a plain
                loop with a surrogate gradient, as its authors' code has it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from in_turns import median_seconds
from torch import Tensor, nn

from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.delays.layer import Events, as_events
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.recurrence import using
from asrc_train.settings.config import NetworkConfig

CHANNELS, HIDDEN, CLASSES, BATCH = 700, 256, 20, 8


class Setting(NamedTuple):
    """One of the two."""

    name: str
    steps: int
    delays: int
    recurrent: bool
    input_spikes: int
    weight: float


RECURRENT = Setting("recurrent", 1000, 62, True, 8000, 0.040)
FORWARD = Setting("forward", 100, 25, False, 5000, 0.045)


def given(setting: Setting) -> tuple[Tensor, Tensor]:
    """Spikes (T, B, channels) all over the sample, and labels."""
    draw = torch.Generator().manual_seed(0)
    share = setting.input_spikes / (setting.steps * CHANNELS)
    x = (torch.rand(setting.steps, BATCH, CHANNELS, generator=draw) < share).float()
    return x, torch.randint(CLASSES, (BATCH,), generator=draw)


def ours(setting: Setting) -> DelayNetwork:
    """A network of ours with as many delays, which start all over their range."""
    torch.manual_seed(0)
    most = setting.delays - 1
    return DelayNetwork(
        CHANNELS,
        CLASSES,
        NetworkConfig.model_validate(
            {
                "neuron": "cuba-lif",
                "connection": "delays",
                "hidden": (HIDDEN,),
                "recurrent": setting.recurrent,
                "max_delay": most,
                "delay_start": most,
                "recurrent_delay_start": most + 1 if setting.recurrent else 1,
                "input_weights": (setting.weight, setting.weight / 3),
            }
        ),
    )


def step_of_ours(network: DelayNetwork, events: Events, labels: Tensor, kernel: str) -> Callable[[], None]:
    """Forward, loss and backward."""

    def step() -> None:
        network.zero_grad()
        with using(kernel):
            nn.functional.cross_entropy(network(events), labels).backward()  # type: ignore[no-untyped-call]

    return step


class Dcls(nn.Module):
    """Two layers of DCLS with a neuron loop between them."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        from DCLS.construct.modules import Dcls1d  # type: ignore[import-not-found]

        def delayed(inputs: int, outputs: int) -> nn.Module:
            made: nn.Module = Dcls1d(
                inputs, outputs, kernel_count=1, dilated_kernel_size=setting.delays, bias=False, version="gauss"
            )
            return made

        self.hidden, self.readout, self.reach = delayed(CHANNELS, HIDDEN), delayed(HIDDEN, CLASSES), setting.delays

    def forward(self, x: Tensor) -> Tensor:
        """Logits of spikes (B, channels, T)."""
        current = self.hidden(nn.functional.pad(x, (self.reach - 1, 0)))
        v, spikes = torch.zeros_like(current[..., 0]), []
        for each in current.unbind(-1):
            v = 0.95 * v + each
            s = fire(v - 1)
            v = v * (1 - s)
            spikes.append(s)
        driven = self.readout(nn.functional.pad(torch.stack(spikes, -1), (self.reach - 1, 0)))
        logits: Tensor = driven.mean(-1)
        return logits


def dcls_step(setting: Setting, x: Tensor, labels: Tensor) -> Callable[[], None] | None:
    """The same of DCLS, or None where it is not installed."""
    try:
        network = Dcls(setting)
    except ImportError:
        return None
    batch = x.permute(1, 2, 0).contiguous()

    def step() -> None:
        network.zero_grad()
        nn.functional.cross_entropy(network(batch), labels).backward()  # type: ignore[no-untyped-call]

    return step


def measured(setting: Setting, rounds: int, plain: bool) -> dict[str, float]:
    """Ours, and DCLS where it can do it and is there."""
    x, labels = given(setting)
    network, events = ours(setting), as_events(x)
    with torch.no_grad():
        done = network.run(events)
    spikes = (len(events.step) + float(done.counts[0].sum())) / BATCH
    steps = {"native": step_of_ours(network, events, labels, "native")}
    if plain:
        steps["plain"] = step_of_ours(network, events, labels, "plain")
    rival = None if setting.recurrent else dcls_step(setting, x, labels)
    if rival is not None:
        steps["dcls"] = rival
    taken = median_seconds(steps, rounds)
    return {"spikes": spikes, **{name: 1000 * each / BATCH for name, each in taken.items()}}


def peak_memory(steps: int, delays: int) -> tuple[float, float]:
    """Spikes of a sample, and MiB that forward and backward take at most beyond what is there before (Linux).

    The same 8,000 input spikes a sample, however long it is, and weights as much larger as they are rarer.
    """
    setting = RECURRENT._replace(steps=steps, delays=delays, weight=RECURRENT.weight * steps / RECURRENT.steps)
    draw = torch.Generator().manual_seed(0)
    count = setting.input_spikes
    when = torch.randint(steps, (BATCH, count), generator=draw).sort(dim=1).values.flatten().int()
    channel = torch.randint(CHANNELS, (BATCH * count,), generator=draw).int()
    first = torch.arange(BATCH + 1) * count
    events = Events(steps, CHANNELS, first, when, channel, torch.ones(BATCH * count))
    network, labels = ours(setting), torch.zeros(BATCH, dtype=torch.int64)
    step = step_of_ours(network, events, labels, "native")
    with torch.no_grad(), using("native"):
        spikes = count + float(network.run(events).counts[0].sum()) / BATCH
    step()
    ctypes.CDLL(None).malloc_trim(0)  # what the first step has left with the allocator
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _resident("VmRSS")
    step()
    return spikes, (_resident("VmHWM") - before) / 1024


def _resident(name: str) -> int:
    """KiB, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def show_memory() -> None:
    """A line for each number of steps and of delays."""
    for steps in (250, 1000, 4000):
        for delays in (8, 31, 62):
            spikes, peak = peak_memory(steps, delays)
            print(
                f"T = {steps:5}, {delays:3} delays: {spikes:9,.0f} spikes a sample, {peak:6.1f} MiB a batch of {BATCH}"
            )


def main() -> None:
    """Print both tables."""
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="repeats of which the median counts")
    parser.add_argument("--plain", action="store_true", help="the plain PyTorch kernel, too, which takes its time")
    parser.add_argument("--memory", action="store_true", help="memory of a pass, in place of its time")
    parser.add_argument("--json", action="store_true", help="print all figures as one object at the end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        show_memory()
        return
    found = {setting.name: measured(setting, options.rounds, options.plain) for setting in (RECURRENT, FORWARD)}
    for name, figures in found.items():
        print(f"{name}: {figures['spikes']:,.0f} spikes a sample")
        for kernel in ("native", "plain", "dcls"):
            if kernel in figures:
                print(f"  {kernel:8} {figures[kernel]:9.2f} ms of processor time a sample")
    if "dcls" in found["forward"]:
        found["forward"]["over dcls"] = found["forward"]["dcls"] / found["forward"]["native"]
        print(f"DCLS beside ours: {found['forward']['over dcls']:.1f} x")
    else:
        print("DCLS was not measured: 'dcls' is not installed (pip install dcls).", file=sys.stderr)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
