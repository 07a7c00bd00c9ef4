#!/usr/bin/env bash
# lava-dl 0.6.0, SLAYER's CUBA neuron: a membrane that equals the threshold does not fire.
#
# Expected, by the equation of its documentation, s[t] = v[t] >= theta: fed a current of 1 at a threshold of 1, it fires.
# Seen: 0.01 / 4096 is added to the threshold ("threshold_eps", so that it does what the chip does), and it fires above it
# only. Spikes that come with lava-dl from before, those of its Oxford example, are of neurons that fire at it.
#
# Takes the Python in PYTHON if that has lava-dl, and installs it for python3.10 otherwise. Fails if the behaviour is
# another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.10}
if ! "$python" -c 'from lava.lib.dl import slayer' >/dev/null 2>&1; then
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet lava-dl==0.6.0
fi
"$python" -W ignore - 2>/dev/null <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

import torch

with contextlib.redirect_stdout(io.StringIO()):  # it tells of data sets that it has no tools for
    from lava.lib.dl import slayer

fired = []
for weight in (1.0, 1 + 1 / 32):
    neuron = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.5}
    block = slayer.block.cuba.Dense(neuron, 1, 1, delay_shift=False)
    block.synapse.weight.data.fill_(weight)
    fired.append(int(block(torch.tensor([[[1.0, 0.0, 0.0]]])).sum()))
print(f"lava-dl {version('lava-dl')}: {fired[0]} spikes at the threshold, {fired[1]} above it")
assert fired == [0, 1], "membranes that equal the threshold fire now"
PYTHON
