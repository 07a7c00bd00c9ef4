#!/usr/bin/env bash
# snnTorch 1.0.0, import_from_nir with nir 1.0.8: an integrate-and-fire neuron is read as one that leaks.
#
# Expected (NIR's node IF, dv/dt = R I): a membrane keeps what it has while nothing comes in.
# Seen: the node becomes Leaky(beta=0.9), which loses a tenth of its membrane in each step: fed 0.3 in every step, it
# fires never where its NIR fires every fourth, and nothing says so.
# Takes the Python in PYTHON if that has PyTorch, and installs PyTorch otherwise.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet torch==2.13.0
fi
python3 -m pip install --quiet --no-deps --target "$folder/packages" snntorch==1.0.0 nir==1.0.8 nirtorch==2.6 h5py==3.16.0 numpy==1.26.4 typing_extensions==4.16.0
PYTHONPATH=$folder/packages "$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import nir
import numpy as np
import torch
from snntorch.import_nir import import_from_nir

one = np.ones(1, np.float32)
nodes = {"input": nir.Input({"input": np.array([1])}), "n": nir.IF(one, 2 * one)}
nodes["output"] = nir.Output({"output": np.array([1])})
network = import_from_nir(nir.NIRGraph(nodes, [("input", "n"), ("n", "output")]))
(neuron,) = (each for each in network.modules() if hasattr(each, "beta"))
print(f"snntorch {version('snntorch')}: {type(neuron).__name__}, beta {float(neuron.beta):g}")
membrane, trace = torch.zeros(1), []
for now in [1.0, 0.0, 0.0]:
    _, membrane = neuron(torch.tensor([now]), membrane)
    trace.append(round(float(membrane), 3))
print("membrane after 1, 0, 0 came in:", trace, "where IF has [1.0, 1.0, 1.0]")
assert trace == [1.0, 0.9, 0.81], "the neuron no longer leaks by a tenth"
PYTHON
