"""The serial shell of a circuit, with the tops and constraints of the boards."""

from __future__ import annotations

from pathlib import Path
from string import Template

from asrc_export.rtl import core
from asrc_export.rtl.plan import Plan

HERE = Path(__file__).parent
BOARDS = ("icebreaker.sv", "icebreaker.pcf", "ulx3s.sv", "ulx3s.lpf")


def shell(plan: Plan) -> dict[str, str]:
    """shell.sv for this circuit, and the files of the boards."""
    bits, row = plan.sent_bits(-1), core.row_bits(plan)
    values = {
        "channels": plan.network.input.channels,
        "classes": plan.network.classes,
        "rows": plan.rows,
        "most_cycles": core.most_cycles(plan),
        "value_bytes": value_bytes(plan),
        "value_top": 8 * value_bytes(plan) - 1,
        "class_top": core.top(plan.network.classes - 1),
        "flash_top": core.top(plan.network.classes + 3),
        "row_bytes": row_bytes(plan),
        "row_top": 8 * row_bytes(plan) - 1,
        "address_top": core.top(plan.rows - 1),
        "x_top": bits - 1,
        "load": f",\n    .load(load), .load_address(row_number), .load_data(row[{row - 1}:0])"
        if plan.shape.loadable
        else "",
    }
    text = Template((HERE / "shell.sv").read_text()).substitute(values)
    return {"shell.sv": text, **{name: (HERE / name).read_text() for name in BOARDS}}


def value_bytes(plan: Plan) -> int:
    """Bytes in which a channel's value is sent."""
    return -(-plan.sent_bits(-1) // 8)


def row_bytes(plan: Plan) -> int:
    """Bytes in which a row of weights is sent."""
    return -(-core.row_bits(plan) // 8)
