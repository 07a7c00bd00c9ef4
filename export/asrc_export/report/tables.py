"""The report as people read it: a title, a sentence, and four groups of tables, in text, Markdown and on the page."""

from __future__ import annotations

from collections.abc import Iterator

from asrc_export.report import verdict
from asrc_export.report.accuracy import answers, baselines, scores
from asrc_export.report.behaviour import ablation, activity, divergence, kernels, layers
from asrc_export.report.cost import devices, energy, neurobench, placement, storage
from asrc_export.report.origin import confirmations, limits, provenance, rounding
from asrc_export.report.report import Report
from asrc_export.report.table import Group, Table, memory


def title(report: Report) -> str:
    """The heading of text and Markdown."""
    return f"asrc report: {report.provenance.data}"


def headline(report: Report) -> str:
    """The report in a line."""
    accuracy, target = report.accuracy, report.provenance.target
    return f"{accuracy.deployed:.1%} right as integers for {target}, {accuracy.in_float:.1%} in float"


def summary(report: Report) -> str:
    """The report in a sentence."""
    deployed, in_float = report.storage.deployed.total, report.storage.in_float.total
    dead = [each.layer for each in report.inactive if each.serious]
    warning = f" Warning: no neuron of {', '.join(dead)} ever fires." if dead else ""
    return (
        f"As integers for {report.provenance.target}, the network answers {report.accuracy.deployed:.1%} of "
        f"{verdict.of_samples(report)} correctly (float {report.accuracy.in_float:.1%}), agrees "
        "with the float "
        f"model on {report.agreement:.1%}, and takes {memory(deployed)} instead of {memory(in_float)}."
        f"{warning}"
    )


def groups(report: Report) -> tuple[Group, ...]:
    """All tables, by the question that they answer, in the order in which people ask. A new section goes into one."""
    made = (
        ("answers", "Is it right?", "How often, how surely, and on which classes.", _answers),
        ("agreement", "Does it do what the float network does?", "Spike by spike, and what parts them.", _agreement),
        ("cost", "What does it take?", "Cores, memory, energy and time; of the chip and of other devices.", _cost),
        ("origin", "Where does it come from?", "Checks, limits met, roundings, files and versions.", _origin),
    )
    return tuple(Group(key, heading, about, tuple(of(report))) for key, heading, about, of in made)


def tables(report: Report) -> Iterator[Table]:
    """All tables of all groups."""
    for group in groups(report):
        yield from group.tables


def _answers(report: Report) -> Iterator[Table]:
    others = baselines.rows(report.baselines, report.samples)
    right = report.accuracy.model_dump()
    yield scores.accuracy_table(report.scores, right, report.samples, others, mixture=report.kernels.mix)
    yield from baselines.tables(report.baselines)
    yield answers.table(report.confusion, report.samples, [each.name for each in report.scores.classes])
    yield scores.table(report.scores)


def _agreement(report: Report) -> Iterator[Table]:
    traced, neurons = report.ablation, {layer.name: layer.neurons for layer in report.layers}
    yield ablation.table(traced, report.agreement, list(neurons), mixture=report.kernels.mix)
    yield divergence.table(traced.divergence, traced.drift, neurons, traced.samples, traced.steps)
    yield activity.neurons_table(report.neurons, traced.samples)
    if report.inactive:
        yield activity.inactive_table(report.inactive, traced.samples)
    if report.kernels.layers:
        yield kernels.table(report.kernels)
    yield layers.table(report.layers, report.readout, report.samples)


def _cost(report: Report) -> Iterator[Table]:
    if report.placement is not None:
        yield from placement.tables(report.placement)
    yield from storage.tables(report.storage)
    yield from energy.tables(report.energy)
    yield devices.table(report.devices)
    yield neurobench.table(report.neurobench)


def _origin(report: Report) -> Iterator[Table]:
    if report.confirmations:
        yield confirmations.table(report.confirmations)
    if report.findings:
        yield limits.table(report.findings)
    if report.rounding:
        yield rounding.table(report.rounding)
    yield provenance.table(report.provenance)
