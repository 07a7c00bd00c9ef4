"""Other formats of a network: what asrc-export writes beside the integer network, as functions.

Each takes an integer network, or its file; the integer file alone is enough.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.file.network_file import Network, integers
from asrc_core.contract.result import checked_input


def to_onnx(network: Network, path: str | Path) -> Path:
    """The network as an ONNX model of the same bits (`onnx_model.graph`). Raises what `onnx_model.graph.save` does."""
    from asrc_export.onnx_model import graph

    graph.save(integers(network), path)
    return Path(path)


def to_netx(network: Network, path: str | Path) -> Path:
    """The spiking layers as a file for lava-dl's netx. Raises InvalidSetting where netx has no such number."""
    from asrc_export.interop.netx import writer

    writer.save(integers(network), path)
    return Path(path)


def to_nir(network: Network, path: str | Path, *, lossy: bool = False, nir_for: str | None = None) -> list[str]:
    """The floats that the integers stand for (`effective`) as a NIR graph; what its readers will not see.

    A graph has no integers, so ``lossy`` has to say that this is meant. ``nir_for``: in the terms of that framework's
    reader. A checkpoint's own floats are written by `interop.nir.writer.save`. Raises InvalidSetting, UnknownName,
    UnwritableOutput, ExtraMissing.
    """
    from asrc_export import effective
    from asrc_export.interop.nir import writer

    made = integers(network)
    floats, lost = effective.effective(made), effective.roundings(made)
    return writer.save_frozen(floats, path, lossy=lossy, lost=lost, nir_for=nir_for)


def to_c(network: Network, folder: str | Path, *, sample: NDArray[np.generic] | None = None) -> list[Path]:
    """The network as one C99 file with its header, build files and examples (`codegen.mcu`); where they are.

    ``sample`` (T, channels), integers, is what the file's self-test runs; a drawn one without. Raises UnwritableOutput,
    InvalidData for a sample that the network does not take.
    """
    from asrc_core.files import folder as in_folder
    from asrc_export.codegen.mcu.folder import files
    from asrc_export.codegen.mcu.program import program

    made = integers(network)
    tested = None if sample is None else checked_input(made, np.asarray(sample)[np.newaxis])[0]
    return in_folder.write(files(program(made, tested)), folder)


def to_verilog(
    network: Network, folder: str | Path, *, samples: NDArray[np.generic] | None = None, lanes: int = 8
) -> list[Path]:
    """The network as a circuit in SystemVerilog with its testbench and serial shell (`rtl`); where the files are.

    ``samples`` (n, T, channels), integers, are those of the testbench; two drawn ones without. ``lanes``: neurons at
    once. Raises UnwritableOutput, InvalidSetting, InvalidData for samples that the network does not take.
    """
    from asrc_core.files import folder as in_folder
    from asrc_export.rtl.boards.shell import shell
    from asrc_export.rtl.design import design
    from asrc_export.rtl.plan import Shape
    from asrc_export.rtl.testbench import bench

    made = integers(network)
    if samples is None:
        entry = made.input
        drawn = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, (2, made.steps, entry.channels))
        samples = drawn
    plan, files = design(made, Shape(lanes=lanes))
    return in_folder.write({**files, **shell(plan), **bench(plan, checked_input(made, samples))}, folder)
