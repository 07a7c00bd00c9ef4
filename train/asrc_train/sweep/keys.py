"""A configuration's settings by dotted key, as sweeps and analyses name them: `network.span`, `training.seed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from asrc_core.errors import InvalidSetting, UnknownName
from asrc_core.forms import toml
from asrc_train.settings.config import Config

SEED = "training.seed"


@cache
def known() -> tuple[str, ...]:
    """Every setting there is."""
    sections = {name: getattr(field.annotation, "model_fields", {}) for name, field in Config.model_fields.items()}
    return tuple(f"{section}.{key}" for section, fields in sections.items() for key in fields)


def require_known(key: str) -> str:
    """The key itself. Raises InvalidSetting naming the one that is nearly it, UnknownName listing those there are."""
    if key not in known():
        near = get_close_matches(key, known(), 1)
        if near:
            raise InvalidSetting(f"setting '{key}'", f"there is no such setting; did you mean '{near[0]}'")
        raise UnknownName("setting", key, known())
    return key


def value(config: Config, key: str) -> Any:
    """What a configuration has under a key. Raises what `require_known` does."""
    section, _, name = require_known(key).partition(".")
    return getattr(getattr(config, section), name)


def differing(configs: list[Config]) -> list[str]:
    """The keys under which the configurations do not all have the same."""
    return [key for key in known() if any(value(config, key) != value(configs[0], key) for config in configs)]


def sections(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings by dotted key as the sections of a recipe."""
    nested: dict[str, dict[str, Any]] = {}
    for key, setting in settings.items():
        section, _, name = key.partition(".")
        nested.setdefault(section, {})[name] = setting
    return nested


def parse(assignment: str) -> tuple[str, list[Any]]:
    """Key and values of `KEY=VALUE,VALUE,...`; values as in TOML, words may go without quotes.

    Raises what `require_known` does, InvalidSetting for anything but KEY=VALUES.
    """
    key, equals, text = assignment.partition("=")
    if not equals or not text.strip():
        raise InvalidSetting(f"setting '{assignment}'", "it is not KEY=VALUE,VALUE,...")
    require_known(key.strip())
    try:
        return key.strip(), list(toml.loads(f"values = [{text}]")["values"])
    except toml.TOMLDecodeError:
        return key.strip(), [_scalar(part.strip()) for part in text.split(",")]


def shown(setting: Any) -> str:
    """A value as names and labels show it: 64-128-128, yes, 0.5."""
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    if isinstance(setting, (list, tuple)):
        return "-".join(map(shown, setting))
    return str(setting)


def places(settings: Sequence[Any]) -> dict[str, float]:
    """Where each value stands on a scale, by how it is shown: numbers at their value, others side by side."""
    if all(isinstance(setting, (int, float)) and not isinstance(setting, bool) for setting in settings):
        return {shown(setting): float(setting) for setting in sorted(settings)}
    return {text: float(i) for i, text in enumerate(dict.fromkeys(map(shown, settings)))}


def _scalar(text: str) -> Any:
    try:
        return toml.loads(f"value = {text}")["value"]
    except toml.TOMLDecodeError:
        return text
