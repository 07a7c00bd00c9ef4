"""asrc-export of an integer network's file: other formats of the same integers, from that file alone."""

from __future__ import annotations

import argparse

from asrc_core.command import command_line
from asrc_export.commands import asked, devices
from asrc_export.commands.asked import FORMATS

SUFFIX = ".safetensors"
KEPT = (*FORMATS, "model", "lossy", "nir_for")
"""The options that mean something for integers, which are what they are."""


def is_integers(options: argparse.Namespace) -> bool:
    """Whether an integer network's file is to be written as another format."""
    return options.model is not None and options.source is None and str(options.model).endswith(SUFFIX)


def check_integers(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a usage error for an option that would make other integers, or without a format."""
    kept = (*KEPT, *devices.OPTIONS) if devices.wanted(options) else KEPT
    asked.only(parser, options, kept, f"goes with a checkpoint, and {options.model} holds integers")
    if not any(getattr(options, name) for name in (*FORMATS, *devices.FORMATS)):
        listed = ", ".join(f"--{name}" for name in (*FORMATS, *devices.FORMATS))
        parser.error(f"{options.model} is an integer network already; name a format to write ({listed})")


def from_integers(options: argparse.Namespace) -> None:
    """Write the formats asked for, and print their paths. Raises what their writers raise."""
    from asrc_core.contract.file import network_file
    from asrc_export import formats

    asked.require_outputs(options)
    network = network_file.integers(options.model)
    devices.require_possible(options, network)
    if options.onnx:
        print(formats.to_onnx(network, options.onnx))
    if options.netx:
        print(formats.to_netx(network, options.netx))
    if options.nir:
        for lost in formats.to_nir(network, options.nir, lossy=options.lossy, nir_for=options.nir_for):
            command_line.say(f"note: said in the metadata of '{options.nir}' only, or not at all: {lost}")
        print(options.nir)
    if devices.wanted(options):
        devices.write(network, options)
