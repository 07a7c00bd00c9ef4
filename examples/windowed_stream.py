"""A sensor that never stops: a decision every so many frames.

    python windowed_stream.py NETWORK.safetensors [--every N] [--carry] < frames.csv

Frames come on standard input, a line each, one integer for each channel. --carry lets the network's state go on between
decisions; without it each window is a sample by itself. Needs NumPy and `asrc-toolchain` without extras.
"""

import argparse
import sys

import numpy as np

import asrc_export
from asrc_core import AsrcError

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("network")
parser.add_argument("--every", type=int, help="frames of a window (default: the steps that the network was trained on)")
parser.add_argument("--carry", action="store_true", help="carry the state from one window to the next")
options = parser.parse_args()

try:
    network = asrc_export.load(options.network)
    frames = (np.array(line.split(","), dtype=np.int32) for line in sys.stdin if line.strip())
    for decision in network.decide(frames, options.every or network.network.steps, carry=options.carry):
        print(f"{decision.step}: {network.classes[decision.prediction]}", flush=True)
except (AsrcError, ValueError) as error:
    sys.exit(f"windowed_stream: {error}")
