"""The checkpoint `model.pt`: plain tensors and one JSON text, read without running anything in the file.

It describes itself: configuration, widths, spans, pixel permutation, scale, training history, versions.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras, html
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting, NonFiniteWeights, UnreadableFile
from asrc_core.files.atomic import replacing
from asrc_core.files.digest import digest_of
from asrc_core.files.paths import as_path
from asrc_train.settings.config import Config, validated

if TYPE_CHECKING:
    from torch import Tensor

    from asrc_train.network.float_network import FloatNetwork

FORMAT = "asrc-checkpoint"
VERSION = 1
MAX_BYTES = 4 * 2**30
WAY_OUT = "train one with asrc-train, or make one of a module with asrc_train.as_checkpoint"
_KEYS = {"format", "version", "manifest", "tensors"}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained float network and all that is needed to build, feed and judge it again.

    ``tensors`` is the network's state dict; ``temperature`` that of the chosen epoch (for the softmax mixture);
    ``history`` one record per epoch; ``scores`` the accuracies found at the end; all JSON-like.
    """

    config: Config
    channels: int
    classes: int
    steps: int
    scale: float
    maximum: int
    spans: tuple[int, ...]
    temperature: float
    tensors: Mapping[str, Tensor]
    permutation: NDArray[np.int64] | None
    history: list[dict[str, Any]]
    scores: dict[str, float]
    provenance: dict[str, Any]

    def __repr__(self) -> str:
        widths = " -> ".join(map(str, (self.channels, *self.config.network.hidden, self.classes)))
        scores = "".join(f", {name} {score:.1%}" for name, score in self.scores.items())
        network = self.config.network
        kind = network.neuron if network.connection == "none" else network.connection
        return f"Checkpoint({widths}, {kind}, spans {'/'.join(map(str, self.spans))}{scores})"

    def _repr_html_(self) -> str:
        scores = [(name, f"{score:.1%}") for name, score in self.scores.items()]
        said = [("data", str(self.config.data.name)), ("steps", self.steps), ("scale", self.scale), *scores]
        return html.table(repr(self), ("", ""), said)

    def network(self) -> FloatNetwork:
        """The float network with the checkpoint's weights, in evaluation mode."""
        from asrc_train.network.float_network import new_network

        network = new_network(self.channels, self.classes, self.config.network, self.steps)
        network.load_state_dict(dict(self.tensors))
        return network.eval()


def save(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write the checkpoint; what stands at ``path`` is replaced only once the new file is whole."""
    import torch

    from asrc_train.network.sparsity import packed

    if not isinstance(checkpoint, Checkpoint):
        why = f"it is a {type(checkpoint).__name__}; give a Checkpoint, which as_checkpoint makes of a module"
        raise InvalidSetting("checkpoint", why)
    path = as_path(path, "the checkpoint to write")

    manifest = {
        name: getattr(checkpoint, name)
        for name in (
            "channels",
            "classes",
            "steps",
            "scale",
            "maximum",
            "temperature",
            "history",
            "scores",
            "provenance",
        )
    }
    manifest["config"] = checkpoint.config.model_dump(mode="json")
    manifest["spans"] = list(checkpoint.spans)
    tensors = packed({name: tensor.detach().cpu() for name, tensor in checkpoint.tensors.items()})
    if checkpoint.permutation is not None:
        tensors["permutation"] = torch.from_numpy(checkpoint.permutation.copy())
    content = {"format": FORMAT, "version": VERSION, "manifest": json.dumps(manifest), "tensors": tensors}
    write(content, path)


def write(content: Mapping[str, Any], path: str | Path) -> None:
    """Write tensors and plain values as PyTorch's archive, whose bytes do not depend on the file's name.

    Raises UnwritableOutput; an earlier file is left whole.
    """
    import torch

    buffer = io.BytesIO()  # given a path, PyTorch writes its name into the archive
    torch.save(content, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint and check that its tensors are those of the network it describes.

    Raises UnreadableFile for anything that is not a whole checkpoint of this kind (a pickle that would run
    code is refused unread), NonFiniteWeights for NaN or infinity among the weights.
    """
    content = read_tensors_only(path, "checkpoint", WAY_OUT)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(path, "it is a PyTorch file of another kind")
    if content.get("version") != VERSION:
        _refuse(path, f"its format version is {content.get('version')!r} and this package knows {VERSION}")
    if set(content) != _KEYS or not isinstance(content["manifest"], str) or not isinstance(content["tensors"], dict):
        _refuse(path, "its parts are not those of a checkpoint")
    tensors = dict(content["tensors"])
    permutation = tensors.pop("permutation", None)
    try:
        manifest = json.loads(content["manifest"])
        config = validated(manifest.pop("config"), f"checkpoint '{path}'")
        spans = tuple(int(span) for span in manifest.pop("spans"))
        order = None if permutation is None else permutation.numpy().astype(np.int64)
        checkpoint = Checkpoint(config=config, spans=spans, tensors=tensors, permutation=order, **manifest)
        checkpoint = replace(checkpoint, tensors=_checked_tensors(checkpoint))
        _check(checkpoint)
    except InvalidSetting as error:
        _refuse(path, str(error).rstrip("."))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        _refuse(path, f"its description is incomplete or wrong ({error})")
    return checkpoint


def read_tensors_only(path: str | Path, kind: str, way_out: str) -> Any:
    """What `torch.save` wrote, if it is tensors and plain values only. Raises UnreadableFile."""
    file = as_path(path, f"a {kind}")
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableFile(path, kind, f"it has {plural(size, 'byte')}, more than any network of ours", way_out)
        if file.is_dir():
            raise UnreadableFile(path, kind, "it is a folder", way_out)
        if size == 0:
            raise UnreadableFile(path, kind, "it is empty", way_out)
        if not zipfile.is_zipfile(file):
            raise UnreadableFile(path, kind, "it is not a PyTorch file, or it is truncated", way_out)
        with zipfile.ZipFile(file) as archive:
            # PyTorch stores without compression, so a whole file holds at least what it unpacks to.
            if sum(entry.file_size for entry in archive.infolist()) > size:
                raise UnreadableFile(path, kind, "it unpacks to more than it holds", way_out)
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except zipfile.BadZipFile as error:
        raise UnreadableFile(path, kind, "it is corrupt", way_out) from error

    import pickle

    with extras.importing():
        import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        why = "it holds more than tensors and plain values, and would run code when loaded"
        raise UnreadableFile(path, kind, why, way_out) from error
    except Exception as error:  # torch raises RuntimeError, EOFError, KeyError, ... for corrupt content
        raise UnreadableFile(path, kind, "it is corrupt", way_out) from error


def fingerprint(path: str | Path) -> str:
    """SHA-256 of the file's content, in hexadecimal."""
    return digest_of(Path(path))


def _checked_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The network's state dict out of the file's tensors, each with the shape and type that the configuration gives it.

    Raises ValueError naming the first tensor that does not fit, NonFiniteWeights.
    """
    import torch

    from asrc_train.network.sparsity import unpacked

    for name in ("channels", "classes", "steps", "maximum"):
        value = getattr(checkpoint, name)
        if not isinstance(value, int) or not 1 <= value <= 2**31:
            raise ValueError(f"{name} is {value!r}")
    with torch.device("meta"):  # shapes without memory, whatever widths the file claims
        from asrc_train.network.float_network import new_network

        config, steps = checkpoint.config.network, checkpoint.steps
        expected = new_network(checkpoint.channels, checkpoint.classes, config, steps).state_dict()
    if set(expected) != set(checkpoint.tensors):
        wrong = sorted(set(expected) ^ set(checkpoint.tensors))[0]
        raise ValueError(f"tensor '{wrong}' is missing or does not belong")
    for name, tensor in checkpoint.tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"'{name}' is not a tensor")
    tensors = unpacked(checkpoint.tensors, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"tensor '{name}' does not have the shape that the configuration gives it")
        kind = torch.bool if expected[name].dtype == torch.bool else torch.float32
        if tensor.dtype != kind:
            raise ValueError(f"tensor '{name}' is {tensor.dtype}, expected {kind}")
        broken = int((~torch.isfinite(tensor)).sum())
        if broken:
            raise NonFiniteWeights(name, broken)
    return tensors


def _check(checkpoint: Checkpoint) -> None:
    import torch

    for name in ("scale", "temperature"):
        value = getattr(checkpoint, name)
        if not isinstance(value, float) or not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value!r}")
    network = checkpoint.network()
    if list(checkpoint.spans) != network.spans:
        raise ValueError("its spans are not those of its skip logits")
    for name, tensor in network.state_dict().items():
        if not torch.equal(tensor, checkpoint.tensors[name]):
            raise ValueError(f"tensor '{name}' is not the one that its layers share")
    order = checkpoint.permutation
    if checkpoint.config.data.permute != (order is not None):
        raise ValueError("its permutation and its configuration disagree")
    if order is not None and not np.array_equal(np.sort(order), np.arange(checkpoint.steps)):
        raise ValueError("its permutation is not an order of its steps")


def _refuse(path: str | Path, why: str) -> NoReturn:
    raise UnreadableFile(path, "checkpoint", why, WAY_OUT)
