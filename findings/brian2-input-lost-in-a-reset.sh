#!/usr/bin/env bash
# Brian 2 2.9.0: what a synapse adds to a membrane in the step in which that membrane is reset is lost.
#
# Expected by one who knows frameworks that add input before they compare: input of every step counts.
# Seen: a step updates states, compares with thresholds, runs synapses, then resets. Of two neurons, both of which fire
# at step 0 and are reset by "v = 0", the one that gets 0.9 at that step and 0.2 two steps later stays silent: the 0.9 is
# gone. One a step later, or a reset by "v -= 1", keeps it.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet brian2==2.9.0 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import brian2 as b2
import numpy as np

b2.prefs.codegen.target = "numpy"
ms = b2.ms


def spikes(reset, first):
    """Steps at which a neuron fires that starts above its threshold and gets 0.9 at step ``first``, 0.2 at step 3."""
    b2.start_scope()
    b2.defaultclock.dt = 1 * ms
    group = b2.NeuronGroup(1, "v : 1", threshold="v > 1", reset=reset)
    group.v = 1.1
    source = b2.SpikeGeneratorGroup(2, [0, 1], np.array([first, 3]) * ms)
    synapses = b2.Synapses(source, group, "w : 1", on_pre="v_post += w")
    synapses.connect()
    synapses.w = [0.9, 0.2]
    monitor = b2.SpikeMonitor(group)
    b2.Network(group, source, synapses, monitor).run(6 * ms)
    return np.rint(monitor.t / ms).astype(int).tolist()


found = {(reset, first): spikes(reset, first) for reset in ("v = 0", "v -= 1") for first in (0, 1)}
for (reset, first), steps in found.items():
    print(f"brian2 {b2.__version__}, reset {reset!r}, 0.9 at step {first}: fires at {steps}")
assert found["v = 0", 0] == [0], "the input of the step of a reset is kept now"
assert found["v = 0", 1] == [0, 4] and found["v -= 1", 0] == [0, 4]
PYTHON
