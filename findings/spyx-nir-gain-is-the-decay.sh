#!/usr/bin/env bash
# spyx 1.0.0, to_nir with nir 1.0.8: by NIR's own equation what it writes hardly reacts to its input.
#
# Expected: LIF computes v = beta v + x - theta s, so that in steps of dt = 1, tau = 1 / (1 - beta), NIR's
# tau dv/dt = (v_leak - v) + R I needs R = tau.
# Seen: R = beta. At beta = 0.75 a step adds 0.1875 of the input where spyx adds all of it: fed 0.75 in every step,
# spyx fires in every few steps, and the equation of the file never.
#
# Takes Python 3.12 or later. Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet spyx==1.0.0 nir==1.0.8
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
from flax import nnx
from spyx.nir import to_nir
from spyx.nn import LIF, Sequential

beta, x = 0.75, 0.75
cell = LIF((1,), beta=beta, rngs=nnx.Rngs(0))
node = next(
    each
    for each in to_nir(Sequential(cell), {"input": np.array([1])}, {"output": np.array([1])}, dt=1).nodes.values()
    if type(each).__name__ == "LIF"
)
state, fired = cell.initial_state(1), 0
v, of_file = 0.0, 0
k, r = 1 / float(node.tau[0]), float(node.r[0])
for _ in range(20):
    spike, state = cell(jnp.full((1, 1), x), state)
    fired += int(spike[0, 0])
    v = (1 - k) * v + k * r * x
    of_file += v > 1
    v *= v <= 1
print(f"spyx {version('spyx')}: tau {1 / k:g}, R {r:g}; {fired} spikes in spyx, {of_file} by the file's equation")
assert abs(r - beta) < 1e-6, "R is another now"
assert fired >= 4 and of_file == 0
PYTHON
