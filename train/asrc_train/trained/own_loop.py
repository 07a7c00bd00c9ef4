"""From a loop of one's own into the toolchain: a trained module as a frozen network, or as a checkpoint.

`own_module` says which modules are taken. Samples are integers x in [0, maximum], and the module was trained on the
real values (x - zero) * scale. A zero other than 0 goes into the biases of the first layer, which become W 1 zero scale
lower, so that the network takes x * scale.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asrc_core import __version__, meaning, preprocessing
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting, UnknownName
from asrc_core.preprocessing import Preprocessing
from asrc_train import data as data_sets
from asrc_train.network.model import SkipRecurrentLayer
from asrc_train.network.parts import require_whole
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.settings.config import Config, DataConfig, NetworkConfig, network_config
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import array, frozen_layers
from asrc_train.trained.frozen import FrozenNetwork
from asrc_train.trained.own_module import Sequenced, require_module, sequenced

MOST_RAW = 255
"""The largest integer that is made of raw samples."""
OF_LAYERS = ("kernel_length", "span", "decay", "threshold", "reset", "fires")
"""Settings that each layer of a checkpoint may have of its own."""


class Described(NamedTuple):
    """A module looked at, and what its samples are."""

    found: Sequenced
    channels: int
    steps: int
    maximum: int
    scale: float
    zero: float
    provenance: dict[str, Any]


def describe(
    module: nn.Module,
    *,
    samples: NDArray[Any] | None = None,
    scale: float | None = None,
    zero: float = 0,
    maximum: int | None = None,
    steps: int | None = None,
    classes: Sequence[str] | None = None,
    unit: str = "",
    step_seconds: float | None = None,
) -> Described:
    """Look at a module. ``samples``: some of those trained on, integers (n, T, channels), from which ``steps`` and
    ``maximum`` follow where they are not given; ``scale``: the real value of one integer step, which has to be said
    where integers go beyond 1; ``classes``: a name for each; ``unit`` of the real value.

    Raises InvalidSetting and InvalidData for what does not fit.
    """
    require_module(module)
    if scale is not None and (not _is_number(scale) or scale <= 0):
        raise InvalidSetting("scale", f"{scale!r} is not a number above 0; it is the real value of one integer step")
    if not _is_number(zero):
        raise InvalidSetting("zero", f"{zero!r} is not a number; it is the integer that stands for 0")
    x = None if samples is None else checked_samples(samples)
    if x is None and (steps is None or maximum is None):
        missing = " and ".join(name for name, of in (("`steps`", steps), ("maximum", maximum)) if of is None)
        raise InvalidSetting(missing, "it is not known; give samples, integers (n, T, channels), to see it by")
    steps = int(x.shape[1]) if steps is None and x is not None else steps
    maximum = max(int(x.max()), 1) if maximum is None and x is not None else maximum
    require_whole("`steps`", steps)
    require_whole("maximum", maximum)
    assert steps is not None, "checked"
    assert maximum is not None, "checked"
    if x is not None and int(x.max()) > maximum:
        why = f"their largest value is {int(x.max())}, and maximum is {maximum}"
        raise InvalidData("samples", why, "give the largest value that a sample can hold")
    if scale is None and maximum > 1:
        why = f"samples go up to {maximum}, and the real value of one integer step is not known"
        raise InvalidSetting("scale", f"{why}; give it, such as 1 / {maximum}, or 1 for integers as they are")
    scale = 1.0 if scale is None else float(scale)
    found = sequenced(module, x, scale, float(zero))
    channels = found.layers[0].feedforward.in_features
    if x is not None and x.shape[2] != channels:
        why = f"they have {plural(x.shape[2], 'channel')} and the first layer takes {channels}"
        raise InvalidData("samples", why, "give what it was trained on, (n, T, channels)")
    said = meaning.stated({"zero": zero, "unit": unit, "step_seconds": step_seconds}, "samples")
    names = None if classes is None else meaning.class_names(classes, len(found.weight))
    provenance = {
        **preprocessing.stated(_raw(scale, float(zero), maximum, channels), names or ()),
        **({meaning.KEY: told} if (told := said.model_dump(exclude_defaults=True)) else {}),
        "asrc": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    return Described(found, channels, steps, maximum, scale, float(zero), provenance)


def _raw(scale: float, zero: float, maximum: int, channels: int) -> Preprocessing | None:
    """How real values become x: raw samples that commands take are these. None beyond what 8 bits hold."""
    if maximum > MOST_RAW:
        return None
    nothing = min(max(0, round(zero)), maximum)
    pad = (nothing,) * channels if nothing else ()
    return Preprocessing(zero=(-zero * scale,) * channels, scale=(scale,) * channels, maximum=maximum, pad=pad)


def _without_raw(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """For a data set of ours, whose raw samples are its integers."""
    return {key: value for key, value in provenance.items() if key != preprocessing.KEY}


def freeze_module(described: Described) -> FrozenNetwork:
    """The module as what becomes an integer network. Raises CannotFreeze, NonFiniteWeights."""
    found = described.found
    layers = frozen_layers(found.layers, "none" if found.config is None else found.config.skips)
    if described.zero:
        lower = layers[0].weight.sum(1) * (described.zero * described.scale)
        layers = (layers[0].moved(bias=layers[0].bias - lower), *layers[1:])
    return FrozenNetwork(
        layers=layers,
        readout_weight=array("readout.weight", described.found.weight),
        readout_bias=array("readout.bias", described.found.bias),
        channels=described.channels,
        steps=described.steps,
        scale=described.scale,
        maximum=described.maximum,
        permutation=None,
        provenance={"data": None, **described.provenance},
    )


def as_checkpoint(
    module: nn.Module,
    *,
    data: str | None = None,
    samples: NDArray[Any] | None = None,
    scale: float | None = None,
    zero: float = 0,
    maximum: int | None = None,
    steps: int | None = None,
    classes: Sequence[str] | None = None,
    unit: str = "",
    step_seconds: float | None = None,
    scores: Mapping[str, float] | None = None,
    temperature: float = 1.0,
) -> Checkpoint:
    """A module trained in a loop of one's own as a checkpoint, which `save` writes and every command takes.

    Arguments are those of `describe`; ``data`` names a data set of ours that it was trained on, if it was; ``scores``
    are accuracies to keep, 0 to 1; ``temperature`` is the one that asrc's mixtures were trained with last, by which
    reports show them. Of modules of one's own the layers must have been made by the names of connection
    and neuron and agree in all but spans, decays, thresholds and resets. An averaged readout becomes one that is
    summed, in single precision. Raises InvalidSetting, InvalidData, NonFiniteWeights.
    """
    if not _is_number(temperature) or temperature <= 0:
        raise InvalidSetting("temperature", f"{temperature!r} is not a number above 0; give that of the last epoch")
    if data is not None and not data_sets.is_known(data):
        raise UnknownName("data set", data, data_sets.names(), data_sets.OWN)
    described = describe(
        module,
        samples=samples,
        scale=scale,
        zero=zero,
        maximum=maximum,
        steps=steps,
        classes=classes,
        unit=unit,
        step_seconds=step_seconds,
    )
    found = described.found
    network = found.config or _config(found.layers)
    tensors: dict[str, Tensor] = {"readout.weight": found.weight, "readout.bias": found.bias}
    for i, layer in enumerate(found.layers):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in layer.state_dict().items()}
    kept = {name: _stored(name, tensor) for name, tensor in tensors.items()}
    if described.zero:
        weight = _whole_weight(found.layers[0]).sum(1)
        kept["layers.0.feedforward.bias"] = kept["layers.0.feedforward.bias"] - weight * (zero * described.scale)
    made = Checkpoint(
        config=Config(data=DataConfig(name=data), network=network),
        channels=described.channels,
        classes=len(found.weight),
        steps=described.steps,
        scale=described.scale,
        maximum=described.maximum,
        spans=tuple(layer.span for layer in found.layers),
        temperature=float(temperature),
        tensors=kept,
        permutation=None,
        history=[],
        scores=dict(scores or {}),
        provenance=described.provenance if data is None else _without_raw(described.provenance),
    )
    made.network()
    return made


def _whole_weight(layer: SkipRecurrentLayer | StateSpaceLayer) -> Tensor:
    """W with batch normalisation's gain, which a bias before it would be multiplied by, left out."""
    return layer.feedforward.weight.detach().cpu().float()


def _stored(name: str, tensor: Tensor) -> Tensor:
    if tensor.dtype == torch.float64 and name.startswith("readout."):
        return tensor.detach().cpu().float()  # an average folded into the readout
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        raise InvalidSetting(f"tensor '{name}'", f"it is {tensor.dtype}, and checkpoints are in float32; use .float()")
    if tensor.is_floating_point():
        array(name, tensor)
    return tensor.detach().cpu().clone()


def _config(layers: Sequence[SkipRecurrentLayer | StateSpaceLayer]) -> NetworkConfig:
    """The settings of a network of such layers. Raises InvalidSetting for layers that no settings describe."""
    first = layers[0].config.model_dump(exclude={*OF_LAYERS, "hidden", "layers"})
    for i, layer in enumerate(layers):
        if not layer.named:
            why = "its connection or its neuron is an object, and a checkpoint knows them by name"
            raise InvalidSetting(f"layer {i}", f"{why}; make it by name, or export the module as it is")
        own = layer.config.model_dump(exclude={*OF_LAYERS, "hidden", "layers"})
        for name, value in own.items():
            if value != first[name]:
                why = f"its {name} is {value} and that of layer 0 is {first[name]}"
                raise InvalidSetting(f"layer {i}", f"{why}, a checkpoint has one for all; export the module as it is")
    hidden = tuple(layer.feedforward.out_features for layer in layers)
    each = [layer.config.model_dump(include=set(OF_LAYERS)) for layer in layers]
    return network_config({**first, "hidden": hidden, "layers": each}, "module")


def checked_samples(samples: object) -> NDArray[np.int64]:
    """The samples as int64 (n, T, channels), none below 0. Raises InvalidData for what is none."""
    what = "samples"
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().numpy()
    if not isinstance(samples, np.ndarray):
        raise InvalidData(what, f"they are a {type(samples).__name__}", "give an array of integers (n, T, channels)")
    if samples.ndim != 3 or 0 in samples.shape:
        raise InvalidData(what, f"their shape is {samples.shape}", "give (n, T, channels), each at least 1")
    if samples.dtype.kind not in "iub":
        way_out = "give x, of which the real values are (x - zero) * scale: np.rint(real / scale + zero).astype(int)"
        raise InvalidData(what, f"they are {samples.dtype}, and a chip is fed integers", way_out)
    if int(samples.min()) < 0:
        why = f"their least value is {int(samples.min())}, and the network is fed 0 to maximum"
        raise InvalidData(what, why, "add what lifts it to 0 and give that as zero")
    return samples.astype(np.int64)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
