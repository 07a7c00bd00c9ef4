"""Quantization-aware training: from a float checkpoint to one whose weights learned to live on a target's grids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Mapping
from asrc_core.contract.parity import require_equal
from asrc_core.contract.result import LayerTrace, Result, Trace, joined
from asrc_core.errors import InvalidSetting
from asrc_core.files.atomic import require_writable
from asrc_core.files.outputs import require_apart
from asrc_export.checks import leaks
from asrc_export.chip import devices, targets
from asrc_export.engines import select
from asrc_export.quantization import quantize, scales
from asrc_export.quantization.delays import clamped
from asrc_export.quantization.resonators import AUTO, KIND, gains_of, with_bits, with_own_bits
from asrc_export.quantization.search.on_samples import searched
from asrc_export.quantization.training.quantized_delay_network import QuantizedDelayNetwork
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.data.dataset import permuted
from asrc_train.settings.config import Config
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork
from asrc_train.training.continuation import with_samples
from asrc_train.training.fit import Observer, Start, fit

BATCH = 256
SHARES_OF_RATES = {"learning_rate": 1 / 4, "delay_learning_rate": 1 / 12}
"""Networks with delays go on at these shares of their rates: what they are far from is rounding, not the solution."""


def finetune(
    model: str | Path,
    target_name: str,
    out: str | Path,
    *,
    epochs: int,
    bits: int | tuple[int, ...] = 8,
    mapping: Mapping = "delay-line",
    max_delay: int | None = None,
    pole_bits: int | Literal["auto"] | None = None,
    mode_bits: int | Literal["auto"] | None = None,
    strict: bool = False,
    data_name: str | None = None,
    resume: bool = False,
    device: str = "cpu",
    observers: tuple[Observer, ...] = (),
) -> Checkpoint:
    """Train a checkpoint on as the integer network it will be, and write the best epoch's checkpoint to ``out``.

    Spans and scales are fixed at the start, searched on training samples (`search`), and the new checkpoint carries
    them: exported to the same target with as many bits, it becomes the very integers that it was trained with. Training
    goes on from the weights as the search rounded them. Batch normalisation is folded into the weights first, and there
    is no dropout. Data, split, batches and seed are those of the float training, and the learning rate starts
    at theirs and falls along a cosine. Networks with delays go on from their own weights, at scales
    searched on samples (`delay_search`); weights and delays learn at the shares ``SHARES_OF_RATES`` of their rates, and
    no delay is longer than ``max_delay``. Poles, read-outs and windows of state-space neurons learn, too, at their own
    rates, rounded to ``pole_bits`` and ``mode_bits`` (as in `export`), which the new checkpoint carries.
    What ``strict`` refuses in `export`, it refuses before any training. ``data_name``: the path of samples of one's
    own, if they lie elsewhere by now.

    Raises UnwritableOutput where ``out`` is the checkpoint itself, what `quantize` raises (before any training), and
    the errors of `fit`; InvalidSetting and InvalidData for a
    checkpoint that does not say what it was trained on, or was trained on samples that are not ours.
    """
    require_apart([model], [out])
    require_writable(out)
    chip, for_device = devices.numbers(target_name)
    begun = checkpoint.load(model)
    if begun.config.network.graph:
        why = "it is a graph of another tool's layers, which has no gradients"
        raise InvalidSetting(f"checkpoint '{model}'", f"{why}; export it without training on")
    begun, dataset = with_samples(begun, data_name)
    begun = _folded(begun)
    if max_delay is not None:
        begun = clamped(begun, min(max_delay, chip.limits.max_synaptic_delay.count))
    samples = permuted(dataset.train_x, begun.permutation)
    frozen = with_bits(freeze(begun), pole_bits, mode_bits)
    poles, modes = pole_bits == AUTO, mode_bits == AUTO
    moved, chosen = searched(frozen, chip, bits, samples, to_train=True, poles=poles, modes=modes).plan
    if frozen.decides is None:
        begun = replace(begun, tensors=_moved(begun, moved, frozen))
        chosen = chosen.model_copy(update={"layers": tuple(map(with_own_bits, chosen.layers, moved.layers))})
    provenance = {**chosen.carried(), "finetuned_from_sha256": checkpoint.fingerprint(model)}
    begun = replace(begun, provenance=provenance)
    at_first = freeze(begun)  # what the target refuses, it refuses now
    made = quantize.quantize(at_first, chip, bits=bits, mapping=mapping, device=for_device)
    if strict:
        leaks.require_kept(tuple(leaks.of_network(at_first, made.network)))
    start = Start(_quantized(begun, chosen, chip), begun.provenance, dataset)
    config = _configured(begun, epochs)
    return fit(config, out, resume=resume, device=device, observers=observers, start=start)


def require_same_spikes(model: str | Path, chip: targets.Target, network: IntegerNetwork) -> Result:
    """Run a fine-tuned checkpoint and its integer network over the whole test split, and the network's result.

    Raises ParityBroken, naming the first layer, step, sample and neuron, unless every spike of every layer at every
    step and every logit are equal.
    """
    trained = checkpoint.load(model)
    chosen = scales.kept(freeze(trained))
    assert chosen is not None, "the checkpoint was not fine-tuned"
    quantized = _quantized(trained, chosen, chip).eval()
    engine = select.engine()
    samples, parts = dataset_for(network).test_x, []
    for first in range(0, len(samples), BATCH):
        batch = samples[first : first + BATCH]
        theirs = engine.run(network, batch, trace=True)
        mine = _result(quantized, batch, theirs)
        require_equal(network, mine, theirs, ("fine-tuned checkpoint", f"{engine.name} engine"), sample=first)
        parts.append(replace(theirs, trace=None))
    return joined(parts, len(samples))


def _quantized(
    trained: Checkpoint, chosen: scales.Scales, chip: targets.Target
) -> QuantizedNetwork | QuantizedDelayNetwork:
    made = QuantizedDelayNetwork if trained.config.network.connection == "delays" else QuantizedNetwork
    return made(trained, chosen, chip)


@torch.no_grad()
def _result(quantized: QuantizedNetwork | QuantizedDelayNetwork, batch: NDArray[np.generic], like: Result) -> Result:
    """What the quantized network computes, as a result; what it does not keep (membranes, operations) is ``like``'s."""
    y, spikes = quantized.accumulated(torch.from_numpy(batch.astype(np.float32)).transpose(0, 1))
    assert like.trace is not None
    layers = tuple(
        LayerTrace(s.numpy().astype(np.uint8), same.membrane) for s, same in zip(spikes, like.trace.layers, strict=True)
    )
    return Result(y.numpy().astype(np.int64), like.counts, Trace(layers, like.trace.readout))


def _folded(trained: Checkpoint) -> Checkpoint:
    """The checkpoint with batch normalisation folded into its weights."""
    if not trained.config.network.batch_norm:
        return trained
    tensors = {name: tensor for name, tensor in trained.tensors.items() if ".normalization." not in name}
    for i, layer in enumerate(freeze(trained).layers):
        tensors[f"layers.{i}.feedforward.weight"] = torch.from_numpy(layer.weight).float()
        tensors[f"layers.{i}.feedforward.bias"] = torch.from_numpy(layer.bias).float()
    network = trained.config.network.model_copy(update={"batch_norm": False})
    return replace(trained, config=trained.config.model_copy(update={"network": network}), tensors=tensors)


def _moved(trained: Checkpoint, to: FrozenNetwork, begun: FrozenNetwork) -> dict[str, torch.Tensor]:
    """The checkpoint's tensors with the weights and biases that a search made of ``begun``, resonators unbalanced."""
    tensors = dict(trained.tensors)
    for i, (layer, before) in enumerate(zip(to.layers, begun.layers, strict=True)):
        by = gains_of(before.weight, before.bias) if layer.kind == KIND else np.ones(layer.neurons)
        tensors[f"layers.{i}.feedforward.weight"] = torch.from_numpy(layer.weight / by[:, None]).float()
        tensors[f"layers.{i}.feedforward.bias"] = torch.from_numpy(layer.bias / by).float()
        if len(layer.before) < len(layer.connections):
            tensors[f"layers.{i}.recurrent.weight"] = torch.from_numpy(layer.recurrent).float()
    tensors["readout.weight"] = torch.from_numpy(to.readout_weight).float()
    tensors["readout.bias"] = torch.from_numpy(to.readout_bias).float()
    return tensors


def _configured(trained: Checkpoint, epochs: int) -> Config:
    training = trained.config.training.model_copy(
        update={
            "epochs": epochs,
            "schedule": "cosine",
            "temperature": trained.temperature,  # without effect, and what the checkpoint's mixture is judged at
            "annealing": 1.0,
        }
    )
    if trained.config.network.connection == "delays":
        slower = {name: share * getattr(training, name) for name, share in SHARES_OF_RATES.items()}
        training = training.model_copy(update=slower)
    return trained.config.model_copy(update={"training": training})
