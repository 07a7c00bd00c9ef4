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

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core import __version__
from asrc_core.errors import InvalidSetting, NonFiniteWeights, UnreadableFile
from asrc_core.forms.first_problem import first_problem
from asrc_export.interop.imported import Feed, Imported, settle
from asrc_train.settings.config import Config, validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

MAX_ARGUMENTS_BYTES = 2**20
_WAY_OUT = "give the best.pth or last.pth that their main.py wrote, and the args.json beside it"
_Width = Annotated[int, Field(ge=1, le=65_536)]
_Span = Annotated[int, Field(ge=1, le=4096)]


class Arguments(BaseModel):
    """What their `args.json` must say for the network to be rebuilt; training options are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    task: str
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    model_version: Literal["SRC", "ASRC"]
    neuron: str
    neuron_channel_wise: bool
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    hard_reset: bool
    decay_para: Annotated[float, Field(ge=0, le=1)]
    sg: str
    layers: Annotated[list[_Width], Field(min_length=1, max_length=100)]
    skip: list[_Span]
    network_wise: bool
    de_tau: Annotated[float, Field(gt=0, le=1)]
    bias: bool
    use_batchnorm: bool
    use_layernorm: bool
    input_dim: _Width
    output_dim: _Width
    time_window: Annotated[int, Field(ge=1, le=2**31 - 1)]


@dataclass(frozen=True)
class _Layout:
    """Where one layer's parameters stand in the state dict."""

    linear: str
    norm: str
    container: str


def read(path: str | Path, arguments_path: str | Path, asked: Feed, permutation: str | Path | None = None) -> Imported:
    """The network of a checkpoint, in evaluation mode: hard-max spans, batch normalisation folded.

    ``permutation`` is a .npy file of the order in which pixels were fed; without it, that of a PSMNIST network is
    drawn again as their main.py drew it. Raises UnreadableFile (a damaged file, one that would run code, arguments
    and tensors that disagree: the first disagreement is named), NonFiniteWeights, InvalidSetting for a network that
    ours cannot be (GLIF, layer normalisation, a decay for each neuron), and what `imported.settle` raises.
    """
    content = checkpoint.read_tensors_only(path, "authors' checkpoint", _WAY_OUT)
    if not isinstance(content, dict) or not isinstance(content.get("net"), dict):
        _refuse(path, "it holds no state dict under 'net'")
    arguments = _arguments(arguments_path)
    _require_representable(arguments)
    tensors = _checked(path, content["net"], arguments)
    notes: list[str] = []
    decays = list(_decays(arguments, tensors, notes))
    threshold = _threshold(arguments, notes)
    feed = settle(asked, _fed(arguments, notes if asked == Feed() else []), arguments.input_dim, arguments.output_dim)
    order = _order(arguments, feed.steps, permutation, notes)
    config = _config(arguments, decays, threshold, feed.data, order is not None)
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


def _arguments(path: str | Path) -> Arguments:
    kind = "arguments of the authors' code"
    try:
        if Path(path).stat().st_size > MAX_ARGUMENTS_BYTES:
            raise UnreadableFile(path, kind, "it is far larger than any args.json", _WAY_OUT)
        return Arguments.model_validate(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), _WAY_OUT) from error
    except ValidationError as error:
        problem = first_problem(error, Arguments)
        raise UnreadableFile(path, kind, f"key '{problem.key}': {problem.why}", _WAY_OUT) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, kind, "it is not JSON", _WAY_OUT) from error


def _require_representable(arguments: Arguments) -> None:
    if arguments.neuron not in ("lif", "plif"):
        raise InvalidSetting(
            f"neuron '{arguments.neuron}'",
            "its gates and its conductance at each step have no place in our layer; lif and plif have",
        )
    if arguments.use_layernorm and not arguments.use_batchnorm:  # with both, their code applies batch norm alone
        raise InvalidSetting(
            "use_layernorm", "layer normalisation depends on each sample, so it folds into no weight; batch norm does"
        )
    if arguments.sg not in ("triangle", "exp", "rectangle", "gau"):
        raise InvalidSetting(f"sg '{arguments.sg}'", "whether it fires at the threshold or above it is not known")
    if len(arguments.skip) != len(arguments.layers):
        raise InvalidSetting("skip", f"{len(arguments.skip)} entries for {len(arguments.layers)} layers in args.json")
    if arguments.network_wise and arguments.model_version == "ASRC" and len(set(arguments.skip)) > 1:
        raise InvalidSetting("skip", "with network_wise one kernel serves all layers, but the entries differ")


def _layouts(arguments: Arguments) -> list[_Layout]:
    stride = 4 if arguments.use_batchnorm else 3
    return [
        _Layout(f"features.{stride * i}", f"features.{stride * i + 2}.bn", f"features.{stride * (i + 1) - 1}")
        for i in range(len(arguments.layers))
    ]


def _readout(arguments: Arguments) -> str:
    return f"features.{(4 if arguments.use_batchnorm else 3) * len(arguments.layers)}"


def _expected(arguments: Arguments) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the arguments promise."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        if arguments.bias:
            shapes[f"{name}.bias"] = (outputs,)

    fan_in = arguments.input_dim
    for at, neurons, skip in zip(_layouts(arguments), arguments.layers, arguments.skip, strict=True):
        linear(at.linear, neurons, fan_in)
        shapes[f"{at.container}.mlp.weight"] = (neurons, neurons)
        if arguments.use_batchnorm:
            shapes |= {f"{at.norm}.{name}": (neurons,) for name in ("weight", "bias", "running_mean", "running_var")}
            shapes[f"{at.norm}.num_batches_tracked"] = ()
        if arguments.model_version == "ASRC":
            shapes[f"{at.container}.tau"] = (1,)
            shapes[f"{at.container}.skip_para"] = (skip, 1, 1)
        if arguments.neuron == "plif":
            shapes[f"{at.container}.sub_module.w"] = (1, neurons if arguments.neuron_channel_wise else 1)
        fan_in = neurons
    linear(_readout(arguments), arguments.output_dim, fan_in)
    if arguments.network_wise and arguments.model_version == "ASRC":
        shapes["skip_para"] = (arguments.skip[0], 1, 1)
    return shapes


def _checked(path: str | Path, net: dict[str, Any], arguments: Arguments) -> dict[str, Tensor]:
    import torch

    expected = _expected(arguments)
    for name in expected:
        if name not in net:
            _refuse(path, f"tensor '{name}', which args.json promises, is missing")
    for name, tensor in net.items():
        if name not in expected:
            _refuse(path, f"tensor '{name}' belongs to no network of these arguments")
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != expected[name]:
            shape = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            _refuse(path, f"tensor '{name}' is {shape}, args.json says {expected[name]}")
        if name.endswith("num_batches_tracked"):
            continue
        if tensor.dtype != torch.float32:
            _refuse(path, f"tensor '{name}' is {tensor.dtype}, expected torch.float32")
        broken = int((~torch.isfinite(tensor)).sum())
        if broken:
            raise NonFiniteWeights(name, broken)
        if name.endswith("running_var") and bool((tensor < 0).any()):
            _refuse(path, f"tensor '{name}' holds a negative variance")
    shared = net.get("skip_para")
    for at in _layouts(arguments):
        if shared is not None and not torch.equal(net[f"{at.container}.skip_para"], shared):
            _refuse(
                path, f"tensor '{at.container}.skip_para' is not the shared one, though args.json says network_wise"
            )
    return net


def _decays(arguments: Arguments, tensors: dict[str, Tensor], notes: list[str]) -> Iterator[float]:
    """Decay factor of each layer, in the single precision in which their model uses it."""
    import torch

    for i, at in enumerate(_layouts(arguments)):
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


def _threshold(arguments: Arguments, notes: list[str]) -> float:
    """theta, such that firing at it is what they do."""
    if arguments.sg != "gau":
        return arguments.threshold
    if arguments.hard_reset:  # u > theta is u >= the next number; a hard reset does not look at theta
        notes.append(
            "their surrogate 'gau' fires above the threshold, not at it: the next larger number is the threshold"
        )
        return float(np.nextafter(np.float32(arguments.threshold), np.float32(np.inf)))
    notes.append("their surrogate 'gau' fires above the threshold, ours at it: only a membrane that equals it differs")
    return arguments.threshold


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


def _order(arguments: Arguments, steps: int, given: str | Path | None, notes: list[str]) -> NDArray[np.int64] | None:
    if given is not None:
        order = _read_order(given, steps)
        notes.append(f"pixel permutation from '{Path(given).name}'")
        return order
    if arguments.task != "PSMNIST":
        return None
    order = replayed_permutation(arguments)
    notes.append(
        f"pixel permutation drawn again from seed {arguments.seed} as their main.py draws it (it is saved nowhere; "
        "give `permutation` if yours was another)"
    )
    return order


def _read_order(path: str | Path, steps: int) -> NDArray[np.int64]:
    kind, way_out = "permutation", "save the order of steps with numpy.save, integers from 0"
    try:
        if Path(path).stat().st_size > 16 * steps + 4096:
            raise UnreadableFile(path, kind, f"it is larger than an order of {steps} steps", way_out)
        order = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except (ValueError, EOFError) as error:
        raise UnreadableFile(path, kind, "it is not a .npy file of plain numbers", way_out) from error
    if not isinstance(order, np.ndarray) or order.dtype.kind not in "iu" or order.shape != (steps,):
        raise UnreadableFile(path, kind, f"it is not {steps} integers", way_out)
    if not np.array_equal(np.sort(order), np.arange(steps)):
        raise UnreadableFile(path, kind, f"it is not an order of the {steps} steps", way_out)
    return order.astype(np.int64)


def replayed_permutation(arguments: Arguments) -> NDArray[np.int64]:
    """`torch.randperm` at the point where their main.py calls it: seed, build the model on the CPU, draw.

    What building draws is PyTorch's own initialisation: W and b of each Linear, U of each container, U again as
    orthogonal. Independent of thread count and device; equal across PyTorch versions as long as those draws are.
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(arguments.seed)
        fan_in = arguments.input_dim
        for neurons in arguments.layers:
            nn.Linear(fan_in, neurons, bias=arguments.bias)
            nn.init.orthogonal_(nn.Linear(neurons, neurons, bias=False).weight)
            fan_in = neurons
        nn.Linear(fan_in, arguments.output_dim, bias=arguments.bias)
        return torch.randperm(arguments.time_window).numpy()


def _spans(arguments: Arguments, tensors: dict[str, Tensor]) -> tuple[int, ...]:
    if arguments.model_version == "SRC":
        return tuple(arguments.skip)
    return tuple(int(tensors[f"{at.container}.skip_para"].argmax()) + 1 for at in _layouts(arguments))


def _temperature(path: str | Path, arguments: Arguments, tensors: dict[str, Tensor]) -> float:
    """Temperature of the epoch that was trained: their file is written after the epoch's annealing."""
    if arguments.model_version == "SRC":
        return 1.0
    taus = {float(tensors[f"{at.container}.tau"]) for at in _layouts(arguments)}
    if len(taus) > 1 or min(taus) <= 0:
        _refuse(path, f"its temperatures are {sorted(taus)}, not one positive number for all layers")
    return taus.pop() / arguments.de_tau


def _config(arguments: Arguments, decays: list[float], threshold: float, data: str | None, permuted: bool) -> Config:
    adaptive = arguments.model_version == "ASRC"
    own = [
        {"decay": decay, "kernel_length" if adaptive else "span": skip}
        for decay, skip in zip(decays, arguments.skip, strict=True)
    ]
    network = {
        "connection": "asrc" if adaptive else "src",
        "hidden": arguments.layers,
        "threshold": threshold,
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

    for i, (at, neurons) in enumerate(zip(_layouts(arguments), arguments.layers, strict=True)):
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
    last = _readout(arguments)
    yield "readout.weight", tensors[f"{last}.weight"]
    yield "readout.bias", bias(last, arguments.output_dim)


def _refuse(path: str | Path, why: str) -> NoReturn:
    raise UnreadableFile(path, "authors' checkpoint", why, _WAY_OUT)
