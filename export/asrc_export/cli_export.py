"""asrc-export: from a checkpoint to the integer network of a target."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asrc_export import cli_import
from asrc_train import command_line

if TYPE_CHECKING:
    from pathlib import Path

    from asrc_export.export import Exported

EXAMPLES = """\
  asrc-export model.pt --target loihi2
  asrc-export model.pt --target loihi2 --bits 6 --mapping synaptic-delay -o small.safetensors
  asrc-export model.pt --target loihi2 --bits 4 --finetune 5
  asrc-export model.pt --target my_chip.toml --rounding-log
  asrc-export model.pt --target loihi2 --onnx model.onnx
  asrc-export vanilla.pt --target loihi2 --netx model.net
  asrc-export model.pt --nir model.nir --lossy
  asrc-export --show-target loihi1
  asrc-export --check digits --target loihi1 --mapping synaptic-delay
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
    if options.lossy and not options.nir:
        parser.error("argument --lossy: goes with --nir only")
    body = _show_target if options.show_target is not None else _export if options.check is None else _check
    return command_line.run("asrc-export", lambda: body(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "asrc-export",
        "Freeze a trained network to its skip spans, quantize it to integers that obey the target, and write it "
        "as one .safetensors file.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("model", metavar="MODEL.pt", nargs="?", help="checkpoint written by asrc-train")
    add("--target", metavar="NAME_OR_TOML", default="loihi2", help="loihi1, loihi2 or a target file (default: loihi2)")
    add("-o", "--out", metavar="FILE", help="integer network to write (default: MODEL.<target>.safetensors)")
    add("--bits", metavar="N", type=int, default=8, help="weight bits, 2 to 8 (default: 8)")
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
    add("--calibrate", metavar="DATA", help="data set on which ranges are observed (default: the one trained on)")
    add("--rounding-log", action="store_true", help="print float value, integer and effective value of each parameter")
    add("--onnx", metavar="FILE.onnx", help="write the integer network as an ONNX model, too")
    add("--netx", metavar="FILE.net", help="write its layers for lava-dl, too, and keep to what netx can represent")
    add("--nir", metavar="FILE.nir", help="write the float network as a NIR graph, too")
    add("--lossy", action="store_true", help="with --nir: even where only our own reader will see all of it; listed")
    add("--check", metavar="RECIPE_OR_TOML", help="say whether a recipe's network will fit the target, and stop")
    add("--show-target", metavar="NAME_OR_TOML", help="print a target's numbers with their sources, and stop")
    cli_import.add_options(parser)
    return parser


def _export(options: argparse.Namespace) -> None:
    from asrc_export.export import export
    from asrc_export.scales import PROVENANCE_KEY

    if options.source and options.source[0] == "netx":
        cli_import.bring_in_integers(options)
        return
    model = cli_import.bring_in(options) if options.source else options.model
    if options.nir:
        _write_nir(model, options)
    out = options.out
    if options.finetune:
        model, out = _finetune(model, options)
    exported = export(
        model,
        options.target,
        out,
        bits=options.bits,
        mapping=options.mapping,
        calibrate_on=options.calibrate,
        netx=bool(options.netx),
    )
    print_layers(exported)
    if options.rounding_log:
        _print_rounding(exported)
    for finding in exported.findings:
        print(f"note: {finding}")
    if PROVENANCE_KEY in exported.network.provenance:
        print("note: weights are rounded at the scales that the checkpoint was fine-tuned at")
    if options.finetune:
        _assert_same_spikes(model, exported, options)
    print(exported.path)
    if options.onnx:
        from asrc_export.onnx_model import graph

        graph.save(exported.network, options.onnx)
        print(options.onnx)
    if options.netx:
        from asrc_export.interop import netx_export

        netx_export.save(exported.network, options.netx)
        print(options.netx)


def _finetune(model: str | Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """Fine-tune; the new checkpoint, and where the integer network goes."""
    from pathlib import Path

    from asrc_export import finetune
    from asrc_export.chip import target
    from asrc_export.export import default_output
    from asrc_train import progress

    out = Path(options.out or default_output(model, target.load(options.target)))
    tuned = out.with_suffix(".qat.pt")
    with progress.bar(f"fine-tuning at {options.bits} bits", options.finetune) as update:
        trained = finetune.finetune(
            model,
            options.target,
            tuned,
            epochs=options.finetune,
            bits=options.bits,
            mapping=options.mapping,
            observers=(progress.of_training(update),),
        )
    print(
        f"fine-tuned: best epoch {trained.provenance['best_epoch']} of {options.finetune}, "
        f"validation {trained.scores['validation']:.1%}, test {trained.scores['test']:.1%}"
    )
    print(tuned)
    return tuned, out


def _assert_same_spikes(model: str | Path, exported: Exported, options: argparse.Namespace) -> None:
    from asrc_export import finetune
    from asrc_export.chip import target

    result = finetune.require_same_spikes(model, target.load(options.target), exported.network)
    spikes = sum(result.spikes_per_layer)
    print(
        f"asserted on all {len(result.logits):,} test samples: the {spikes:,} spikes of all layers and steps and every "
        "logit are those of the fine-tuned checkpoint"
    )


def _write_nir(model: str | Path, options: argparse.Namespace) -> None:
    from asrc_export.interop import nir_export

    for lost in nir_export.save(model, options.nir, lossy=options.lossy):
        print(f"note: said in the metadata of '{options.nir}' only: {lost}")
    print(options.nir)


def print_layers(exported: Exported) -> None:
    """Print the table of the layers: shapes, formats, and how far each accumulator is from saturating."""
    import math

    from tabulate import tabulate

    from asrc_export.arithmetic import STATE_MAX
    from asrc_export.network import worst_case

    network, observed = exported.network, exported.observed
    ranges = worst_case(network)

    def headroom(reach: int) -> str:
        return f"{math.log2(STATE_MAX / max(reach, 1)):.1f}"

    def seen(i: int) -> str:
        return headroom(observed[i].state.magnitude) if observed else "no data"

    def saturation(i: int) -> str:
        if ranges[i].state.fits_state:
            return "impossible"
        return f"possible ({observed[i].saturations} seen)" if observed else "possible"

    rows: list[tuple[object, ...]] = [
        (
            layer.name,
            f"{layer.inputs} x {layer.neurons}",
            layer.span,
            layer.weight_bits,
            f"{layer.feedforward_exponent} / {layer.recurrent_exponent}",
            layer.threshold,
            layer.decay,
            headroom(ranges[i].state.magnitude),
            seen(i),
            saturation(i),
        )
        for i, layer in enumerate(network.layers)
    ]
    out = network.readout
    last = len(rows)
    rows.append(
        (
            out.name,
            f"{out.inputs} x {out.classes}",
            "",
            out.weight_bits,
            str(out.exponent),
            "",
            "",
            headroom(ranges[last].state.magnitude),
            seen(last),
            saturation(last),
        )
    )
    headers = (
        "layer",
        "shape",
        "span",
        "bits",
        "exponents",
        "threshold",
        "decay",
        "headroom, bits",
        "observed, bits",
        "saturation",
    )
    print(f"{network.target}, {network.mapping}, {network.steps} steps, {network.synapses:,} synapses")
    print(tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=("left", *("right",) * 8, "left")))


def _print_rounding(exported: Exported) -> None:
    from tabulate import tabulate

    rows = [
        (r.layer, r.parameter, f"{r.value:.6g}", r.integer, f"{r.effective:.6g}", f"{r.error:.2e}")
        for r in exported.rounding
    ]
    print("rounding, worst case of each parameter:")
    print(tabulate(rows, ("layer", "parameter", "float", "integer", "effective", "error"), disable_numparse=True))


def _check(options: argparse.Namespace) -> None:
    from asrc_export import cli_check

    cli_check.check(options.check, options.target, options.bits, options.mapping)


def _show_target(options: argparse.Namespace) -> None:
    from tabulate import tabulate

    from asrc_export.chip import target

    chip = target.load(options.show_target)
    rows = [
        (
            "formats.weight_bits",
            "in use",
            ", ".join(map(str, chip.formats.weight_bits)),
            "bits",
            "printed",
            chip.formats.weight_bits_source,
        )
    ]
    for name, each in target.quantities(chip):
        rows.append((name, "in use", f"{each.value:,.12g}", each.unit, each.certainty, each.source))
        rows += [
            ("", "or", f"{other.value:,.12g}", each.unit, other.certainty, other.source) for other in each.alternatives
        ]
    print(f"{chip.title} ({chip.name})")
    print(tabulate(rows, ("quantity", "", "value", "unit", "certainty", "source"), disable_numparse=True))
    if chip.energy is None:
        print("No published energy per event: counts are reported, joules are not.")
    if chip.timing is None:
        print("No published time per event: no latency is reported.")


if __name__ == "__main__":
    sys.exit(main())
