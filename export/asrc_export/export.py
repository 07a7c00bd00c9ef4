"""From a checkpoint on disk to an integer network on disk: freeze, quantize, check, observe, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from asrc_export import calibrate, network_file, quantize
from asrc_export.arithmetic import Mapping
from asrc_export.calibrate import Observed
from asrc_export.chip import target
from asrc_export.chip.rules import Finding
from asrc_export.feed import dataset_for
from asrc_export.interop import netx_export
from asrc_export.network import IntegerNetwork
from asrc_export.quantize import Rounded
from asrc_train import freeze
from asrc_train.atomic import require_writable


@dataclass(frozen=True, eq=False)
class Exported:
    """What an export wrote, and all there is to say about it."""

    path: Path
    network: IntegerNetwork
    rounding: list[Rounded]
    observed: list[Observed]
    findings: list[Finding]


def export(
    model: str | Path,
    target_name: str,
    out: str | Path | None = None,
    *,
    bits: int = 8,
    mapping: Mapping = "delay-line",
    calibrate_on: str | None = None,
    netx: bool = False,
) -> Exported:
    """Quantize a checkpoint for a target and write the integer network (by default beside the checkpoint).

    Ranges are observed on training samples of ``calibrate_on``, by default the data set trained on, and not at
    all for a network from elsewhere that names none. ``netx`` keeps to the number formats of lava-dl's netx. Raises
    UnreadableFile, NonFiniteWeights, UnknownName, SpanTooLong, InvalidSetting, InvalidData, RulesBroken,
    UnwritableOutput; an earlier file at ``out`` is left whole.
    """
    chip = target.load(target_name)
    path = Path(out or default_output(model, chip))
    require_writable(path)
    frozen = freeze.freeze_file(model)
    made = quantize.quantize(frozen, netx_export.narrowed(chip) if netx else chip, bits=bits, mapping=mapping)
    if netx:
        made = netx_export.refit(made)
    data = calibrate_on or frozen.provenance["data"]
    observed = calibrate.observe(made.network, dataset_for(made.network, data).train_x) if data else []
    reached = {each.name: [each.state.low, each.state.high] for each in observed}
    known = {**made.network.provenance, "observed": reached, **target.luggage(chip)}
    network = replace(made.network, provenance=known)
    network_file.save(network, path)
    return Exported(path, network, made.rounding, observed, made.findings)


def default_output(model: str | Path, chip: target.Target) -> Path:
    """The integer network's place beside its checkpoint."""
    return Path(f"{Path(model).with_suffix('')}.{chip.name}.safetensors")
