"""Sinabs: LIF and IAF with one spike a step, subtracted or reset. Its exporter knows no recurrent layers."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import numpy as np  # noqa: E402
import sinabs.activation as sina  # noqa: E402
import sinabs.layers as sl  # noqa: E402
import torch  # noqa: E402
from sinabs.nir import to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402


def networks(seed, draw):
    sizes, leaky, hard, each = drawn.widths(draw), seed % 2 == 1, seed % 3 == 2, seed % 4 == 1
    modules, cells = [], []
    for inputs, n in pairwise(sizes):
        linear = torch.nn.Linear(inputs, n, bias=False)
        linear.weight.data = torch.from_numpy(drawn.weights(draw, n, inputs))
        how = {
            "spike_threshold": torch.from_numpy(drawn.thresholds(draw, n, each)),
            "spike_fn": sina.SingleSpike,
            "reset_fn": sina.MembraneReset() if hard else sina.MembraneSubtract(),
            "min_v_mem": None,
        }
        # alpha = exp(-1 / tau): the nearest that single precision has to the decays drawn
        tau = torch.from_numpy((-1 / np.log(drawn.decays(draw, n, each))).astype(np.float32))
        cell = sl.LIF(tau_mem=tau, **how) if leaky else sl.IAF(**how)
        modules += [linear, cell]
        cells.append(cell)
        if leaky:
            linear.weight.data *= 2
    x = drawn.fed(draw, sizes[0])
    with torch.no_grad():
        net = torch.nn.Sequential(*modules)
        graph = to_nir(net, torch.zeros(1, drawn.STEPS, sizes[0]))
        for cell in cells:
            cell.reset_states()
        spikes, now = [], torch.from_numpy(x.transpose(1, 0, 2).copy())
        for i, cell in enumerate(cells):
            now = cell(modules[2 * i](now))
            spikes.append(now.numpy().transpose(1, 0, 2).copy())
    return graph, x, spikes, {"reset": "hard" if hard else "soft"}


drawn.main(networks)
