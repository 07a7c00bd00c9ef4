"""Training curves of checkpoints side by side, from the history that each of them carries.

python examples/plot_training.py vanilla.pt src.pt asrc.pt -o curves.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

from asrc_train import checkpoint

mpl.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("curves.svg"))
    options = parser.parse_args()
    figure, (loss, accuracy, spans) = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for path in options.checkpoints:
        trained = checkpoint.load(path)
        epochs = [epoch["epoch"] for epoch in trained.history]
        label = f"{trained.config.network.connection}, test {trained.scores['test']:.1%}"
        loss.plot(epochs, [epoch["loss"] for epoch in trained.history], label=label)
        accuracy.plot(epochs, [100 * epoch["validation_accuracy"] for epoch in trained.history], label=label)
        if trained.config.network.connection == "asrc":
            for i in range(len(trained.spans)):
                spans.plot(epochs, [epoch["spans"][i] for epoch in trained.history], label=f"layer {i}")
    loss.set(xlabel="epoch", ylabel="training loss", yscale="log")
    accuracy.set(xlabel="epoch", ylabel="validation accuracy, hard-max spans (%)")
    accuracy.legend()
    spans.set(xlabel="epoch", ylabel="span of each layer (ASRC)")
    if spans.lines:
        spans.legend()
    figure.savefig(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
