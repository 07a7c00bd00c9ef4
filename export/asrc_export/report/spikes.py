"""The accuracy ladder as plain data: the report's keys `ladder`, `neurons`, `firing`, `firing_findings`, `raster`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_export.checks import firing
from asrc_export.report.drift import Spikes

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.ladder import Ladder

RASTER_NEURONS = 48
"""At most so many neurons of a layer are shown, evenly chosen."""
RASTER_STEPS = 256
"""At most so many steps are shown, the first ones."""


def sections(ladder: Ladder, names: Sequence[str]) -> dict[str, Any]:
    """The report's parts that rest on traces; ``names`` are the layers'."""
    return {
        "ladder": _ladder(ladder, names),
        "neurons": _neurons(ladder, names),
        "firing": [
            {"name": name, "float": each.float_spikes.tolist(), "deployed": each.deployed_spikes.tolist()}
            for name, each in zip(names, ladder.activity, strict=True)
        ],
        "firing_findings": _findings(ladder),
        "raster": _raster(ladder, names),
    }


def _ladder(ladder: Ladder, names: Sequence[str]) -> dict[str, Any]:
    return {
        "samples": ladder.samples,
        "steps": ladder.steps,
        "rungs": [
            {
                "name": rung.name,
                "title": rung.title,
                "change": rung.change,
                "accuracy": rung.accuracy,
                "agreement": rung.agreement,
                "spike_difference": dict(zip(names, rung.differing, strict=True)),
            }
            for rung in ladder.rungs
        ],
        "parting": _parting(ladder, names),
        "drift": [{"name": name, "per_step": row.tolist()} for name, row in zip(names, ladder.drift, strict=True)],
    }


def _parting(ladder: Ladder, names: Sequence[str]) -> dict[str, Any]:
    steps = [parting.step for parting in ladder.partings]
    first = min(ladder.partings, key=lambda parting: (parting.step, parting.sample), default=None)
    return {
        "samples_that_part": len(steps),
        "median_step": float(np.median(steps)) if steps else None,
        "first": None
        if first is None
        else {
            "layer": names[first.layer],
            "step": first.step,
            "neuron": first.neuron,
            "sample": first.sample,
        },
        "samples_by_layer": {
            name: sum(parting.layer == i for parting in ladder.partings) for i, name in enumerate(names)
        },
    }


def _neurons(ladder: Ladder, names: Sequence[str]) -> list[dict[str, Any]]:
    """How many neurons of each layer never fire, fire at every step, or ever reached the 24-bit limit."""
    every = ladder.samples * ladder.steps
    return [
        {
            "name": name,
            "neurons": len(each.float_spikes),
            "silent_float": int((each.float_spikes == 0).sum()),
            "silent_deployed": int((each.deployed_spikes == 0).sum()),
            "always_firing_float": int((each.float_spikes == every).sum()),
            "always_firing_deployed": int((each.deployed_spikes == every).sum()),
            "saturated": int(each.at_limit.sum()),
        }
        for name, each in zip(names, ladder.activity, strict=True)
    ]


def _findings(ladder: Ladder) -> list[dict[str, Any]]:
    """Neurons that say nothing, by layer and kind."""
    activity = ladder.activity
    found = firing.findings([each.deployed for each in activity], [each.in_float for each in activity])
    return [
        {
            "layer": each.layer,
            "kind": each.kind,
            "what": firing.SAID[each.kind],
            "serious": each.serious,
            "float": each.before,
            "deployed": each.after,
            "neurons": each.of,
            "deployed_neurons": list(each.neurons),
            "advice": each.advice,
        }
        for each in found
    ]


def _raster(ladder: Ladder, names: Sequence[str]) -> dict[str, Any]:
    """The first sample: a row of hexadecimal digits for each neuron, four steps a digit, the earliest first."""
    steps = min(ladder.steps, RASTER_STEPS)
    layers = []
    for name, mine, theirs in zip(names, *ladder.first_sample, strict=True):
        width = mine.shape[1]
        count = min(width, RASTER_NEURONS)
        shown = [i * width // count for i in range(count)]
        layers.append(
            {
                "name": name,
                "neurons": shown,
                "float": _rows(mine[:steps, shown]),
                "deployed": _rows(theirs[:steps, shown]),
            }
        )
    return {"sample": 0, "steps": steps, "layers": layers}


def _rows(spikes: Spikes) -> list[str]:
    return [bytes(row).hex() for row in np.packbits(spikes.T, axis=1)]


def spikes_of(rows: Sequence[str], steps: int) -> Spikes:
    """The spikes (neurons, steps) that rows of hexadecimal digits stand for."""
    packed = np.array([list(bytes.fromhex(row)) for row in rows], np.uint8)
    return np.unpackbits(packed, axis=1)[:, :steps]
