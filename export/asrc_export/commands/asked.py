"""What is asked of asrc-export, looked at before any work: options that would mean nothing, outputs that cannot be."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from asrc_export.commands import devices

FORMATS = ("onnx", "netx", "nir")
"""The options that name a file of another format to write, each with the extra of that name."""
ALWAYS = ("help", "version", "data_dir")


def only(parser: argparse.ArgumentParser, options: argparse.Namespace, kept: Sequence[str], why: str) -> None:
    """End with a usage error for an argument that is given and not ``kept``; ``why`` says what it goes with."""
    for action in parser._actions:  # argparse has no public way to ask a parser what it takes
        if action.dest not in (*kept, *ALWAYS) and getattr(options, action.dest) != action.default:
            named = action.option_strings[-1] if action.option_strings else action.metavar
            parser.error(f"argument {named}: {why}")


def require_outputs(options: argparse.Namespace, *files: str | Path) -> None:
    """Look at ``files`` to be written, and at those that options name: none may be read, too, or be another one.

    Raises UnwritableOutput, and ExtraMissing for a format whose package is not installed.
    """
    from asrc_core import extras
    from asrc_core.files.atomic import require_writable
    from asrc_core.files.outputs import require_apart

    asked = {name: path for name in FORMATS if (path := getattr(options, name))}
    written = [*files, *asked.values()]
    require_apart(_read(options), [*written, *devices.folders(options)])
    for path in written:
        require_writable(path)
    for name in asked:
        extras.require(name, extras.MODULES[name][:1])  # the package that writes it, of those that the extra brings


def _read(options: argparse.Namespace) -> Iterator[str | Path]:
    """The files that options name to be read."""
    yield options.model
    yield from (options.source or ())[1:]
    if options.permutation is not None:
        yield options.permutation
    yield from (each for each in (options.target, options.build) if each is not None and each.endswith(".toml"))
    if options.calibrate_on is not None and _lies_there(options.calibrate_on):
        yield options.calibrate_on


def _lies_there(name: str) -> bool:
    """Whether samples of that name are a file or a folder."""
    from asrc_train import data

    return data.is_path(name)
