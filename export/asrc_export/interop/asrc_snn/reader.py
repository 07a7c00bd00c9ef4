"""Checkpoints of the paper's authors (dgxdn/ASRC-SNN): `best.pth` or `last.pth`, and the `args.json` beside it.

Their file is `{'net': state_dict, 'acc': percent, 'epoch': n}`. `features` counts Linear, Dropout, the optional
normalisation and the recurrent container of each layer, then the output Linear:

    features.<k>.weight, .bias                            W, b of the layer (b with their bias only)
    features.<k+2>.bn.{weight,bias,running_mean,running_var,num_batches_tracked}          with use_batchnorm
    features.<k+2 or k+3>.mlp.weight                      U
    features.<k+2 or k+3>.{tau,skip_para}                 temperature (1,) and skip logits (K, 1, 1) of ASRC
    features.<k+2 or k+3>.sub_module.w                    PLIF: alpha = sigmoid(w)
    skip_para                                             the shared logits, with network_wise

Batch normalisation in evaluation mode is affine, so it folds into W and b (`asrc_train.network.normalization.fold`),
here in double precision; their epsilon is PyTorch's default, as ours is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asrc_core import __version__
from asrc_core.contract.numbers import Fires
from asrc_core.errors import InvalidSetting
from asrc_export.interop.asrc_snn.arguments import WAY_OUT, Arguments, read_arguments, require_representable
from asrc_export.interop.asrc_snn.order import order_of
from asrc_export.interop.asrc_snn.state_dict import checked, layouts, readout_name, refuse
from asrc_export.interop.imported import Feed, Imported, settle
from asrc_train.settings.config import Config, validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor


def read(
    path: str | Path,
    arguments_path: str | Path,
    asked: Feed,
    permutation: str | Path | None = None,
    fires: Fires | None = None,
) -> Imported:
    """The network of a checkpoint, in evaluation mode: hard-max spans, batch normalisation folded.

    ``permutation`` is a .npy file of the order in which pixels were fed; without it, that of a PSMNIST network is
    drawn again as their main.py drew it. ``fires`` is what their surrogate does unless
    told otherwise. Raises UnreadableFile (a damaged file, one that would run code, arguments
    and tensors that disagree: the first disagreement is named), NonFiniteWeights, InvalidSetting for a network that
    ours cannot be (GLIF, layer normalisation, a decay for each neuron), and what `imported.settle` raises.
    """
    content = checkpoint.read_tensors_only(path, "authors' checkpoint", WAY_OUT)
    if not isinstance(content, dict) or not isinstance(content.get("net"), dict):
        refuse(path, "it holds no state dict under 'net'")
    arguments = read_arguments(arguments_path)
    require_representable(arguments)
    tensors = checked(path, content["net"], arguments)
    notes: list[str] = []
    decays = list(_decays(arguments, tensors, notes))
    fires = fires or _fires(arguments, notes)
    feed = settle(asked, _fed(arguments, notes if asked == Feed() else []), arguments.input_dim, arguments.output_dim)
    order = order_of(arguments, feed.steps, permutation, notes)
    config = _config(arguments, decays, fires, feed.data, order is not None)
    ours = dict(_converted(arguments, tensors))
    spans = _spans(arguments, tensors)
    source = "the skip logits" if arguments.model_version == "ASRC" else "args.json"
    notes.append(f"spans {'/'.join(map(str, spans))} from {source}")
    epoch, accuracy = content.get("epoch"), content.get("acc")
    made = Checkpoint(
        config=config,
        channels=arguments.input_dim,
        classes=arguments.output_dim,
        steps=feed.steps,
        scale=feed.scale,
        maximum=feed.maximum,
        spans=spans,
        temperature=_temperature(path, arguments, tensors),
        tensors=ours,
        permutation=order,
        history=[],
        scores={"their_test": accuracy / 100} if isinstance(accuracy, float) else {},
        provenance={
            "best_epoch": epoch + 1 if isinstance(epoch, int) else None,
            "asrc": __version__,
            "imported_from": "asrc-snn",
            "source_sha256": checkpoint.fingerprint(path),
            "arguments": arguments.model_dump(),
            "import_notes": "; ".join(notes),
        },
    )
    return Imported(made, tuple(notes))


def _decays(arguments: Arguments, tensors: dict[str, Tensor], notes: list[str]) -> Iterator[float]:
    """Decay factor of each layer, in the single precision in which their model uses it."""
    import torch

    for i, at in enumerate(layouts(arguments)):
        if arguments.neuron == "lif":
            yield float(np.float32(arguments.decay_para))
            continue
        learned = torch.sigmoid(tensors[f"{at.container}.sub_module.w"]).flatten()
        if float(learned.min()) != float(learned.max()):
            raise InvalidSetting(
                f"layer{i}",
                f"its learned decays differ from neuron to neuron ({float(learned.min()):.4g} to "
                f"{float(learned.max()):.4g}) and the integer contract has one for a layer; train without "
                "neuron_channel_wise",
            )
        yield float(learned[0])
    if arguments.neuron == "lif":
        notes.append(f"decay {arguments.decay_para} from args.json: the state dict of a LIF network lacks it")
    else:
        notes.append("decays learned (PLIF), one for each layer")


def _fires(arguments: Arguments, notes: list[str]) -> Fires:
    """Whether a membrane that equals theta fires in their code."""
    if arguments.sg != "gau":
        return "at"
    notes.append("their surrogate 'gau' fires above the threshold, all others at it; so does this network")
    return "above"


def _fed(arguments: Arguments, notes: list[str]) -> Feed:
    """What their loader feeds: of the MNIST tasks known (bytes / 255), of others the steps alone."""
    if arguments.task not in ("SMNIST", "PSMNIST"):
        return Feed(steps=arguments.time_window)
    if (arguments.time_window, arguments.input_dim, arguments.output_dim) != (784, 1, 10):
        return Feed(steps=arguments.time_window, maximum=255, scale=1 / 255)
    notes.append(
        "data set mnist5k: part of MNIST, and not kept out of the authors' training; `data` for another, or "
        "`steps` and `input_maximum` for none"
    )
    return Feed("mnist5k", arguments.time_window, 255, 1 / 255)


def _spans(arguments: Arguments, tensors: dict[str, Tensor]) -> tuple[int, ...]:
    if arguments.model_version == "SRC":
        return tuple(arguments.skip)
    return tuple(int(tensors[f"{at.container}.skip_para"].argmax()) + 1 for at in layouts(arguments))


def _temperature(path: str | Path, arguments: Arguments, tensors: dict[str, Tensor]) -> float:
    """Temperature of the epoch that was trained: their file is written after the epoch's annealing."""
    if arguments.model_version == "SRC":
        return 1.0
    taus = {float(tensors[f"{at.container}.tau"]) for at in layouts(arguments)}
    if len(taus) > 1 or min(taus) <= 0:
        refuse(path, f"its temperatures are {sorted(taus)}, not one positive number for all layers")
    return taus.pop() / arguments.de_tau


def _config(arguments: Arguments, decays: list[float], fires: Fires, data: str | None, permuted: bool) -> Config:
    adaptive = arguments.model_version == "ASRC"
    own = [
        {"decay": decay, "kernel_length" if adaptive else "span": skip}
        for decay, skip in zip(decays, arguments.skip, strict=True)
    ]
    network = {
        "connection": "asrc" if adaptive else "src",
        "hidden": arguments.layers,
        "threshold": arguments.threshold,
        "fires": fires,
        "reset": "hard" if arguments.hard_reset else "soft",
        "layers": own,
    }
    content = {"data": {"name": data, "permute": permuted}, "network": network, "training": {"seed": arguments.seed}}
    return validated(content, "args.json")


def _converted(arguments: Arguments, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensors under our names, batch normalisation folded, absent biases zero."""
    import torch

    from asrc_train.network.normalization import fold

    def bias(name: str, size: int) -> Tensor:
        return tensors[f"{name}.bias"] if arguments.bias else torch.zeros(size)

    for i, (at, neurons) in enumerate(zip(layouts(arguments), arguments.layers, strict=True)):
        weight, offset = tensors[f"{at.linear}.weight"], bias(at.linear, neurons)
        if arguments.use_batchnorm:
            gamma, beta, mean, variance = (
                tensors[f"{at.norm}.{name}"].double() for name in ("weight", "bias", "running_mean", "running_var")
            )
            weight, offset = (
                each.float() for each in fold(weight.double(), offset.double(), gamma, beta, mean, variance)
            )
        yield f"layers.{i}.feedforward.weight", weight
        yield f"layers.{i}.feedforward.bias", offset
        yield f"layers.{i}.recurrent.weight", tensors[f"{at.container}.mlp.weight"]
        if arguments.model_version == "ASRC":
            yield f"layers.{i}.connection.logits", tensors[f"{at.container}.skip_para"].flatten()
    last = readout_name(arguments)
    yield "readout.weight", tensors[f"{last}.weight"]
    yield "readout.bias", bias(last, arguments.output_dim)
