"""Options of asrc-export that import a network of another tool.

A float network becomes a checkpoint like ours, and is then exported; integers stay the integers that they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from asrc_core.command import command_line
from asrc_core.files.paths import beside
from asrc_export.interop.nir.frameworks.readings import FRAMEWORKS

if TYPE_CHECKING:
    from asrc_export.interop.imported import Feed, Imported

FILES = {"asrc-snn": ("args.json",), "nir": (), "netx": ()}
"""The kinds of file that can be read, and the further files that each one needs."""
OPTIONS = {
    "data": ("asrc-snn", "nir"),
    "steps": ("asrc-snn", "nir", "netx"),
    "input_maximum": ("asrc-snn", "nir", "netx"),
    "input_scale": ("asrc-snn", "nir", "netx"),
    "permutation": ("asrc-snn",),
    "dt": ("nir",),
    "integration": ("nir",),
    "reset": ("nir",),
    "loop_span": ("nir",),
    "fires": ("asrc-snn", "nir", "netx"),
    "written_by": ("nir",),
    "answer": ("nir",),
    "skip_blocks": ("netx",),
}
"""Which options mean something for which kind."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the group to the parser of asrc-export."""
    *first, last = FRAMEWORKS
    add = parser.add_argument_group(
        "networks of other tools",
        "MODEL is read as such, written as MODEL.imported.pt (for asrc-report --float), and exported. netx files hold "
        "integers already and become an integer network at once.",
    ).add_argument
    add(
        "--from",
        dest="source",
        metavar=("KIND", "FILE"),
        nargs="+",
        help="'asrc-snn args.json': a best.pth of the paper's authors; 'nir': a NIR graph; 'netx': lava-dl's HDF5",
    )
    add(
        "--data",
        metavar="NAME",
        help="data set of ours that the network was trained on; or, with --finetune, where your own samples are now",
    )
    add("--steps", metavar="T", type=command_line.positive, help="without one: steps of a sample,")
    add("--input-maximum", metavar="M", type=command_line.positive, help="largest integer fed (the smallest is 0),")
    add("--input-scale", metavar="S", type=float, help="and the real value of one unit (default: 1)")
    add("--permutation", metavar="FILE.npy", help="asrc-snn: order of the pixels (default: drawn again from the seed)")
    add("--dt", metavar="SECONDS", type=float, help="nir: the time step, in the unit of the graph's time constants")
    add(
        "--integration",
        choices=["euler", "exact", "rockpool", "spyx"],
        help="nir: how tau becomes a decay factor, 1 - dt/tau (euler, spyx) or exp(-dt/tau) (exact, rockpool); the two "
        "frameworks' names for their own gain of the input (default: what --written-by has, else euler)",
    )
    add(
        "--reset",
        choices=["soft", "hard", "late"],
        help="nir: what happens to a membrane that fires; late: the threshold is subtracted a step later, as snnTorch "
        "does by default (default: what --written-by has, else hard, which is what NIR "
        "means; snnTorch and Sinabs train with soft unless told otherwise, and do not write it down)",
    )
    add(
        "--fires",
        choices=["at", "above"],
        help="whether a membrane that equals the threshold fires (default: nir: what --written-by has, else above; "
        "netx: above, as on Lava, though SLAYER trains with at; asrc-snn: what the surrogate has)",
    )
    add(
        "--written-by",
        metavar="FRAMEWORK",
        help=f"nir: {', '.join(first)} or {last}: sets what that framework leaves out of its files, where no option "
        "says otherwise (default: what the graph's metadata name)",
    )
    add(
        "--answer",
        choices=["sum", "last", "maximum"],
        help="nir: what of a leaky readout's membrane is the logits: its sum over time (default), its last or greatest",
    )
    add("--loop-span", metavar="LAMBDA", type=command_line.positive, help="nir: span of a recurrence written undelayed")
    add("--skip-blocks", metavar="N", type=command_line.positive, help="netx: leave out the first N blocks")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a usage error if the options do not go together."""
    kind, *files = options.source or (None,)
    if kind is not None and kind not in FILES:
        parser.error(f"argument --from: unknown kind '{kind}' (choose from {', '.join(FILES)})")
    if kind is not None and len(files) != len(FILES[kind]):
        wanted = " ".join((kind, *FILES[kind]))
        parser.error(f"argument --from: expected '{wanted}', after MODEL")
    for name, kinds in OPTIONS.items():
        if name == "data" and kind is None and options.finetune:
            continue
        if getattr(options, name) is not None and kind not in kinds:
            others = " or --finetune" if name == "data" else ""
            parser.error(
                f"argument --{name.replace('_', '-')}: goes with --from {' or --from '.join(kinds)}{others} only"
            )


def imported(options: argparse.Namespace) -> Path:
    """The checkpoint that a float network becomes: never model.pt, which may be what a graph was written from."""
    return beside(options.model, ".imported.pt")


def import_network(options: argparse.Namespace) -> Path:
    """Read the other tool's file, write the checkpoint beside it, print what was settled how; the checkpoint's path.

    Raises what the readers raise, UnwritableOutput.
    """
    from asrc_core.files.atomic import require_writable
    from asrc_train.trained import checkpoint

    path = imported(options)
    require_writable(path)
    brought = _read(options)
    checkpoint.save(brought.checkpoint, path)
    for note in brought.notes:
        command_line.say(f"note: {note}")
    print(path)
    return path


def import_integers(options: argparse.Namespace) -> Path:
    """Read a netx file and write it as an integer network, by default beside it; the path.

    Raises InvalidSetting, what `netx_import.read` raises, UnwritableOutput.
    """
    from asrc_core.contract.file import network_file
    from asrc_core.errors import InvalidSetting
    from asrc_export.commands import asked
    from asrc_export.interop.netx import reader as netx_import

    if options.steps is None:
        raise InvalidSetting("--steps", "a netx file does not say how many steps a sample has")
    path = Path(options.out or beside(options.model, ".loihi2.safetensors"))
    asked.require_outputs(options, path)
    network = netx_import.read(
        options.model,
        steps=options.steps,
        maximum=options.input_maximum or 1,
        scale=1.0 if options.input_scale is None else options.input_scale,
        skip_layers=options.skip_blocks or 0,
        fires=options.fires or "above",
    )
    if options.fires is None:
        command_line.say(
            "note: neurons fire above their threshold, as netx does on Lava; SLAYER trains with neurons that fire at "
            "it, which --fires at reads"
        )
    # No rule is asked: what netx runs is within the chip's formats.
    network_file.save(network, path)
    print(path)
    return path


def _read(options: argparse.Namespace) -> Imported:
    from asrc_export.interop.imported import Feed

    asked: Feed = Feed(options.data, options.steps, options.input_maximum, options.input_scale)
    if options.source[0] == "asrc-snn":
        from asrc_export.interop.asrc_snn import reader as asrc_snn

        return asrc_snn.read(options.model, options.source[1], asked, options.permutation, options.fires)
    from asrc_export.interop.nir import reader as nir_import

    return nir_import.read(
        options.model,
        asked,
        dt=options.dt,
        integration=options.integration,
        reset=options.reset,
        loop_span=options.loop_span,
        fires=options.fires,
        written_by=options.written_by,
        answer=options.answer,
    )
