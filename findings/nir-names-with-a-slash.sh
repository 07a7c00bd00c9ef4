#!/usr/bin/env bash
# nir 1.0.8: a graph with a node whose name holds a slash is written, and cannot be read.
#
# Expected: what nir.write takes, nir.read gives back, or nir.write refuses the name. Names of nodes are free text.
# Seen: HDF5 takes "block/linear" for a group "linear" within a group "block". The file is written without a word;
# reading it ends in KeyError: 'type', since the group "block" is no node. The edges keep the whole name, so the two
# do not belong together any more. Names with dots, which PyTorch's modules have, come back as they were.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nir==1.0.8 numpy==1.26.4 h5py==3.12.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import h5py
import nir
import numpy as np


def graph(name):
    """Two values, a matrix of that name, two answers."""
    nodes = {
        "input": nir.Input(np.array([2])),
        name: nir.Linear(np.ones((2, 2))),
        "output": nir.Output(np.array([2])),
    }
    return nir.NIRGraph(nodes, [("input", name), (name, "output")])


nir.write("dotted.nir", graph("block.linear"))
assert sorted(nir.read("dotted.nir").nodes) == ["block.linear", "input", "output"]
print(f"nir {version('nir')}: 'block.linear' is read back as it was")

nir.write("slashed.nir", graph("block/linear"))
with h5py.File("slashed.nir") as file:
    print("'block/linear' is written as", list(file["node/nodes"]), "and within", list(file["node/nodes/block"]))
    assert list(file["node/nodes"]) == ["block", "input", "output"]
    assert list(file["node/nodes/block"]) == ["linear"]
try:
    nir.read("slashed.nir")
except KeyError as error:
    print("reading it: KeyError", error)
else:
    raise AssertionError("it is read now")
PYTHON
