"""SpikingJelly: IFNode, LIFNode with and without decay_input, ParametricLIFNode, CUBALIFNode, reset to a potential."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import torch  # noqa: E402
from spikingjelly.activation_based import functional, neuron  # noqa: E402
from spikingjelly.activation_based.nir_exchange import export_to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402


def cell(seed, draw):
    kept = float(draw.choice(drawn.DECAYS))
    how = {"v_threshold": float(draw.choice([1.0, 0.5])), "v_reset": float(draw.choice([0.0, -0.25]))}
    if seed % 4 == 0:
        return neuron.IFNode(**how)
    if seed % 4 == 1:
        return neuron.LIFNode(tau=1 / (1 - kept), decay_input=seed % 8 == 1, **how)
    if seed % 4 == 2:
        return neuron.ParametricLIFNode(init_tau=2.0, decay_input=False, **how)
    return neuron.CUBALIFNode(c_decay=0.5, v_decay=kept, v_threshold=how["v_threshold"], v_reset=0.0)


def networks(seed, draw):
    sizes, modules, cells = drawn.widths(draw), [], []
    for inputs, n in pairwise(sizes):
        linear = torch.nn.Linear(inputs, n, bias=seed % 3 == 0)
        linear.weight.data = torch.from_numpy(drawn.weights(draw, n, inputs) * (4 if seed % 8 == 1 else 1))
        if linear.bias is not None:
            linear.bias.data = torch.from_numpy(drawn.weights(draw, n, 1)[:, 0] / 4)
        cells.append(cell(seed, draw))
        modules += [linear, cells[-1]]
    x = drawn.fed(draw, sizes[0])
    with torch.no_grad():
        net = torch.nn.Sequential(*modules)
        graph = export_to_nir(net, torch.zeros(1, sizes[0]))
        functional.reset_net(net)
        spikes = [[] for _ in cells]
        for now in torch.from_numpy(x):
            for i, each in enumerate(cells):
                now = each(modules[2 * i](now))
                spikes[i].append(now.numpy().copy())
    return graph, x, spikes, {}


drawn.main(networks)
