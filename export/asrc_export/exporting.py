"""From a trained network to an integer network: freeze, quantize, check, observe, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack

from asrc_core import html
from asrc_core.command.progress import shown
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Mapping
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting, UnknownName, UnreadableFile
from asrc_core.files.atomic import require_writable
from asrc_core.files.outputs import require_apart
from asrc_core.files.paths import as_path, beside
from asrc_export import float_network
from asrc_export.checks import calibrate, firing, leaks
from asrc_export.checks.calibrate import Observed
from asrc_export.chip import devices, targets
from asrc_export.chip.rules import Finding
from asrc_export.exportable import Feed, Model, fitting, frozen_model, require_arguments
from asrc_export.interop.netx import writer as netx_export
from asrc_export.quantization import checks, delays, quantize, resonators
from asrc_export.quantization.delays import Cut
from asrc_export.quantization.rounding_log import Rounded
from asrc_export.quantization.scale_choice import trained_at
from asrc_export.quantization.search.on_samples import searched
from asrc_export.quantization.search.search import Found, Measured, Progress
from asrc_export.samples.dataset_samples import calibration_for
from asrc_export.simulator import Simulator
from asrc_train.data.dataset import Dataset
from asrc_train.trained.frozen import FrozenNetwork

NO_SAMPLES = "none"
"""In place of a data set's name: scales are chosen without samples."""


@dataclass(frozen=True, eq=False)
class Exported:
    """What an export wrote, and all there is to say about it."""

    path: Path | None
    """Where it was written; None if it was not."""
    network: IntegerNetwork
    rounding: list[Rounded]
    observed: list[Observed]
    findings: list[Finding]
    firing: list[firing.Finding]
    """Neurons that never, hardly ever or always fire on the calibration samples, before export and after."""
    leaks: tuple[str, ...] = ()
    """Decays that 12 bits hold badly, a sentence each."""
    cut: tuple[Cut, ...] = ()
    """Connections whose delays were longer than asked for."""
    sample_notes: tuple[str, ...] = ()
    """What was cut off, padded or left out of the samples that were named to choose scales on."""
    measured: tuple[Measured, ...] = ()
    """How far each layer and the readout is from the float one on calibration samples, if scales were searched."""

    def __repr__(self) -> str:
        return f"Exported({self.network!r}, {f'written to {self.path}' if self.path else 'not written'})"

    def _repr_html_(self) -> str:
        rows = [(part.name, f"{part.error:.2%}", f"{part.data_free:.2%}") for part in self.measured]
        told, notes = [("warning", leak) for leak in self.leaks], (*self.findings, *self.sample_notes)
        listed = html.table("notes", ("", ""), [*told, *(("note", str(each)) for each in notes)])
        off = html.table("off the float network", ("part", "chosen on samples", "without"), rows) if rows else ""
        return self.network._repr_html_() + off + (listed if told or notes else "")

    @property
    def simulator(self) -> Simulator:
        """The network made ready to run."""
        return Simulator(self.network)


def export(
    model: Model,
    target: str = "loihi2",
    out: str | Path | None = None,
    *,
    bits: int | tuple[int, ...] = 8,
    mapping: Mapping = "delay-line",
    calibrate_on: str | None = None,
    samples: NDArray[Any] | None = None,
    netx: bool = False,
    strict: bool = False,
    max_delay: int | None = None,
    stock_lif: bool = False,
    pole_bits: int | Literal["auto"] | None = None,
    mode_bits: int | Literal["auto"] | None = None,
    progress: Progress | bool = False,
    **fed: Unpack[Feed],
) -> Exported:
    """Quantize a trained network for a target, and write the integer network.

    ``model``: a checkpoint's path, a `Checkpoint`, or an ``nn.Module`` trained in a loop of one's own, which
    `asrc_train.trained.own_module` looks at. A path's integer network goes beside it unless ``out`` says where; others
    are written only where ``out`` says.

    ``bits``: the width of all weights, or one for each layer and the readout. Scales are searched, and ranges observed,
    on ``samples``, integers (n, T, channels) in the order in which the network takes its steps, or on training samples
    of ``calibrate_on``, by default the data set trained on. Without either, or with "none", scales are those with the
    least expected error and no ranges are observed; for a checkpoint fine-tuned for the target and bits they are those
    it was trained at. ``progress``: True shows a bar, on a terminal or in a notebook; a function is told how much of a
    search is done, as a share. ``strict`` refuses decays that 12 bits hold badly (`checks.leaks`). ``max_delay`` cuts
    delays of single synapses to so many steps, which is told; without it none may be longer than the target's.
    ``stock_lif`` asks for what Lava's own LIF computes. ``pole_bits``, ``mode_bits``: of state-space neurons' poles, 12
    to 20, 16 by default, and of what reads their modes, 3 to 8; "auto" are the fewest that change hardly more spikes on
    samples, layer by layer (`quantization.search.resonator_bits`). ``netx`` keeps to the number formats of lava-dl's
    netx.
    ``fed``, with a module only, says what it was trained on: ``scale``, ``zero``, ``maximum``, ``steps``, ``classes``,
    ``unit``, ``step_seconds`` (`asrc_train.trained.own_loop`).

    Raises UnreadableFile, NonFiniteWeights, UnknownName, SpanTooLong, InvalidSetting, InvalidData, CannotFreeze,
    RulesBroken, UnwritableOutput; an earlier file at ``out`` is left whole.
    """
    require_arguments(target, bits, mapping, samples, calibrate_on)
    chip, device = devices.numbers(target)
    path = _place(model, out, device or chip)
    numbers = netx_export.narrowed(chip) if netx else chip
    frozen, cut = _shortened(frozen_model(model, samples, fed), chip, device, max_delay)
    frozen = resonators.with_bits(frozen, pole_bits, mode_bits)
    if stock_lif:
        frozen = delays.for_stock_lif(frozen)
    trained = trained_at(frozen, numbers, bits)
    for setting, asked in (("pole_bits", pole_bits), ("mode_bits", mode_bits)):
        if trained is not None and asked is not None:
            resonators.require_trained_at(trained, setting, asked)
    checks.require_spans(frozen, mapping)
    if netx:
        netx_export.require_possible(frozen)
    chosen_on = _calibration(frozen, samples, calibrate_on)
    known_scales = trained is not None or stock_lif
    auto = tuple(each == resonators.AUTO for each in (pole_bits, mode_bits))
    found = None if known_scales else _searched(frozen, numbers, bits, chosen_on.x, auto, progress)
    if found is None and trained is None and any(auto):
        raise InvalidSetting("`pole_bits`, `mode_bits`", "'auto' is found on samples; give some, or a number")
    plan, own_shifts = found.plan if found else None, not stock_lif
    made = quantize.quantize(
        frozen, numbers, bits=bits, mapping=mapping, plan=plan, device=device, own_shifts=own_shifts
    )
    if netx:
        made = netx_export.refit(made)
    leaking = tuple(leaks.of_network(frozen, made.network))
    if strict:
        leaks.require_kept(leaking)
    observed = [] if chosen_on.x is None else calibrate.observe(made.network, chosen_on.x)
    known = {
        **made.network.provenance,
        "observed": {each.name: [each.state.low, each.state.high] for each in observed},
        **({} if found is None else {"calibration": _stated(chosen_on, found)}),
        **targets.embedded(chip),
        **({} if device is None else {"device": device.name}),
    }
    network = replace(made.network, provenance=known)
    if path is not None:
        network_file.save(network, path)
    return Exported(
        path,
        network,
        made.rounding,
        observed,
        made.findings,
        firing=[] if chosen_on.x is None else _silent(frozen, observed, chosen_on.x),
        leaks=leaking,
        cut=cut,
        sample_notes=chosen_on.notes,
        measured=found.measured if found else (),
    )


def _place(model: Model, out: str | Path | None, target: targets.Target | devices.Device) -> Path | None:
    """Where the integer network goes, None if nowhere. Raises InvalidSetting, UnwritableOutput."""
    source = as_path(model, "a checkpoint") if isinstance(model, str | Path) else None
    default = None if source is None else default_output(source, target)
    path = default if out is None else as_path(out, "the integer network to write")
    if path is not None:
        require_apart([] if source is None else [source], [path])
        require_writable(path)
    return path


def _shortened(
    frozen: FrozenNetwork, chip: targets.Target, device: devices.Device | None, max_delay: int | None
) -> tuple[FrozenNetwork, tuple[Cut, ...]]:
    """The network with its delays cut to ``max_delay``, if that is given, and what was cut.

    Raises InvalidSetting, CannotFreeze for delays that are longer than the chip's.
    """
    has = chip.limits.max_synaptic_delay.count
    frozen, cut = (frozen, ()) if max_delay is None else delays.within(frozen, min(max_delay, has))
    if device is None:
        delays.require_within(frozen, has, chip.name)
    return frozen, cut


class _Calibration(NamedTuple):
    """What scales are chosen on: samples (n, T, channels), what they are called, what was cut off them."""

    x: NDArray[np.generic] | None
    """None: on none."""
    named: str
    notes: tuple[str, ...] = ()


def _calibration(frozen: FrozenNetwork, samples: NDArray[Any] | None, calibrate_on: str | None) -> _Calibration:
    """The samples given, or the training part of the data set named, or of the one trained on."""
    if samples is not None:
        return _Calibration(fitting(samples, frozen), f"{plural(len(samples), 'sample')} given")
    name = calibrate_on or frozen.provenance["data"]
    if not name or name == NO_SAMPLES:
        return _Calibration(None, NO_SAMPLES)
    dataset = _training_data(frozen, name, asked_for=calibrate_on is not None)
    return _Calibration(dataset.train_x, name, dataset.notes_on("train") if calibrate_on else ())


def _training_data(frozen: FrozenNetwork, data: str, *, asked_for: bool) -> Dataset:
    """The data set to choose scales on; a checkpoint that came without its own is told how to do without."""
    try:
        return calibration_for(frozen, data)
    except (UnreadableFile, UnknownName) as error:
        if asked_for:
            raise
        why = f"scales are chosen on what the network was trained on, which is not here: {str(error).rstrip('.')}"
        raise InvalidSetting(
            "`calibrate_on`", f"{why}; or choose them without samples, `calibrate_on='none'`"
        ) from error


def _searched(
    frozen: FrozenNetwork,
    chip: targets.Target,
    bits: int | tuple[int, ...],
    samples: NDArray[np.generic] | None,
    auto: tuple[bool, ...],
    progress: Progress | bool,
) -> Found | None:
    """Scales chosen on samples, None where there are none."""
    if samples is None:
        return None
    checks.require_finite(frozen)
    parts = len(frozen.layers) + 1
    with shown(progress, "choosing scales, %") as update:

        def told(done: float, note: str) -> None:
            update(done / parts, note)

        poles, modes = auto
        return searched(frozen, chip, bits, samples, told, poles=poles, modes=modes)


def _stated(chosen_on: _Calibration, found: Found) -> dict[str, Any]:
    """For the provenance: what the search chose by, and how far each part is from the float one on it."""
    return {"data": chosen_on.named, "samples": found.samples, "parts": [each._asdict() for each in found.measured]}


def _silent(frozen: FrozenNetwork, observed: list[Observed], samples: NDArray[np.generic]) -> list[firing.Finding]:
    spikes = float_network.spikes(frozen, samples[: calibrate.SAMPLES])
    before = [firing.of_spikes(layer.name, fired) for layer, fired in zip(frozen.layers, spikes, strict=True)]
    return firing.findings([each.firing for each in observed if each.firing is not None], before)


def default_output(model: str | Path, chip: targets.Target | devices.Device) -> Path:
    """The integer network's place beside its checkpoint."""
    return beside(model, f".{chip.name}.safetensors")
