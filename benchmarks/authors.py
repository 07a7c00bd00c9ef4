"""The first training steps of the paper's network on permuted MNIST: the authors' code and ours, loss for loss.

    python benchmarks/authors.py ../ASRC-SNN --data-dir DATA    200 steps of ASRC, K = 51 (needs spikingjelly)
    python benchmarks/authors.py ../ASRC-SNN --data-dir DATA --connection src --steps 50 --epoch 60
    python benchmarks/authors.py ../ASRC-SNN --data-dir DATA --epoch 60 --start-from examples/psmnist-asrc-0.063M.pt

All have the weights that our recipe draws, or those of a checkpoint of it, the same batches in the same order, and the
learning rate, momentum and temperature with which an epoch of the recipe begins (``--epoch``, counted from 0; 60 has
the highest rate). The authors' network is that of a checkout of github.com/dgxdn/ASRC-SNN, unmodified, with optimizers
and schedule set up as its main.py sets them up; ours is what `asrc-train` trains, in its native kernels. From fresh
weights the last layer hardly fires for the first epochs, and what learns is the readout's bias; a checkpoint's layers
all fire. Sums in another order round otherwise, and a membrane that comes to lie on the other side of its threshold
makes another spike. How far that alone drives two trainings apart is shown by a second one of ours, on the kernel that
runs step by step in PyTorch: "apart" is the mean relative difference between the losses of a step. The ratio is that of
authors and ours over that of ours and ours; where the code computes the same, it is near 1.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import torch
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from train import LayerWeights, Setting, authors_model, from_silence, give_weights, weights_and_skips

from asrc_core.errors import AsrcError, InvalidSetting
from asrc_train import data
from asrc_train.data.dataset import permutation, permuted, training_parts
from asrc_train.kernels import choice
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings.config import Config
from asrc_train.settings.recipe import configured
from asrc_train.trained import checkpoint
from asrc_train.training.fit import make_optimizer
from asrc_train.training.schedule import set_rates, temperature_in

RECIPES = {"asrc": "psmnist-asrc-0.063M", "src": "psmnist-src-0.063M"}
SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
Step = Callable[[Tensor, Tensor], float]
"""A training step on samples (B, T, 1) and labels (B,); its loss before the step."""


def begun(config: Config, checkpoint_file: str | None) -> SkipRecurrentNetwork:
    """The network that all start from: as our recipe draws it, or that of a checkpoint."""
    torch.manual_seed(config.training.seed)
    network = SkipRecurrentNetwork(1, 10, config.network, 784)
    if checkpoint_file:
        found = checkpoint.load(checkpoint_file)
        if found.config.network != config.network:
            raise InvalidSetting("--start-from", f"'{checkpoint_file}' is no network of the recipe")
        network.load_state_dict(found.tensors)
    return network.train()


def stepper(forward: Callable[[Tensor], Tensor], optimizers: Sequence[torch.optim.Optimizer]) -> Step:
    """Forward, cross-entropy, backward, optimizers."""

    def step(x: Tensor, labels: Tensor) -> float:
        loss = functional.cross_entropy(forward(x), labels)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
        return loss.item()

    return step


def ours(first: SkipRecurrentNetwork, config: Config, epoch: int, kernel: str) -> Step:
    """The network, optimizer and loss of `asrc-train`, on one of its kernels."""
    network = copy.deepcopy(first)
    optimizer = make_optimizer(network, config)
    set_rates(optimizer, config, epoch)

    def logits(x: Tensor) -> Tensor:
        return network(x.transpose(0, 1), temperature_in(config, epoch))

    step = stepper(logits, [optimizer])

    def on_kernel(x: Tensor, labels: Tensor) -> float:
        with choice.using(kernel):
            return step(x, labels)

    return on_kernel


def authors(first: SkipRecurrentNetwork, config: Config, epoch: int, checkout: str) -> Step:
    """Their network; two AdamW and a schedule that moves once an epoch, as in their main.py."""
    given, training = config.network, config.training
    reach = given.kernel_length if given.connection == "asrc" else given.span
    network = authors_model(Setting(given.connection, reach, training.batch_size, 784, tuple(given.hidden)), checkout)
    layers = [
        LayerWeights(each.feedforward.weight, each.feedforward.bias, each.recurrent.weight, logits)
        for each, logits in zip(first.hidden_layers(), first.skip_logits() or [torch.zeros(0)] * 3, strict=True)
    ]
    give_weights(network, layers, (first.readout.weight, first.readout.bias))
    weights, skip = weights_and_skips(network)
    optimizers = [torch.optim.AdamW(weights, lr=training.learning_rate, weight_decay=training.weight_decay)]
    if skip:
        faster = training.learning_rate * training.skip_learning_rate_factor
        optimizers.append(torch.optim.AdamW(skip, lr=faster, weight_decay=0.0))
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(each, max_lr=each.param_groups[0]["lr"], total_steps=training.epochs)
        for each in optimizers
    ]
    for _ in range(epoch):
        for schedule in schedules:
            schedule.step()
        network.decrease_tau()
    network.train()

    return stepper(lambda x: from_silence(network, x), optimizers)


def batches(config: Config, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples (B, 784, 1) of the training part, permuted and scaled, and labels, in the order of a seed."""
    dataset = data.load(config.data.name, None, config.data.validation_fraction)
    order = permutation(dataset.steps, config.data.permutation_seed)
    (x, y), _ = training_parts(dataset, config.data.validation_fraction)
    draw = torch.Generator().manual_seed(config.training.seed)
    epochs = (torch.randperm(len(y), generator=draw).split(config.training.batch_size) for _ in range(steps))
    for _, chosen in zip(range(steps), (batch for each in epochs for batch in each), strict=False):
        samples = torch.from_numpy(permuted(x[chosen.numpy()], order))
        yield samples.float() * dataset.scale, torch.from_numpy(y[chosen.numpy()])


def apart(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """The mean relative difference between the losses of a step."""
    return fmean(abs(a - b) / b for a, b in zip(mine, theirs, strict=True))


def main() -> None:
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", help="checkout of github.com/dgxdn/ASRC-SNN")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where MNIST lies (default: $ASRC_DATA)")
    parser.add_argument("--connection", choices=RECIPES, default="asrc")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epoch", type=int, default=0, help="of the recipe's 200, whose rates hold")
    parser.add_argument(
        "--start-from", metavar="MODEL.pt", help="a checkpoint of the recipe, in place of fresh weights"
    )
    parser.add_argument("--json", action="store_true", help="print all losses as one object at the end")
    given = parser.parse_args()
    if given.steps < 1 or given.batch_size < 1 or not 0 <= given.epoch < 200:
        parser.error("steps and batch size are 1 at least, and the recipe's epochs 0 to 199")
    if given.data_dir:
        os.environ["ASRC_DATA"] = given.data_dir
    try:
        compare(given)
    except AsrcError as error:
        sys.exit(f"authors.py: {error}")


def compare(given: argparse.Namespace) -> None:
    """Train all side by side, and print their losses."""
    config = configured(RECIPES[given.connection], batch_size=given.batch_size)
    first = begun(config, given.start_from)
    contestants = {
        "authors": authors(first, config, given.epoch, given.checkout),
        "ours": ours(first, config, given.epoch, "native"),
        "ours, step by step": ours(first, config, given.epoch, "bptt"),
    }
    losses: dict[str, list[float]] = {name: [] for name in contestants}
    for x, labels in tqdm(batches(config, given.steps), total=given.steps, unit="step"):
        for name, step in contestants.items():
            losses[name].append(step(x, labels))
    shown = [step for step in SHOWN if step <= given.steps]
    rows = [[step, *(f"{each[step - 1]:.6g}" for each in losses.values())] for step in shown]
    print(tabulate(rows, ["step", *losses], floatfmt=".6g"))
    theirs, own = (apart(losses["ours"], losses[name]) for name in ("authors", "ours, step by step"))
    print(f"\napart over {given.steps} steps: authors and ours {theirs:.3g}, ours and ours {own:.3g}")
    print(f"ratio: {theirs / own:.2f}" if own else "ratio: ours do not differ")
    if given.json:
        print(json.dumps(losses))


if __name__ == "__main__":
    main()
