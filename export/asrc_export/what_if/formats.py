"""The table of changes as text, Markdown, JSON or CSV, chosen by the output's suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from asrc_core.counts import plural
from asrc_core.files import by_suffix
from asrc_export.report.render.formats import as_json
from asrc_export.report.render.spreadsheet import as_csv
from asrc_export.report.render.text import as_markdown, as_text
from asrc_export.report.table import Table, interval
from asrc_export.what_if.outcome import Costs, ModelledRange, Outcome, WhatIf

UNTRAINED = "needs training"


def title(found: WhatIf) -> str:
    """The heading of every format."""
    return f"What if: {found.model} on {found.target}"


def summary(found: WhatIf) -> str:
    """What was run, in a sentence or two."""
    run = (
        f"Accuracy on {plural(found.samples, 'test sample')} of '{found.data}', {plural(found.steps, 'step')} each"
        if found.data is not None
        else "No data set is known, so nothing was run: accuracy, energy and time are left open"
    )
    return (
        f"{run}; past spikes in {found.mapping} form. Changed networks were quantized anew and run without training; "
        "in brackets what they differ by, or are in parts, from the network as it is."
    )


def tables(found: WhatIf) -> Iterator[Table]:
    """The changes side by side; then what did not come to be, and where modelled figures come from."""
    base = found.outcomes[0]
    yield Table(
        "changes",
        "Changes",
        ("change", "bits", "spans", "widths", "accuracy", "cores", "storage, KB", *_modelled_headers(found)),
        [_row(each, base) for each in found.outcomes],
        _narrower_note(found),
    )
    broken = [(each.name, each.problem) for each in found.outcomes if each.problem is not None]
    if broken:
        yield Table("problems", "What the target does not take", ("change", "why"), broken)
    rests = {"energy": _energy(found), "time": _latency(found)}
    known = {what: each for what, each in rests.items() if each is not None}
    if known:
        yield Table(
            "sources",
            "Where modelled figures come from",
            ("figure", "as on", "source", "certainty"),
            [(what, each.target, *source.rsplit(", ", 1)) for what, each in known.items() for source in each.sources],
            "Modelled from counted events, not measured. "
            + " ".join(f"{what.capitalize()} is of {each.covers}." for what, each in known.items())
            + " Published prices are the same for every width of weights: fewer bits change energy by what fires only.",
        )


def _row(outcome: Outcome, base: Outcome) -> tuple[str, ...]:
    costs, before = outcome.costs, base.costs if outcome is not base else None
    return (
        outcome.name,
        str(outcome.bits),
        "-".join(map(str, outcome.spans)),
        "-".join(map(str, outcome.widths)),
        _accuracy(outcome, base),
        "does not fit"
        if costs is None
        else f"{costs.cores:,}" + (f" on {plural(costs.chips, 'chip')}" if costs.chips > 1 else ""),
        "" if costs is None else _sized(costs.storage / 8000, before.storage / 8000 if before else None),
        *_modelled(costs, before),
    )


def _accuracy(outcome: Outcome, base: Outcome) -> str:
    if not outcome.trained:
        return UNTRAINED
    if outcome.accuracy is None:
        return ""
    told = f"{outcome.accuracy:.1%}"
    if outcome is base or base.accuracy is None:
        return told
    return f"{told} ({100 * (outcome.accuracy - base.accuracy):+.1f})"


def _sized(size: float, before: float | None) -> str:
    return f"{size:,.3f}" + (f" ({size / before:.0%})" if before else "")


def _modelled(costs: Costs | None, before: Costs | None) -> tuple[str, str]:
    if costs is None:
        return "", ""
    energy, time = costs.energy, costs.latency
    old, was = (None, None) if before is None else (before.energy, before.latency)
    return (
        ""
        if energy is None
        else interval(energy.low_nj, energy.high_nj) + _part(energy.high_nj, old.high_nj if old else None),
        "" if time is None else interval(time.low_us, time.high_us) + _part(time.high_us, was.high_us if was else None),
    )


def _part(high: float, before: float | None) -> str:
    return f" ({high / before:.0%})" if before else ""


def _modelled_headers(found: WhatIf) -> tuple[str, str]:
    energy, time = _energy(found), _latency(found)
    return (
        "nJ a sample" + (f", as on {energy.target}" if energy else ""),
        "µs a sample" + (f", as on {time.target}" if time else ""),
    )


def _energy(found: WhatIf) -> ModelledRange | None:
    """The energy that says on what all of them rest: the one that covers most is like the others."""
    return next((each.costs.energy for each in found.outcomes if each.costs and each.costs.energy), None)


def _latency(found: WhatIf) -> ModelledRange | None:
    return next((each.costs.latency for each in found.outcomes if each.costs and each.costs.latency), None)


def _narrower_note(found: WhatIf) -> str:
    if all(each.trained for each in found.outcomes):
        return ""
    return (
        "The accuracy of narrower layers needs training: their cores and storage are computed, and their energy and "
        "time are modelled as if each neuron that is left fired as often as it does now."
    )


def text(found: WhatIf) -> str:
    """For a terminal."""
    return as_text(title(found), summary(found), tables(found))


def markdown(found: WhatIf) -> str:
    """As GitHub Markdown."""
    return as_markdown(title(found), summary(found), tables(found))


WRITERS: dict[str, Callable[[WhatIf], str]] = {".json": as_json, ".md": markdown, ".txt": text, ".csv": as_csv}


def write(found: WhatIf, path: str | Path) -> None:
    """Write in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(found, path, WRITERS)
