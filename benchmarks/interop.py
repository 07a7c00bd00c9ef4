"""Networks of the NIR paper on our engine and in frameworks' own CPU simulations, side by side.

    python benchmarks/interop.py                 with snnTorch, and Sinabs if it can be imported
    python benchmarks/interop.py --rounds 9 --samples 8 --json

Each network is read from its NIR file (tests/support/nir_paper), exported at 8 bits for loihi2, and run by the
generated engine; the frameworks run the same weights with the same neurons, in single precision, without gradients, as
their tutorials do: a loop over steps in snnTorch, whole sequences in Sinabs.

    scnn      the convolutional network for N-MNIST: 2 x 34 x 34, 300 steps. There are no recordings here, so the input
              is a blob of events that moves in a circle, about 4,200 a sample, as many as a recording has
    braille   the recurrent network for Braille letters: 12 channels, 256 steps, the published sample

All take turns. Figures are processor time of one thread for one sample, medians over rounds, once for one sample at a
time and once for all of them in a batch; ratios are medians of the rounds' own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch

from asrc_core.contract.network import IntegerNetwork
from asrc_export.engines.generated import GeneratedEngine
from asrc_export.exporting import export
from asrc_export.interop.imported import Feed
from asrc_export.interop.nir import reader

FILES = Path(__file__).parents[1] / "tests" / "support" / "nir_paper"
Run = Callable[[np.ndarray[Any, Any]], object]


def integers(name: str, steps: int, **how: Any) -> IntegerNetwork:
    """The file's network for loihi2."""
    return export(reader.read(FILES / name, Feed(steps=steps, maximum=1), **how).checkpoint, "loihi2").network


def blob(samples: int) -> np.ndarray[Any, Any]:
    """Events (samples, 300, 2 x 34 x 34) around a centre that moves."""
    draw = np.random.default_rng(0)
    x = np.zeros((samples, 300, 2, 34, 34), np.int32)
    for b in range(samples):
        for t in range(300):
            many = draw.poisson(14)
            centre = 17 + 6 * np.array([np.sin(t / 48 + b), np.cos(t / 48 + b)])
            rows, columns = np.clip(draw.normal(centre[:, None], 5, (2, many)), 0, 33).astype(int)
            x[b, t, draw.integers(0, 2, many), rows, columns] = 1
    return x.reshape(samples, 300, -1)


def letter(samples: int) -> np.ndarray[Any, Any]:
    """The published sample (samples, 256, 12), again and again."""
    with np.load(FILES / "traces.npz") as held:
        return np.repeat(held["braille_input"][None].astype(np.int32), samples, axis=0)


def scnn_layers() -> list[Any]:
    """The convolutional network's linear parts, each in front of a layer of neurons."""
    nodes = nir.read(FILES / "cnn_sinabs.nir").nodes
    made = []
    for name, before in (("0", []), ("2", []), ("5", [torch.nn.LPPool2d(1, 2)])):
        node = nodes[name]
        out, into, *kernel = node.weight.shape
        layer = torch.nn.Conv2d(into, out, tuple(kernel), tuple(node.stride), tuple(node.padding), bias=False)
        layer.weight.data = torch.from_numpy(np.asarray(node.weight, np.float32))
        made.append(torch.nn.Sequential(*before, layer))
    for name, before in (("9", [torch.nn.LPPool2d(1, 2), torch.nn.Flatten()]), ("11", [])):
        layer = torch.nn.Linear(*reversed(nodes[name].weight.shape), bias=False)
        layer.weight.data = torch.from_numpy(np.asarray(nodes[name].weight, np.float32))
        made.append(torch.nn.Sequential(*before, layer))
    return made


def snntorch_scnn() -> Run:
    """A loop over steps."""
    import snntorch as snn

    parts = scnn_layers()
    cells = [snn.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract", reset_delay=False) for _ in parts]

    def run(x: np.ndarray[Any, Any]) -> object:
        frames = torch.from_numpy(x.reshape(len(x), 300, 2, 34, 34)).transpose(0, 1).float()
        membranes = [cell.reset_mem() for cell in cells]
        counts: Any = 0
        for now in frames:
            for i, (part, cell) in enumerate(zip(parts, cells, strict=True)):
                now, membranes[i] = cell(part(now), membranes[i])
            counts = counts + now
        return counts

    return run


def sinabs_scnn() -> Run | None:
    """Whole sequences; None if Sinabs cannot be imported."""
    try:
        import sinabs.layers as sl
    except ImportError:
        return None

    parts = [each for part in scnn_layers() for each in (part, None)]

    def run(x: np.ndarray[Any, Any]) -> object:
        now = torch.from_numpy(x.reshape(-1, 2, 34, 34)).float()
        layers = [sl.IAFSqueeze(batch_size=len(x), min_v_mem=None) if part is None else part for part in parts]
        for layer in layers:
            now = layer(now)
        return now.reshape(len(x), 300, -1).sum(1)

    return run


def snntorch_braille() -> Run:
    """A loop over steps, as the paper's authors ran it."""
    import snntorch as snn

    nodes = nir.read(FILES / "braille_noDelay_bias_zero.nir").nodes

    def linear(name: str) -> torch.nn.Linear:
        made = torch.nn.Linear(*reversed(nodes[name].weight.shape))
        made.weight.data = torch.from_numpy(np.asarray(nodes[name].weight, np.float32))
        made.bias.data = torch.from_numpy(np.asarray(nodes[name].bias, np.float32))
        return made

    def factors(name: str) -> dict[str, Any]:
        alpha, beta = (float(1 - 1e-4 / tau[0]) for tau in (nodes[name].tau_syn, nodes[name].tau_mem))
        # Its reset a step later, the default, which takes it the least time: with spikes and membranes handed over,
        # snnTorch 1.0.0 cannot reset RSynaptic in the same step.
        return {"alpha": alpha, "beta": beta, "reset_mechanism": "zero"}

    first, second = linear("fc1"), linear("fc2")
    hidden = snn.RSynaptic(linear_features=38, **factors("lif1.lif"))
    hidden.recurrent = linear("lif1.w_rec")
    last = snn.Synaptic(**factors("lif2"))

    def run(x: np.ndarray[Any, Any]) -> object:
        spikes, current, membrane = hidden.reset_mem()
        current2, membrane2 = last.reset_mem()
        counts: Any = 0
        for now in torch.from_numpy(x).transpose(0, 1).float():
            spikes, current, membrane = hidden(first(now), spikes, current, membrane)
            out, current2, membrane2 = last(second(spikes), current2, membrane2)
            counts = counts + out
        return counts

    return run


def milliseconds(run: Run, x: np.ndarray[Any, Any]) -> float:
    """Processor time for one sample."""
    began = time.process_time()
    run(x)
    return (time.process_time() - began) / len(x) * 1e3


def compared(engine: GeneratedEngine, others: dict[str, Run], x: np.ndarray[Any, Any], rounds: int) -> dict[str, Any]:
    """Medians of all, and how many times as long each of the others takes."""
    runs: dict[str, Run] = {"generated": lambda given: engine.run(given, threads=1), **others}
    for run in runs.values():
        run(x)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(milliseconds(run, x))
    ratios = {name: statistics.median(np.divide(taken[name], taken["generated"])) for name in others}
    return {"ms": {name: statistics.median(each) for name, each in taken.items()}, "ratio": ratios}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=8, help="in the batch")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with torch.no_grad():
        sinabs = sinabs_scnn()
        scnn = {"snnTorch": snntorch_scnn(), **({} if sinabs is None else {"Sinabs": sinabs})}
        braille = {"snnTorch": snntorch_braille()}
        settings = (
            ("scnn", integers("cnn_sinabs.nir", 300, written_by="sinabs"), scnn, blob),
            (
                "braille",
                integers("braille_noDelay_bias_zero.nir", 256, written_by="snntorch", reset="hard"),
                braille,
                letter,
            ),
        )
        for name, network, others, given in settings:
            engine = GeneratedEngine(network)
            for many in (1, options.samples):
                key = f"{name}, {'one sample' if many == 1 else f'a batch of {many}'}"
                found[key] = compared(engine, others, given(many), options.rounds)
                if not options.json:
                    times = ", ".join(f"{who} {ms:.2f} ms" for who, ms in found[key]["ms"].items())
                    ratios = ", ".join(
                        f"{who} takes {ratio:.1f} times as long" for who, ratio in found[key]["ratio"].items()
                    )
                    print(f"{key}: {times}; {ratios}", flush=True)
    if options.json:
        json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
