"""Brian 2, which writes no NIR: the graph is written here, with a Delay where a synapse is heard in the next step.

tau dv/dt = -v + I and tau_syn dI/dt = -I, both integrated exactly; a spike adds w to I at the end of its step.
"""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import brian2 as b2  # noqa: E402
import nir  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402

b2.prefs.codegen.target = "numpy"
DT = 1e-3


def networks(seed, draw):
    sizes, soft, recurrent = drawn.widths(draw), seed % 2 == 1, seed % 3 == 0
    x = drawn.fed(draw, sizes[0])
    kept, left = draw.choice([0.5, 0.75]), draw.choice([0.25, 0.625])
    tau, syn = -DT / np.log(kept), -DT / np.log(left)
    gain = 1 / (1 - tau / syn) * (kept - left)  # of v per unit of I over a step
    matrices = [drawn.weights(draw, n, inputs) * 4 for inputs, n in pairwise(sizes)]
    loops = [drawn.weights(draw, n, n) * 2 if recurrent else None for n in sizes[1:]]
    spikes = [np.zeros((drawn.STEPS, drawn.BATCH, n), np.float32) for n in sizes[1:]]
    for b in range(drawn.BATCH):
        b2.start_scope()
        clock = b2.Clock(dt=DT * b2.second)
        steps, channels = np.nonzero(x[:, b])
        source = b2.SpikeGeneratorGroup(sizes[0], channels, steps * DT * b2.second, clock=clock)
        groups, monitors, parts = [source], [], [source]
        for matrix, loop in zip(matrices, loops, strict=True):
            group = b2.NeuronGroup(
                len(matrix),
                "dv/dt = (I - v) / tau : 1\ndI/dt = -I / syn : 1",
                threshold="v > 1",
                reset="v -= 1" if soft else "v = 0",
                method="exact",
                namespace={"tau": tau * b2.second, "syn": syn * b2.second},
                clock=clock,
            )
            for before, weights in ((groups[-1], matrix), (group, loop)):
                if weights is None:
                    continue
                synapses = b2.Synapses(before, group, "w : 1", on_pre="I_post += w", clock=clock)
                synapses.connect()
                synapses.w = weights.T[np.asarray(synapses.i), np.asarray(synapses.j)]
                parts.append(synapses)
            monitors.append(b2.SpikeMonitor(group))
            parts += [group, monitors[-1]]
            groups.append(group)
        b2.Network(*parts).run(drawn.STEPS * DT * b2.second)
        for i, monitor in enumerate(monitors):
            spikes[i][np.rint(np.asarray(monitor.t) / DT).astype(int), b, np.asarray(monitor.i)] = 1
    nodes = {"input": nir.Input({"input": np.array(sizes[:1])}), "output": nir.Output({"output": np.array(sizes[-1:])})}
    edges, before = [], "input"
    for i, (matrix, loop) in enumerate(zip(matrices, loops, strict=True)):
        n = len(matrix)
        one = np.ones(n)
        # An exact step raises the current by (1 - left) w_in, and the membrane by (1 - kept) r times that.
        node = nir.CubaLIF(one * syn, one * tau, one * gain / (1 - kept), one * 0, one, one * 0, w_in=one / (1 - left))
        nodes |= {f"late{i}": nir.Delay(np.full(matrix.shape[1], DT)), f"w{i}": nir.Linear(matrix), f"n{i}": node}
        edges += [(before, f"late{i}"), (f"late{i}", f"w{i}"), (f"w{i}", f"n{i}")]
        if loop is not None:
            nodes |= {f"back{i}": nir.Delay(one * DT), f"u{i}": nir.Linear(loop)}
            edges += [(f"n{i}", f"back{i}"), (f"back{i}", f"u{i}"), (f"u{i}", f"n{i}")]
        before = f"n{i}"
    graph = nir.NIRGraph(nodes, [*edges, (before, "output")], type_check=False)
    return graph, x, spikes, {"reset": "soft" if soft else "hard"}


drawn.main(networks)
