"""The integer network's spiking layers as a file for lava-dl's netx, which computes the same spikes from it.

netx has fewer number formats than the chip. So that a network fits them by construction, it is quantized within
them (`narrowed`), then thresholds and biases go to the nearest values that netx has (`fitted`): the integer network
that results is the truth for every backend, and its rounding log tells the difference. The readout is no block of
netx's and stays with the integer network's file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from asrc_core.contract.chain import SkipLayer, chain, why_no_chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.neurons.lif import decay
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.proof import LayerRanges
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_core.files.atomic import replacing
from asrc_export.chip.targets import Quantity, Target
from asrc_export.interop.netx import netx_format
from asrc_export.interop.netx.netx_format import FULL_DECAY, MAX_BIAS, MAX_THRESHOLD, MIN_BIAS, SHIFT
from asrc_export.quantization.quantize import Quantized
from asrc_export.quantization.rounding_log import Rounded
from asrc_train.trained.frozen import FrozenLayer, FrozenNetwork


def narrowed(chip: Target) -> Target:
    """The target with those of its number formats that netx can write.

    One weight exponent (0) for both matrices, since they share it; biases with the exponent 6 at most.
    """

    def only(quantity: Quantity, value: int) -> Quantity:
        changes = {"value": value, "alternatives": (), "source": "lava-dl 0.6.0 netx/hdf5.py", "certainty": "printed"}
        return quantity.model_copy(update=changes)

    formats = chip.formats
    narrow = {
        "min_weight_exponent": only(formats.min_weight_exponent, 0),
        "max_weight_exponent": only(formats.max_weight_exponent, 0),
        "max_bias_exponent": only(formats.max_bias_exponent, SHIFT),
    }
    return chip.model_copy(update={"formats": formats.model_copy(update=narrow)})


def fitted(network: IntegerNetwork) -> IntegerNetwork:
    """The network with each threshold and bias at the nearest value that netx has: 64 m + 1 and 64 m.

    At an activation shift of 6 that is less than one step of the smallest weight. Raises InvalidNetwork if the network
    is no chain.
    """
    made = chain(network)
    return replace(made, layers=tuple(_fitted(layer) for layer in made.layers)).network()


def refit(made: Quantized) -> Quantized:
    """`fitted`, with a line in the rounding log for each threshold, and the bias moved furthest, of each layer."""
    network = fitted(made.network)
    pairs = zip(chain(made.network).layers, chain(network).layers, strict=True)
    moved = [line for before, after in pairs for line in _moved(before, after)]
    provenance = {**network.provenance, "netx": [asdict(line) for line in moved]}
    return Quantized(replace(network, provenance=provenance), made.rounding + moved, made.findings)


def _moved(before: SkipLayer, after: SkipLayer) -> Iterator[Rounded]:
    def line(parameter: str, old: int, new: int) -> Rounded:
        return Rounded(after.name, f"{parameter}, for netx", old / after.scale, new, new / after.scale)

    yield line("threshold", before.least_spike, after.least_spike)
    worst = int(np.abs(after.bias - before.bias).argmax())
    yield line("bias", int(before.bias[worst]), int(after.bias[worst]))


def _fitted(layer: SkipLayer) -> SkipLayer:
    mantissa = min(max(round((layer.least_spike - 1) / (1 << SHIFT)), 0), MAX_THRESHOLD)
    bias = (np.rint(layer.bias / (1 << SHIFT)).astype(np.int64).clip(MIN_BIAS, MAX_BIAS)) << SHIFT
    return replace(layer, threshold=netx_format.threshold(mantissa), fires="at", bias=bias)


def save(network: IntegerNetwork, path: str | Path) -> None:
    """Write the network's spiking layers; the file at ``path`` is replaced only once the new one is whole.

    Raises InvalidSetting (all that netx cannot represent, with the layers' names), UnwritableOutput, ExtraMissing
    without h5py.
    """
    netx_format.require_h5py()
    import h5py

    reasons = list(obstacles(network))
    if reasons:
        raise InvalidSetting("netx file", f"it cannot represent the network: {'; '.join(reasons)}")
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for i, layer in enumerate(chain(network).layers):
            _write(file.create_group(f"layer/{i}"), layer)


def require_possible(frozen: FrozenNetwork) -> None:
    """Raise InvalidSetting, naming the layers, for what netx has no form for, whatever the integers will be.

    What depends on these is looked at when the file is written (`obstacles`).
    """
    reasons = [f"layer '{layer.name}' {why}" for layer in frozen.layers for why in _float_obstacles(layer)]
    if reasons:
        why = f"it cannot represent the network: {'; '.join(reasons)}"
        raise InvalidSetting("`netx`", f"{why}; train LIF neurons with `reset='hard'` and spans of 1, or leave it away")


def _float_obstacles(layer: FrozenLayer) -> Iterator[str]:
    if layer.kind != "lif":
        yield f"has neurons of kind '{layer.kind}'"
    elif layer.reset != "hard":
        yield "resets softly"
    if any(each.span > 1 and each.weight.any() for each in layer.connections):
        yield f"reaches back {plural(max(each.span for each in layer.connections), 'step')}"


def obstacles(network: IntegerNetwork) -> Iterator[str]:
    """What netx has no form for, one reason after the other; of a network that is no chain, why it is none."""
    why = why_no_chain(network)
    if why is not None:
        yield ": ".join(why)
        return
    for i, (layer, ranges) in enumerate(zip(chain(network).layers, network.ranges, strict=False)):
        for reason in _obstacles(layer, ranges, idle=i + 1):
            yield f"layer '{layer.name}' {reason}"


def _obstacles(layer: SkipLayer, ranges: LayerRanges, idle: int) -> Iterator[str]:
    recurrent = bool(layer.recurrent.any())
    if layer.reset != "hard":
        yield "resets softly, and netx only to zero"
    if recurrent and layer.taps:
        yield f"taps {plural(len(layer.taps), 'span')} at once, and netx one"
    elif recurrent and layer.span != 1:
        yield (
            f"has span {layer.span}, and the public netx (lava-dl 0.6.0) cannot build a delayed recurrence, which "
            "our Lava backend does"
        )
    if layer.activation_shift != SHIFT:
        yield f"has the activation shift {layer.activation_shift}, and netx {SHIFT} only"
    if layer.decay >= DECAY_ONE:
        yield f"forgets its membrane at once (decay {layer.decay}), which 12 bits do not hold"
    if netx_format.threshold((layer.least_spike - 1) >> SHIFT) != layer.least_spike:
        yield f"has the threshold {layer.least_spike}, which is no multiple of 64 plus 1"
    elif (layer.least_spike - 1) >> SHIFT > MAX_THRESHOLD:
        yield f"has the threshold {layer.least_spike}, beyond 17 bits times 64"
    mantissas = layer.bias >> SHIFT
    if (layer.bias % (1 << SHIFT)).any() or mantissas.min() < MIN_BIAS or mantissas.max() > MAX_BIAS:
        yield "has biases that are no 13-bit multiples of 64"
    yield from _weight_obstacles(layer, recurrent)
    reach = (ranges.feedforward.magnitude + (ranges.recurrent.magnitude if ranges.recurrent else 0)) << SHIFT
    if not ranges.state.magnitude < STATE_MAX or reach >= STATE_MAX:
        yield "could saturate, which netx does at another value"
    if recurrent and _fires_idle(layer, idle):
        yield (
            f"fires from its biases in the {plural(idle, 'step')} before its first input, and feeds that back "
            "into the sample"
        )


def _weight_obstacles(layer: SkipLayer, recurrent: bool) -> Iterator[str]:
    for name, weights, exponent in (
        ("feed-forward", layer.feedforward, layer.feedforward_exponent),
        ("recurrent", layer.recurrent, layer.recurrent_exponent),
    ):
        if name == "recurrent" and not recurrent:
            continue
        held = netx_format.stored(weights, exponent)
        if held is None:
            yield f"rounds its {name} sums (exponent {exponent}), and netx has no such exponent"
        elif not netx_format.exact(held):
            yield f"has {name} weights from {held.min()} to {held.max()}, which netx does not hold exactly"
    if recurrent:
        pair = [
            netx_format.stored(layer.feedforward, layer.feedforward_exponent),
            netx_format.stored(layer.recurrent, layer.recurrent_exponent),
        ]
        both = [held.ravel() for held in pair if held is not None]
        if len(both) == 2 and not netx_format.exact(np.concatenate(both)):
            yield "has weights so far apart that one exponent does not hold both matrices exactly"


def _fires_idle(layer: SkipLayer, idle: int) -> bool:
    """Whether the biases alone, from rest, reach the threshold: netx's neurons run while the pipeline fills."""
    o, v = NumpyOperations(), np.zeros_like(layer.bias)
    for _ in range(idle):
        v = o.add(decay(o, v, layer.decay), layer.bias)
        if (v >= layer.least_spike).any():
            return True
    return False


def _write(group: Any, layer: SkipLayer) -> None:
    recurrent = bool(layer.recurrent.any())
    group["type"] = np.array([b"dense_rec" if recurrent else b"dense"], "S10")
    group["shape"] = np.array([layer.neurons])
    group["inFeatures"] = layer.inputs
    group["outFeatures"] = layer.neurons
    group["weight"] = netx_format.stored(layer.feedforward, layer.feedforward_exponent)
    if recurrent:
        group["weight_rec"] = netx_format.stored(layer.recurrent, layer.recurrent_exponent)
    group["bias"] = layer.bias >> SHIFT
    neuron = group.create_group("neuron")
    neuron["type"] = np.array([b"CUBA"], "S10")
    neuron["iDecay"] = FULL_DECAY
    neuron["vDecay"] = layer.decay
    neuron["vThMant"] = (layer.least_spike - 1) >> SHIFT
    neuron["refDelay"] = 1
    neuron["gradedSpike"] = False
