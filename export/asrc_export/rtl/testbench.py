"""A testbench that runs with Icarus Verilog or Verilator: stimuli, and what the interpreter computes from them."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import interpreter
from asrc_core.contract.result import checked_input
from asrc_export.rtl import core
from asrc_export.rtl.hexadecimal import hex_file
from asrc_export.rtl.plan import Plan

TEMPLATE = Path(__file__).with_name("testbench.sv")
CYCLES_PER_UPDATE = 2000
"""After so many the circuit is said to stand still."""


def bench(plan: Plan, x: NDArray[np.generic]) -> dict[str, str]:
    """The testbench's files for samples (B, T, channels). Raises InvalidData if they do not fit the network's input."""
    network = plan.network
    samples = checked_input(network, x)
    batch, steps, channels = samples.shape
    result = interpreter.run(network, samples, trace=True)
    assert result.trace is not None
    parts = [(each.membrane, each.spikes) for each in result.trace.layers]
    readout = result.trace.readout
    parts.append((readout, np.zeros_like(readout)))
    shown = np.concatenate([membrane for membrane, _ in parts], axis=2).transpose(1, 0, 2).reshape(-1)
    sent = np.concatenate([each.astype(np.int64) for _, each in parts], axis=2).transpose(1, 0, 2).reshape(-1)
    words = (sent & 0xFF) << 32 | shown.astype(np.int64) & 0xFFFFFFFF
    bits = plan.sent_bits(-1)
    loading = core.LOADING if plan.shape.loadable else ""
    values: dict[str, Any] = {
        "samples": batch,
        "steps": steps,
        "channels": channels,
        "neurons": plan.neurons,
        "classes": network.classes,
        "saturations": sum(each.saturations for each in result.counts),
        "x_top": bits - 1,
        "layer_top": core.top(len(network.layers) - 1),
        "neuron_top": core.top(plan.neurons - 1),
        "load": core.LOADED if plan.shape.loadable else "",
        "loading": Template(loading).substitute(
            rows=plan.rows, row_top=core.row_bits(plan) - 1, address_top=core.top(plan.rows - 1)
        ),
        "reset": plan.rows + 4 if plan.shape.loadable else 4,
        "limit": min(2**31 - 1, plan.rows + CYCLES_PER_UPDATE * (shown.size + 1)),
    }
    return {
        "testbench.sv": Template(TEMPLATE.read_text()).substitute(values),
        "samples.hex": hex_file(samples.reshape(-1).tolist(), bits),
        "expected.hex": hex_file(words.tolist(), 40),
        "results.hex": hex_file(result.logits.reshape(-1).tolist(), 32),
    }
