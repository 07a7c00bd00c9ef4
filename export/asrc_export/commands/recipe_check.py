"""asrc-export --check: whether a recipe's network will fit a target, before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core.counts import plural

if TYPE_CHECKING:
    from asrc_core.contract.numbers import Mapping
    from asrc_export.chip.devices import Device
    from asrc_export.chip.placement import Placement
    from asrc_export.chip.rules import Finding
    from asrc_export.chip.shape import NetworkShape
    from asrc_export.chip.targets import Target


def check(recipe_name: str, target_name: str, bits: int, mapping: Mapping) -> None:
    """Print what the recipe's network takes of the target: storage, placement, findings.

    An adaptive span counts as the longest it may become. Raises UnknownName, InvalidSetting, UnreadableFile,
    RulesBroken listing every limit that blocks.
    """
    from asrc_core.contract.rounding.grid import require_bits
    from asrc_export.chip import devices, rules, shape
    from asrc_train import data
    from asrc_train.settings import recipe

    require_bits(bits)
    chip, device = devices.numbers(target_name)
    settings = recipe.read(recipe_name, {})
    samples = data.shape(settings.data.name, settings.network.dt, settings.data.validation_fraction)
    planned = shape.of_recipe(settings, samples, bits, mapping)
    if device is not None:
        _check_device(planned, device)
        return
    _print_storage(planned, chip)
    findings = rules.check_shape(planned, chip)
    print_placements(planned, chip)
    _conclude(findings, chip, f"fits {chip.name} under the {mapping} mapping")


def _check_device(planned: NetworkShape, device: Device) -> None:
    from tabulate import tabulate

    from asrc_export.chip import devices

    rows = [
        (each.name, f"{each.used:,.12g}", "" if each.limit is None else f"{each.limit:,}", each.unit, each.basis)
        for each in devices.resources(planned, device)
    ]
    print(f"{device.title}, spans at their longest")
    print(tabulate(rows, ("resource", "takes", "of", "unit", "basis"), disable_numparse=True))
    findings = devices.check(planned, device)
    _conclude(findings, device, f"fits {device.name}")


def _conclude(findings: list[Finding], chip: Target | Device, fits: str) -> None:
    """Print what refuses nothing as notes, then that it fits. Raises RulesBroken for what does not."""
    from asrc_core.command import command_line
    from asrc_export.chip import rules

    notes = [finding for finding in findings if not finding.blocks]
    for finding in notes:
        command_line.say(f"note: {finding}")
    rules.passed(findings, chip)
    print(f"{fits}, but for the {plural(len(notes), 'limit')} noted above" if notes else fits)


def _print_storage(planned: NetworkShape, chip: Target) -> None:
    from tabulate import tabulate

    from asrc_export.chip.cost import storage

    rows = [
        (
            layer.name,
            f"{layer.inputs} x {layer.neurons}",
            layer.span or "",
            *(f"{bits:,}" for bits in (each.weights, each.biases, each.state, each.history, each.total)),
            f"{each.total / layer.neurons:,.0f}",
        )
        for layer, each in zip(planned.layers, storage.of_shape(planned, chip), strict=True)
    ]
    headers = ("layer", "shape", "span", "weights", "biases", "membranes", "spike history", "total", "a neuron")
    print(f"{chip.title}, {planned.mapping}: storage in bits, spans at their longest")
    print(tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=("left", *("right",) * 8)))


def print_placements(planned: NetworkShape, chip: Target) -> None:
    """Print cores, chips and the fullest core's use of each budget, for both mappings side by side."""
    from tabulate import tabulate

    from asrc_export.chip.placement import compared

    placed = compared(planned.layers, chip)
    rows = [
        (mapping, *_row(found)) if not isinstance(found, str) else (mapping, "none", "", "", "")
        for mapping, found in placed.items()
    ]
    print(tabulate(rows, ("mapping", "cores", "at least", "chips", "fullest core"), disable_numparse=True))


def _row(placement: Placement) -> tuple[str, ...]:
    fullest = {
        name: max(core.used[name] / limit for core in placement.cores) for name, limit in placement.limits.items()
    }
    listed = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in fullest.items() if share >= 0.005)
    return f"{len(placement.cores):,}", f"{placement.lower_bound:,}", f"{placement.chips:,}", listed
