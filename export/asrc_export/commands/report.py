"""asrc-report: the deployed network beside the float model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from asrc_core import extras
from asrc_core.command import command_line
from asrc_core.counts import plural
from asrc_export import engines

if TYPE_CHECKING:
    from asrc_export.chip.devices.built import Summary

Made = TypeVar("Made")

EXAMPLES = """\
  asrc-report model.loihi2.safetensors --float model.pt
  asrc-report model.loihi2.safetensors --float model.pt -o report.html -o report.json
  asrc-report model.loihi2.safetensors --float model.pt --limit 100 --engine numpy
  asrc-report model.loihi2.safetensors --float model.pt --baseline gru -o report.html
  asrc-report model.loihi2.safetensors --float model.pt --build circuit
  asrc-report a.safetensors b.safetensors --float a.pt --float b.pt -o both.html
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    return command_line.run(parser, lambda: _report(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-report",
        "Run an integer network and the float model it came from on the same test samples; report accuracy, "
        "agreement, events, storage and modelled energy.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("networks", metavar="NETWORK.safetensors", nargs="+", help="integer network written by asrc-export; or several")
    add(
        "--float",
        dest="models",
        metavar="MODEL.pt",
        action="append",
        required=True,
        help="the checkpoint it was exported from; of several networks, once for each, in the same order",
    )
    add("--data", metavar="NAME", help="data set (default: the one trained on)")
    command_line.add_data_folder(parser)
    add("--limit", metavar="N", type=command_line.positive, help="only the first N test samples")
    add("--engine", choices=engines.names(), default="native", help="all give the same bits")
    add(
        "--baseline",
        choices=["gru", "rnn"],
        action="append",
        default=[],
        help="also train a float GRU or RNN of as many parameters, on the same data with the same budget, and measure "
        "it; hours for long sequences, kept beside the report after each epoch; repeatable",
    )
    add(
        "--baseline-epochs",
        metavar="N",
        type=command_line.positive,
        help="epochs of the baseline's training (default: the network's own)",
    )
    add(
        "--build",
        metavar="FOLDER",
        action="append",
        default=[],
        help="also give the size and speed of a circuit, from the build.json in the folder that asrc-export --verilog "
        "FOLDER --build wrote; repeatable",
    )
    command_line.add_outputs(parser, "the report", ".html, .json, .csv, .md, .txt")
    return parser


def _report(options: argparse.Namespace) -> None:
    extras.require("report")
    # Threads that wait for each other's small products burn more processor time than the products take.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from pathlib import Path

    from asrc_core.command import progress
    from asrc_core.errors import InvalidSetting
    from asrc_core.files import by_suffix
    from asrc_core.files.atomic import require_writable
    from asrc_export import report
    from asrc_export.engines import select
    from asrc_export.report.render import comparison, formats

    if options.baseline_epochs and not options.baseline:
        raise InvalidSetting("`baseline_epochs`", "it goes with `baseline` only; name one, or leave it away")
    if len(options.models) != len(options.networks):
        counted = f"{len(options.models)} for {plural(len(options.networks), 'network')}"
        raise InvalidSetting("`models`", f"there are {counted}; give one for each, in the same order")
    for path in options.out:
        by_suffix.require(path, formats.WRITERS)
        require_writable(path)
    builds = _builds(options)
    made = []
    for network, model in zip(options.networks, options.models, strict=True):
        with progress.bar(f"report on {Path(network).name}, %", 100) as update:
            made.append(
                report.make_from_files(
                    network,
                    model,
                    select.engine(options.engine),
                    data_name=options.data,
                    limit=options.limit,
                    baseline=options.baseline,
                    baseline_epochs=options.baseline_epochs,
                    builds=builds,
                    folder=Path(options.out[0]).parent if options.out else None,
                    say=lambda text: print(text, file=sys.stderr, flush=True),
                    progress=lambda done, note: update(100 * done, note),
                )
            )
    if len(made) == 1:
        _print_or_write(made[0], options.out, formats.text, report.summary, report.write)
        return
    both = report.compared(made, options.networks)
    _print_or_write(both, options.out, comparison.text, comparison.summary, comparison.write)


def _builds(options: argparse.Namespace) -> list[Summary]:
    """The summaries of builds. Raises UnreadableFile, InvalidSetting for one of a network that is not reported on."""
    from asrc_core.contract.file import network_file
    from asrc_core.errors import InvalidSetting
    from asrc_export.chip.devices import built

    if not options.build:
        return []
    digests = {network_file.fingerprint(network_file.load(each)) for each in options.networks}
    found = [built.load(path) for path in options.build]
    for path, each in zip(options.build, found, strict=True):
        if each.network_sha256 not in digests:
            names = ", ".join(f"'{name}'" for name in options.networks)
            why = f"'{path}' is the build of another network than {names}; build this one, or leave it out"
            raise InvalidSetting("`build`", why)
    return found


def _print_or_write(
    made: Made,
    out: Sequence[str],
    text: Callable[[Made], str],
    summary: Callable[[Made], str],
    write: Callable[[Made, str], None],
) -> None:
    """The whole text, or the summary and the names of the files written."""
    if not out:
        print(text(made), end="")
        return
    print(summary(made))
    for path in out:
        write(made, path)
        print(path)


if __name__ == "__main__":
    sys.exit(main())
