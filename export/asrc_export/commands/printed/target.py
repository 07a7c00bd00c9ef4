"""What asrc-export --show-target prints: every number of a target, its certainty and its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asrc_export.chip.targets.quantity import Strict


def print_target(name_or_path: str) -> None:
    """Print all numbers of a target or device, each with its source. Raises what `devices.numbers` raises."""
    from tabulate import tabulate

    from asrc_export.chip import devices

    chip, device = devices.numbers(name_or_path)
    if device is not None:
        rows = _quantity_rows(device)
        print(f"{device.title} ({device.name}), numbers as of {chip.title}")
        print(tabulate(rows, ("quantity", "", "value", "unit", "certainty", "source"), disable_numparse=True))
        return
    rows = [
        (
            "formats.weight_bits",
            "in use",
            ", ".join(map(str, chip.formats.weight_bits)),
            "bits",
            chip.formats.weight_bits_certainty,
            chip.formats.weight_bits_source,
        )
    ]
    if chip.neurons is not None:
        runs = ", ".join(chip.neurons.kinds) + (", any program" if chip.neurons.programmable else "")
        rows.append(("neurons.kinds", "in use", runs, "kinds", chip.neurons.certainty, chip.neurons.source))
    rows += _quantity_rows(chip)
    print(f"{chip.title} ({chip.name})")
    print(tabulate(rows, ("quantity", "", "value", "unit", "certainty", "source"), disable_numparse=True))
    if chip.energy is None:
        print("No published energy per event: counts are reported, joules are not.")
    if chip.timing is None:
        print("No published time per event: no latency is reported.")


def _quantity_rows(chip: Strict) -> list[tuple[str, ...]]:
    """All numbers of a target or device, with what other sources say."""
    from asrc_export.chip import targets

    rows: list[tuple[str, ...]] = []
    for name, each in targets.quantities(chip):
        rows.append((name, "in use", f"{each.value:,.12g}", each.unit, each.certainty, each.source))
        rows += [
            ("", "or", f"{other.value:,.12g}", each.unit, other.certainty, other.source) for other in each.alternatives
        ]
    return rows
