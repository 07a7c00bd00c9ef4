#!/usr/bin/env bash
# lava-nc 0.10.0, Dense in fixed point: one negative weight, and the odd weights of the whole matrix are other ones.
#
# Expected, by the documentation of Dense: weights have full 8-bit precision unless told otherwise, and of mixed signs
# those that are used are twice the given ones.
# Seen: they are not doubled, and the lowest bit is dropped, downwards. Over weights of 1, 3, 127 and -1 a spike adds 0,
# 2, 126 and -2: the first synapse is silent and the last counts double. The same weights without the -1 add 1, 3 and
# 127, and in floating point all add what they are. What optimize_weight_bits makes of the four by default adds them as
# they were given; what it makes with loihi2=True adds half of each, rounded down.
#
# Takes the Python in PYTHON if that has Lava, and installs Lava for python3.10 otherwise. Fails if the behaviour is
# another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.10}
if ! "$python" -c 'import lava.proc.dense.process' >/dev/null 2>&1; then
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet lava-nc==0.10.0 numpy==1.26.4
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.utils.weightutils import SignMode, optimize_weight_bits


def added(weights, model="fixed_pt", **settings):
    """What one spike adds over each of the synapses."""
    dense = Dense(weights=np.array(weights).reshape(-1, 1), **settings)
    source, sink = Source(data=np.array([[1, 0]])), Sink(shape=(len(weights),), buffer=2)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(sink.a_in)
    dense.run(condition=RunSteps(num_steps=2), run_cfg=Loihi2SimCfg(select_tag=model))
    seen = sink.data.get()[:, 1].astype(int).tolist()
    dense.stop()
    return seen


mixed, positive = [1, 3, 127, -1], [1, 3, 127]
fixed = added(mixed)
print(f"lava-nc {version('lava-nc')}, weights {mixed}: a spike adds {fixed}")
print(f"in floating point {added(mixed, 'floating_pt')}; {positive} alone {added(positive)}")
assert added(mixed, "floating_pt") == mixed and added(positive) == positive
assert fixed == [0, 2, 126, -2], "odd weights of mixed signs are others now"

for loihi2 in (False, True):
    made = optimize_weight_bits(np.array(mixed), SignMode.MIXED, loihi2=loihi2)
    weights = made.weights.tolist()
    seen = added(weights, weight_exp=made.weight_exp, num_weight_bits=made.num_weight_bits)
    print(f"optimize_weight_bits, loihi2={loihi2}: {weights} with exponent {made.weight_exp} add {seen}")
    assert seen == ([0, 1, 63, -1] if loihi2 else mixed), "what optimize_weight_bits makes adds something else now"
PYTHON
