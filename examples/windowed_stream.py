"""A sensor that never stops: a decision every so many frames.

    python windowed_stream.py NETWORK.safetensors [--every N] [--carry] [--raw] < frames.csv

Frames come on standard input, a line each, one integer for each channel, or with --raw a real value, of which the
network's file states what makes integers. It takes any network but those of permuted samples: fsdd-asrc, for one.
--carry lets the network's state go on between decisions; without it each window is a sample by itself. Needs NumPy and
`asrc-toolchain` without extras.
"""

import argparse
import os
import sys

import numpy as np

import asrc_export
from asrc_core import AsrcError

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("network")
parser.add_argument(
    "--every", type=int, metavar="N", help="frames of a window (default: the steps of a training sample)"
)
parser.add_argument("--carry", action="store_true", help="carry the state from one window to the next")
parser.add_argument("--raw", action="store_true", help="frames are raw values, as the network was trained on")
options = parser.parse_args()


def frame(line: str) -> np.ndarray:
    try:
        return np.array([(float if options.raw else int)(value) for value in line.split(",")])
    except ValueError:
        kind = "numbers" if options.raw else "integers (raw values: --raw)"
        raise ValueError(f"'{line.strip()[:40]}' is no frame: give {kind}, one for each channel, with commas") from None


try:
    network = asrc_export.load(options.network)
    frames = (frame(line) for line in sys.stdin if line.strip())
    frames = (network.integers(each) if options.raw else each for each in frames)
    every = network.network.steps if options.every is None else options.every
    for decision in network.decide(frames, every, carry=options.carry):
        print(f"{decision.step}: {network.classes[decision.prediction]}", flush=True)
except BrokenPipeError:  # whoever read the decisions has enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
except (AsrcError, ValueError) as error:
    sys.exit(f"windowed_stream: {error}")
