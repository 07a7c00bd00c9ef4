"""What few bits cost: rounded naively, by expected error, searched on samples, and, if asked, fine-tuned.

    python benchmarks/quantization.py digits-0.pt digits-1.pt digits-2.pt
    python benchmarks/quantization.py psmnist-asrc.pt --bits 4 3 --finetune 10
    python benchmarks/quantization.py digits-*.pt --finetune 10 --finetune-bits 4 3 --figure digits.svg
    python benchmarks/quantization.py --quick --json

Shares of the whole test split, means over the checkpoints: accuracy, and agreement with the predictions of the float
network (hard-max spans, single precision). `naive`: each weight tensor rounded to as many bits with the scale at which
its largest weight just fits, everything else, the membrane too, left in floating point: what a quantizer without any
choice gives, and not yet a network that a chip could run. `expected`: the exporter's choice without samples.
`searched`: its choice on 64 training samples. `fine-tuned`: trained on from there for so many epochs, and checked to
fire the checkpoint's spikes. `double` is the float network once more, in double precision: where two
floating-point formats disagree, no rounding can be expected to agree more. Without a checkpoint, a small network is
trained first. `--figure` draws the shares over the bits, with a band from the least to the greatest checkpoint.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import MAX_SPAN, Mapping
from asrc_export.chip import targets
from asrc_export.engines import select
from asrc_export.quantization import quantize
from asrc_export.quantization.search import search
from asrc_export.quantization.search.activity import observe
from asrc_export.quantization.training import finetune
from asrc_export.samples.dataset_samples import calibration_for
from asrc_train.analysis import band, figure
from asrc_train.commands import train as cli
from asrc_train.data.dataset import Dataset
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.evaluate import evaluate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHIP = targets.load("loihi2")
Predictions = NDArray[np.int64]
Shares = dict[str, float]
KINDS = ("naive", "expected", "searched", "fine-tuned")


def shares(model: Path, bits: int, epochs: int, folder: Path) -> Iterator[tuple[str, float]]:
    """Accuracy and agreement of every kind of network that is made of the checkpoint, and the search's seconds."""
    trained = checkpoint.load(model)
    frozen = freeze(trained)
    dataset = calibration_for(frozen, frozen.provenance["data"])
    mapping: Mapping = "delay-line" if max(trained.spans) <= MAX_SPAN["delay-line"] else "synaptic-delay"
    expected = _float(trained, dataset)

    def deployed(network: IntegerNetwork) -> Predictions:
        return select.engine().run(network, dataset.test_x).predictions

    begun = time.perf_counter()
    found = search.search(frozen, CHIP, bits, observe(frozen, dataset.train_x))
    seconds = time.perf_counter() - begun
    answers = {
        "naive": _float(naive(trained, bits), dataset),
        "expected": deployed(quantize.quantize(frozen, CHIP, bits=bits, mapping=mapping).network),
        "searched": deployed(quantize.quantize(frozen, CHIP, bits=bits, mapping=mapping, plan=found.plan).network),
    }
    if epochs:
        tuned = folder / "tuned.pt"
        learned = finetune.finetune(model, CHIP.name, tuned, epochs=epochs, bits=bits, mapping=mapping)
        network = quantize.quantize(freeze(learned), CHIP, bits=bits, mapping=mapping).network
        answers["fine-tuned"] = finetune.require_same_spikes(tuned, CHIP, network).predictions
    yield "float, accuracy", float((expected == dataset.test_y).mean())
    for kind, answer in answers.items():
        yield f"{kind}, accuracy", float((answer == dataset.test_y).mean())
        yield f"{kind}, agreement", float((answer == expected).mean())
    yield "search, s", seconds


def naive(trained: Checkpoint, bits: int) -> Checkpoint:
    """The checkpoint with every weight tensor on 2^bits - 1 equidistant values around 0, up to its largest weight."""
    most = 2 ** (bits - 1) - 1

    def rounded(weights: Tensor) -> Tensor:
        step = weights.abs().max() / most
        return torch.round(weights / step) * step if step > 0 else weights

    return replace(trained, tensors={n: rounded(t) if n.endswith("weight") else t for n, t in trained.tensors.items()})


def double_agreement(model: Path) -> float:
    """Share of the test samples on which single and double precision give the same answer."""
    trained = checkpoint.load(model)
    frozen = freeze(trained)
    dataset = calibration_for(frozen, frozen.provenance["data"])
    single = _float(trained, dataset)
    torch.set_default_dtype(torch.float64)
    try:
        return float((evaluate(trained.network().double(), dataset.test_x, dataset.scale).predictions == single).mean())
    finally:
        torch.set_default_dtype(torch.float32)


def drawn(found: dict[int, list[Shares]]) -> Figure:
    """Accuracy and agreement over the bits, of every kind of network; ``found`` has a checkpoint's shares each."""
    canvas, axes = figure.panels(2)
    for panel, what in zip(axes[0], ("accuracy", "agreement"), strict=True):
        for kind, colour in zip(KINDS, figure.COLOURS, strict=False):
            asked = f"{kind}, {what}"
            at = {float(bits): [100 * one[asked] for one in each] for bits, each in found.items() if asked in each[0]}
            if at:
                band.draw(panel, band.band(at), colour, kind, marker="o")
        panel.set(xlabel="bits of a weight", ylabel=f"{what} (%)", xticks=sorted(found))
    in_float = fmean(100 * one["float, accuracy"] for one in next(iter(found.values())))
    axes[0, 0].axhline(in_float, color=figure.INK, linestyle="--", linewidth=1, label="float")
    figure.legend(canvas, axes[0, 0])
    return canvas


def _float(trained: Checkpoint, dataset: Dataset) -> Predictions:
    return evaluate(trained.network(), dataset.test_x, dataset.scale).predictions


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", metavar="MODEL.pt", nargs="*", type=Path, help="float checkpoints")
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 6, 5, 4, 3], help="default: 8 6 5 4 3")
    parser.add_argument("--finetune", metavar="EPOCHS", type=int, default=0, help="fine-tune, too (default: 0)")
    parser.add_argument("--finetune-bits", nargs="+", type=int, help="only at these widths (default: at all)")
    parser.add_argument("--quick", action="store_true", help="under a minute: 8 and 4 bits")
    parser.add_argument("--json", action="store_true", help="print all shares as one object at the end")
    parser.add_argument("--figure", metavar="FILE.svg", type=Path, help="draw them")
    options = parser.parse_args()
    if options.quick:
        options.bits, options.finetune = [8, 4], 0
    if options.figure and options.figure.suffix.lower() not in figure.SUFFIXES:  # before the measuring, not after it
        parser.error(f"argument --figure: its suffix is none of {', '.join(figure.SUFFIXES)}")
    if not set(options.finetune_bits or []) <= set(options.bits):
        parser.error("argument --finetune-bits: name widths that --bits names, too")
    means: Shares = {}
    found: dict[int, list[Shares]] = {}
    with tempfile.TemporaryDirectory() as name:
        models = options.models or [Path(name, "small.pt")]
        if not options.models:
            small = ["--data", "digits", "--connection", "src", "--hidden", "64", "64", "--epochs", "15"]
            cli.train([*small, "--out", str(models[0])])
        means["double, agreement"] = fmean(double_agreement(model) for model in models)
        print(f"double precision agrees with single on {means['double, agreement']:.2%}", flush=True)
        for bits in options.bits:
            epochs = options.finetune if bits in (options.finetune_bits or options.bits) else 0
            found[bits] = [dict(shares(model, bits, epochs, Path(name))) for model in models]
            mean = {what: fmean(one[what] for one in found[bits]) for what in found[bits][0]}
            mean["gain over naive, accuracy"] = mean["searched, accuracy"] - mean["naive, accuracy"]
            means |= {f"{bits} bits, {what}": share for what, share in mean.items()}
            cells = (f"{share:.2f}" if what == "search, s" else f"{share:.2%}" for what, share in mean.items())
            print(tabulate([[f"{bits} bits", *cells]], ["", *mean]), flush=True)
    if options.json:
        print(json.dumps({name: round(share, 6) for name, share in means.items()}))
    if options.figure:
        figure.write(lambda: drawn(found), options.figure)


if __name__ == "__main__":
    torch.set_num_threads(1)  # small networks: the same figures whatever the machine's cores
    main()
