"""What few bits cost: a float checkpoint beside its export as it is, and its export after fine-tuning.

    python benchmarks/finetune.py digits-0.pt digits-1.pt digits-2.pt
    python benchmarks/finetune.py --quick --json

Shares of the whole test split, means over the checkpoints: accuracy, and agreement with the float network's predictions
(hard-max spans). `rounded` is the export without any training; `cut` is rounded at the scales that fine-tuning starts
from. Each fine-tuned network is checked to fire its checkpoint's spikes. Without a checkpoint, a small network is
trained first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from asrc_export import finetune, quantize
from asrc_export.chip import target
from asrc_export.engines import select
from asrc_export.feed import dataset_for
from asrc_export.network import IntegerNetwork
from asrc_train import checkpoint, cli
from asrc_train.evaluate import evaluate
from asrc_train.freeze import freeze

CHIP = target.load("loihi2")
KINDS = ("rounded", "cut", "fine-tuned")


def shares(model: Path, bits: int, epochs: int, folder: Path) -> Iterator[tuple[str, float]]:
    """Accuracy and agreement of each kind of network that is made of the checkpoint, and the float accuracy."""
    trained = checkpoint.load(model)
    frozen = freeze(trained)
    start = replace(trained, provenance=quantize.choose(frozen, CHIP, bits, to_train=True).carried())
    rounded, cut = (quantize.quantize(each, CHIP, bits=bits).network for each in (frozen, freeze(start)))
    dataset = dataset_for(rounded)
    expected = evaluate(trained.network(), dataset.test_x, dataset.scale).predictions

    def predicted(network: IntegerNetwork) -> NDArray[np.int64]:
        return select.engine().run(network, dataset.test_x).predictions

    tuned = folder / "tuned.pt"
    learned = finetune.finetune(model, CHIP.name, tuned, epochs=epochs, bits=bits)
    network = quantize.quantize(freeze(learned), CHIP, bits=bits).network
    answers = (predicted(rounded), predicted(cut), finetune.require_same_spikes(tuned, CHIP, network).predictions)
    yield "float, accuracy", float((expected == dataset.test_y).mean())
    for kind, answer in zip(KINDS, answers, strict=True):
        yield f"{kind}, accuracy", float((answer == dataset.test_y).mean())
        yield f"{kind}, agreement", float((answer == expected).mean())


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", metavar="MODEL.pt", nargs="*", type=Path, help="float checkpoints")
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 6, 4, 3], help="default: 8 6 4 3")
    parser.add_argument("--epochs", type=int, default=10, help="of fine-tuning (default: 10)")
    parser.add_argument("--quick", action="store_true", help="under a minute: 4 bits, 2 epochs")
    parser.add_argument("--json", action="store_true", help="print all shares as one object at the end")
    options = parser.parse_args()
    if options.quick:
        options.bits, options.epochs = [4], 2
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        models = options.models or [Path(name, "small.pt")]
        if not options.models:
            small = ["--data", "digits", "--connection", "src", "--hidden", "64", "64", "--epochs", "25"]
            cli.train([*small, "--out", str(models[0])])
        for bits in options.bits:
            each = [dict(shares(model, bits, options.epochs, Path(name))) for model in models]
            mean = {what: float(np.mean([one[what] for one in each])) for what in each[0]}
            found |= {f"{bits} bits, {what}": share for what, share in mean.items()}
            print(tabulate([[f"{bits} bits", *(f"{share:.2%}" for share in mean.values())]], ["", *mean]), flush=True)
    if options.json:
        print(json.dumps({name: round(share, 6) for name, share in found.items()}))


if __name__ == "__main__":
    torch.set_num_threads(1)  # small networks: the same figures whatever the machine's cores
    main()
