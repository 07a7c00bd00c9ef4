"""asrc-export --what-if: what changes with fewer bits, shorter spans and narrower layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core.command import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asrc_core.contract.numbers import Mapping


def show(
    model: str | Path,
    target_name: str,
    *,
    bits: int,
    mapping: Mapping,
    changes: Sequence[str],
    data_name: str | None,
    out: str | None,
) -> None:
    """Measure a checkpoint and its changed forms; print the table, or write it where ``out`` says.

    Raises UnreadableFile, NonFiniteWeights, UnknownName, InvalidSetting, InvalidData, UnwritableOutput.
    """
    from asrc_core.command import progress
    from asrc_core.contract.rounding.grid import require_bits
    from asrc_core.errors import InvalidSetting
    from asrc_core.files import by_suffix
    from asrc_core.files.atomic import require_writable
    from asrc_export.chip import devices
    from asrc_export.engines import select
    from asrc_export.exporting import NO_SAMPLES
    from asrc_export.samples.dataset_samples import calibration_for
    from asrc_export.what_if import change, formats, measure
    from asrc_train.trained import freeze

    if out is not None:
        by_suffix.require(out, formats.WRITERS)
        require_writable(out)
    require_bits(bits)
    wanted = [change.parse(text) for text in changes] or change.HALVES
    chip, device = devices.numbers(target_name)
    if device is not None:
        raise InvalidSetting(
            "`target`", f"'{target_name}' has no cores to place neurons on; ask about loihi1 or loihi2"
        )
    frozen = freeze.freeze_file(model)
    name = data_name or frozen.provenance["data"]
    dataset = calibration_for(frozen, name) if name and name != NO_SAMPLES else None
    setting = measure.Setting(chip, select.engine().run, dataset, mapping)
    with progress.bar("what if", 1 + len(wanted)) as update:
        found = measure.measure(frozen, setting, model=Path(model).name, bits=bits, changes=wanted, progress=update)
    if out is None:
        command_line.say(formats.text(found).rstrip("\n"))
        return
    formats.write(found, out)
    print(out)
