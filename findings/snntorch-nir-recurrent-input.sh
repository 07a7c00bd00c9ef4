#!/usr/bin/env bash
# snnTorch 1.0.0 with nirtorch 2.6: what feeds a recurrent layer passes its recurrent weights once it was read from NIR.
#
# Expected: import_from_nir of what export_to_nir wrote computes what the layer computed: what comes in reaches the
# neurons, what they fired in the step before reaches them through the recurrent weights.
# Seen: the recurrent pair becomes a subgraph in which the input's edge leads to the weights. With weights of zero, fed 2
# in every step, the layer fires in every step, and the one read back in none.
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

import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

layer = snn.RLeaky(
    torch.tensor([0.5]), init_hidden=True, all_to_all=True, linear_features=1, reset_mechanism="zero", reset_delay=False
)
layer.recurrent.weight.data.zero_()
layer.recurrent.bias.data.zero_()
network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), layer)
network[0].weight.data.fill_(2.0)
again, state = import_from_nir(export_to_nir(network, torch.zeros(1, 1), ignore_dims=[0])), None
layer.reset_mem()
mine, theirs, x = [], [], torch.ones(1, 1)
for _ in range(6):
    mine.append(int(network(x)))
    out, state = again(x, state)
    theirs.append(int(out))
print(f"snnTorch {version('snntorch')}, nirtorch {version('nirtorch')}: fires {mine}, read back {theirs}")
assert mine == [1] * 6
assert theirs == [0] * 6, "the input reaches the neurons now"
PYTHON
