"""The integer network as one `.safetensors` file: the tensors are the integers, the rest is JSON in its metadata.

    layers.<i>.feedforward  int16 (N, I)      layers.<i>.recurrent  int16 (N, N)      layers.<i>.bias  int32 (N,)
    readout.weight          int16 (C, N)      readout.bias          int32 (C,)        permutation  int64 (T,), optional

Anyone can read it with the safetensors package alone; the manifest is the metadata's key `asrc`. A weight matrix that
is smaller so is stored as `<name>.present` and `<name>.values` (`sparse_weights`); such a file says `file_version` 2.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core.contract.arithmetic import CONTRACT_VERSION, MAX_TAPS, STATE_MAX, Mapping, Reset, Tap
from asrc_core.contract.network import InputFormat, IntegerNetwork, Readout, SkipLayer, contract_version, validate
from asrc_core.contract.sparse_weights import packed, saved, unpacked
from asrc_core.errors import UnreadableFile
from asrc_core.files.atomic import replacing
from asrc_core.forms.first_problem import first_problem

FORMAT: Literal["asrc-integer-network"] = "asrc-integer-network"
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_FILE_BYTES = 4 * 2**30
"""A generous multiple of the largest network a chip holds; a larger file is not one of ours."""
FILE_VERSION = 2
"""Of the file's layout, not of the arithmetic. 1: every weight is stored. 2: matrices may be sparse."""
MAX_UNPACKED = MAX_FILE_BYTES
"""Bytes that sparse matrices would take if every weight of theirs was stored."""
HEADER_BYTES = 256
"""More than a second tensor in place of one adds to the header."""

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Input(_Strict):
    channels: Annotated[int, Field(ge=1, le=2**20)]
    minimum: Annotated[int, Field(ge=-STATE_MAX, le=STATE_MAX)]
    maximum: Annotated[int, Field(ge=-STATE_MAX, le=STATE_MAX)]
    scale: _Scale


class _Tap(_Strict):
    span: int
    weight: int


class _Layer(_Strict):
    name: _Name
    feedforward_exponent: int
    recurrent_exponent: int
    decay: int
    threshold: int
    span: int
    reset: Reset
    activation_shift: int
    weight_bits: int
    scale: _Scale
    taps: list[_Tap] = Field(default_factory=list, min_length=1, max_length=MAX_TAPS)  # left out where there are none


class _Readout(_Strict):
    name: _Name
    exponent: int
    weight_bits: int
    scale: _Scale


class _Manifest(_Strict):
    """The JSON beside the tensors."""

    format: Literal["asrc-integer-network"] = FORMAT
    contract: int
    file_version: Annotated[int, Field(ge=1)] = 1  # left out where it is 1
    target: _Name
    mapping: Mapping
    steps: Annotated[int, Field(ge=1, le=2**31 - 1)]
    input: _Input
    layers: Annotated[list[_Layer], Field(min_length=1, max_length=10_000)]
    readout: _Readout
    provenance: dict[str, Any]


def save(network: IntegerNetwork, path: str | Path) -> None:
    """Write the network; the file at ``path`` is replaced only once the new one is whole.

    The same network gives the same bytes. Raises InvalidNetwork, SpanTooLong, UnwritableOutput.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(to_bytes(network))


def to_bytes(network: IntegerNetwork) -> bytes:
    """The file's content. Raises InvalidNetwork or SpanTooLong."""
    from safetensors.numpy import save as serialise

    validate(network)
    weights, tensors = _weights(network), _vectors(network)
    sparse = {name for name, weight in weights.items() if saved(weight) > HEADER_BYTES}
    for name, weight in weights.items():
        if name in sparse:
            tensors[f"{name}.present"], tensors[f"{name}.values"] = packed(weight)
        else:
            tensors[name] = np.ascontiguousarray(weight)
    return bytes(serialise(tensors, metadata={"asrc": _described(network, {"file_version": 2} if sparse else {})}))


def manifest(network: IntegerNetwork) -> str:
    """The network's manifest as JSON: all but the tensors, however they are stored."""
    return _described(network, {})


def _described(network: IntegerNetwork, of_file: dict[str, Any]) -> str:
    return _Manifest(
        format=FORMAT,
        contract=contract_version(network.layers),
        **of_file,
        target=network.target,
        mapping=network.mapping,
        steps=network.steps,
        input=_Input(**_fields(network.input, _Input)),
        layers=[_layer(layer) for layer in network.layers],
        readout=_Readout(**_fields(network.readout, _Readout)),
        provenance=dict(network.provenance),
    ).model_dump_json(exclude_unset=True)


def _weights(network: IntegerNetwork) -> dict[str, NDArray[np.int16]]:
    matrices = {"readout.weight": network.readout.weight}
    for i, layer in enumerate(network.layers):
        matrices |= {f"layers.{i}.feedforward": layer.feedforward, f"layers.{i}.recurrent": layer.recurrent}
    return {name: matrix.astype(np.int16) for name, matrix in matrices.items()}


def _vectors(network: IntegerNetwork) -> dict[str, NDArray[Any]]:
    biases = {f"layers.{i}.bias": layer.bias for i, layer in enumerate(network.layers)}
    biases["readout.bias"] = network.readout.bias
    vectors: dict[str, NDArray[Any]] = {name: np.ascontiguousarray(b.astype(np.int32)) for name, b in biases.items()}
    if network.permutation is not None:
        vectors["permutation"] = np.ascontiguousarray(network.permutation.astype(np.int64))
    return vectors


def load(path: str | Path) -> IntegerNetwork:
    """Read and validate a network.

    Nothing in the file is trusted: sizes are checked before anything is allocated, then the manifest, then every
    rule of the contract. Raises UnreadableFile, InvalidNetwork, SpanTooLong.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialise

    content = _read(Path(path))
    try:
        header = _header(content)
        read = _Manifest.model_validate_json(header["__metadata__"]["asrc"])
        tensors = deserialise(content)
    except ValidationError as error:
        problem = first_problem(error, _Manifest)
        _refuse(path, f"its manifest is invalid at '{problem.key}' ({problem.why})")
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        _refuse(path, f"it is not an integer network ({_short(error)})")
    if not 1 <= read.contract <= CONTRACT_VERSION:
        _refuse(
            path, f"it obeys version {read.contract} of the contract and this package knows 1 to {CONTRACT_VERSION}"
        )
    if read.contract < 2 and any(layer.taps for layer in read.layers):
        _refuse(path, f"it has taps, which version {read.contract} of the contract does not know")
    if read.file_version > FILE_VERSION:
        _refuse(path, f"it is of version {read.file_version} of the file and this package knows 1 to {FILE_VERSION}")

    def take(name: str, dtype: type[np.signedinteger[Any]]) -> NDArray[np.int64]:
        if name not in tensors:
            _refuse(path, f"tensor '{name}' is missing")
        tensor = tensors.pop(name)
        if tensor.dtype != dtype:
            _refuse(path, f"tensor '{name}' is {tensor.dtype}, expected {np.dtype(dtype)}")
        return tensor.astype(np.int64)

    biases = [take(f"layers.{i}.bias", np.int32) for i in range(len(read.layers))]
    bias = take("readout.bias", np.int32)
    shapes = _shapes(read.input.channels, [each.size for each in biases], bias.size)
    sparse = {name: shape for name, shape in shapes.items() if f"{name}.present" in tensors}
    if sparse and read.file_version < 2:
        _refuse(path, f"tensor '{min(sparse)}' is sparse, which version {read.file_version} of the file does not know")
    if sum(np.dtype(np.int16).itemsize * rows * columns for rows, columns in sparse.values()) > MAX_UNPACKED:
        _refuse(path, f"tensor '{min(sparse)}' and what else is sparse would unpack to more than {MAX_UNPACKED} bytes")

    def weights(name: str) -> NDArray[np.int64]:
        if name not in sparse:
            return take(name, np.int16)
        if f"{name}.values" not in tensors:
            _refuse(path, f"tensor '{name}.values' is missing")
        try:
            return unpacked(tensors.pop(f"{name}.present"), tensors.pop(f"{name}.values"), shapes[name])
        except ValueError as error:
            _refuse(path, f"sparse tensor '{name}' {error}")

    layers = tuple(
        SkipLayer(
            feedforward=weights(f"layers.{i}.feedforward"),
            recurrent=weights(f"layers.{i}.recurrent"),
            bias=biases[i],
            taps=tuple(Tap(tap.span, tap.weight) for tap in layer.taps),
            **layer.model_dump(exclude={"taps"}),
        )
        for i, layer in enumerate(read.layers)
    )
    readout = Readout(weight=weights("readout.weight"), bias=bias, **read.readout.model_dump())
    permutation = take("permutation", np.int64) if "permutation" in tensors else None
    if tensors:
        _refuse(path, f"tensor '{sorted(tensors)[0]}' does not belong")
    return validate(
        IntegerNetwork(
            input=InputFormat(**read.input.model_dump()),
            layers=layers,
            readout=readout,
            mapping=read.mapping,
            target=read.target,
            steps=read.steps,
            permutation=permutation,
            provenance=read.provenance,
        )
    )


def fingerprint(network: IntegerNetwork) -> str:
    """SHA-256 of the network's file content, in hexadecimal."""
    return hashlib.sha256(to_bytes(network)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            _refuse(path, f"it has {size} bytes, more than any network of ours")
        return path.read_bytes()
    except OSError as error:
        _refuse(path, error.strerror or str(error))


def _header(content: bytes) -> dict[str, Any]:
    """The JSON header, whose stated length is checked against the file before it is parsed."""
    if len(content) < 8:
        raise ValueError("it is empty" if not content else "it is truncated")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_MANIFEST_BYTES, len(content) - 8):
        raise ValueError("its header is longer than the file")
    header = json.loads(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header


def _shapes(channels: int, widths: Sequence[int], classes: int) -> dict[str, tuple[int, int]]:
    """The shape of every weight matrix: a bias has an entry for each of its rows."""
    shapes: dict[str, tuple[int, int]] = {}
    for i, (fan_in, width) in enumerate(zip([channels, *widths], widths, strict=False)):
        shapes |= {f"layers.{i}.feedforward": (width, fan_in), f"layers.{i}.recurrent": (width, width)}
    return {**shapes, "readout.weight": (classes, widths[-1])}


def _refuse(path: str | Path, why: str) -> NoReturn:
    raise UnreadableFile(path, "integer network", why, "write it again with asrc-export")


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _layer(layer: SkipLayer) -> _Layer:
    fields = _fields(layer, _Layer)
    taps = fields.pop("taps")
    if taps:  # otherwise left out, so that files without taps stay as they were
        fields["taps"] = [_Tap(**tap._asdict()) for tap in taps]
    return _Layer(**fields)


def _fields(source: object, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in model.model_fields}
