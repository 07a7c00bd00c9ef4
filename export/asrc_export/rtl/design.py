"""All files of a circuit, by name."""

from __future__ import annotations

from asrc_core.contract.network import IntegerNetwork
from asrc_export.rtl import core
from asrc_export.rtl.hexadecimal import hex_file
from asrc_export.rtl.plan import Plan, Shape, plan
from asrc_export.rtl.unit import units


def design(network: IntegerNetwork, shape: Shape) -> tuple[Plan, dict[str, str]]:
    """The plan of a circuit, and its files: SystemVerilog, and the contents of its memories in hexadecimal."""
    laid = plan(network, shape)
    parts = units(laid)
    files = {f"{each.name}.sv": each.text for each in parts}
    for each in parts:
        for name, contents in each.roms.items():
            files[name] = hex_file(contents, each.rom_bits[name])
    files["core.sv"] = core.printed(laid, parts, "asrc_core")
    files["program.hex"] = hex_file(core.program_words(laid), sum(width for _, width in core.fields(laid)))
    rows = laid.weight_rows()
    if shape.loadable:
        files["weights.hex"] = hex_file(rows, core.row_bits(laid))
    else:
        for i, (low, bits) in enumerate(core.slices(laid)):
            files[f"weights_{i}.hex"] = hex_file((row >> low & ((1 << bits) - 1) for row in rows), bits)
    return laid, files
