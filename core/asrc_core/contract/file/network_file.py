"""The integer network as one `.safetensors` file: the tensors are the integers, the rest is JSON in its metadata.

A chain of skip-recurrent layers (versions 1 and 2 of the contract):

    layers.<i>.feedforward  int16 (N, I)      layers.<i>.recurrent  int16 (N, N)      layers.<i>.bias  int32 (N,)
    readout.weight          int16 (C, N)      readout.bias          int32 (C,)        permutation  int64 (T,), optional

Any other network (version 3), layers in order, the readout last:

    layers.<i>.connections.<j>.weights  int16 (N, I)      layers.<i>.connections.<j>.delays  uint8 (N, I), optional
    layers.<i>.parameters.<name>  int32, (N,) or a table's entries       permutation  int64 (T,), optional

Anyone can read it with the safetensors package alone; the manifest is the metadata's key `asrc`. A weight matrix that
is smaller so is stored as `<name>.present` and `<name>.values` (`sparse_weights`); such a file says `file_version` 2.
Weights that are a kernel's, moved over values that lie beside each other, are stored as that kernel

    layers.<i>.connections.<j>.kernel  int16 (channels out, channels in / groups, and one or two sizes)

with its stride and all else in the manifest's `convolution` (`contract.synapses.convolution`); such a file says 3.
"""

from __future__ import annotations

import hashlib
import json
import math
import stat
import struct
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from asrc_core.contract import neurons
from asrc_core.contract.chain import Chain, Readout, SkipLayer, chain, why_no_chain
from asrc_core.contract.file import forms
from asrc_core.contract.file.tensors import MAX_FILE_BYTES, MAX_UNPACKED, Arrays, Tensors, refuse, stored
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import CONTRACT_VERSION, Ints
from asrc_core.contract.synapses.connection import INPUT, Connection, Tap
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_core.files.atomic import replacing
from asrc_core.files.paths import as_path
from asrc_core.forms.first_problem import first_problem

MAX_MANIFEST_BYTES = 64 * 2**20
FILE_VERSION = 3
"""Of the file's layout, not of the arithmetic. 1: every weight is stored. 2: matrices may be sparse. 3: or kernels."""

Kernels = dict[tuple[int, int], Ints]
"""By the places of a layer and of its connection, the kernel that the weights are written out of."""


Network = IntegerNetwork | str | Path
"""A network, or its file's path."""


def integers(network: Network) -> IntegerNetwork:
    """The network, read if it is a file. Raises UnreadableFile, InvalidNetwork, and InvalidSetting for what is none."""
    if isinstance(network, str | Path):
        return load(network)
    if not isinstance(network, IntegerNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give an IntegerNetwork, or its file's path")
    return network


def save(network: IntegerNetwork, path: str | Path) -> None:
    """Write the network; the file at ``path`` is replaced only once the new one is whole.

    The same network gives the same bytes. Raises UnwritableOutput.
    """
    if not isinstance(network, IntegerNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give an IntegerNetwork")
    with replacing(as_path(path, "the file to write")) as temporary:
        temporary.write_bytes(to_bytes(network))


def to_bytes(network: IntegerNetwork) -> bytes:
    """The file's content."""
    from safetensors.numpy import save as serialise

    kernels = _kernels(network)
    as_chain = _as_chain(network, kernels)
    weights, tensors = _of_chain(as_chain) if as_chain is not None else _of_layers(network, kernels)
    if network.permutation is not None:
        tensors["permutation"] = np.ascontiguousarray(network.permutation)
    matrices, sparse = stored(weights)
    of_file = {"file_version": 3 if kernels else 2} if kernels or sparse else {}
    described = _described_chain(as_chain, of_file) if as_chain is not None else _described(network, of_file, kernels)
    return bytes(serialise({**tensors, **matrices}, metadata={"asrc": described}))


def contract_version(network: IntegerNetwork) -> int:
    """The earliest version of docs/arithmetic.md by which the network means what it means: files state it."""
    return _version(_as_chain(network, _kernels(network)))


def _version(as_chain: Chain | None) -> int:
    """1 of chains, 2 of chains with taps, 3 of any other network."""
    if as_chain is None:
        return CONTRACT_VERSION
    return 2 if any(layer.taps for layer in as_chain.layers) else 1


def manifest(network: IntegerNetwork) -> str:
    """The network's manifest as JSON: all but the tensors, however they are stored."""
    kernels = _kernels(network)
    as_chain = _as_chain(network, kernels)
    return _described(network, {}, kernels) if as_chain is None else _described_chain(as_chain, {})


def load(path: str | Path) -> IntegerNetwork:
    """Read and validate a network.

    Nothing in the file is trusted: sizes are checked before anything is allocated, then the manifest, then every
    rule of the contract. Raises UnreadableFile, InvalidNetwork, SpanTooLong.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialise

    path = as_path(path, "an integer network's file")
    content = _read(path)
    form: type[BaseModel] = forms.Head
    try:
        header = _header(content)
        described = header["__metadata__"]["asrc"]
        head = forms.Head.model_validate_json(described)
        if not 1 <= head.contract <= CONTRACT_VERSION:
            known = f"this package knows 1 to {CONTRACT_VERSION}"
            refuse(path, f"it obeys version {head.contract} of the contract and {known}")
        form = forms.ChainManifest if head.contract < 3 else forms.NetworkManifest
        read = form.model_validate_json(described)
        tensors = deserialise(content)
    except ValidationError as error:
        problem = first_problem(error, form)
        refuse(path, f"its manifest is invalid at '{problem.key}' ({problem.why})")
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        refuse(path, f"it is not an integer network ({_short(error)})")
    if head.file_version > FILE_VERSION:
        refuse(path, f"it is of version {head.file_version} of the file and this package knows 1 to {FILE_VERSION}")
    held = Tensors(path, tensors, may_be_sparse=head.file_version >= 2, may_share=head.file_version >= 3)
    if isinstance(read, forms.ChainManifest):
        return _read_chain(path, read, held).network()
    assert isinstance(read, forms.NetworkManifest)
    return _read_network(path, read, held)


def fingerprint(network: IntegerNetwork) -> str:
    """SHA-256 of the network's file content, in hexadecimal."""
    return hashlib.sha256(to_bytes(network)).hexdigest()


def _kernels(network: IntegerNetwork) -> Kernels:
    """Of connections whose weights are a kernel's, which has fewer of them; up to `MAX_UNPACKED` weights in all."""
    found: Kernels = {}
    left = MAX_UNPACKED
    for i, layer in enumerate(network.layers):
        for j, each in enumerate(layer.connections):
            if each.convolution is None or each.delays is not None or each.weights.size > left:
                continue
            kernel = each.convolution.kernel_of(each.weights)
            if kernel is not None and kernel.size < np.count_nonzero(each.weights):
                found[i, j] = kernel
                left -= each.weights.size
    return found


def _as_chain(network: IntegerNetwork, kernels: Kernels) -> Chain | None:
    """The network as versions 1 and 2 have it, in which every neuron fires at its threshold and no weight is shared;
    None if it is another.
    """
    if kernels or why_no_chain(network):
        return None
    made = chain(network)
    return made if all(layer.fires == "at" for layer in made.layers) else None


def _of_chain(made: Chain) -> tuple[Arrays, Arrays]:
    weights: Arrays = {"readout.weight": made.readout.weight}
    biases: Arrays = {}
    for i, layer in enumerate(made.layers):
        weights |= {f"layers.{i}.feedforward": layer.feedforward, f"layers.{i}.recurrent": layer.recurrent}
        biases[f"layers.{i}.bias"] = np.ascontiguousarray(layer.bias, np.int32)
    biases["readout.bias"] = np.ascontiguousarray(made.readout.bias, np.int32)
    return weights, biases


def _of_layers(network: IntegerNetwork, kernels: Kernels) -> tuple[Arrays, Arrays]:
    weights: Arrays = {}
    others: Arrays = {}
    for i, layer in enumerate(network.layers):
        for j, connection in enumerate(layer.connections):
            if (i, j) in kernels:
                others[f"layers.{i}.connections.{j}.kernel"] = np.ascontiguousarray(kernels[i, j], np.int16)
            else:
                weights[f"layers.{i}.connections.{j}.weights"] = connection.weights
            if connection.delays is not None:
                others[f"layers.{i}.connections.{j}.delays"] = np.ascontiguousarray(connection.delays, np.uint8)
        for name, value in layer.neuron.parameters.items():
            if isinstance(value, np.ndarray) and not _left_out(layer.neuron, name):
                others[f"layers.{i}.parameters.{name}"] = np.ascontiguousarray(value, np.int32)
    return weights, others


def _described_chain(made: Chain, of_file: dict[str, Any]) -> str:
    return forms.ChainManifest(
        format=forms.FORMAT,
        contract=_version(made),
        **of_file,
        target=made.target,
        mapping=made.mapping,
        steps=made.steps,
        input=_input(made.input),
        layers=[_skip_layer(layer) for layer in made.layers],
        readout=forms.ReadoutForm(**_fields(made.readout, forms.ReadoutForm)),
        provenance=dict(made.provenance),
    ).model_dump_json(exclude_unset=True)


def _described(network: IntegerNetwork, of_file: dict[str, Any], kernels: Kernels) -> str:
    return forms.NetworkManifest(
        format=forms.FORMAT,
        contract=_version(None),
        **of_file,
        target=network.target,
        steps=network.steps,
        input=_input(network.input),
        layers=[
            forms.LayerForm(
                name=layer.name,
                neurons=layer.neurons,
                neuron=forms.NeuronForm(
                    kind=layer.neuron.kind,
                    parameters=_plain(layer.neuron),
                ),
                connections=[_connection(each, (i, j) in kernels) for j, each in enumerate(layer.connections)],
                scale=layer.scale,
            )
            for i, layer in enumerate(network.layers)
        ],
        provenance=dict(network.provenance),
    ).model_dump_json(exclude_unset=True)


def _read_chain(path: str | Path, read: forms.ChainManifest, held: Tensors) -> Chain:
    if read.contract < 2 and any(layer.taps for layer in read.layers):
        refuse(path, f"it has taps, which version {read.contract} of the contract does not know")
    biases = [held.take(f"layers.{i}.bias", np.int32) for i in range(len(read.layers))]
    bias = held.take("readout.bias", np.int32)
    # The shape of every weight matrix: a bias has an entry for each of its rows.
    widths = [each.size for each in biases]
    shapes: dict[str, tuple[int, int]] = {}
    for i, (fan_in, width) in enumerate(zip([read.input.channels, *widths], widths, strict=False)):
        shapes |= {f"layers.{i}.feedforward": (width, fan_in), f"layers.{i}.recurrent": (width, width)}
    shapes["readout.weight"] = (bias.size, widths[-1])
    held.require_room(shapes)

    def weights(name: str) -> Ints:
        return held.weights(name, shapes[name])

    layers = tuple(
        SkipLayer(
            feedforward=weights(f"layers.{i}.feedforward"),
            recurrent=weights(f"layers.{i}.recurrent"),
            bias=biases[i],
            taps=_taps(layer.taps),
            **layer.model_dump(exclude={"taps"}),
        )
        for i, layer in enumerate(read.layers)
    )
    readout = Readout(weight=weights("readout.weight"), bias=bias, **read.readout.model_dump())
    permutation = held.take("permutation", np.int64) if "permutation" in held else None
    held.require_empty()
    entry = InputFormat(**read.input.model_dump())
    return Chain(entry, layers, readout, read.mapping, read.target, read.steps, permutation, provenance=read.provenance)


def _read_network(path: str | Path, read: forms.NetworkManifest, held: Tensors) -> IntegerNetwork:
    kinds = neurons.names()
    for layer in read.layers:
        if layer.neuron.kind not in kinds:
            known = ", ".join(kinds)
            refuse(path, f"layer '{layer.name}' is of kind '{layer.neuron.kind}', and this package knows {known}")
    widths = {INPUT: read.input.channels, **{layer.name: layer.neurons for layer in read.layers}}
    shapes = {
        f"layers.{i}.connections.{j}.weights": (widths[layer.name], widths.get(connection.source, 0))
        for i, layer in enumerate(read.layers)
        for j, connection in enumerate(layer.connections)
    }
    _require_room_of_kernels(path, read, held, shapes)
    held.require_room(shapes)
    layers = tuple(_read_layer(path, i, layer, held, shapes) for i, layer in enumerate(read.layers))
    permutation = held.take("permutation", np.int64) if "permutation" in held else None
    held.require_empty()
    entry = InputFormat(**read.input.model_dump())
    return IntegerNetwork(entry, layers, read.target, read.steps, permutation, read.provenance)


def _require_room_of_kernels(
    path: str | Path, read: forms.NetworkManifest, held: Tensors, shapes: dict[str, tuple[int, int]]
) -> None:
    """Raise UnreadableFile before any kernel is written out that does not fit, or all of them to too much."""
    total = 0
    for i, layer in enumerate(read.layers):
        for j, each in enumerate(layer.connections):
            if each.convolution is None:
                continue
            at, convolution = f"layers.{i}.connections.{j}", each.convolution.convolution()
            if convolution.shape != shapes[f"{at}.weights"]:
                why = f"weights of shape {convolution.shape}, which does not fit neurons and source"
                refuse(path, f"'{at}' has a convolution for {why} ({shapes[f'{at}.weights']})")
            held.require_kernel(f"{at}.kernel", convolution.kernel_shape)
            total += math.prod(convolution.shape)
    if total > MAX_UNPACKED:
        refuse(path, f"its kernels are written out to {total:,} weights, more than {MAX_UNPACKED:,}")


def _read_layer(
    path: str | Path, i: int, layer: forms.LayerForm, held: Tensors, shapes: dict[str, tuple[int, int]]
) -> Layer:
    connections = []
    for j, each in enumerate(layer.connections):
        at = f"layers.{i}.connections.{j}"
        delays = held.take(f"{at}.delays", np.uint8) if f"{at}.delays" in held else None
        if delays is not None and each.taps:
            refuse(path, f"'{at}' has both taps and delays")
        convolution = None if each.convolution is None else each.convolution.convolution()
        if convolution is None:
            weights = held.weights(f"{at}.weights", shapes[f"{at}.weights"])
        else:
            weights = convolution.unrolled(held.take(f"{at}.kernel", np.int16))
        if weights.shape[:1] != (layer.neurons,):
            why = (
                f"layer '{layer.name}' has {plural(layer.neurons, 'neuron')}, and tensor '{at}.weights' has "
                f"shape {weights.shape}"
            )
            refuse(path, why)
        taps = _taps(each.taps)
        connections.append(
            Connection(each.source, weights, each.exponent, each.weight_bits, taps, delays, each.mapping, convolution)
        )
    parameters: dict[str, Any] = dict(layer.neuron.parameters)
    for name in neurons.kind(layer.neuron.kind).parameters:
        if f"layers.{i}.parameters.{name}" in held:
            if name in parameters:
                refuse(path, f"layer '{layer.name}' says '{name}' twice, as one number and as a tensor")
            parameters[name] = held.take(f"layers.{i}.parameters.{name}", np.int32)
    return Layer(layer.name, tuple(connections), Neuron(layer.neuron.kind, parameters), layer.scale)


def _taps(read: list[forms.TapForm]) -> tuple[Tap, ...]:
    return tuple(Tap(tap.span, tap.weight) for tap in read)


def _tap_forms(taps: tuple[Tap, ...]) -> list[forms.TapForm]:
    return [forms.TapForm(**tap._asdict()) for tap in taps]


def _connection(connection: Connection, shared: bool) -> forms.ConnectionForm:
    convolution = connection.convolution if shared else None
    return forms.ConnectionForm(
        source=connection.source,
        exponent=connection.exponent,
        weight_bits=connection.weight_bits,
        mapping=connection.mapping,
        taps=_tap_forms(connection.taps),
        **({} if convolution is None else {"convolution": forms.ConvolutionForm.of(convolution)}),
    )


def _skip_layer(layer: SkipLayer) -> forms.SkipLayerForm:
    fields = _fields(layer, forms.SkipLayerForm)
    taps = fields.pop("taps")
    if taps:  # otherwise left out, so that files without taps stay as they were
        fields["taps"] = _tap_forms(taps)
    return forms.SkipLayerForm(**fields)


def _plain(neuron: Neuron) -> dict[str, int | str]:
    """The parameters that are no tensors, but for those that are left out."""
    given = ((name, value) for name, value in neuron.parameters.items() if isinstance(value, int | str))
    return {name: value for name, value in given if not _left_out(neuron, name)}


def _left_out(neuron: Neuron, name: str) -> bool:
    """Whether a parameter is the usual one, of choices, numbers that only a layer has, and those that came later:
    files without stay as they were.
    """
    form = neuron.of_kind.parameters[name]
    may_be = not getattr(form, "each", False) or getattr(form, "later", False)
    return bool(may_be and np.all(neuron.parameters[name] == form.default))


def _input(entry: InputFormat) -> forms.InputForm:
    return forms.InputForm(**_fields(entry, forms.InputForm))


def _fields(source: object, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in model.model_fields}


def _read(path: Path) -> bytes:
    """The content of a regular file: a pipe or a device has no end that its size would tell."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            refuse(path, "it is no regular file")
        if found.st_size > MAX_FILE_BYTES:
            refuse(path, f"it has {plural(found.st_size, 'byte')}, more than any network of ours")
        with path.open("rb") as file:
            return file.read(found.st_size)
    except OSError as error:
        refuse(path, error.strerror or str(error))


def _header(content: bytes) -> dict[str, Any]:
    """The JSON header, whose stated length is checked against the file before it is parsed."""
    if len(content) < 8:
        raise ValueError("it is empty" if not content else "it is truncated")
    if content.startswith(b"PK\x03\x04"):
        raise ValueError("it is a ZIP file, as a checkpoint is")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_MANIFEST_BYTES, len(content) - 8):
        raise ValueError("its header is longer than the file")
    header = json.loads(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
