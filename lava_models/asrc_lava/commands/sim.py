"""asrc-sim: run an integer network on a data set, on any backend, with the same bits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asrc_core.command import command_line
from asrc_core.counts import plural
from asrc_export import engines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asrc_core.contract.network import IntegerNetwork
    from asrc_core.contract.result import Result
    from asrc_lava.boards.board import Measured

PROCESSES = ("lava", "loihi2")
"""Backends of Lava's, which are no engines."""
BACKENDS = (*engines.names(), *PROCESSES)
COMPARED = 5 * 2**29
"""Bytes of traces that are compared at a time: those of a thousand samples of permuted MNIST."""

EXAMPLES = """\
  asrc-sim model.loihi2.safetensors
  asrc-sim model.loihi2.safetensors --backend lava --limit 20
  asrc-sim model.loihi2.safetensors --backend lava --graph single --limit 5 --compare numpy
  asrc-sim model.loihi2.safetensors --backend numpy --trace out.npz --limit 4
  asrc-sim model.loihi2.safetensors --json
  asrc-sim model.loihi2.safetensors --input samples.npz
  asrc-sim digits.loihi2.safetensors seven.wav            raw samples: the file states what makes integers of them
  asrc-sim mine.loihi2.safetensors --data my.npz --split train
  SLURM=1 asrc-sim model.loihi2.safetensors --backend loihi2 --limit 200 --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    given = {"SAMPLE": bool(options.raw), "--input": options.input is not None, "--data": options.data is not None}
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        parser.error(f"{' and '.join(named)} each say which samples to take; give one of them")
    if options.split is not None and (options.raw or options.input is not None):
        parser.error(f"argument --split: goes with a data set, and {named[0]} says which samples to take")
    return command_line.run(parser, lambda: _simulate(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-sim",
        "Run an integer network on a data set and print accuracy and spikes. All backends give the same integers.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("network", metavar="NETWORK.safetensors", help="integer network written by asrc-export")
    raw = "raw samples, a file each: .wav, or (steps, channels) as .npy or .csv, in place of a data set"
    add("raw", metavar="SAMPLE", nargs="*", default=[], help=raw)  # without a default, argparse asks for one
    add(
        "--backend", choices=BACKENDS, default="native", help="default: native; loihi2 is a board, see docs/hardware.md"
    )
    add("--graph", choices=["batched", "single"], default="batched", help="lava: many samples at once, or one by one")
    add("--data", metavar="NAME_OR_PATH", help="data set, or raw samples of your own (default: what it was trained on)")
    command_line.add_data_folder(parser)
    add(
        "--input",
        metavar="FILE",
        help="integers x (samples, steps, channels) of an .npz or .npy, fed as they are, instead of data",
    )
    add("--split", choices=["train", "test"], help="of a data set (default: test)")
    add("--limit", metavar="N", type=command_line.positive, help="only the first N samples")
    add("--trace", metavar="FILE.npz", help="write every spike and membrane of every layer")
    add(
        "--compare", metavar="BACKEND", choices=BACKENDS, help="run this backend too; name the first difference, if any"
    )
    given_up = "lava, loihi2: give up after that long, or after as long for each part of the samples that are compared"
    add("--deadline", metavar="SECONDS", type=command_line.positive, help=given_up)
    add("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _simulate(options: argparse.Namespace) -> None:
    import json

    from asrc_core import preprocessing
    from asrc_core.contract.file import network_file
    from asrc_core.files.atomic import require_writable

    if options.trace:
        require_writable(options.trace)
    network = network_file.load(options.network)
    x, y = _samples(network, options)
    x, y = x[: options.limit], y if y is None else y[: options.limit]
    backend, result, measured, seconds, other = _run_all(network, x, options)
    if options.trace:
        _write_trace(network, result, options.trace)
    names = preprocessing.classes_of(network.provenance, network.classes)
    outcome: dict[str, Any] = {
        "backend": backend,
        "samples": len(x),
        "seconds": seconds,
        "accuracy": None if y is None else float((result.predictions == y).mean()),
        "predictions": result.predictions.tolist(),
        "classes": list(names),
        "logits": result.logits.tolist(),
        "spikes_per_layer": result.spikes_per_layer,
        "saturations_per_layer": [count.saturations for count in result.counts],
        "synaptic_operations_per_layer": [c.feedforward_operations + c.recurrent_operations for c in result.counts],
    }
    if measured is not None:
        outcome["measured"] = measured.per_sample(len(x))
        outcome["modelled"] = _modelled(network, result, len(x))
    if options.json:
        print(json.dumps(outcome))
        return
    spikes = "/".join(f"{count / len(x):.1f}" for count in result.spikes_per_layer)
    rate = len(x) / seconds
    print(f"{backend}: {plural(len(x), 'sample')} in {seconds:.2f} s ({rate:,.1f} samples/s, start-up included)")
    answers = "no labels" if y is None else f"accuracy {outcome['accuracy']:.2%}"
    print(f"{answers}, spikes per sample {spikes}")
    for path, logits in zip(options.raw, result.logits, strict=False):
        print(_answer(path, logits, names))
    saturated = sum(outcome["saturations_per_layer"])
    if saturated:
        print(f"warning: {plural(saturated, 'accumulator step')} saturated at 24 bits")
    if options.compare:
        print(f"equal to {other}, bit for bit: logits, counts, every spike, every membrane")
    if measured is not None:
        _print_energy(outcome["measured"], outcome["modelled"])
    if options.trace:
        print(options.trace)


def _answer(path: str, logits: NDArray[np.int64], names: Sequence[str]) -> str:
    """Which class the file is of, and which comes next."""
    first, *others = (-logits).argsort(kind="stable")  # of equals the first, as `Result.predictions` has it
    after = f"; next {names[others[0]]}, {logits[others[0]]:,}" if others else ""
    return f"{path}: {names[first]} (logit {logits[first]:,}{after})"


def _samples(
    network: IntegerNetwork, options: argparse.Namespace
) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64] | None]:
    """Samples in the network's order of steps and their labels; those of --input have none."""
    if options.raw:
        from asrc_export.samples import raw_samples

        made = raw_samples.load(options.raw, network)
        for said in made.notes:
            print(f"note: {said}", file=sys.stderr)
        return made.x, None
    if options.input is not None:
        from asrc_export.samples import given_samples, samples_file

        x = samples_file.load(options.input)
        note = given_samples.note_on(network, x)
        if note is not None:
            print(f"note: {note}", file=sys.stderr)  # where it is in nobody's JSON
        return x, None
    from asrc_core.errors import ExtraMissing
    from asrc_export.samples.dataset_samples import dataset_for, split_of

    try:
        dataset = dataset_for(network, options.data)
    except ExtraMissing as missing:
        own = "Samples of your own (--input x.npz) need no extra."
        raise ExtraMissing(missing.modules, missing.extra, own) from missing
    split = options.split or "test"
    for note in dataset.notes_on(split):
        print(f"note: {note}", file=sys.stderr)
    return split_of(dataset, split)


def _run_all(
    network: IntegerNetwork, x: NDArray[np.integer[Any]], options: argparse.Namespace
) -> tuple[str, Result, Measured | None, float, str]:
    """The backend's name and its result, what a board measured, the seconds it took, and what it was compared with.

    Where traces are needed to compare by only, samples are taken some at a time. Raises InvalidData for a trace that
    memory does not hold, InvalidSetting where one backend would be compared with itself.
    """
    import time
    from dataclasses import replace

    from asrc_core.contract import parity, result
    from asrc_core.errors import InvalidSetting

    backend, other = _run_by(options.backend, network), _run_by(options.compare, network) if options.compare else ""
    if backend == other:
        why = f"'{options.backend}' and '{options.compare}' would both run on '{backend}' here, and it equals itself"
        raise InvalidSetting("--compare", f"{why}; name another, such as {'native' if backend == 'numpy' else 'numpy'}")
    whole = not options.compare or options.trace or "loihi2" in (options.backend, options.compare)
    traces = 2 if options.compare else 1
    if whole and (options.trace or options.compare):
        result.require_room_for_trace(network, len(x), x.shape[1], traces=traces)
    size = max(1, len(x) if whole else _compared_at_once(network, x.shape[1]))
    parts, seconds = [], 0.0
    for first in range(0, max(1, len(x)), size):
        part = x[first : first + size]
        started = time.perf_counter()
        mine, measured = _run(backend, network, part, bool(options.trace or options.compare), options)
        seconds += time.perf_counter() - started
        if options.compare:
            theirs, _ = _run(other, network, part, True, options)
            parity.require_equal(network, mine, theirs, (backend, other), sample=first)
        parts.append(mine if options.trace else replace(mine, trace=None))
    return backend, result.joined(parts, len(x)), measured, seconds, other


def _run_by(backend: str, network: IntegerNetwork) -> str:
    """The backend, or the engine that takes over from it for this network or on this machine, which a line tells."""
    if backend in PROCESSES:
        return backend
    from asrc_export.engines import select

    return select.engine(backend, network).name


def _compared_at_once(network: IntegerNetwork, steps: int) -> int:
    """Samples whose traces, two of them, stay below `COMPARED` bytes, and below what memory holds."""
    from asrc_core.contract import result

    fit = result.samples_that_fit(network, steps, traces=2)
    some = COMPARED // max(1, 2 * result.trace_bytes(network, steps))
    return some if fit is None else min(some, fit)


def _run(
    backend: str, network: IntegerNetwork, x: NDArray[np.integer[Any]], trace: bool, options: argparse.Namespace
) -> tuple[Result, Measured | None]:
    if backend not in PROCESSES:
        from asrc_export.engines import select

        return select.engine(backend, network).run(network, x, trace=trace), None
    from asrc_core.command import progress
    from asrc_lava.host import run

    # Lava's first step starts processes, so the bar counts steps of Lava, not samples.
    with progress.bar("Lava", 1) as update:

        def report(done: int, total: int) -> None:
            update(done / total, f"{done:,} of {total:,} Lava steps")

        if backend == "loihi2":
            return run.run_on_board(network, x, trace=trace, deadline_s=options.deadline, progress=report)
        result = run.run(network, x, trace=trace, graph=options.graph, deadline_s=options.deadline, progress=report)
        return result, None


def _modelled(network: IntegerNetwork, result: Result, samples: int) -> dict[str, float] | None:
    """Energy of one sample from counted events and the target's prices, in joules; None if nobody published any."""
    from asrc_export.chip import targets
    from asrc_export.chip.cost import energy

    estimate = energy.on_chip(network, result.counts, samples, targets.of(network.target, network.provenance))
    if estimate is None:
        return None
    return {"low_joules": estimate.low_nj * 1e-9, "high_joules": estimate.high_nj * 1e-9}


def _print_energy(measured: dict[str, float], modelled: dict[str, float] | None) -> None:
    print(
        f"measured a sample, whole board: {measured['seconds'] * 1e3:.3g} ms, {measured['total_joules'] * 1e6:.3g} uJ, "
        f"of which dynamic {measured['dynamic_joules'] * 1e6:.3g} uJ"
    )
    if modelled is None:
        print("modelled: nothing, no energy per event is published for this chip")
    else:
        low, high = (modelled[end] * 1e6 for end in ("low_joules", "high_joules"))
        print(f"modelled a sample, dynamic: {low:.3g} to {high:.3g} uJ")


def _write_trace(network: IntegerNetwork, result: Result, path: str) -> None:
    import numpy as np

    from asrc_core.files.atomic import replacing

    assert result.trace is not None
    arrays: dict[str, Any] = {"logits": result.logits, f"{network.readout.name}.accumulator": result.trace.readout}
    for layer, trace in zip(network.hidden, result.trace.layers, strict=True):
        arrays[f"{layer.name}.spikes"] = trace.spikes
        arrays[f"{layer.name}.membrane"] = trace.membrane
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    sys.exit(main())
