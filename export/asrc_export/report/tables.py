"""The report as people read it: a title, a sentence, and the tables that text, Markdown and the page all show."""

from __future__ import annotations

from collections.abc import Iterator

from asrc_export.report.behaviour import ablation, activity, answers, divergence, kernels, layers
from asrc_export.report.cost import devices, energy, neurobench, placement, storage
from asrc_export.report.origin import confirmations, limits, provenance, rounding
from asrc_export.report.report import Report
from asrc_export.report.table import Table


def title(report: Report) -> str:
    """The heading of text and Markdown."""
    return f"asrc report: {report.provenance.data}"


def summary(report: Report) -> str:
    """The report in a sentence."""
    deployed, in_float = report.storage.deployed.total, report.storage.in_float.total
    dead = [each.layer for each in report.inactive if each.serious]
    warning = f" Warning: no neuron of {', '.join(dead)} ever fires." if dead else ""
    return (
        f"Deployed on {report.provenance.target}, the network answers {report.accuracy.deployed:.1%} of "
        f"{report.samples:,} test samples correctly (float {report.accuracy.in_float:.1%}), agrees with the float "
        f"model on {report.agreement:.1%}, and takes {deployed / 8192:.1f} KiB instead of {in_float / 8192:.1f} KiB."
        f"{warning}"
    )


def tables(report: Report) -> Iterator[Table]:
    """All tables in the order in which people ask."""
    traced, neurons = report.ablation, {layer.name: layer.neurons for layer in report.layers}
    yield ablation.table(traced, report.accuracy, report.agreement, report.samples, list(neurons))
    yield answers.table(report.confusion, report.samples)
    yield divergence.table(traced.divergence, traced.drift, neurons, traced.samples, traced.steps)
    yield activity.neurons_table(report.neurons, traced.samples)
    if report.inactive:
        yield activity.inactive_table(report.inactive, traced.samples)
    yield kernels.table(report.kernels)
    yield layers.table(report.layers, report.readout, report.samples)
    if report.placement is not None:
        yield from placement.tables(report.placement)
    yield from storage.tables(report.storage)
    yield from energy.tables(report.energy)
    yield devices.table(report.devices)
    yield neurobench.table(report.neurobench)
    if report.confirmations:
        yield confirmations.table(report.confirmations)
    if report.findings:
        yield limits.table(report.findings)
    if report.rounding:
        yield rounding.table(report.rounding)
    yield provenance.table(report.provenance)
