#!/usr/bin/env bash
# Sinabs 3.1.3, to_nir with nir 1.0.8: the synaptic current of a LIF layer is left out of the file.
#
# Expected: a layer with tau_syn becomes NIR's CubaLIF, or is refused.
# Seen: layers with tau_syn=5 and without any are written as one and the same LIF node, without a word; the two layers
# fire at different steps.
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

import nir
import sinabs.layers as sl
import torch
from sinabs.nir import to_nir

written, fired = [], []
for synapse in (None, 5.0):
    layer = sl.LIF(tau_mem=torch.tensor([10.0]), tau_syn=synapse, spike_threshold=torch.tensor([1.0]))
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), layer)
    network[0].weight.data.fill_(2.0)
    graph = to_nir(network, torch.zeros(1, 20, 1))
    layer.reset_states()
    (node,) = (each for each in graph.nodes.values() if isinstance(each, (nir.LIF, nir.CubaLIF)))
    written.append((type(node).__name__, float(node.tau), float(node.r)))
    fired.append(network(torch.ones(1, 20, 1)).flatten().int().tolist())
    print(f"sinabs {version('sinabs')}, tau_syn {synapse}: {written[-1]}, fires {fired[-1]}")
assert written[0] == written[1] == ("LIF", 10.0, 1.0), "the synaptic current is written now"
assert fired[0] != fired[1]
PYTHON
