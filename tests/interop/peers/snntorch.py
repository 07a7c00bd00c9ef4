"""snnTorch: Leaky, RLeaky, Synaptic; subtract and zero, with its reset at once and a step late."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import snntorch as snn  # noqa: E402
import torch  # noqa: E402
from snntorch.export_nir import export_to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402


def weights(draw, n, inputs, most):
    return drawn.weights(draw, n, inputs) if most is None else drawn.bounded(draw, n, inputs, most)


def networks(seed, draw):
    sizes, recurrent, lasting = drawn.widths(draw), seed % 2 == 1, seed % 4 == 2
    hard, delayed = seed % 3 == 2, seed % 6 == 0
    each = (hard or delayed) and not recurrent
    modules, cells = [], []
    for inputs, n in pairwise(sizes):
        # By reset_delay=False snnTorch subtracts twice from what exceeds two thresholds: its gains are bounded.
        most = 6 if recurrent else 4 if lasting else 8
        bounds = None if hard or delayed else (most, 2)
        linear = torch.nn.Linear(inputs, n, bias=False)
        linear.weight.data = torch.from_numpy(weights(draw, n, inputs, bounds and bounds[0]))
        how = {
            "threshold": torch.from_numpy(drawn.thresholds(draw, n, each)),
            "init_hidden": True,
            "reset_mechanism": "zero" if hard else "subtract",
            "reset_delay": delayed and not recurrent,
        }
        beta = torch.from_numpy(drawn.decays(draw, n, each)).clamp(min=0 if bounds is None else 0.5)
        alpha = torch.full((n,), 0.5)
        loop = {"all_to_all": True, "linear_features": n}
        if recurrent:
            cell = snn.RLeaky(beta, **how, **loop)
            cell.recurrent.weight.data = torch.from_numpy(weights(draw, n, n, bounds and bounds[1]))
            cell.recurrent.bias.data.zero_()
        else:
            cell = snn.Synaptic(alpha, beta, **how) if lasting else snn.Leaky(beta, **how)
        modules += [linear, cell]
        cells.append(cell)
    x = drawn.fed(draw, sizes[0])
    net = torch.nn.Sequential(*modules)
    with torch.no_grad():
        graph = export_to_nir(net, torch.zeros(1, sizes[0]), ignore_dims=[0])
        for cell in cells:
            cell.reset_mem()
        spikes = [[] for _ in cells]
        for now in torch.from_numpy(x):
            for i, cell in enumerate(cells):
                now = cell(modules[2 * i](now))
                spikes[i].append(now.numpy().copy())
    reset = "hard" if hard else "late" if delayed and not recurrent else "soft"
    return graph, x, spikes, {"reset": reset}


drawn.main(networks)
