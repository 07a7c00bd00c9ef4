#!/usr/bin/env bash
# lava-nc 0.10.0, RFZero in fixed point: oscillations wrap round from an amplitude of 2^16 on, and small ones never end.
#
# Expected, of the neuron's states, which are declared with 24 bits: a damped oscillation of up to 2^23, and nothing
# left of it after many time constants.
# Seen: a state is multiplied by a factor of 15 fraction bits in 32 bits, so that products wrap round once a state is
# beyond 65,536: at 10 Hz, with a time constant of 100 ms and steps of 1 ms, 100,000 is -32,266 a step later in place of
# 98,810. And both products are divided with rounding down, so that a state that is left alone comes to rest beside 0
# and not at it: at 1 and -10 after 2,000 steps, 20 time constants.
#
# Takes the Python in PYTHON if that has Lava, and installs Lava for python3.10 otherwise. Fails if the behaviour is
# another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.10}
if ! "$python" -c 'import lava.proc.resfire.process' >/dev/null 2>&1; then
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet lava-nc==0.10.0 numpy==1.26.4
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer as Source
from lava.proc.resfire.process import RFZero

FREQUENCY, TAU, DT = 10.0, 0.1, 0.001
POLE = np.exp(-DT / TAU) * np.exp(2j * np.pi * FREQUENCY * DT)


def states(amplitude, steps):
    """u + iv after each step, of an input in the first one."""
    data = np.zeros((1, steps))
    data[0, 0] = amplitude
    source = Source(data=data)
    neuron = RFZero(shape=(1,), freqs=np.array([FREQUENCY]), decay_tau=np.array([TAU]), dt=DT, uth=2**22)
    source.s_out.connect(neuron.u_in)
    found = []
    for _ in range(steps):
        neuron.run(condition=RunSteps(num_steps=1), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        found.append(complex(neuron.u.get()[0], neuron.v.get()[0]))
    neuron.stop()
    return np.array(found)


print(f"lava-nc {version('lava-nc')}, RFZero at {FREQUENCY:g} Hz, {1000 * TAU:g} ms, steps of {1000 * DT:g} ms")
for amplitude in (60_000, 100_000):
    first, second = states(amplitude, 2)
    print(f"  {first.real:,.0f}, a step later {second.real:,.0f}, exactly {(POLE * first).real:,.1f}")
    assert first == amplitude
    off = abs(second.real - (POLE * first).real)
    assert off < 8 if amplitude < 2**16 else off > 2**16, "products are as wide as they have to be"
last = states(1_000, 2_000)[-1]
print(f"  1,000, after 2,000 steps {last.real:g} and {last.imag:g}; exactly {abs(1_000 * POLE**1_999):.1g} are left")
assert abs(last) > 5, "it comes to rest at 0 now"
PYTHON
