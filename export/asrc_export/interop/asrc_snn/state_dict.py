"""The tensors that the authors' arguments promise, and whether a state dict keeps that promise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from asrc_core.errors import NonFiniteWeights, UnreadableFile
from asrc_export.interop.asrc_snn.arguments import WAY_OUT, Arguments

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where one layer's parameters stand in the state dict."""

    linear: str
    norm: str
    container: str


def layouts(arguments: Arguments) -> list[Layout]:
    """One for each layer, in order."""
    stride = 4 if arguments.use_batchnorm else 3
    return [
        Layout(f"features.{stride * i}", f"features.{stride * i + 2}.bn", f"features.{stride * (i + 1) - 1}")
        for i in range(len(arguments.layers))
    ]


def readout_name(arguments: Arguments) -> str:
    """Where the output layer stands."""
    return f"features.{(4 if arguments.use_batchnorm else 3) * len(arguments.layers)}"


def _expected(arguments: Arguments) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the arguments promise."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        if arguments.bias:
            shapes[f"{name}.bias"] = (outputs,)

    fan_in = arguments.input_dim
    for at, neurons, skip in zip(layouts(arguments), arguments.layers, arguments.skip, strict=True):
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
    linear(readout_name(arguments), arguments.output_dim, fan_in)
    if arguments.network_wise and arguments.model_version == "ASRC":
        shapes["skip_para"] = (arguments.skip[0], 1, 1)
    return shapes


def checked(path: str | Path, net: dict[str, Any], arguments: Arguments) -> dict[str, Tensor]:
    """The tensors, if they are those that the arguments promise. Raises UnreadableFile, NonFiniteWeights."""
    import torch

    expected = _expected(arguments)
    for name in expected:
        if name not in net:
            refuse(path, f"tensor '{name}', which args.json promises, is missing")
    for name, tensor in net.items():
        if name not in expected:
            refuse(path, f"tensor '{name}' belongs to no network of these arguments")
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != expected[name]:
            shape = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            refuse(path, f"tensor '{name}' is {shape}, args.json says {expected[name]}")
        if name.endswith("num_batches_tracked"):
            continue
        if tensor.dtype != torch.float32:
            refuse(path, f"tensor '{name}' is {tensor.dtype}, expected torch.float32")
        broken = int((~torch.isfinite(tensor)).sum())
        if broken:
            raise NonFiniteWeights(name, broken)
        if name.endswith("running_var") and bool((tensor < 0).any()):
            refuse(path, f"tensor '{name}' holds a negative variance")
    shared = net.get("skip_para")
    for at in layouts(arguments):
        if shared is not None and not torch.equal(net[f"{at.container}.skip_para"], shared):
            refuse(path, f"tensor '{at.container}.skip_para' is not the shared one, though args.json says network_wise")
    return net


def refuse(path: str | Path, why: str) -> NoReturn:
    """Raise UnreadableFile for a checkpoint."""
    raise UnreadableFile(path, "authors' checkpoint", why, WAY_OUT)
