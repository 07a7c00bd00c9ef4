"""Brian 2, which writes no NIR: the graph is written here. LIF solved exactly, IF by Euler; hard and soft reset.

What arrives is summed on a current of one step, so that a reset to 0 takes nothing of it. A spike is heard a step
later: a Delay stands before each layer's weights. Thresholds that leaking membranes could equal are moved off their
grid, since exp(-dt / tau) is no short fraction; membranes that do not leak equal theirs.
"""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import brian2 as b  # noqa: E402
import nir  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402

b.prefs.codegen.target = "numpy"
DT = 2.0**-10  # of which sums are exact
LEAKS = "dv/dt = (gain * I - v) / tau : 1\nI : 1\ngain : 1\ntau : second\ntheta : 1"
KEEPS = "dv/dt = I / step : 1\nI : 1\ntheta : 1"


def layer(draw, n, kind, each, soft):
    """A group for all samples, and what its node says."""
    leaks = kind == 1
    reset = "v -= theta" if soft else "v = 0"
    how = {"method": "exact" if leaks else "euler", "threshold": "v > theta", "reset": reset, "dt": DT * b.second}
    group = b.NeuronGroup(drawn.BATCH * n, LEAKS if leaks else KEEPS, namespace={"step": DT * b.second}, **how)
    group.run_regularly("I = 0", when="after_groups", dt=DT * b.second)
    theta = drawn.thresholds(draw, n, each).astype(float) + (1 / 64 + 1 / 999 if leaks else 0)
    group.theta = np.tile(theta, drawn.BATCH)
    zero, node = np.zeros(n), {"v_threshold": theta, "v_reset": np.zeros(n)}
    if not leaks:
        return group, nir.IF(np.full(n, 1 / DT), **node)
    kept = drawn.decays(draw, n, each).astype(float)
    group.tau = np.tile(-DT / np.log(kept), drawn.BATCH) * b.second
    group.gain = np.tile(1 / (1 - kept), drawn.BATCH)
    return group, nir.LIF(-DT / np.log(kept), 1 / (1 - kept), zero, **node)


def connected(source, target, matrix):
    """All samples' synapses."""
    synapses = b.Synapses(source, target, "w : 1", on_pre="I_post += w", dt=DT * b.second)
    n, inputs = matrix.shape
    j, i = (each.ravel() for each in np.meshgrid(np.arange(n), np.arange(inputs), indexing="ij"))
    samples = np.arange(drawn.BATCH)[:, None]
    synapses.connect(i=(i + samples * inputs).ravel(), j=(j + samples * n).ravel())
    synapses.w = np.tile(matrix.ravel(), drawn.BATCH)
    return synapses


def networks(seed, draw):
    sizes, kind, each, soft = drawn.widths(draw), seed % 2, seed % 4 >= 2, seed % 3 == 0
    recurrent = seed % 5 >= 3
    x = drawn.fed(draw, sizes[0])
    steps, samples, channels = np.nonzero(x)
    fed = b.SpikeGeneratorGroup(
        drawn.BATCH * sizes[0], samples * sizes[0] + channels, steps * DT * b.second, dt=DT * b.second
    )
    parts, monitors, before, at = [fed], [], fed, "input"
    nodes = {"input": nir.Input({"input": np.array(sizes[:1])}), "output": nir.Output({"output": np.array(sizes[-1:])})}
    edges = []
    for k, (inputs, n) in enumerate(pairwise(sizes)):
        group, node = layer(draw, n, kind, each, soft)
        matrix = drawn.weights(draw, n, inputs)
        monitors.append(b.SpikeMonitor(group))
        parts += [group, connected(before, group, matrix), monitors[-1]]
        nodes |= {f"d{k}": nir.Delay(np.full(inputs, DT)), f"w{k}": nir.Linear(matrix), f"n{k}": node}
        edges += [(at, f"d{k}"), (f"d{k}", f"w{k}"), (f"w{k}", f"n{k}")]
        if recurrent:
            again = drawn.weights(draw, n, n) / 2
            parts.append(connected(group, group, again))
            nodes |= {f"l{k}": nir.Delay(np.full(n, DT)), f"r{k}": nir.Linear(again)}
            edges += [(f"n{k}", f"l{k}"), (f"l{k}", f"r{k}"), (f"r{k}", f"n{k}")]
        before, at = group, f"n{k}"
    b.Network(parts).run(drawn.STEPS * DT * b.second)
    spikes = []
    for n, monitor in zip(sizes[1:], monitors, strict=True):
        fired = np.zeros((drawn.STEPS, drawn.BATCH * n), np.float32)
        fired[np.rint(monitor.t / (DT * b.second)).astype(int), monitor.i] = 1
        spikes.append(fired.reshape(drawn.STEPS, drawn.BATCH, n))
    graph = nir.NIRGraph(nodes, [*edges, (at, "output")], type_check=False)
    return graph, x, spikes, {"dt": DT, "reset": "soft" if soft else "hard"}


drawn.main(networks)
