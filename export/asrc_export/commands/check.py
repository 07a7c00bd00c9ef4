"""asrc-check: how far an integer network's accumulators get, what makes them overflow, which neurons are inactive."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asrc_core.command import command_line
from asrc_core.counts import plural
from asrc_export import engines

if TYPE_CHECKING:
    from asrc_core.contract.network import IntegerNetwork
    from asrc_core.contract.ranges import Range
    from asrc_export.checks.firing import Finding
    from asrc_export.checks.headroom import Headroom
    from asrc_export.checks.overflow import Verdict

EXAMPLES = """\
  asrc-check model.loihi2.safetensors
  asrc-check imported.safetensors --save overflowing.npz
  asrc-sim imported.safetensors --input overflowing.npz
  asrc-check model.loihi2.safetensors --data digits --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    return command_line.run(parser, lambda: _check(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-check",
        "Say of every accumulator and membrane of an integer network how far it can get whatever the input, how far it "
        "gets on data, and how many bits are left; look for an input that makes it overflow where the bound allows "
        "one; name the inactive neurons.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("network", metavar="NETWORK.safetensors", help="integer network written by asrc-export")
    add("--data", metavar="NAME", help="data set to observe (default: the one trained on, if the network names it)")
    command_line.add_data_folder(parser)
    add("--save", metavar="FILE.npz", help="write the inputs found that overflow, for asrc-sim --input")
    add("--engine", choices=engines.names(), default="native", help="all give the same bits")
    add("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _check(options: argparse.Namespace) -> None:
    import json

    from asrc_core.contract.file import network_file
    from asrc_core.errors import ExtraMissing, UnreadableFile
    from asrc_core.files.atomic import require_writable
    from asrc_export.checks import calibrate, check
    from asrc_export.engines import select
    from asrc_export.samples.dataset_samples import dataset_for

    if options.save:
        require_writable(options.save)
    network = network_file.load(options.network)
    engine = select.engine(options.engine, network)
    known = options.data or network.provenance.get("data")
    x = None
    try:
        if known:
            dataset = dataset_for(network, known)
            x = dataset.train_x[: calibrate.SAMPLES]
            for note in dataset.notes_on("train") if options.data else ():
                print(f"note: {note}", file=sys.stderr)
    except (ExtraMissing, UnreadableFile) as error:  # what could overflow is proven without samples
        if options.data:
            raise
        print(f"asrc-check: nothing is observed on data set '{known}': {error}", file=sys.stderr)
    found = check.check(network, x, run=engine.run)
    spare, verdicts, inactive = found.headroom, found.verdicts, found.inactive
    if options.json:
        print(json.dumps(_content(network, spare, verdicts, inactive, 0 if x is None else len(x))))
    else:
        _print(
            network,
            spare,
            verdicts,
            inactive,
            None if x is None else f"{plural(len(x), 'training sample')} of '{known}'",
        )
    if options.save:
        _save(options.save, verdicts)
        if not options.json:
            print(options.save)


def _print(
    network: IntegerNetwork,
    spare: Sequence[Headroom],
    verdicts: Sequence[Verdict],
    inactive: Sequence[Finding],
    observed: str | None,
) -> None:
    from tabulate import tabulate

    from asrc_export.chip.shape import of_network

    rows = [
        (
            each.layer,
            each.quantity,
            f"{each.limit:,}",
            _interval(each.worst),
            f"{each.bits:.1f}",
            "" if each.observed is None else _interval(each.observed),
            "" if each.observed_bits is None else f"{each.observed_bits:.1f}",
        )
        for each in spare
    ]
    headers = ("layer", "quantity", "limit", "worst case", "headroom, bits", "observed", "headroom, bits")
    mapping = of_network(network).mapping or "both mappings"
    print(f"{network.target}, {mapping}, {plural(network.steps, 'step')}; observed on {observed or 'no data'}")
    print(tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=("left", "left", *("right",) * 5)))
    for verdict in verdicts:
        print(verdict)
    for finding in inactive:
        command_line.say(f"{'warning' if finding.serious else 'note'}: {finding}")


def _content(
    network: IntegerNetwork,
    spare: Sequence[Headroom],
    verdicts: Sequence[Verdict],
    inactive: Sequence[Finding],
    samples: int,
) -> dict[str, Any]:
    def plain(extent: Range | None) -> list[int] | None:
        return None if extent is None else [extent.low, extent.high]

    return {
        "target": network.target,
        "steps": network.steps,
        "samples": samples,
        "accumulators": [
            {
                "layer": each.layer,
                "quantity": each.quantity,
                "limit": each.limit,
                "worst_case": plain(each.worst),
                "headroom_bits": each.bits,
                "observed": plain(each.observed),
                "observed_headroom_bits": each.observed_bits,
            }
            for each in spare
        ],
        "overflow": [
            {
                "layer": each.name,
                "verdict": each.kind,
                "inputs_tried": each.tried,
                "neuron": each.example.neuron if each.example else None,
                "step": each.example.step if each.example else None,
                "saturations": each.example.saturations if each.example else None,
            }
            for each in verdicts
        ],
        "firing": [
            {"layer": each.layer, "kind": each.kind, "neurons": list(each.neurons), "advice": each.advice}
            for each in inactive
        ],
    }


def _save(path: str, verdicts: Sequence[Verdict]) -> None:
    """Write the examples, one sample each, and which layer each of them is for. Raises InvalidData without any."""
    import numpy as np

    from asrc_core.errors import InvalidData
    from asrc_export.checks.overflow import examples
    from asrc_export.samples import samples_file

    found = list(examples(verdicts))
    if not found:
        raise InvalidData(f"'{path}'", "no input that overflows was found, so none is written", "leave --save away")
    names, inputs = zip(*found, strict=True)
    samples_file.save(path, np.concatenate([each.x for each in inputs]), {"layer": np.array(names)})


def _interval(extent: Range) -> str:
    return f"{extent.low:,} to {extent.high:,}"


if __name__ == "__main__":
    sys.exit(main())
