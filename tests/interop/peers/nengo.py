"""Nengo, which writes no NIR: the graph is written here. SpikingRectifiedLinear, never two spikes a step."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import nengo  # noqa: E402
import nir  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402

DT = 2.0**-10  # of which sums are exact


def networks(seed, draw):
    sizes = drawn.widths(draw)
    x = drawn.fed(draw, sizes[0])
    matrices = [drawn.bounded(draw, n, inputs, 8) for inputs, n in pairwise(sizes)]
    spikes = [np.zeros((drawn.STEPS, drawn.BATCH, n), np.float32) for n in sizes[1:]]
    for b in range(drawn.BATCH):
        with nengo.Network() as model:
            # A node is asked for its output at the end of a step; spikes are 1 / dt high.
            before = nengo.Node(lambda t, b=b: x[min(round(t / DT) - 1, drawn.STEPS - 1), b] / DT, size_out=sizes[0])
            probes = []
            for matrix in matrices:
                n = len(matrix)
                kind = nengo.SpikingRectifiedLinear(initial_state={"voltage": nengo.dists.Choice([0])})
                layer = nengo.Ensemble(n, 1, gain=np.ones(n), bias=np.zeros(n), neuron_type=kind)
                nengo.Connection(before, layer.neurons, transform=matrix, synapse=None)
                probes.append(nengo.Probe(layer.neurons))
                before = layer.neurons
        with nengo.Simulator(model, dt=DT, progress_bar=False) as simulator:
            simulator.run_steps(drawn.STEPS)
            for i, probe in enumerate(probes):
                spikes[i][:, b] = simulator.data[probe] * DT
    nodes = {"input": nir.Input({"input": np.array(sizes[:1])}), "output": nir.Output({"output": np.array(sizes[-1:])})}
    edges, before = [], "input"
    for i, matrix in enumerate(matrices):
        one = np.ones(len(matrix))
        nodes |= {f"w{i}": nir.Linear(matrix), f"n{i}": nir.IF(one / DT, one, one * 0)}
        edges += [(before, f"w{i}"), (f"w{i}", f"n{i}")]
        before = f"n{i}"
    return nir.NIRGraph(nodes, [*edges, (before, "output")], type_check=False), x, spikes, {"dt": DT}


drawn.main(networks)
