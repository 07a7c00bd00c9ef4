"""asrc-train: from a data set to a checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_core import extras
from asrc_core.command import command_line
from asrc_core.counts import agreeing, plural
from asrc_train import data
from asrc_train.network import connections, neurons

if TYPE_CHECKING:
    from asrc_train.settings.config import Config
    from asrc_train.training.fit import Observer, Start

EXAMPLES = """\
  asrc-train --data digits --connection asrc --out model.pt
  asrc-train --data mnist5k --permute --connection src --span 12 --epochs 100 --out src12.pt
  asrc-train --recipe psmnist-asrc-0.15M --data-dir ~/data --download --out psmnist.pt      the paper's best on PS-MNIST
  asrc-train --data my.npz --class-weights balanced --out mine.pt    samples of your own: docs/how-to/own-data.md
  asrc-train --recipe my.toml --seed 3 --out model.pt
  asrc-train --data digits --out model.pt --resume        go on after an interruption
  asrc-train --data digits --neuron pssm --modes 4 --window 4 --batch-norm --out pssm.pt     state-space neurons
  asrc-train --data digits --neuron cuba-lif --connection delays --dropout 0 --out delays.pt
  asrc-train --start-from model.pt --rounding-noise 6 --epochs 20 --learning-rate 0.0005 --out robust.pt
"""

# Command-line option -> the recipe's section and key that it overrides.
OVERRIDES = {
    "permute": ("data", "permute"),
    "permutation_seed": ("data", "permutation_seed"),
    "connection": ("network", "connection"),
    "neuron": ("network", "neuron"),
    "hidden": ("network", "hidden"),
    "kernel_length": ("network", "kernel_length"),
    "kernels": ("network", "kernels"),
    "shared_span": ("network", "shared_span"),
    "span": ("network", "span"),
    "sparsity": ("network", "sparsity"),
    "decay": ("network", "decay"),
    "threshold": ("network", "threshold"),
    "reset": ("network", "reset"),
    "dropout": ("network", "dropout"),
    "rounding_noise": ("network", "rounding_noise"),
    "batch_norm": ("network", "batch_norm"),
    "skips": ("network", "skips"),
    "recurrent": ("network", "recurrent"),
    "max_delay": ("network", "max_delay"),
    "delay_start": ("network", "delay_start"),
    "recurrent_delay_start": ("network", "recurrent_delay_start"),
    "dt": ("network", "dt"),
    "tau_membrane": ("network", "tau_membrane"),
    "tau_synapse": ("network", "tau_synapse"),
    "readout": ("network", "readout"),
    "modes": ("network", "modes"),
    "period": ("network", "period"),
    "window": ("network", "window"),
    "gate": ("network", "gate"),
    "initialization": ("network", "initialization"),
    "pole_learning_rate": ("training", "pole_learning_rate"),
    "mode_learning_rate": ("training", "mode_learning_rate"),
    "gradient": ("training", "gradient"),
    "delay_gradient": ("training", "delay_gradient"),
    "learn": ("training", "learn"),
    "delay_learning_rate": ("training", "delay_learning_rate"),
    "grazing": ("training", "grazing"),
    "shift": ("training", "shift"),
    "blend": ("training", "blend"),
    "rate_strength": ("training", "rate_strength"),
    "rate_target": ("training", "rate_target"),
    "revival": ("training", "revival"),
    "epochs": ("training", "epochs"),
    "batch_size": ("training", "batch_size"),
    "learning_rate": ("training", "learning_rate"),
    "weight_decay": ("training", "weight_decay"),
    "class_weights": ("training", "class_weights"),
    "seed": ("training", "seed"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    return command_line.run(parser, lambda: _train(parser.parse_args(argv)))


def train(argv: Sequence[str] | None = None) -> None:
    """Train as the command line says. Raises the named errors of `fit`."""
    _train(_parser().parse_args(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-train",
        "Train a skip-recurrent spiking network and write the checkpoint of its best epoch. Settings come from a "
        "recipe (by default the one named after the data set); options override it.",
        EXAMPLES,
    )
    add, either = parser.add_argument, argparse.BooleanOptionalAction
    own = "or your own: .npz, NAME_x.npy, .csv, .ts, or a folder with one for each class"
    add("--data", metavar="NAME_OR_PATH", help=f"data set: {', '.join(data.names())}; {own}")
    command_line.add_data_folder(parser)
    add("--download", action="store_true", help="fetch the data set first, unless it is there: checked, asked for only")
    add("--recipe", metavar="NAME_OR_TOML", help="recipe by name (psmnist-asrc-0.15M, ...), or a path ending in .toml")
    add("--start-from", dest="model", metavar="MODEL.pt", help="train this checkpoint on, with its own settings")
    add("--out", metavar="MODEL.pt", default="model.pt", help="checkpoint to write (default: model.pt)")
    add("--connection", choices=connections.names(), help="recurrent connection")
    add("--neuron", choices=neurons.names(), help="neuron model")
    add("--hidden", metavar="N", nargs="+", type=command_line.positive, help="neurons of each layer")
    add("--kernel-length", metavar="K", type=command_line.positive, help="longest span that asrc may choose")
    add("--kernels", metavar="k", type=command_line.positive, help="how many spans k-asrc may tap at once")
    add("--shared-span", action=either, default=None, help="one learned span for all layers")
    add("--span", metavar="LAMBDA", type=command_line.positive, help="span of src")
    add("--sparsity", metavar="SHARE", type=float, help="share of weights that are absent, drawn at random")
    add("--decay", metavar="ALPHA", type=float, help="decay factor of the membrane, 0 to 1")
    add("--threshold", metavar="THETA", type=float, help="firing threshold")
    add("--reset", choices=["soft", "hard"], help="reset by subtraction, or to zero")
    add("--dropout", metavar="P", type=float, help="share of a layer's neurons silenced for a sample while training")
    noise = "while training, noise on weights as large as rounding them to so many bits makes"
    add("--rounding-noise", metavar="BITS", type=command_line.positive, help=noise)
    add("--batch-norm", action=either, default=None, help="normalise each layer's feed-forward current")
    skips = "concat: each layer also takes the spikes of the layer before the last; default: none"
    add("--skips", choices=["none", "concat"], help=skips)
    _add_state_space(parser)
    _add_delays(parser)
    add("--permute", action=either, default=None, help="feed the steps in one fixed random order")
    add("--permutation-seed", metavar="SEED", type=int, help="which order")
    add("--epochs", metavar="N", type=command_line.positive)
    add("--batch-size", metavar="B", type=command_line.positive)
    add("--learning-rate", metavar="RATE", type=float)
    add("--weight-decay", metavar="RATE", type=float)
    add("--class-weights", choices=["none", "balanced"], help="balanced: every class counts the same in the loss")
    add("--seed", metavar="SEED", type=int, help="same seed, device and threads: same bits")
    add("--resume", action="store_true", help="go on with the unfinished training kept beside --out")
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--tensorboard", metavar="FOLDER", type=Path, help="write TensorBoard logs there")
    return parser


def _add_state_space(parser: argparse.ArgumentParser) -> None:
    """Options of `--neuron` ssm, prf, frssm and pssm, whose layers are not recurrent."""
    add = parser.add_argument
    add("--modes", metavar="K", type=command_line.positive, help="complex modes of a state-space neuron, 1 to 8")
    add("--period", metavar="STEPS", type=int, help="refractory period, 0 to 31 steps (frssm: 3)")
    add("--window", metavar="TAPS", type=command_line.positive, help="learned taps over the read-out, 1 to 8 (pssm: 4)")
    add("--gate", choices=["through", "masked"], help="whether gradients pass where the period suppresses a spike")
    add("--initialization", choices=["s4d-lin", "s4d-inv", "real", "real-lin"], help="where the modes' poles start")
    add("--pole-learning-rate", metavar="RATE", type=float, help="learning rate of time steps and poles (0.001)")
    add("--mode-learning-rate", metavar="RATE", type=float, help="of the modes' read-out (default: the learning rate)")


def _add_delays(parser: argparse.ArgumentParser) -> None:
    """Options of `--neuron cuba-lif`, and of `--connection delays`, which needs these neurons."""
    add = parser.add_argument
    add("--dt", metavar="MS", type=float, help="milliseconds of a step, for cuba-lif and for data of events in time")
    add("--tau-membrane", metavar="MS", type=float, help="time constant of cuba-lif's membrane")
    add("--tau-synapse", metavar="MS", type=float, help="time constant of cuba-lif's current")
    add("--recurrent", action=argparse.BooleanOptionalAction, default=None, help="recurrent synapses beside the delays")
    add("--max-delay", metavar="STEPS", type=int, help="longest delay of the target, 0 for none (default: 62)")
    add("--delay-start", metavar="STEPS", type=float, help="delays start uniformly between 0 and so many steps")
    add("--recurrent-delay-start", metavar="STEPS", type=float, help="the same of recurrent delays, from 1 on")
    add("--readout", choices=["exponential", "mean", "maximum", "first-spike"], help="what decides (delays)")
    add("--gradient", choices=["eventprop", "surrogate"], help="exact event-based gradients, or surrogate ones")
    add("--delay-gradient", choices=["central", "plain"], help="how a delay's gradient is taken on the grid of steps")
    add("--learn", choices=["both", "weights", "delays"], help="what learns in a network with delays")
    add("--delay-learning-rate", metavar="STEPS", type=float, help="learning rate of delays, in steps")
    add("--grazing", metavar="SHARE", type=float, help="least slope of a spike in gradients, as a share of theta")
    add(
        "--shift",
        metavar="PLACES",
        type=int,
        help="move a sample's events by up to so many places of pitch, an image by so many pixels",
    )
    add("--blend", metavar="SHARE", type=float, help="share of samples blended with another of their class")
    add("--rate-strength", metavar="K", type=float, help="of the term that keeps hidden neurons near --rate-target")
    add("--rate-target", metavar="SPIKES", type=float, help="spikes of a hidden neuron in a sample")
    add("--revival", metavar="GAIN", type=float, help="added to the weights of neurons silent for an epoch")


def _train(options: argparse.Namespace) -> None:
    extras.require("train")
    config, start = continuation_or_recipe(options)
    device = _device(options.device)

    from asrc_core.command import progress
    from asrc_train.network.connections.connection import learns_spans
    from asrc_train.training import fit, training_progress

    if options.download and start is None:
        data.download(config.data.name)
    _say_temperature(config, options)
    if data.is_path(config.data.name):
        _say_samples(config, start)
    observers: list[Observer] = []
    if options.tensorboard:
        from asrc_train.training import tensorboard

        observers.append(tensorboard.writer(options.tensorboard))
    kept = fit.resume_path(options.out)
    if kept.exists() and not options.resume:
        command_line.say(f"note: this replaces the unfinished training in '{kept}', with which `resume` would go on")
    kind = config.network.neuron if config.network.connection == "none" else config.network.connection
    with progress.bar(f"training {kind} on {config.data.name}", config.training.epochs) as update:
        observers.append(training_progress.moving(update))
        trained = fit.fit(
            config, options.out, resume=options.resume, device=device, observers=tuple(observers), start=start
        )
    spans = f", spans {'/'.join(map(str, trained.spans))}" if any(trained.spans) else ""
    mixture = f" (mixture {trained.scores['test_mixture']:.1%})" if learns_spans(config.network) else ""
    print(
        f"best epoch {trained.provenance['best_epoch']} of {config.training.epochs}: "
        f"validation {trained.scores['validation']:.1%}, test {trained.scores['test']:.1%}{mixture}{spans}"
    )
    if data.is_path(config.data.name):
        print(f"classes: {', '.join(trained.provenance['classes'])}")
    for note in told(trained.history):
        print(f"note: {note}")
    for note in trained.provenance.get("data_notes", ()):
        print(f"note: {note}")
    print(options.out)


def _say_samples(config: Config, start: Start | None) -> None:
    """What was found in samples of one's own, before they are trained on: steps and channels may have been swapped."""
    from asrc_train.training.fit import dataset_of

    found = dataset_of(config, start)
    counts = f"{plural(found.steps, 'step')} of {plural(found.channels, 'channel')}, {plural(found.classes, 'class')}"
    command_line.say(f"note: {plural(len(found.train_y), 'sample')} to train on, {counts}")


def _say_temperature(config: Config, options: argparse.Namespace) -> None:
    """Say by how much the temperature falls if that is not the recipe's, and if it does not fall enough."""
    from asrc_train.network.connections.connection import learns_spans
    from asrc_train.settings import recipe
    from asrc_train.training import schedule

    if options.model is not None or not learns_spans(config.network):
        return
    if config.training.annealing != recipe.read(options.recipe or options.data, {}).training.annealing:
        cold = schedule.temperature_in(config, config.training.epochs - 1)
        command_line.say(
            f"note: the temperature is multiplied by {config.training.annealing:.3g} after each epoch, so that the "
            f"last of {config.training.epochs} is as cold as the recipe's ({cold:.2g})"
        )
    note = schedule.note_on_temperature(config)
    if note is not None:
        command_line.say(f"note: {note}")


def told(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the last epoch of a network with delays or of state-space neurons found that a user has to know."""
    figures = history[-1].get("figures", {})
    if round(figures.get("late_arrivals", 0), 1):
        yield f"{figures['late_arrivals']:.1f} arrivals a sample come after the last step and count for nothing"
    if round(figures.get("grazing_spikes", 0), 1):
        spikes = f"{figures['grazing_spikes']:.1f} spikes a sample"
        yield f"{spikes} barely cross the threshold; --grazing bounds what they weigh in gradients"
    for name, silent in figures.items():
        if name.startswith("aliased_") and silent:
            modes = f"{silent:.0f} modes of {name.removeprefix('aliased_')}"
            yield f"{modes} turn by more than pi a step, which is a slower turn the other way; take a smaller dt"
        if name.startswith("silent_") and silent:
            yield (
                f"{plural(round(silent), 'neuron')} of {name.removeprefix('silent_')} "
                f"{agreeing(round(silent), 'was', 'were')} silent in the last epoch"
            )


def continuation_or_recipe(options: argparse.Namespace) -> tuple[Config, Start | None]:
    """What to train, and a network to begin with if there is one. Raises what `configuration` and `continued` do."""
    if options.model is None:
        return configuration(options), None

    from asrc_core.errors import InvalidSetting
    from asrc_train.trained import checkpoint
    from asrc_train.training import continuation

    if options.recipe is not None:
        raise InvalidSetting("--recipe", "--start-from takes the checkpoint's settings; give one of the two")
    if options.download:
        data.download(checkpoint.load(options.model).config.data.name)
    return continuation.continued(options.model, _overrides(options))


def configuration(options: argparse.Namespace) -> Config:
    """The recipe with the options on top. Raises UnknownName, InvalidSetting."""
    from asrc_core.errors import InvalidSetting, UnknownName
    from asrc_train.settings import recipe
    from asrc_train.settings.unread import require_read

    if options.data is None and options.recipe is None:
        raise InvalidSetting("--data", f"name a data set ({', '.join(data.names())}) or a --recipe")
    if options.data is not None and not data.is_known(options.data):
        raise UnknownName("data set", options.data, data.names(), data.OWN)
    overrides = _overrides(options)
    config = recipe.read(options.recipe or options.data, overrides)
    require_read(config, overrides)
    return config


def _overrides(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    overrides: dict[str, dict[str, Any]] = {}
    for option, (section, key) in OVERRIDES.items():
        value = getattr(options, option)
        if value is not None:
            overrides.setdefault(section, {})[key] = value
    if options.data is not None:
        overrides.setdefault("data", {})["name"] = options.data
    return overrides


def _device(name: str) -> str:
    from asrc_core.errors import InvalidSetting

    if name == "cpu":
        return name
    import torch

    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name == "cuda" and available:
        return name
    raise InvalidSetting("--device", f"'{name}' is not available here; use auto or cpu")


if __name__ == "__main__":
    sys.exit(main())
