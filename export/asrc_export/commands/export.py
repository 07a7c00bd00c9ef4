"""asrc-export: from a checkpoint to the integer network of a target."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from asrc_core import extras
from asrc_core.command import command_line
from asrc_core.counts import plural
from asrc_export.commands import asked
from asrc_export.commands import circuits as cli_circuits
from asrc_export.commands import devices as cli_devices
from asrc_export.commands import import_network as cli_import
from asrc_export.commands.integer_file import check_integers, from_integers, is_integers
from asrc_export.commands.printed.exported import print_layers, print_rounding, print_search
from asrc_export.commands.printed.target import print_target

if TYPE_CHECKING:
    from pathlib import Path

    from asrc_core.contract.network import IntegerNetwork
    from asrc_export.exporting import Exported

EXAMPLES = """\
  asrc-export model.pt --target loihi2
  asrc-export model.pt --target loihi2 --bits 6 --mapping synaptic-delay -o small.safetensors
  asrc-export model.pt --target loihi2 --bits 4 --finetune 5
  asrc-export model.pt --target loihi2 --bits auto --budget 40KB
  asrc-export model.pt --target my_chip.toml --rounding-log
  asrc-export model.pt --target loihi2 --onnx model.onnx
  asrc-export delays.pt --target loihi1 --max-delay 7
  asrc-export vanilla.pt --target loihi2 --netx model.net
  asrc-export model.pt --nir model.nir --lossy
  asrc-export model.loihi2.safetensors --onnx model.onnx --c out/
  asrc-export model.pt --target cortex-m4 --c out/ --run cortex-m4
  asrc-export model.loihi2.safetensors --verilog out/ --build ice40up5k
  asrc-export --show-target loihi1
  asrc-export --check digits --target loihi1 --mapping synaptic-delay
  asrc-export --what-if model.pt --target loihi2
  asrc-export --what-if model.pt --change bits=4 --change bits=4,span=1/2 -o smaller.md
  asrc-export best.pth --from asrc-snn args.json --target loihi2
  asrc-export network.net --from netx --steps 64 --input-maximum 16
  asrc-export graph.nir --from nir --dt 1e-4 --reset soft --data digits
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    cli_import.check(parser, options)
    if options.show_target is None and options.check is None and options.model is None:
        parser.error("name a checkpoint, a recipe with --check, or a target with --show-target")
    if options.run and not options.c:
        parser.error("argument --run: goes with --c only")
    cli_circuits.require(parser, options)
    if options.lossy and not options.nir:
        parser.error("argument --lossy: goes with --nir only")
    if options.nir_for and not options.nir:
        parser.error("argument --nir-for: goes with --nir only")
    if (options.bits == "auto") != (options.budget is not None):
        parser.error("argument --budget: goes with --bits auto, and it with a budget")
    if options.bits == "auto" and (options.check is not None or (options.source and options.source[0] == "netx")):
        parser.error("argument --bits: auto needs a float network and samples")
    _require_what_if(parser, options)
    if options.stock_lif and options.finetune:
        parser.error("argument --stock-lif: goes without --finetune, which trains neurons that fire at their threshold")
    if options.netx and options.finetune:
        parser.error(
            "argument --netx: goes without --finetune, which trains in the target's number formats, not netx's"
        )
    _require_only(parser, options)
    if is_integers(options):
        check_integers(parser, options)
        return command_line.run(parser, lambda: from_integers(options))
    return command_line.run(parser, lambda: _body(options)(options))


def _require_what_if(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with status 2 if the options of --what-if do not go together."""
    if options.change and not options.what_if:
        parser.error("argument --change: goes with --what-if only")
    if options.what_if and (options.model is None or options.bits == "auto" or options.finetune):
        parser.error("argument --what-if: takes a checkpoint and a number of bits, and trains nothing")
    if options.what_if and is_integers(options):
        parser.error("argument --what-if: takes the checkpoint, as bits and spans are chosen anew from its floats")


def _require_only(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with status 2 for an option that what is asked for would leave unused."""
    if options.show_target is not None:
        asked.only(parser, options, ("show_target",), "goes without --show-target, which prints and stops")
    elif options.check is not None:
        kept: tuple[str, ...] = ("check", "target", "bits", "mapping")
        asked.only(parser, options, kept, "goes without --check, which asks about a recipe and stops")
    elif options.what_if:
        own = ("model", "what_if", "change", "target", "bits", "mapping", "calibrate_on", "out")
        kept = (*own, "source", *cli_import.OPTIONS)
        asked.only(parser, options, kept, "goes without --what-if, which writes a table and stops")
    elif options.source and options.source[0] == "netx":
        kept = ("model", "out", "source", *cli_import.OPTIONS)
        why = "goes without --from netx; import the network first, and name the integer network that was written"
        asked.only(parser, options, kept, why)


def _body(options: argparse.Namespace) -> Callable[[argparse.Namespace], None]:
    if options.show_target is not None:
        return lambda options: print_target(options.show_target)
    if options.check is not None:
        return _check
    return _what_if if options.what_if else _export


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-export",
        "Freeze a trained network to its skip spans, quantize it to integers that obey the target, and write it "
        "as one .safetensors file.",
        EXAMPLES,
    )
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL.pt",
        nargs="?",
        help="checkpoint written by asrc-train; or an integer network (.safetensors), to write in another form",
    )
    add(
        "--target",
        metavar="NAME_OR_TOML",
        default="loihi2",
        help="loihi1, loihi2, a device such as cortex-m4, or a target file (default: loihi2)",
    )
    add("-o", "--out", metavar="FILE", help="integer network to write (default: MODEL.<target>.safetensors)")
    add(
        "--bits",
        metavar="N",
        type=_bits,
        default=8,
        help="weight bits, 2 to 8 (default: 8), or 'auto': of each layer its own, chosen under --budget",
    )
    add("--budget", metavar="SIZE", help="with --bits auto: what all weights may take, such as 40KB, 40KiB, 320000bits")
    add(
        "--finetune",
        metavar="EPOCHS",
        type=command_line.positive,
        help="first train on as the integer network it will be, for so many epochs; writes a checkpoint .qat.pt, too",
    )
    add(
        "--mapping",
        choices=["delay-line", "synaptic-delay"],
        default="delay-line",
        help="where past spikes are kept: 32 bits a neuron (spans to 32), or in the synapses (spans to 63)",
    )
    add(
        "--calibrate",
        metavar="DATA",
        dest="calibrate_on",
        help="data set by which scales are chosen and on which ranges are observed (default: the one trained on); "
        "none: without samples",
    )
    command_line.add_data_folder(parser)
    add("--rounding-log", action="store_true", help="print float value, integer and effective value of each parameter")
    add("--onnx", metavar="FILE.onnx", help="write the integer network as an ONNX model, too")
    add("--netx", metavar="FILE.net", help="write its layers for lava-dl, too, and keep to what netx can represent")
    add("--nir", metavar="FILE.nir", help="write the float network as a NIR graph, too")
    add(
        "--nir-for",
        metavar="FRAMEWORK",
        help="with --nir: for the reader of snntorch, norse, sinabs, rockpool, spikingjelly or spyx, in its terms",
    )
    add("--lossy", action="store_true", help="with --nir: even where only our own reader will see all of it; listed")
    add("--strict", action="store_true", help="refuse decays that round to none, or to a time constant a tenth off")
    add(
        "--pole-bits",
        metavar="N",
        type=_bits,
        help="bits of the poles of state-space neurons, 12 to 20 (default: 16, for memories of up to 4,000 steps), or "
        "'auto': of each layer the fewest that change hardly more spikes on samples",
    )
    add(
        "--mode-bits", metavar="N", type=_bits, help="the same of what reads their modes, 3 to 8 (default: 8) or 'auto'"
    )
    add("--max-delay", metavar="STEPS", type=int, help="cut delays of single synapses to so many steps, and say so")
    stock = "keep to what Lava's own LIF computes, for networks with delays in which first spikes decide"
    add("--stock-lif", action="store_true", help=stock)
    add("--check", metavar="RECIPE_OR_TOML", help="say whether a recipe's network will fit the target, and stop")
    add(
        "--what-if",
        action="store_true",
        help="say what half the bits, half the span and half the width would change, and stop; "
        "-o writes the table (.txt, .md, .json, .csv)",
    )
    add(
        "--change",
        metavar="WHAT=N,...",
        action="append",
        default=[],
        help="with --what-if: bits, span or width at most N, or a share of it, as bits=4,span=1/2; repeatable",
    )
    add("--show-target", metavar="NAME_OR_TOML", help="print a target's numbers with their sources, and stop")
    cli_devices.add_options(parser)
    cli_import.add_options(parser)
    return parser


def _export(options: argparse.Namespace) -> None:
    if options.source and options.source[0] == "netx":
        cli_import.import_integers(options)
        return
    cli_devices.require_possible(options)
    extras.require("train")

    from asrc_core.command import progress
    from asrc_export.exporting import export
    from asrc_export.quantization.scales import PROVENANCE_KEY

    model, out, tuned = _places(options)
    if options.source:
        cli_import.import_network(options)
    if options.nir:
        _write_nir(model, options)
    bits = _widths(model, options)
    if options.finetune:
        _finetune(model, tuned, bits, options)
        model = tuned
    with progress.bar("choosing scales, %", 100) as update:
        exported = export(
            model,
            options.target,
            out,
            bits=bits,
            mapping=options.mapping,
            calibrate_on=options.calibrate_on,
            netx=bool(options.netx),
            strict=options.strict,
            max_delay=options.max_delay,
            stock_lif=options.stock_lif,
            pole_bits=options.pole_bits,
            mode_bits=options.mode_bits,
            progress=lambda done, note: update(100 * done, note),
        )
    print_layers(exported)
    print_search(exported)
    if options.rounding_log:
        print_rounding(exported)
    for finding in exported.findings:
        command_line.say(f"note: {finding}")
    for each in exported.cut:
        command_line.say(f"warning: {each}")
    for told in exported.sample_notes:
        command_line.say(f"note: {told}")
    for leak in exported.leaks:
        command_line.say(f"warning: {leak}")
    for silent in exported.firing:
        command_line.say(f"{'warning' if silent.serious else 'note'}: {silent}")
    if PROVENANCE_KEY in exported.network.provenance:
        print("note: weights are rounded at the scales that the checkpoint was fine-tuned at")
    if options.finetune:
        _assert_same_spikes(model, exported, options)
    print(exported.path)
    _write_forms(exported.network, options)
    if options.netx:
        from asrc_export.interop.netx import writer as netx_export

        netx_export.save(exported.network, options.netx)
        print(options.netx)


def _places(options: argparse.Namespace) -> tuple[str | Path, Path, Path]:
    """The checkpoint to export, the integer network to write, and the checkpoint that fine-tuning writes.

    Raises UnwritableOutput for any output that cannot be, UnknownName and UnreadableFile for the target.
    """
    from pathlib import Path

    from asrc_export.chip import devices
    from asrc_export.exporting import default_output

    model = cli_import.imported(options) if options.source else options.model
    chip, device = devices.numbers(options.target)
    out = Path(options.out or default_output(model, device or chip))
    tuned = out.with_suffix(".qat.pt")
    made = (model,) if options.source else ()
    asked.require_outputs(options, out, *made, *((tuned,) if options.finetune else ()))
    return model, out, tuned


def _write_forms(network: IntegerNetwork, options: argparse.Namespace) -> None:
    if options.onnx:
        from asrc_export.onnx_model import graph

        graph.save(network, options.onnx)
        print(options.onnx)
    if cli_devices.wanted(options):
        cli_devices.write(network, options)


def _bits(text: str) -> int | str:
    """Argparse type: a number, or 'auto'."""
    try:
        return text if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number nor auto") from None


def _widths(model: str | Path, options: argparse.Namespace) -> int | tuple[int, ...]:
    """The bits asked for; for 'auto', those chosen for each layer and the readout, which are printed."""
    if options.bits != "auto":
        return int(options.bits)
    from tabulate import tabulate

    from asrc_core.command import progress
    from asrc_core.errors import InvalidSetting
    from asrc_export.chip import devices
    from asrc_export.exporting import NO_SAMPLES
    from asrc_export.quantization.search import bit_budget
    from asrc_export.samples.dataset_samples import calibration_for
    from asrc_train.trained import freeze

    budget, frozen = bit_budget.parse(options.budget), freeze.freeze_file(model)
    data = options.calibrate_on or frozen.provenance["data"]
    if not data or data == NO_SAMPLES:
        why = "they are chosen on samples" if data else "the network does not say what it was trained on"
        raise InvalidSetting("--bits auto", f"{why}; name data by --calibrate")
    samples = calibration_for(frozen, data).train_x
    with progress.bar("choosing bits", len(frozen.layers) + 1) as update:
        found = bit_budget.choose(
            frozen, devices.numbers(options.target)[0], budget, samples, mapping=options.mapping, progress=update
        )
    each = zip(found.names, found.options, found.chosen, strict=True)
    rows = [
        (name, *(f"{option.loss:.4f}" for option in tried), chosen.width, f"{chosen.storage / 8000:,.3f}")
        for name, tried, chosen in each
    ]
    tried = [f"{plural(option.width, 'bit')}" for option in found.options[0]]
    print("loss in nats a sample of each part at each width, all others at the widest:")
    print(tabulate(rows, ("layer", *tried, "chosen", "weights, KB"), disable_numparse=True))
    print(f"weights take {found.storage / 8000:,.3f} KB of {budget / 8000:,.3f} KB")
    return found.bits


def _finetune(model: str | Path, tuned: Path, bits: int | tuple[int, ...], options: argparse.Namespace) -> None:
    """Fine-tune, write the new checkpoint to ``tuned``, and say how well it answers.

    Data to calibrate on that do not fit are refused before (UnknownName, InvalidData).
    """
    from asrc_core.command import progress
    from asrc_export.exporting import NO_SAMPLES
    from asrc_export.quantization.training import finetune
    from asrc_export.samples.dataset_samples import calibration_for
    from asrc_train.trained import checkpoint, freeze
    from asrc_train.training import training_progress

    if options.calibrate_on not in (None, NO_SAMPLES):
        calibration_for(freeze.freeze_file(model), options.calibrate_on)
    before = checkpoint.load(model).scores
    with progress.bar(f"fine-tuning at {_listed(bits)} bits", options.finetune) as update:
        trained = finetune.finetune(
            model,
            options.target,
            tuned,
            epochs=options.finetune,
            bits=bits,
            mapping=options.mapping,
            max_delay=options.max_delay,
            pole_bits=options.pole_bits,
            mode_bits=options.mode_bits,
            strict=options.strict,
            data_name=None if options.source else options.data,
            observers=(training_progress.moving(update),),
        )
    scores = (
        f"{part} {trained.scores[part]:.1%}" + (f" (float {before[part]:.1%})" if part in before else "")
        for part in ("validation", "test")
    )
    print(f"fine-tuned: best epoch {trained.provenance['best_epoch']} of {options.finetune}, {', '.join(scores)}")
    print(tuned)


def _listed(bits: int | tuple[int, ...]) -> str:
    return str(bits) if isinstance(bits, int) else "/".join(map(str, bits))


def _assert_same_spikes(model: str | Path, exported: Exported, options: argparse.Namespace) -> None:
    from asrc_export.chip import devices
    from asrc_export.quantization.training import finetune

    result = finetune.require_same_spikes(model, devices.numbers(options.target)[0], exported.network)
    spikes = sum(result.spikes_per_layer)
    print(
        f"asserted on all {plural(len(result.logits), 'test sample')}: the {plural(spikes, 'spike')} of all "
        "layers and steps and every "
        "logit are those of the fine-tuned checkpoint"
    )


def _write_nir(model: str | Path, options: argparse.Namespace) -> None:
    from asrc_export.interop.nir import writer as nir_export

    said = f"not said by '{options.nir}'" if options.nir_for else f"said in the metadata of '{options.nir}' only"
    for lost in nir_export.save(model, options.nir, lossy=options.lossy, nir_for=options.nir_for):
        print(f"note: {said}: {lost}")
    print(options.nir)


def _check(options: argparse.Namespace) -> None:
    from asrc_export.commands import recipe_check as cli_recipe_check

    cli_recipe_check.check(options.check, options.target, options.bits, options.mapping)


def _what_if(options: argparse.Namespace) -> None:
    extras.require("train")

    from asrc_export.commands import what_if as cli_what_if

    made = (cli_import.imported(options),) if options.source else ()
    asked.require_outputs(options, *made, *((options.out,) if options.out else ()))
    cli_what_if.show(
        cli_import.import_network(options) if options.source else options.model,
        options.target,
        bits=options.bits,
        mapping=options.mapping,
        changes=options.change,
        data_name=options.calibrate_on,
        out=options.out,
    )


if __name__ == "__main__":
    sys.exit(main())
