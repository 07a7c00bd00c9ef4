"""What all readers share: `python READER.py FOLDER` reads each graph there and writes what its network put out.

A reader runs in its framework's own environment, without our packages.
"""

import sys
from pathlib import Path

import nir
import numpy as np


def main(outputs):
    """Write what ``outputs(graph, x)`` gives, (T, B, classes), for the input x (T, B, channels) beside each graph."""
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("*.nir")):
        np.save(path.with_suffix(".out.npy"), outputs(nir.read(path), np.load(path.with_suffix(".npy"))))
