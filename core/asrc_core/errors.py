"""Every error a user can meet, each formatting its own sentence: what, where, and a way out.

The commands print the sentence and leave with status 1; nothing here ever shows a traceback.
Assertions elsewhere are for us, these are for users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from asrc_core.counts import agreeing, plural


class AsrcError(Exception):
    """Root of all named errors; ``str(error)`` is one sentence for the user."""


def printable(text: str) -> str:
    """The text in one line: line breaks and what else no terminal should get from a file's names are escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class UnreadableFile(AsrcError):
    """A file that is missing, empty, truncated, corrupt or of another kind."""

    def __init__(self, path: str | Path, kind: str, why: str, way_out: str) -> None:
        super().__init__(f"cannot read {kind} '{path}': {printable(why)}; {way_out}.")


class UnwritableOutput(AsrcError):
    """An output whose folder is missing, full or read-only."""

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(f"cannot write '{path}': {why}; choose another path, any file already there is untouched.")
        self.why = why


class UnknownName(AsrcError):
    """A name that is not registered; the sentence lists those that are, and what else could stand there."""

    def __init__(self, kind: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
        or_else = f", or {otherwise}" if otherwise else ""
        super().__init__(f"unknown {kind} '{printable(name)}'; known: {', '.join(sorted(known))}{or_else}.")


class InvalidSetting(AsrcError):
    """A setting, recipe key or argument whose value makes no sense."""

    def __init__(self, where: str, why: str) -> None:
        # The value may be shown, and an array shows itself in lines.
        super().__init__(" ".join(f"{where}: {why}.".splitlines()))
        self.why = why


class InvalidData(AsrcError):
    """Samples whose shape, type or values do not fit what they are fed to."""

    def __init__(self, what: str, why: str, way_out: str) -> None:
        super().__init__(f"{what}: {why}; {way_out}.")


class NonFiniteWeights(AsrcError):
    """NaN or infinity where a number is needed."""

    def __init__(self, tensor: str, count: int) -> None:
        super().__init__(
            f"tensor '{tensor}' holds {plural(count, 'NaN or infinite value')}, which no integer stands for; "
            "train again with a lower learning rate, or export an earlier checkpoint."
        )


class TrainingDiverged(AsrcError):
    """The loss stopped being a number."""

    def __init__(self, epoch: int, tensor: str, kept: Path | None) -> None:
        rest = f"the last good checkpoint is kept in '{kept}'" if kept else "no epoch was finished before"
        super().__init__(
            f"training diverged in epoch {epoch}: '{tensor}' is no longer finite; {rest}; lower `learning_rate`."
        )


class TrainingSilent(AsrcError):
    """A layer that does not fire any more, so that nothing reaches what stands below it."""

    def __init__(self, epoch: int, layer: str, epochs: int, kept: Path | None) -> None:
        lasting = "in a whole epoch" if epochs == 1 else f"for {epochs} epochs"
        rest = f"the last good checkpoint is kept in '{kept}'" if kept else "no epoch was finished before"
        super().__init__(
            f"training stopped in epoch {epoch}: '{layer}' has not fired {lasting}; {rest}; start with larger weights, "
            "lower `learning_rate`, or raise `revival`."
        )


class RunsFailed(AsrcError):
    """Some of a sweep's trainings failed; all of them at once, each with its own sentence."""

    def __init__(self, failed: Mapping[str, str], runs: int, folder: Path) -> None:
        listed = "\n  ".join(f"{name}: {why}" for name, why in failed.items())
        super().__init__(
            f"{len(failed)} of {plural(runs, 'run')} failed, what the others came to is in '{folder}':\n  {listed}"
        )


class CannotFreeze(AsrcError):
    """A neuron or a connection that trains, but that the integer contract does not hold. Never approximated."""

    def __init__(self, what: str, missing: str) -> None:
        super().__init__(f"{what} cannot be frozen for a chip: the integer contract {missing}.")


class SpanTooLong(AsrcError):
    """A skip span beyond what the mapping can remember. Never truncated."""

    def __init__(self, layer: str, span: int, limit: int, mapping: str, way_out: str) -> None:
        super().__init__(
            f"layer '{printable(layer)}' has span {span}, but the {mapping} mapping reaches back "
            f"at most {plural(limit, 'step')}; {way_out}."
        )


class InvalidNetwork(AsrcError):
    """An integer network that breaks the arithmetic contract (docs/arithmetic.md)."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"integer network invalid at {printable(where)}: {printable(why)} (docs/arithmetic.md).")


class RulesBroken(AsrcError):
    """Hardware limits exceeded; all of them at once."""

    def __init__(self, target: str, violations: Iterable[str]) -> None:
        listed = list(violations)
        super().__init__(
            f"the network breaks {plural(len(listed), 'limit')} of target '{target}':\n  " + "\n  ".join(listed)
        )


class BackendMissing(AsrcError):
    """A backend that is not installed, or lacks something of this machine."""

    def __init__(self, backend: str, why: str, install: str) -> None:
        super().__init__(f"backend '{backend}' is not available: {why}; {install}.")


class ExtraMissing(BackendMissing, ImportError):
    """Packages that are not installed, and the extra of this one that brings them (`asrc_core.extras`).

    `instead` is a sentence on what can be done without them.
    """

    def __init__(self, modules: Sequence[str], extra: str, instead: str = "") -> None:
        self.modules, self.extra = modules, extra
        listed = ", ".join(f"'{module}'" for module in modules)
        what, verb, them = agreeing(len(modules), ("package", "is", "it"), ("packages", "are", "them"))
        ImportError.__init__(
            self,
            f"{what} {listed} {verb} not installed; install {them} with: pip install 'asrc-toolchain[{extra}]'."
            + (instead and f" {instead}"),
        )


class BackendFailed(AsrcError):
    """A backend that started and died, or ran past its deadline."""

    def __init__(self, backend: str, why: str, way_out: str) -> None:
        super().__init__(f"backend '{backend}' failed: {why}; {way_out}.")


class ParityBroken(AsrcError):
    """Two backends that should give the same integers and do not."""

    def __init__(self, first: str, second: str, where: str) -> None:
        super().__init__(f"'{first}' and '{second}' part ways at {where}; please report it, with the network file.")
