"""A sweep is a recipe and grids of values: every combination, with every seed, is one training."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from asrc_core.errors import InvalidSetting
from asrc_core.forms import toml_file
from asrc_train.settings import recipe
from asrc_train.settings.config import Config
from asrc_train.settings.unread import unread
from asrc_train.sweep import keys

Grid = Mapping[str, Sequence[Any]]
"""Values to try, by dotted key."""
SECTIONS = tuple(Config.model_fields)
LONGEST_NAME = 120
MAX_RUNS = 100_000


@dataclass(frozen=True)
class Run:
    """One training of a sweep: what it is called, what sets it apart from the others, and all of its settings."""

    name: str
    swept: dict[str, Any]
    config: Config

    def checkpoint(self, folder: Path) -> Path:
        """Where its checkpoint lies."""
        return folder / f"{self.name}.pt"


def runs(
    start: str | Path,
    fixed: Mapping[str, Mapping[str, Any]],
    grids: Sequence[Grid],
    seeds: Sequence[int],
    of_all: Collection[str] = (),
) -> list[Run]:
    """Every combination of each grid's values on top of a recipe and fixed settings, once for each seed.

    ``start``: a recipe's name, its path, or that of samples of one's own. ``of_all``: keys that stand in every grid, of
    which not every grid has to have a use.

    Combinations that two grids share are trained once. Raises InvalidSetting (naming the key), also for values that
    make no difference to any run; UnknownName.
    """
    made: dict[str, Run] = {}
    every: list[Config] = []
    for grid in grids:
        for key in grid:
            if keys.require_known(key) == keys.SEED:
                raise InvalidSetting(f"setting '{key}'", "seeds have a list of their own: `seed`, or seeds in the file")
        tried: list[Config] = []
        for values in product(*grid.values(), seeds):
            swept = dict(zip((*grid, keys.SEED), values, strict=True))
            if len(made) == MAX_RUNS:
                raise InvalidSetting("the sweep", f"it has more than {MAX_RUNS} runs")
            nested = keys.sections(swept)
            over = {name: {**fixed.get(name, {}), **nested.get(name, {})} for name in {**fixed, **nested}}
            config = recipe.read(str(start), over)
            tried.append(config)
            made.setdefault(config.model_dump_json(), Run(name_of(swept), swept, config))
        _require_read([key for key in grid if key not in of_all], tried)
        every += tried
    _require_read(of_all, every)
    _require_names_apart(list(made.values()))
    return list(made.values())


def from_file(path: Path, fixed: Mapping[str, Mapping[str, Any]], more: Grid, seeds: Sequence[int] | None) -> list[Run]:
    """The runs of a sweep file: a recipe's sections, and with them `recipe` (a name or a path: what the sections are
    put on top of), `seeds`, and `[[grid]]` tables in which a list holds the values to try.

    ``fixed`` settings go on top of the file's, ``more`` values are combined with every grid's or stand in for them,
    ``seeds`` for the file's. Raises UnreadableFile, UnknownName, and InvalidSetting, also for a fixed setting for which
    the file tries values.
    """
    where = f"sweep '{path}'"
    _, content = toml_file.read(path, "sweep", "give a TOML file with a recipe, seeds and [[grid]] tables")
    unknown = sorted(content.keys() - {"recipe", "seeds", "grid", *SECTIONS})
    if unknown:
        raise InvalidSetting(f"{where}, key '{unknown[0]}'", f"there are recipe, seeds, grid, {', '.join(SECTIONS)}")
    own = {name: _table(content.get(name, {}), f"{where}, key '{name}'") for name in SECTIONS}
    base = content.get("recipe") or own["data"].get("name")
    if not isinstance(base, str):
        raise InvalidSetting(f"{where}, key 'recipe'", "name a recipe, or a data set under data.name")
    if base.endswith(".toml"):
        base = str(path.parent / base)
    tables = content.get("grid", [{}])
    if not isinstance(tables, list):
        raise InvalidSetting(f"{where}, key 'grid'", "write [[grid]], once for each grid")
    own_grids = [_grid(table, f"{where}, grid {i + 1}") for i, table in enumerate(tables)]
    given = {f"{section}.{key}" for section, settings in fixed.items() for key in settings}
    tried = next((key for grid in own_grids for key in grid if key in given), None)
    if tried:
        why = "the file tries values for it, and one is given beside the file; leave one of them out"
        raise InvalidSetting(f"{where}, key '{tried}'", why)
    grids = [{**grid, **more} for grid in own_grids]
    chosen = content.get("seeds", [0]) if seeds is None else seeds
    if not isinstance(chosen, (list, tuple)) or not all(type(seed) is int for seed in chosen):
        raise InvalidSetting(f"{where}, key 'seeds'", "it is a list of whole numbers")
    whole = {name: {**own[name], **fixed.get(name, {})} for name in SECTIONS}
    return runs(base, whole, grids, chosen, more.keys())


def name_of(swept: Mapping[str, Any]) -> str:
    """A file name that says the settings: `connection=src,span=8,seed=0`; long ones end in a hash instead."""
    parts = (f"{key.rpartition('.')[2]}={keys.shown(setting)}" for key, setting in swept.items())
    name = re.sub(r"[^A-Za-z0-9.+=,_-]+", "_", ",".join(parts))
    if len(name) <= LONGEST_NAME:
        return name
    whole = json.dumps(swept, sort_keys=True, default=str).encode()
    return f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(whole).hexdigest()[:8]}"


def _grid(table: Any, where: str) -> dict[str, list[Any]]:
    """A grid table with its sections flattened: a list is values to try, anything else the one value."""
    found: dict[str, list[Any]] = {}
    for section, settings in _table(table, where).items():
        for name, setting in _table(settings, f"{where}, key '{section}'").items():
            values = setting if isinstance(setting, list) else [setting]
            if not values:
                raise InvalidSetting(f"{where}, key '{section}.{name}'", "its list of values is empty")
            found[keys.require_known(f"{section}.{name}")] = values
    return found


def _table(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidSetting(where, "a table is expected here")
    return content


def _require_read(settings: Iterable[str], tried: Sequence[Config]) -> None:
    """Raise InvalidSetting for a setting that none of the runs reads."""
    for key in settings:
        if tried and all(unread(config, [key]) for config in tried):
            of = unread(tried[0], [key])[key]
            raise InvalidSetting(f"setting '{key}'", f"nothing reads it here: it is of {of}; leave it out")


def _require_names_apart(made: list[Run]) -> None:
    seen: dict[str, Run] = {}
    for run in made:
        other = seen.setdefault(run.name.lower(), run)  # some file systems take no notice of case
        if other is not run:
            raise InvalidSetting(f"run '{run.name}'", "two runs of the sweep would have this name")
