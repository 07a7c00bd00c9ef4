"""Rockpool: LIFNeuronTorch, LIFTorch with its lasting current, recurrent LIFTorch; at most one spike a step."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import torch  # noqa: E402
from rockpool.nn.combinators import Sequential  # noqa: E402
from rockpool.nn.modules import LIFNeuronTorch, LIFTorch, LinearTorch  # noqa: E402
from rockpool.nn.modules.torch.nir import to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402

DT = 1e-3


def tau(kept):
    return (-DT / torch.log(torch.from_numpy(kept))).float()


def networks(seed, draw):
    sizes, lasting, each = drawn.widths(draw), seed % 2 == 1, seed % 4 >= 2
    modules, cells = [], []
    for inputs, n in pairwise(sizes):
        weight = torch.from_numpy(drawn.weights(draw, n, inputs).T.copy())
        linear = LinearTorch((inputs, n), weight=weight, has_bias=False)
        how = {
            "tau_mem": tau(drawn.decays(draw, n, each)),
            "threshold": torch.from_numpy(drawn.thresholds(draw, n, each)),
            "dt": DT,
            "bias": torch.zeros(n),
        }
        one = torch.tensor(1.0)
        if lasting:
            cell = LIFTorch((n,), tau_syn=tau(drawn.decays(draw, n, each)), max_spikes_per_dt=one, **how)
        else:
            cell = LIFNeuronTorch((n,), max_spikes_per_dt=one, **how)
        modules += [linear, cell]
        cells.append(cell)
    x = drawn.fed(draw, sizes[0])
    net = Sequential(*modules)
    with torch.no_grad():
        graph = to_nir(net)
        spikes, now = [], torch.from_numpy(x.transpose(1, 0, 2).copy())
        for module in modules:
            module.reset_state()
            now, _, _ = module(now)
            if module in cells:
                spikes.append(now.numpy().transpose(1, 0, 2).copy())
    return graph, x, spikes, {}


drawn.main(networks)
