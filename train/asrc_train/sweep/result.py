"""What the runs of a sweep came to, read from their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_core.files.paths import as_path
from asrc_train.settings.config import Config
from asrc_train.sweep import keys
from asrc_train.trained import checkpoint

SCORES = ("validation", "test", "test_mixture")


@dataclass(frozen=True)
class Result:
    """A finished training: its settings, accuracies (shares, 0 to 1), spans, and which epoch was the best."""

    name: str
    config: Config
    scores: dict[str, float]
    spans: tuple[int, ...]
    best_epoch: int

    def row(self, swept: Sequence[str]) -> dict[str, Any]:
        """The result as a table's row, with the settings under the keys given."""
        settings = {key: _plain(keys.value(self.config, key)) for key in swept}
        spans = "-".join(map(str, self.spans))
        return {"name": self.name, **settings, **self.scores, "spans": spans, "best_epoch": self.best_epoch}


def read(path: Path) -> Result:
    """The result that a checkpoint holds. Raises UnreadableFile, NonFiniteWeights."""
    trained = checkpoint.load(path)
    try:
        scores = {name: float(trained.scores[name]) for name in SCORES}
        best = int(trained.provenance["best_epoch"])
    except (KeyError, TypeError, ValueError) as error:
        why = "it holds no scores, so it does not come from a training"
        raise UnreadableFile(path, "result", why, "train one with asrc-train or asrc-sweep") from error
    return Result(path.stem, trained.config, scores, trained.spans, best)


def checkpoints_in(paths: Iterable[Path]) -> list[Path]:
    """The checkpoints named, and those in the folders named, sorted within each.

    Raises InvalidSetting if there are none, UnreadableFile for a path at which there is nothing.
    """
    if isinstance(paths, str | Path) or not isinstance(paths, Iterable):
        raise InvalidSetting("checkpoints", f"they are a {type(paths).__name__}; give a list of paths")
    paths = [as_path(path, "a checkpoint") for path in paths]
    for path in paths:
        if not path.exists():
            way_out = "give a file *.pt that asrc-train wrote, or a folder with such files"
            raise UnreadableFile(path, "checkpoint or folder of checkpoints", "it is not there", way_out)
    found = [file for path in paths for file in (sorted(path.glob("*.pt")) if path.is_dir() else [path])]
    if not found:
        raise InvalidSetting("checkpoints", "there is no file *.pt in the folder; train with asrc-train or asrc-sweep")
    return found


def where(results: Iterable[Result], wanted: Mapping[str, Sequence[Any]]) -> list[Result]:
    """The results whose settings are among those wanted, by key. Raises InvalidSetting if none are, UnknownName."""
    found = [
        each
        for each in results
        if all(_is_among(keys.value(each.config, key), settings) for key, settings in wanted.items())
    ]
    if not found:
        raise InvalidSetting("`where`", "no run has these settings")
    return found


def summary(results: Sequence[Result], swept: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each combination of the swept settings but the seed: accuracies over the seeds, as text in percent.

    `test` is the mean with its least and greatest in brackets; `spans` are those of each seed. Rows are in the order of
    settings that are numbers, and of others as they come.
    """
    settings = [key for key in swept if key != keys.SEED]
    places = {key: keys.places([keys.value(each.config, key) for each in results]) for key in settings}

    def place(group: Sequence[Result]) -> tuple[float, ...]:
        return tuple(places[key][keys.shown(keys.value(group[0].config, key))] for key in settings)

    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str([keys.value(result.config, key) for key in settings]), []).append(result)
    return [
        {
            **{key.rpartition(".")[2]: keys.shown(keys.value(group[0].config, key)) for key in settings},
            "runs": len(group),
            **{name: _spread([result.scores[name] for result in group]) for name in ("validation", "test")},
            "spans": "  ".join("-".join(map(str, result.spans)) for result in group),
        }
        for group in sorted(groups.values(), key=place)
    ]


def _is_among(setting: Any, wanted: Sequence[Any]) -> bool:
    return any(setting == each or keys.shown(setting) == keys.shown(each) for each in wanted)  # (8, 8) is [8, 8]


def _spread(shares: Sequence[float]) -> str:
    mean = f"{fmean(shares):.1%}"
    return mean if len(shares) == 1 else f"{mean} ({min(shares):.1%} to {max(shares):.1%})"


def _plain(setting: Any) -> Any:
    return setting if setting is None or isinstance(setting, (bool, int, float, str)) else keys.shown(setting)
