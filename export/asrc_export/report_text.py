"""The report as text, Markdown or JSON, chosen by the output's suffix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from asrc_train.atomic import replacing
from asrc_train.errors import InvalidSetting

Report = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A heading, a table, and a sentence below it."""

    title: str
    headers: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""


def sections(report: Report) -> Iterator[Section]:
    """The report's tables in the order in which people ask."""
    accuracy = report["accuracy"]
    yield Section(
        "Accuracy",
        ("network", "accuracy", "of"),
        [
            ("float, softmax mixture", f"{accuracy['float_mixture']:.2%}", report["samples"]),
            ("float, hard-max spans", f"{accuracy['float']:.2%}", report["samples"]),
            ("deployed integers", f"{accuracy['deployed']:.2%}", report["samples"]),
        ],
        f"Deployed and float (hard-max) give the same answer on {report['agreement']:.2%} of the samples.",
    )
    yield Section(
        "Layers",
        ("layer", "neurons", "span", "bits", "spikes/sample", "float", "rate", "synaptic ops/sample", "saturations"),
        [
            (
                layer["name"],
                layer["neurons"],
                layer["span"],
                layer["weight_bits"],
                f"{layer['spikes'] / report['samples']:.1f}",
                f"{layer['spikes_float'] / report['samples']:.1f}",
                f"{layer['spike_rate']:.1%}",
                f"{layer['synaptic_operations'] / report['samples']:,.0f}",
                f"{layer['saturations']} ({'possible' if layer['can_saturate'] else 'proven impossible'})",
            )
            for layer in report["layers"]
        ],
        _readout_note(report["readout"]),
    )
    yield from _storage_sections(report["storage_bits"])
    yield _energy_section(report["energy"])
    if report["confirmations"]:
        yield Section(
            "Confirmed on other backends",
            ("backend", "samples", "differing", "seconds"),
            [(c["backend"], c["samples"], c["differing"], f"{c['seconds']:.1f}") for c in report["confirmations"]],
            "Differing: samples whose logits are not equal, bit for bit, to the engine's.",
        )
    if report["findings"]:
        yield Section(
            "Hardware limits",
            ("layer", "rule", "here", "limit", "way out"),
            [(f["layer"], f["rule"], f["value"], f["limit"], f["way_out"]) for f in report["findings"]],
        )
    if report["rounding"]:
        yield Section(
            "Rounding, worst case of each parameter",
            ("layer", "parameter", "float", "integer", "effective", "error"),
            [
                (
                    r["layer"],
                    r["parameter"],
                    f"{r['float']:.6g}",
                    r["integer"],
                    f"{r['effective']:.6g}",
                    f"{r['error']:.2e}",
                )
                for r in report["rounding"]
            ],
        )
    yield Section("Provenance", ("what", "value"), list(report["provenance"].items()))


def text(report: Report) -> str:
    """The report for a terminal."""
    return _assembled(report, lambda title: f"{title}\n{'-' * len(title)}", "simple")


def markdown(report: Report) -> str:
    """The report as GitHub Markdown."""
    return _assembled(report, lambda title: f"## {title}", "github")


def as_json(report: Report) -> str:
    """The report's data."""
    return json.dumps(report, indent=2) + "\n"


WRITERS: dict[str, Callable[[Report], str]] = {".json": as_json, ".md": markdown, ".txt": text}


def writer_for(path: str | Path) -> Callable[[Report], str]:
    """The format that a file's suffix names. Raises InvalidSetting listing those there are."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise InvalidSetting(f"output '{path}'", f"its suffix is none of {', '.join(WRITERS)}")
    return WRITERS[suffix]


def write(report: Report, path: str | Path) -> None:
    """Write the report in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    content = writer_for(path)(report)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def summary(report: Report) -> str:
    """The report in a sentence."""
    accuracy = report["accuracy"]
    deployed, in_float = report["storage_bits"]["deployed"]["total"], report["storage_bits"]["float"]["total"]
    return (
        f"Deployed on {report['provenance']['target']}, the network answers {accuracy['deployed']:.1%} of "
        f"{report['samples']} test samples correctly (float {accuracy['float']:.1%}), agrees with the float model on "
        f"{report['agreement']:.1%}, and takes {deployed / 8192:.1f} KiB instead of {in_float / 8192:.1f} KiB."
    )


def _assembled(report: Report, heading: Callable[[str], str], style: str) -> str:
    parts = [heading(f"asrc report: {report['provenance']['data']}"), summary(report)]
    for section in sections(report):
        parts += [
            heading(section.title),
            tabulate(section.rows, section.headers, tablefmt=style, disable_numparse=True),
        ]
        if section.note:
            parts.append(section.note)
    return "\n\n".join(parts) + "\n"


def _readout_note(readout: dict[str, Any]) -> str:
    proof = "possible" if readout["can_saturate"] else "proven impossible"
    return f"Readout: {readout['classes']} accumulators, {readout['saturations']} saturations ({proof})."


def _storage_sections(bits: dict[str, Any]) -> Iterator[Section]:
    kinds = ("weights", "biases", "state", "history", "total")
    whole = {"name": "all", "deployed": bits["deployed"], "float": bits["float"]}
    rows = [
        (layer["name"], version, *(f"{layer[version][kind]:,}" for kind in kinds))
        for layer in [*bits["layers"], whole]
        for version in ("deployed", "float")
    ]
    yield Section(
        "Storage in bits",
        ("layer", "version", "weights", "biases", "membranes", "spike history", "total"),
        rows,
        f"Synaptic memory on the target, its overhead included: {bits['synaptic_memory_on_target']:,} bits.",
    )
    per_neuron = bits["spike_history_bits_per_neuron"]
    yield Section(
        "Spike history by mapping",
        ("mapping", "bits", "bits per neuron"),
        [
            ("delay line", f"{bits['spike_history']['delay_line']:,}", f"{per_neuron['delay_line']:.1f}"),
            ("synaptic delays", f"{bits['spike_history']['synaptic_delay']:,}", f"{per_neuron['synaptic_delay']:.1f}"),
        ],
    )


def _energy_section(energy: dict[str, Any]) -> Section:
    sources = dict.fromkeys(source for estimate in energy["estimates"] for source in estimate["sources"])
    covered: dict[str, list[str]] = {}
    for estimate in energy["estimates"]:
        covered.setdefault(estimate["covers"], []).append(estimate["name"])
    note = "Modelled, not measured."
    for covers, names in covered.items():
        note += f" {'; '.join(names)}: {covers}."
    note += f" Sources: {'; '.join(sources)}."
    for chip in energy["targets_without_published_prices"]:
        note += f" No per-event energy of {chip} has been published, so none is given."
    if energy["graded_operations_per_sample"]:
        note += f" Graded products of the first layer: {energy['graded_operations_per_sample']:,.0f} a sample."
    return Section(
        "Energy per sample, modelled",
        ("network", "nJ"),
        [(e["name"], _interval(e["low_nj"], e["high_nj"])) for e in energy["estimates"]],
        note,
    )


def _interval(low: float, high: float) -> str:
    return f"{low:,.1f}" if low == high else f"{low:,.1f} to {high:,.1f}"
