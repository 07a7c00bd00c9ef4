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


def stepped(net, x):
    """What a module of PyTorch that takes its state and gives it back puts out, one step at a time."""
    import torch

    state, shown = None, []
    with torch.no_grad():
        for now in torch.from_numpy(x):
            out, state = net(now, state)
            shown.append(out.numpy().copy())
    return np.stack(shown)
