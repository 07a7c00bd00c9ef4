"""The verdict in words: does it fit, does it agree, what does it cost. Each sentence rests on numbers of the report."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.counts import plural
from asrc_export.report.cost.energy import on_chips
from asrc_export.report.cost.latency import ModelledLatency, UnknownLatency
from asrc_export.report.report import Report
from asrc_export.report.table import MICROSECONDS, NANOJOULES, measured, memory


@dataclass(frozen=True)
class Verdict:
    """One of the three questions: a word or two, and a sentence that says on what they rest."""

    question: str
    answer: str
    why: str


def verdict(report: Report) -> tuple[Verdict, ...]:
    """Fits, agrees, costs."""
    return _fits(report), _agrees(report), _costs(report)


def _fits(report: Report) -> Verdict:
    placement, target = report.placement, report.provenance.target
    if placement is None:
        return Verdict("Does it fit?", "It does not fit", f"no number of cores of {target} holds it.")
    fullest = max(
        (
            core.used.get(budget, 0) / limit
            for core in placement.cores
            for budget, limit in placement.limits.items()
            if limit
        ),
        default=0.0,
    )
    met = f" {plural(len(report.findings), 'hardware limit')} met without stopping it." if report.findings else ""
    return Verdict(
        "Does it fit?",
        "It fits",
        f"{of_cores(report)} on {plural(placement.chips, 'chip')} ({target}); the fullest core is at {fullest:.0%} of "
        f"its tightest limit.{met}",
    )


def of_cores(report: Report) -> str:
    """The cores in use, of those that its chips have."""
    placement = report.placement
    assert placement is not None, "it is placed"
    return f"{placement.cores_used:,} of {plural(placement.cores_available, 'core')}"


def _agrees(report: Report) -> Verdict:
    accuracy, scores = report.accuracy, report.scores
    pair = scores.deployed_against_float
    right = f"deployed (its integers, computed here and on no chip) is right on {accuracy.deployed:.1%} and float on "
    right += f"{accuracy.in_float:.1%}"
    alike = f"the same answer on {report.agreement:.1%} of the samples"
    if not pair.told_apart:
        # which says nothing of the answers themselves: two networks that guess are as often right
        why = f"{right}, a difference that {plural(report.samples, 'sample')} cannot tell from none."
        return Verdict("Does it agree?", alike.capitalize(), why)
    if accuracy.deployed < accuracy.in_float:
        answer, told = "It answers less well than float", "less"
    else:
        answer, told = "It answers better than float", "more"
    points = f"{100 * abs(accuracy.deployed - accuracy.in_float):.1f} points {told}"
    return Verdict("Does it agree?", answer, f"{right}, {points}; both give {alike}.")


def _costs(report: Report) -> Verdict:
    parts = [each for each in (energy(report), time(report)) if each]
    modelled = f"; by published prices, a sample is modelled to take {' and '.join(parts)}" if parts else ""
    silent = report.energy.targets_without_published_prices
    none = f" Nobody has published prices of {', '.join(silent)}." if silent else ""
    others = report.energy.targets_without_such_neurons
    none += f" The prices of {', '.join(others)} are of other neurons." if others else ""
    graded = report.energy.graded_operations_per_sample if energy(report) else 0
    left = (
        f" The energy leaves out the products of graded messages, {graded:,.0f} a sample, which have no price."
        if graded
        else ""
    )
    why = f"{beside_float(report)}{modelled}.{left}{none}"
    return Verdict("What does it cost?", memory(report.storage.deployed.total), why)


def of_samples(report: Report) -> str:
    """Which of the test samples the report is of."""
    if report.samples == report.test_samples:
        return plural(report.samples, "test sample")
    return f"the first {report.samples:,} of {plural(report.test_samples, 'test sample')}"


def beside_float(report: Report) -> str:
    """How much less memory than in float32 the network takes, or how much more: a chip writes kernels out."""
    deployed, in_float = report.storage.deployed.total, report.storage.in_float.total
    if deployed > in_float:
        return f"{deployed / in_float:.1f} times as much memory as float32"
    return f"{in_float / deployed:.1f} times less memory than float32"


def energy(report: Report) -> str | None:
    """Energy of a sample on the first chip with prices, and which one; None where there is none."""
    found = next(iter(on_chips(report.energy)), None)
    if found is None:
        return None
    return f"{measured(NANOJOULES, found.low_nj, found.high_nj)} ({found.scale})"


def no_energy(report: Report) -> str:
    """Why there is none, of each target without."""
    silent, others = report.energy.targets_without_published_prices, report.energy.targets_without_such_neurons
    reasons = [f"no prices of {', '.join(silent)} have been published"] if silent else []
    return "; ".join([*reasons, *(f"{each} has no such neurons" for each in others)])


def time(report: Report) -> str | None:
    """Time of a sample on the first target with published times; None where there is none."""
    found = next((each for each in report.energy.latency if isinstance(each, ModelledLatency)), None)
    if found is None:
        return None
    return f"{measured(MICROSECONDS, found.low_us_per_sample, found.high_us_per_sample)} ({found.target})"


def no_time(report: Report) -> str:
    """Why there is none, of each target without."""
    return "; ".join(each.reason for each in report.energy.latency if isinstance(each, UnknownLatency))
