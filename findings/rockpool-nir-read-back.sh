#!/usr/bin/env bash
# Rockpool 3.1.0, from_nir with nir 1.0.8: what to_nir wrote of its own layers comes back otherwise or not at all.
#
# Expected: from_nir(to_nir(network)) is the network.
# Seen: a LIF is asked for tau_mem, which NIR's LIF calls tau, and reading ends in an AttributeError. A CubaLIF comes
# back with another step: to_nir writes r = (tau / dt) exp(-dt / tau) and from_nir takes tau / (1 + r) for dt, so that a
# network of tau = 2 ms and dt = 1 ms runs with a step of 0.904 ms, and its decays are others.
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
python3 -m pip install --quiet --no-deps --target "$folder/packages" rockpool==3.1.0 nir==1.0.8 nirtorch==2.6 h5py==3.16.0 numpy==1.26.4 scipy==1.15.3 typing_extensions==4.16.0
PYTHONPATH=$folder/packages "$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import from_nir, to_nir

said = {}
for kind in (LIFNeuronTorch, LIFTorch):
    taus = {"tau_syn": torch.tensor([0.002])} if kind is LIFTorch else {}
    layer = kind((1,), tau_mem=torch.tensor([0.002]), threshold=torch.ones(1), bias=torch.zeros(1), dt=1e-3, **taus)
    graph = to_nir(Sequential(LinearTorch((1, 1), has_bias=False), layer))
    try:
        read = from_nir(graph)
        said[kind.__name__] = next(each.dt for each in read.modules() if isinstance(each, LIFTorch))
    except AttributeError as error:
        said[kind.__name__] = str(error)
print(f"Rockpool {version('rockpool')}: {said}")
assert "tau_mem" in str(said["LIFNeuronTorch"]), "a LIF is read now"
assert abs(said["LIFTorch"] - 0.904e-3) < 1e-6, "the step is another now"
PYTHON
