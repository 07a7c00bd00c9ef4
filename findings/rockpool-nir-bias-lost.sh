#!/usr/bin/env bash
# Rockpool 3.1.0, to_nir with nir 1.0.8: the bias of LIFNeuronTorch is left out of the file.
#
# Expected: a neuron's bias current is written (as v_leak, from which from_nir reads it back), or refused.
# Seen: v_leak is 0 whatever the bias. A neuron with a bias of 0.3 and a threshold of 1 fires without any input; the
# node in the file never does.
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

import nir
import numpy as np
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFNeuronTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

one = torch.ones(1)
neuron = LIFNeuronTorch((1,), tau_mem=0.02 * one, threshold=one, bias=0.3 * one, dt=1e-3)
network = Sequential(LinearTorch((1, 1), weight=torch.ones(1, 1), has_bias=False), neuron)
(node,) = (each for each in to_nir(network).nodes.values() if isinstance(each, nir.LIF))
spikes, _, _ = network(torch.zeros(1, 20, 1))
print(f"rockpool {version('rockpool')}: {int(spikes.sum())} spikes without input, v_leak written: {float(np.squeeze(node.v_leak)):g}")
assert spikes.sum() > 0
assert not np.any(node.v_leak), "the bias is written now"
PYTHON
