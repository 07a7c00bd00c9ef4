#!/usr/bin/env bash
# Norse 1.1.0, to_nir with nir 1.0.8: neither the potential nor the kind of a reset is written.
#
# Expected: NIR's v_reset is what the cell has, and a cell that subtracts is refused or marked.
# Seen: LIFBoxCell with v_reset = -2, and with reset_subtract, are both written with v_reset 0: the three cells are
# one and the same node, and fire at different steps.
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
python3 -m pip install --quiet --no-deps --target "$folder/packages" norse==1.1.0 nir==1.0.8 nirtorch==2.6 h5py==3.16.0 numpy==1.26.4 typing_extensions==4.16.0
PYTHONPATH=$folder/packages "$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import nir
import norse.torch as norse
import torch
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract
from norse.torch.utils.export_nir import to_nir

one, written, fired = torch.ones(1), [], []
for how in ({"v_reset": 0 * one}, {"v_reset": -2 * one}, {"v_reset": 0 * one, "reset_method": reset_subtract}):
    parameters = LIFBoxParameters(tau_mem_inv=500 * one, v_leak=0 * one, v_th=one, **how)
    cell = norse.LIFBoxCell(parameters)
    linear = torch.nn.Linear(1, 1, bias=False)
    linear.weight.data.fill_(1.9)
    graph = to_nir(norse.SequentialState(linear, cell), torch.zeros(1, 1))
    (node,) = (each for each in graph.nodes.values() if isinstance(each, nir.LIF))
    written.append((float(node.tau), float(node.v_threshold), float(node.v_reset)))
    state, steps = None, []
    with torch.no_grad():
        for _ in range(20):
            spike, state = cell(linear(one[None]), state)
            steps.append(int(spike))
    fired.append(steps)
    print(f"norse {version('norse')}: v_reset {float(node.v_reset):g} written, fires {steps}")
assert written[0] == written[1] == written[2], "the reset is written now"
assert fired[0] != fired[1] and fired[0] != fired[2]
PYTHON
