"""The report's tables: one list of sections that text, Markdown and the page all show, so that their numbers agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]
MAX_ROWS = 20
"""Rows of a list of the largest this or that."""
EVENTS = {
    "feedforward_operations": "feed-forward",
    "recurrent_operations": "recurrent",
    "graded_operations": "graded",
    "neuron_updates": "updates",
    "spikes": "spikes",
    "messages": "messages",
    "hops_east_west": "hops E-W",
    "hops_north_south": "hops N-S",
}
"""Events of a layer, and their headings."""


@dataclass(frozen=True)
class Section:
    """A heading, a table, and a sentence below it; ``key`` names it for links and figures."""

    key: str
    title: str
    headers: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""


def summary(report: Report) -> str:
    """The report in a sentence."""
    accuracy = report["accuracy"]
    deployed, in_float = report["storage_bits"]["deployed"]["total"], report["storage_bits"]["float"]["total"]
    dead = [each["layer"] for each in report.get("firing_findings", []) if each["serious"]]
    warning = f" Warning: no neuron of {', '.join(dead)} ever fires." if dead else ""
    return (
        f"Deployed on {report['provenance']['target']}, the network answers {accuracy['deployed']:.1%} of "
        f"{report['samples']:,} test samples correctly (float {accuracy['float']:.1%}), agrees with the float model on "
        f"{report['agreement']:.1%}, and takes {deployed / 8192:.1f} KiB instead of {in_float / 8192:.1f} KiB."
        f"{warning}"
    )


def sections(report: Report) -> Iterator[Section]:
    """The report's tables in the order in which people ask."""
    yield _ladder(report)
    yield _confusion(report)
    yield _parting(report)
    yield _neurons(report)
    if report.get("firing_findings"):
        yield _firing_findings(report)
    yield _kernels(report)
    yield _layers(report)
    if report.get("placement"):
        yield from _placement(report["placement"])
    yield from _storage(report["storage_bits"])
    yield from _energy(report["energy"])
    yield _neurobench(report["neurobench"])
    if report["confirmations"]:
        yield Section(
            "confirmations",
            "Confirmed on other backends",
            ("backend", "samples", "differing", "seconds"),
            [
                (c["backend"], f"{c['samples']:,}", c["differing"], f"{c['seconds']:.1f}")
                for c in report["confirmations"]
            ],
            "Differing: samples whose logits are not equal, bit for bit, to the engine's.",
        )
    if report["findings"]:
        yield Section(
            "limits",
            "Hardware limits",
            ("layer", "rule", "here", "limit", "way out"),
            [(f["layer"], f["rule"], f["value"], f["limit"], f["way_out"]) for f in report["findings"]],
            "None of these stopped the export.",
        )
    if report["rounding"]:
        yield _rounding(report["rounding"])
    yield Section(
        "provenance",
        "Provenance",
        ("what", "value"),
        [(name.replace("_", " "), _plain(value)) for name, value in report["provenance"].items()],
    )


def _ladder(report: Report) -> Section:
    ladder = report["ladder"]
    names = [layer["name"] for layer in report["layers"]]
    accuracy = report["accuracy"]
    note = (
        f"On all {report['samples']:,} test samples: float mixture {accuracy['float_mixture']:.2%}, hard-max "
        f"{accuracy['float']:.2%}, deployed {accuracy['deployed']:.2%}; deployed and hard-max give the same answer on "
        f"{report['agreement']:.2%}."
    )
    if ladder["samples"] < report["samples"]:
        note += f" The ladder stands on the first {ladder['samples']:,} of them."
    return Section(
        "ladder",
        "Accuracy, rung by rung",
        (
            "network",
            "what changes",
            "accuracy",
            "same answer as hard-max",
            *(f"spikes that differ, {n}" for n in names),
        ),
        [
            (
                rung["title"],
                rung["change"],
                f"{rung['accuracy']:.2%}",
                f"{rung['agreement']:.2%}",
                *(f"{rung['spike_difference'][name]:.3%}" for name in names),
            )
            for rung in ladder["rungs"]
        ],
        note,
    )


def _confusion(report: Report) -> Section:
    confusion = report["confusion"]
    pairs = [
        (count, label, answer, confusion["float"][label][answer])
        for label, row in enumerate(confusion["deployed"])
        for answer, count in enumerate(row)
        if label != answer and count
    ]
    most = sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))[:MAX_ROWS]
    wrong = sum(pair[0] for pair in pairs)
    shown = "" if len(most) == len(pairs) else f" The {len(most)} most frequent of {len(pairs)} kinds are listed."
    return Section(
        "confusion",
        "What is taken for what",
        ("label", "answered", "times, deployed", "times, float"),
        [(label, answer, count, in_float) for count, label, answer, in_float in most],
        f"Deployed, {wrong:,} of {report['samples']:,} samples get a wrong answer.{shown}",
    )


def _parting(report: Report) -> Section:
    ladder, parting = report["ladder"], report["ladder"]["parting"]
    neurons = {layer["name"]: layer["neurons"] for layer in report["layers"]}
    rows = [
        (
            each["name"],
            f"{sum(each['per_step']) / len(each['per_step']):.3%}",
            f"{max(each['per_step']):.3%}",
            each["per_step"].index(max(each["per_step"])),
            f"{parting['samples_by_layer'][each['name']]:,}",
            neurons[each["name"]],
        )
        for each in ladder["drift"]
    ]
    first = parting["first"]
    if first is None:
        note = f"No spike differs in {ladder['samples']:,} samples of {ladder['steps']:,} steps."
    else:
        note = (
            f"Deployed and float spikes part ways in {parting['samples_that_part']:,} of {ladder['samples']:,} "
            f"samples, at the median at step {parting['median_step']:g} of {ladder['steps']:,}; first of all in "
            f"{first['layer']}, step {first['step']}, neuron {first['neuron']} (sample {first['sample']})."
        )
    return Section(
        "drift",
        "Where deployed and float part ways",
        ("layer", "spikes that differ", "at the worst step", "worst step", "samples that part here first", "neurons"),
        rows,
        note,
    )


def _neurons(report: Report) -> Section:
    return Section(
        "neurons",
        "Silent and saturated neurons",
        ("layer", "neurons", "silent, float", "silent", "always firing, float", "always firing", "at the 24-bit limit"),
        [
            (
                each["name"],
                each["neurons"],
                each["silent_float"],
                each["silent_deployed"],
                each["always_firing_float"],
                each["always_firing_deployed"],
                each["saturated"],
            )
            for each in report["neurons"]
        ],
        f"Silent: not one spike in {report['ladder']['samples']:,} samples. Always firing: a spike at every step. "
        "At the limit: the membrane reached the largest integer that it may hold. Deployed unless it says float.",
    )


def _firing_findings(report: Report) -> Section:
    return Section(
        "firing-findings",
        "Neurons that say nothing",
        ("layer", "what", "in float", "deployed", "of", "what to do"),
        [
            (each["layer"], each["what"], each["float"], each["deployed"], each["neurons"], each["advice"])
            for each in report["firing_findings"]
        ],
        f"Counted on {report['ladder']['samples']:,} samples, before export (in float) and after.",
    )


def _kernels(report: Report) -> Section:
    rows = []
    for layer in report["kernels"]["layers"]:
        weights = layer["weights"]
        share = "given" if weights is None else f"{sum(weights[span - 1] for span in spans_of(layer)):.1%}"
        rows.append((layer["name"], _heard(layer), len(weights) if weights else "", share))
    return Section(
        "kernels",
        "How far back each layer listens",
        ("layer", "span", "lags to choose from", "weight of the chosen lags"),
        rows,
        "The span is the number of steps after which a spike comes back to its layer; of several heard at once, 3 x 7 "
        "is span 7 counting three times. Weights: softmax over lags, at the temperature "
        f"training ended with ({report['kernels']['temperature']:.3g}).",
    )


def spans_of(layer: dict[str, Any]) -> list[int]:
    """The spans that a layer of the report hears."""
    return [tap["span"] for tap in layer.get("taps", [layer])]


def _heard(layer: dict[str, Any]) -> str:
    """The layer's span, or its taps: 3 x 7 is span 7 counting three times."""
    taps = layer.get("taps")
    return ", ".join(f"{tap['weight']} x {tap['span']}" for tap in taps) if taps else str(layer["span"])


def _layers(report: Report) -> Section:
    readout = report["readout"]
    proof = "possible" if readout["can_saturate"] else "proven impossible"
    return Section(
        "layers",
        "Layers",
        (
            *("layer", "neurons", "span", "bits", "spikes/sample", "float", "rate", "synaptic ops/sample"),
            *("headroom, bits", "saturations"),
        ),
        [
            (
                layer["name"],
                layer["neurons"],
                _heard(layer),
                layer["weight_bits"],
                f"{layer['spikes'] / report['samples']:.1f}",
                f"{layer['spikes_float'] / report['samples']:.1f}",
                f"{layer['spike_rate']:.1%}",
                f"{layer['synaptic_operations'] / report['samples']:,.0f}",
                f"{layer['headroom_bits']:.1f}",
                f"{layer['saturations']} ({'possible' if layer['can_saturate'] else 'proven impossible'})",
            )
            for layer in report["layers"]
        ],
        f"Readout: {readout['classes']} accumulators, {readout['saturations']} saturations ({proof}), "
        f"{readout['headroom_bits']:.1f} bits of headroom. Headroom: what is left to 24 bits in the worst case over "
        "all inputs.",
    )


def _placement(placement: dict[str, Any]) -> Iterator[Section]:
    cores, limits = placement["cores"], placement["limits"]
    rows = []
    for budget, limit in limits.items():
        used = [core["used"].get(budget, 0) for core in cores]
        fullest = max(used, default=0)
        rows.append(
            (
                budget.replace("_", " "),
                f"{sum(used):,}",
                f"{fullest:,}",
                f"{limit:,}",
                f"{fullest / limit:.1%}" if limit else "",
            )
        )
    yield Section(
        "placement",
        "Cores",
        ("budget of a core", "used in all", "on the fullest core", "limit", "fullest core"),
        rows,
        f"{len(cores):,} cores on {placement['chips']:,} chip{'s' if placement['chips'] != 1 else ''}; "
        f"no placement takes fewer than {placement['lower_bound']:,}.",
    )
    if "mappings" in placement:
        yield Section(
            "mappings",
            "Cores by mapping",
            ("mapping", "cores", "at least", "chips", "synaptic memory, bits"),
            [_mapping_row(mapping, found) for mapping, found in placement["mappings"].items()],
            " ".join(
                f"{mapping}: {found['why']}" for mapping, found in placement["mappings"].items() if "why" in found
            ),
        )


def _mapping_row(mapping: str, found: dict[str, Any]) -> tuple[str, ...]:
    if not found["fits"]:
        return mapping, "does not fit", "", "", ""
    return mapping, *(f"{found[key]:,}" for key in ("cores_used", "lower_bound", "chips", "synaptic_memory"))


def _storage(bits: dict[str, Any]) -> Iterator[Section]:
    kinds = [kind for kind in bits["deployed"] if kind != "total"]
    titles = {"state": "membranes", "history": "spike history"}
    whole = {"name": "all", "deployed": bits["deployed"], "float": bits["float"]}
    rows = [
        (layer["name"], version, *(f"{layer[version][kind]:,}" for kind in (*kinds, "total")))
        for layer in [*bits["layers"], whole]
        for version in ("deployed", "float")
    ]
    yield Section(
        "storage",
        "Storage in bits",
        ("layer", "version", *(titles.get(kind, kind.replace("_", " ")) for kind in kinds), "total"),
        rows,
        f"Synaptic memory on the target, its overhead included: {bits['synaptic_memory_on_target']:,} bits."
        + _if_sparse(bits["synaptic_memory_if_sparse"]),
    )
    per_neuron = bits["spike_history_bits_per_neuron"]
    yield Section(
        "history",
        "Spike history by mapping",
        ("mapping", "bits", "bits per neuron"),
        [
            ("delay line", f"{bits['spike_history']['delay_line']:,}", f"{per_neuron['delay_line']:.1f}"),
            ("synaptic delays", f"{bits['spike_history']['synaptic_delay']:,}", f"{per_neuron['synaptic_delay']:.1f}"),
        ],
        bits["paper_statement"]["sentence"],
    )
    if bits["axon_tables"]:
        yield Section(
            "axons",
            "Axon tables",
            ("layer", "input axons", "output axons", "bits"),
            [
                (a["name"], f"{a['input']:,}", f"{a['output']:,}", "unknown" if a["bits"] is None else f"{a['bits']:,}")
                for a in bits["axon_tables"]
            ],
            "Entries over all cores of a layer; bits where the size of an entry is known.",
        )


def _if_sparse(sparse: dict[str, Any] | None) -> str:
    if sparse is None:
        return ""
    return (
        f" If stored sparsely: {sparse['bits']:,} bits, {sparse['overhead_bits']} of them on top of each weight that "
        f"is not 0 ({sparse['source']}); placement and the totals above store every weight."
    )


def _energy(energy: dict[str, Any]) -> Iterator[Section]:
    note = "Modelled, not measured."
    for chip in energy["targets_without_published_prices"]:
        note += f" No per-event energy of {chip} has been published, so none is given."
    if energy["graded_operations_per_sample"]:
        note += f" Products of graded messages: {energy['graded_operations_per_sample']:,.0f} a sample."
    yield Section(
        "energy",
        "Energy per sample, modelled",
        ("network", "nJ", "what it covers"),
        [(e["name"], _interval(e["low_nj"], e["high_nj"]), e["covers"]) for e in energy["estimates"]],
        note,
    )
    sources = dict.fromkeys(source for estimate in energy["estimates"] for source in estimate["sources"])
    yield Section(
        "prices",
        "Where the energies come from",
        ("source", "certainty"),
        [tuple(source.rsplit(", ", 1)) for source in sources],
        "Printed: read in source code or a tool's output. Vendor: text of the maker or a paper. Second-hand: quoted by "
        "others. Inferred: calculated from those. Uncertain: sources are missing or disagree.",
    )
    yield Section(
        "events",
        "Events per sample",
        ("layer", *EVENTS.values()),
        [(e["name"], *(f"{e[key]:,.1f}" for key in EVENTS)) for e in energy["events_per_sample"]],
        "Counted by running the integer network; messages and hops follow from the placement. Synaptic operations add "
        "a weight, graded ones multiply first.",
    )
    timed = [each for each in energy["latency"] if each["basis"]]
    untimed = [each["target"] for each in energy["latency"] if not each["basis"]]
    static = [
        f"{each['target']}: {_interval(each['low_w'], each['high_w'], 3)} W a chip ({'; '.join(each['sources'])})"
        for each in energy["static_power"]
        if each["low_w"] is not None
    ]
    yield Section(
        "latency",
        "Time, modelled",
        ("target", "ns per step", "µs per sample", "busiest core"),
        [
            (
                each["target"],
                _interval(each["low_ns_per_step"], each["high_ns_per_step"]),
                _interval(each["low_us_per_sample"], each["high_us_per_sample"]),
                "chip {} core {}".format(*each["busiest_core"]),
            )
            for each in timed
        ],
        f"Modelled, not measured. {timed[0]['covers'].capitalize() + '. ' if timed else ''}"
        + "".join(f"No time per event of {name} has been published, so none is given. " for name in untimed)
        + f"Static power is in no estimate. {'. '.join(static) or 'No figure is known'}.",
    )


def _neurobench(metrics: dict[str, Any]) -> Section:
    title, headers = "NeuroBench metrics", ("metric", "float, by NeuroBench", "float, our count", "deployed, our count")
    if not metrics["available"]:
        return Section("neurobench", title, headers, [], f"{metrics['why']}.")
    ours = metrics["own_counts"]
    names = {
        "footprint": "footprint in bytes",
        "connection_sparsity": "connection sparsity",
        "activation_sparsity": "activation sparsity",
        "effective_macs": "effective MACs",
        "effective_acs": "effective ACs",
        "dense": "dense operations",
        "membrane_updates": "membrane updates",
    }
    return Section(
        "neurobench",
        title,
        headers,
        [
            (title, *(_number(column[key]) for column in (metrics["float"], ours["float"], ours["deployed"])))
            for key, title in names.items()
        ],
        f"By neurobench {metrics['version']} on {metrics['samples']:,} samples; operations and updates are for one "
        "sample. Effective: active inputs times the non-zero weights they meet, zero weights and biases left out. "
        "Membrane updates: membranes that changed from one step to the next.",
    )


def _rounding(log: list[dict[str, Any]]) -> Section:
    return Section(
        "rounding",
        "Rounding, worst case of each parameter",
        ("layer", "parameter", "float", "integer", "effective", "error", "cut off", "not to the nearest"),
        [
            (
                line["layer"],
                line["parameter"],
                f"{line['float']:.6g}",
                line["integer"],
                f"{line['effective']:.6g}",
                f"{line['error']:.2e}",
                f"{line['cut_off']:,}",
                f"{line['moved']:,}",
            )
            for line in log
        ],
        "Effective: the value that the integer stands for in the float network's unit. Cut off: entries beyond the "
        "ends of their grid. Not to the nearest: entries rounded the other way, or shifted, so that errors cancel.",
    )


def _interval(low: float, high: float, digits: int = 1) -> str:
    return f"{low:,.{digits}f}" if low == high else f"{low:,.{digits}f} to {high:,.{digits}f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 1 else f"{value:,.1f}"


def _plain(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
