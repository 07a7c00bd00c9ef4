"""Other formats of a network: what asrc-export writes beside the integer network, as functions.

Each takes an integer network, or its file; the integer file alone is enough.
"""

from __future__ import annotations

from pathlib import Path

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidSetting

Network = IntegerNetwork | str | Path


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


def integers(network: Network) -> IntegerNetwork:
    """The network, read if it is a file. Raises UnreadableFile, InvalidNetwork, and InvalidSetting for what is none."""
    if isinstance(network, str | Path):
        return network_file.load(network)
    if not isinstance(network, IntegerNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give an IntegerNetwork, or its file's path")
    return network
