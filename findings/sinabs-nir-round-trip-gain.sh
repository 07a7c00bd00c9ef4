#!/usr/bin/env bash
# Sinabs 3.1.3, to_nir and from_nir with nir 1.0.8: a LIF layer comes back ten times as strong.
#
# Expected: a network that is written and read by the same package fires the same.
# Seen: LIF multiplies its input by 1 - exp(-1 / tau) (norm_input, its default), which to_nir writes as r = 1; from_nir
# makes of it a layer with norm_input=False, which takes its input as it is. With tau = 10, fed 2 in every step, the
# first fires twice in 20 steps, the second sends 2 spikes in most of the 20.
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
python3 -m pip install --quiet --no-deps --target "$folder/packages" sinabs==3.1.3 pbr==6.1.1 nir==1.0.8 nirtorch==2.6 h5py==3.16.0 numpy==1.26.4 typing_extensions==4.16.0
PYTHONPATH=$folder/packages "$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import sinabs.layers as sl
import torch
from sinabs.nir import from_nir, to_nir

layer = sl.LIF(tau_mem=torch.tensor([10.0]), spike_threshold=torch.tensor([1.0]))
network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), layer)
network[0].weight.data.fill_(2.0)
graph = to_nir(network, torch.zeros(1, 20, 1))
layer.reset_states()
before = network(torch.ones(1, 20, 1)).sum()
again = from_nir(graph, num_timesteps=20)(torch.ones(20, 1))
after = (again[0] if isinstance(again, tuple) else again).sum()
print(f"sinabs {version('sinabs')}: {int(before)} spikes in 20 steps, {int(after)} after writing and reading")
assert before == 2, "the written layer fires otherwise"
assert after >= 20, "the gain survives the round trip now"
PYTHON
