"""The library's settings, printed as a command's options.

The library knows no command line. Where an error or a note speaks of a setting that commands have an option for, it
writes it in backquotes, as Python would: `bits`, `mapping='synaptic-delay'`, `lossy=True`. A command prints the option
in its place: --bits, --mapping synaptic-delay, --lossy.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping

SETTING = re.compile(r"`([a-z][a-z_]*)(?:=(?:'([^'`]*)'|([\w.+-]+)))?`")
"""A setting, and its value if it is said: text in quotes, or a number or word."""


def named(text: str, options: Mapping[str, str]) -> str:
    """The text with every setting in backquotes as an option; of another command, where ``options`` has none for it."""

    def option(found: re.Match[str]) -> str:
        setting, quoted, plain = found.groups()
        name = options.get(setting, f"--{setting.replace('_', '-')}")
        value = quoted or plain
        return name if value in (None, "True") else f"{name} {value}"

    return SETTING.sub(option, text)


def of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """How the parser, and its subcommands' parsers, name each setting: by an option, or by a positional's metavar."""
    names = {}
    for action in _actions(parser):
        either = isinstance(action, argparse.BooleanOptionalAction)  # its --no- stands behind
        strings = action.option_strings[:1] if either else action.option_strings
        name = max(strings, key=len, default=str(action.metavar or action.dest))
        names[action.dest] = name
        if isinstance(action, argparse._AppendAction) or action.nargs in ("+", "*"):
            names.setdefault(action.dest.removesuffix("s"), name)  # an option given for each, of which one is meant
        names.setdefault(name.lstrip("-").replace("-", "_"), name)
    return names


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public way to ask a parser what it takes
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
