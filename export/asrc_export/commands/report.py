"""asrc-report: the deployed network beside the float model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from asrc_core import extras
from asrc_core.command import command_line
from asrc_export import engines

EXAMPLES = """\
  asrc-report model.loihi2.safetensors --float model.pt
  asrc-report model.loihi2.safetensors --float model.pt -o report.html -o report.json
  asrc-report model.loihi2.safetensors --float model.pt --limit 100 --engine numpy
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
    add("network", metavar="NETWORK.safetensors", help="integer network written by asrc-export")
    add("--float", dest="model", metavar="MODEL.pt", required=True, help="the checkpoint it was exported from")
    add("--data", metavar="NAME", help="data set (default: the one trained on)")
    command_line.add_data_folder(parser)
    add("--limit", metavar="N", type=command_line.positive, help="only the first N test samples")
    add("--engine", choices=engines.names(), default="native", help="all give the same bits")
    command_line.add_outputs(parser, "the report", ".html, .json, .csv, .md, .txt")
    return parser


def _report(options: argparse.Namespace) -> None:
    extras.require("report")
    # Threads that wait for each other's small products burn more processor time than the products take.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from asrc_core.files import by_suffix
    from asrc_core.files.atomic import require_writable
    from asrc_export import report
    from asrc_export.engines import select
    from asrc_export.report.render import formats

    for path in options.out:
        by_suffix.require(path, formats.WRITERS)
        require_writable(path)
    made = report.make_from_files(
        options.network,
        options.model,
        select.engine(options.engine),
        data_name=options.data,
        limit=options.limit,
    )
    if not options.out:
        print(formats.text(made), end="")
        return
    print(report.summary(made))
    for path in options.out:
        report.write(made, path)
        print(path)


if __name__ == "__main__":
    sys.exit(main())
