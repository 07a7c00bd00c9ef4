"""From a checkpoint on disk to an integer network on disk: freeze, quantize, check, observe, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Mapping
from asrc_core.files.atomic import require_writable
from asrc_export import float_network
from asrc_export.checks import calibrate, firing, leaks
from asrc_export.checks.calibrate import Observed
from asrc_export.chip import targets
from asrc_export.chip.rules import Finding
from asrc_export.interop.netx import writer as netx_export
from asrc_export.quantization import checks, delays, quantize
from asrc_export.quantization.delays import Cut
from asrc_export.quantization.rounding_log import Rounded
from asrc_export.quantization.scale_choice import trained_at
from asrc_export.quantization.search import search
from asrc_export.quantization.search.activity import observe
from asrc_export.quantization.search.search import Found, Measured, Progress
from asrc_export.samples.dataset_samples import calibration_for
from asrc_train.data.dataset import Samples
from asrc_train.trained import freeze
from asrc_train.trained.freeze import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Exported:
    """What an export wrote, and all there is to say about it."""

    path: Path
    network: IntegerNetwork
    rounding: list[Rounded]
    observed: list[Observed]
    findings: list[Finding]
    firing: list[firing.Finding]
    """Neurons that say nothing on the calibration samples, before export and after."""
    leaks: tuple[str, ...] = ()
    """Decays that 12 bits hold badly, a sentence each."""
    cut: tuple[Cut, ...] = ()
    """Connections whose delays were longer than asked for."""
    measured: tuple[Measured, ...] = ()
    """How far each layer and the readout is from the float one on calibration samples, if scales were searched."""


def export(
    model: str | Path,
    target_name: str,
    out: str | Path | None = None,
    *,
    bits: int | tuple[int, ...] = 8,
    mapping: Mapping = "delay-line",
    calibrate_on: str | None = None,
    netx: bool = False,
    strict: bool = False,
    max_delay: int | None = None,
    stock_lif: bool = False,
    progress: Progress = lambda done, note: None,
) -> Exported:
    """Quantize a checkpoint for a target and write the integer network (by default beside the checkpoint).

    ``bits``: the width of all weights, or one for each layer and the readout. Scales are searched, and ranges
    observed, on training samples of ``calibrate_on``, by default the data set trained on. For a network from elsewhere
    that names none, scales are those with the least expected error and no ranges are observed; for a checkpoint
    fine-tuned for the target and bits they are those it was trained at. ``progress`` is told how much of a search is
    done, as a share. ``strict`` refuses decays that
    12 bits hold badly (`checks.leaks`). ``max_delay`` cuts delays of single synapses to so many steps, which is told;
    without it none may be longer than the target's. ``stock_lif`` asks for what Lava's own LIF computes.
    ``netx`` keeps to the number formats of lava-dl's netx. Raises
    UnreadableFile, NonFiniteWeights, UnknownName, SpanTooLong, InvalidSetting, InvalidData, RulesBroken,
    UnwritableOutput; an earlier file at ``out`` is left whole.
    """
    chip = targets.load(target_name)
    path = Path(out or default_output(model, chip))
    require_writable(path)
    frozen = freeze.freeze_file(model)
    numbers = netx_export.narrowed(chip) if netx else chip
    has = chip.limits.max_synaptic_delay.count
    frozen, cut = (frozen, ()) if max_delay is None else delays.within(frozen, min(max_delay, has))
    delays.require_within(frozen, has, chip.name)
    if stock_lif:
        frozen = delays.for_stock_lif(frozen)
    trained = trained_at(frozen, numbers, bits)
    checks.require_spans(frozen, mapping)
    data = calibrate_on or frozen.provenance["data"]
    samples = calibration_for(frozen, data).train_x if data else None
    known_scales = trained is not None or frozen.decides is not None
    found = None if known_scales or samples is None else _searched(frozen, numbers, bits, samples, progress)
    made = quantize.quantize(
        frozen, numbers, bits=bits, mapping=mapping, plan=found.plan if found else None, own_shifts=not stock_lif
    )
    if netx:
        made = netx_export.refit(made)
    leaking = tuple(leaks.badly_rounded(frozen.layers, made.network.hidden))
    if strict:
        leaks.require_kept(leaking)
    observed = calibrate.observe(made.network, samples) if samples is not None else []
    silent = _silent(frozen, observed, samples) if samples is not None else []
    known = {
        **made.network.provenance,
        "observed": {each.name: [each.state.low, each.state.high] for each in observed},
        **(_calibration(data, found) if found else {}),
        **targets.embedded(chip),
    }
    network = replace(made.network, provenance=known)
    network_file.save(network, path)
    return Exported(
        path, network, made.rounding, observed, made.findings, silent, leaking, cut, found.measured if found else ()
    )


def _searched(
    frozen: FrozenNetwork, chip: targets.Target, bits: int | tuple[int, ...], samples: Samples, progress: Progress
) -> Found:
    checks.require_finite(frozen)
    parts = len(frozen.layers) + 1
    activity = observe(frozen, samples)
    return search.search(frozen, chip, bits, activity, lambda done, note: progress(done / parts, note))


def _calibration(data: str, found: Found) -> dict[str, Any]:
    """For the provenance: what the search chose by, and how far each part is from the float one on it."""
    return {"calibration": {"data": data, "samples": found.samples, "parts": [m._asdict() for m in found.measured]}}


def _silent(frozen: FrozenNetwork, observed: list[Observed], samples: Samples) -> list[firing.Finding]:
    spikes = float_network.spikes(frozen, samples[: calibrate.SAMPLES])
    before = [firing.of_spikes(layer.name, fired) for layer, fired in zip(frozen.layers, spikes, strict=True)]
    return firing.findings([each.firing for each in observed if each.firing is not None], before)


def default_output(model: str | Path, chip: targets.Target) -> Path:
    """The integer network's place beside its checkpoint."""
    return Path(f"{Path(model).with_suffix('')}.{chip.name}.safetensors")
