"""A `.net` file of lava-dl (dense blocks) as an integer network that spikes as netx does.

The last block becomes the readout if it is an integrator that never fires; otherwise a readout is added that counts
the last block's spikes, which is how lava-dl classifies. What the contract has no form for is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import Chain, Readout, SkipLayer
from asrc_core.contract.network import InputFormat, IntegerNetwork
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX, Fires, Ints
from asrc_core.counts import agreeing, plural
from asrc_core.errors import UnreadableFile
from asrc_export.interop.netx import netx_format
from asrc_export.interop.netx.netx_format import FULL_DECAY, MAX_BIAS, MAX_THRESHOLD, MIN_BIAS, SHIFT

MAX_FILE_BYTES = 2**30
MAX_BLOCKS = 1000
MAX_CELLS = 2**24
"""Most numbers in one data set of the file, checked before it is read."""
CELL_BYTES = 8
"""As much as a number takes; texts of a fixed length may take more."""
MAX_TEXT = 40
"""Letters of a text of the file that are read and told: no name that is known is longer."""
INTEGRATOR_REACH = MAX_THRESHOLD
"""What an integrator's sum must not exceed: beyond it netx's neuron would fire, or its current wrap."""


def read(
    path: str | Path,
    *,
    steps: int,
    minimum: int = 0,
    maximum: int = 1,
    scale: float = 1.0,
    skip_layers: int = 0,
    fires: Fires = "above",
) -> IntegerNetwork:
    """The network in the file from block ``skip_layers`` on, for samples of ``steps`` steps of integers in the range.

    Of its input a file states the width alone. ``fires`` above the threshold is what netx does on Lava and SLAYER of
    0.6.0 where the network is trained; before that it fired at it. Raises UnreadableFile (the file, or a block that has
    no form in the contract, named by its number), InvalidNetwork, ExtraMissing without h5py.
    """
    netx_format.require_h5py()
    import h5py

    source = Path(path)
    try:
        if source.stat().st_size > MAX_FILE_BYTES:
            _refuse(path, f"it has more than {MAX_FILE_BYTES} bytes")
        with h5py.File(source, "r") as file:
            blocks = _blocks(_Group(path, "", file), skip_layers)
            layers = [_layer(block, fires) for block in blocks[:-1]]
            if _integrates(blocks[-1]):
                readout = _integrator(blocks[-1])
            else:
                layers.append(_layer(blocks[-1], fires))
                readout = _counter(layers[-1].neurons)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
        _refuse(path, f"it is not a whole HDF5 file of lava-dl ({why})")
    if not layers:
        _refuse(path, "it has no block that spikes")
    entry = InputFormat(layers[0].inputs, minimum, maximum, scale)
    provenance = {"netx": source.name, "data": None, "import_notes": f"neurons fire {fires} their threshold"}
    network = Chain(entry, tuple(layers), readout, "delay-line", "loihi2", steps, provenance=provenance).network()
    _require_unwrapped(path, network, integrated=_integrated(readout))
    return network


class _Group:
    """A group of an untrusted file: every value is checked for kind and size before it is read."""

    def __init__(self, path: str | Path, name: str, group: Any) -> None:
        self.path = path
        self.name = name
        self._group = group

    def refuse(self, why: str) -> NoReturn:
        _refuse(self.path, f"{self.name} {why}")

    def __contains__(self, key: str) -> bool:
        return key in self._group

    def __len__(self) -> int:
        return len(self._group)

    def group(self, key: str) -> _Group:
        import h5py

        found = self._own(key)
        if not isinstance(found, h5py.Group):
            self.refuse(f"has '{key}' as a data set, not as a group")
        return _Group(self.path, f"{self.name} {key}".strip(), found)

    def text(self, key: str) -> str:
        value = self._data(key, kinds="SO").ravel()
        if value.size != 1 or not isinstance(value[0], bytes | str):
            self.refuse(f"has a '{key}' that is not one text")
        found = value[0]
        start = found[:MAX_TEXT]
        return start.decode("ascii", "replace") if isinstance(start, bytes) else start

    def numbers(self, key: str) -> Ints:
        """Whole numbers, whatever type they are stored as."""
        values = self._data(key, kinds="iufb")
        if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.rint(values))).all():
            self.refuse(f"has a '{key}' that is not in whole numbers, to which netx would cut it")
        if values.size and np.abs(values.astype(np.float64)).max() > 2**31:
            self.refuse(f"has a '{key}' beyond 32 bits")
        return values.astype(np.int64)

    def number(self, key: str) -> int:
        values = self.numbers(key)
        if values.size != 1:
            self.refuse(f"has a '{key}' of shape {values.shape}, expected one number")
        return int(values.item())

    def _data(self, key: str, kinds: str) -> NDArray[Any]:
        import h5py

        found = self._own(key)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            self.refuse(f"has '{key}' not as a data set")
        if found.is_virtual or found.external:
            self.refuse(f"takes '{key}' from another file")
        if found.dtype.kind not in kinds:
            self.refuse(f"has a '{key}' of type {str(found.dtype)[:MAX_TEXT]}")
        if found.size > MAX_CELLS:
            self.refuse(f"has a '{key}' of {found.size} numbers, more than the {MAX_CELLS} allowed")
        if found.nbytes > MAX_CELLS * CELL_BYTES:
            self.refuse(f"has a '{key}' of {found.nbytes} bytes, more than the {MAX_CELLS * CELL_BYTES} allowed")
        return np.asarray(found[()])

    def _own(self, key: str) -> Any:
        import h5py

        if key not in self._group:
            self.refuse(f"has no '{key}'")
        if not isinstance(self._group.get(key, getlink=True), h5py.HardLink):
            self.refuse(f"takes '{key}' from elsewhere")
        return self._group[key]


def _blocks(file: _Group, skip: int) -> list[_Group]:
    """The blocks that compute, in order."""
    table = file.group("layer")
    count = len(table)
    if not skip < count <= MAX_BLOCKS:
        _refuse(
            file.path,
            f"it has {plural(count, 'block')}, and {skip} {agreeing(skip, 'is', 'are')} to be skipped of at "
            f"most {MAX_BLOCKS}",
        )
    blocks = []
    for i in range(skip, count):
        block = table.group(str(i))
        kind = block.text("type")
        if kind in ("dense", "dense_rec"):
            blocks.append(block)
        elif kind == "input" and "neuron" in block:
            block.refuse("is an input with neurons, which turn values into spikes; skip it and feed the spikes")
        elif kind == "flatten" and i > skip and int((block.numbers("shape") > 1).sum()) > 1:
            block.refuse("flattens more than one dimension, in an order that depends on the block before it; skip both")
        elif kind not in ("input", "flatten"):
            block.refuse(f"is of type '{kind}', and only dense blocks have a form in the contract")
    if not blocks:
        _refuse(file.path, "it has no dense block")
    return blocks


def _layer(block: _Group, fires: Fires) -> SkipLayer:
    feedforward, forward_exponent = _matrix(block, "weight")
    neurons = feedforward.shape[0]
    recurrent, back_exponent = np.zeros((neurons, neurons), np.int64), 0
    if block.text("type") == "dense_rec":
        recurrent, back_exponent = _matrix(block, "weight_rec")
    neuron = _neuron(block)
    return SkipLayer(
        name=block.name.replace(" ", ""),
        feedforward=feedforward,
        feedforward_exponent=forward_exponent,
        recurrent=recurrent,
        recurrent_exponent=back_exponent,
        bias=_bias(block, neurons) << SHIFT,
        decay=_within(neuron, "vDecay", 0, DECAY_ONE),
        threshold=_threshold(neuron, fires),
        span=1,
        reset="hard",
        activation_shift=SHIFT,
        weight_bits=8,
        scale=1.0,
    )


def _threshold(neuron: _Group, fires: Fires) -> int:
    """The least membrane that fires: 64 m + 1 or, at the threshold, 64 m."""
    mantissa = _within(neuron, "vThMant", 0, MAX_THRESHOLD)
    if fires == "above":
        return netx_format.threshold(mantissa)
    if mantissa == 0:
        neuron.refuse("has 'vThMant' 0, and neurons that fire at 0 fire without input; only above it they do not")
    return mantissa << SHIFT


def _neuron(block: _Group) -> _Group:
    """The block's neurons, if the contract has them."""
    neuron = block.group("neuron")
    kind = neuron.text("type")
    if kind not in ("CUBA", "LOIHI"):
        block.refuse(f"has neurons of type '{kind}', and only CUBA and LOIHI have a form in the contract")
    decays = neuron.number("iDecay")
    if decays != FULL_DECAY:
        block.refuse(f"keeps a synaptic current (iDecay {decays}, not {FULL_DECAY}), and only blocks without are read")
    for key, usual in (("refDelay", 1), ("gradedSpike", 0), ("messageBits", 0)):
        if key in neuron and neuron.number(key) != usual:
            block.refuse(f"has '{key}' {neuron.number(key)}, and only {usual} has a form in the contract")
    return neuron


def _integrates(block: _Group) -> bool:
    """Whether the block sums up its input for ever: no neuron at all, or one without leak at the highest threshold."""
    if block.text("type") != "dense":
        return False
    if "neuron" not in block:
        return True
    neuron = _neuron(block)
    return neuron.number("vDecay") == 0 and neuron.number("vThMant") >= MAX_THRESHOLD


def _integrator(block: _Group) -> Readout:
    weight, exponent = _matrix(block, "weight")
    bias = _bias(block, weight.shape[0])
    if "neuron" not in block and bias.any():
        block.refuse("has no neuron but biases, which netx adds at each step without summing them up")
    return Readout(block.name.replace(" ", ""), weight, exponent, bias, weight_bits=8, scale=1.0)


def _counter(neurons: int) -> Readout:
    """Y = number of spikes."""
    identity, exponent = netx_format.contracted(np.eye(neurons, dtype=np.int64))
    return Readout("spike count", identity, exponent, np.zeros(neurons, np.int64), weight_bits=8, scale=1.0)


def _integrated(readout: Readout) -> bool:
    return readout.name != "spike count"


def _matrix(block: _Group, key: str) -> tuple[Ints, int]:
    """A weight matrix, (N, I), in the contract's form."""
    if "delay" in block and block.numbers("delay").any():
        block.refuse("delays its input, and the contract delays a recurrence only")
    neurons = int(np.prod(block.numbers("shape")))
    weights = block.numbers(key)
    if weights.ndim == 1 and neurons > 0 and weights.size % neurons == 0:
        weights = weights.reshape(neurons, -1)
    if weights.ndim != 2 or 0 in weights.shape or weights.shape[0] != neurons:
        block.refuse(f"has '{key}' of shape {weights.shape} for {plural(neurons, 'neuron')}")
    if key == "weight_rec" and weights.shape[1] != neurons:
        block.refuse(f"has '{key}' of shape {weights.shape}, expected ({neurons}, {neurons})")
    if weights.any() and not netx_format.exact(weights):
        block.refuse(
            f"has '{key}' from {weights.min()} to {weights.max()}: netx holds even numbers in [-256, 254] exactly, "
            "odd ones too in [-128, 127], and clips or truncates the rest"
        )
    return netx_format.contracted(weights)


def _bias(block: _Group, neurons: int) -> Ints:
    """Mantissas, (N,)."""
    bias = block.numbers("bias") if "bias" in block else np.zeros(neurons, np.int64)
    if bias.size not in (1, neurons):
        block.refuse(f"has 'bias' of shape {bias.shape} for {plural(neurons, 'neuron')}")
    if bias.min() < MIN_BIAS or bias.max() > MAX_BIAS:
        block.refuse(f"has 'bias' from {bias.min()} to {bias.max()}, beyond 13 bits")
    return np.broadcast_to(bias.ravel(), (neurons,)).copy()


def _within(group: _Group, key: str, low: int, high: int) -> int:
    value = group.number(key)
    if not low <= value <= high:
        group.refuse(f"has '{key}' {value}, outside {low} to {high}")
    return value


def _require_unwrapped(path: str | Path, network: IntegerNetwork, *, integrated: bool) -> None:
    """Refuse a network in which netx could reach a limit that the contract does not have.

    Both saturate membranes, one apart: where a run counts no saturation, none of the two did.
    """
    *layers, last = network.ranges
    for layer, ranges in zip(network.hidden, layers, strict=True):
        reach = (ranges.feedforward.magnitude + (ranges.recurrent.magnitude if ranges.recurrent else 0)) << SHIFT
        if reach > STATE_MAX:
            _refuse(path, f"{layer.name} could wrap its current, with inputs up to {network.input.maximum}")
    if integrated and last.state.magnitude > INTEGRATOR_REACH:
        why = (
            f"could reach {last.state.magnitude} in {plural(network.steps, 'step')}, where netx's neuron fires or wraps"
        )
        _refuse(path, f"{network.readout.name} {why}")


def _refuse(path: str | Path, why: str) -> NoReturn:
    raise UnreadableFile(path, "netx file", why, "export dense CUBA blocks from lava-dl, see docs/lava-dl.md")
