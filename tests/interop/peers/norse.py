"""Norse: LIFBoxCell, LIFCell with its lasting current, IAFCell. Its exporter knows no recurrent cells."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import norse.torch as norse  # noqa: E402
import torch  # noqa: E402
from norse.torch.functional.iaf import IAFParameters  # noqa: E402
from norse.torch.functional.lif import LIFParameters  # noqa: E402
from norse.torch.functional.lif_box import LIFBoxParameters  # noqa: E402
from norse.torch.functional.reset import reset_subtract  # noqa: E402
from norse.torch.utils.export_nir import to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402


def networks(seed, draw):
    sizes, kind, each, soft = drawn.widths(draw), seed % 3, seed % 2 == 1, seed % 4 == 1
    modules, cells = [], []
    for inputs, n in pairwise(sizes):
        kept = drawn.decays(draw, n, each)
        linear = torch.nn.Linear(inputs, n, bias=seed % 2 == 0)
        gain = 1 if kind == 2 else 4
        linear.weight.data = torch.from_numpy(drawn.weights(draw, n, inputs) * gain)
        if linear.bias is not None:
            linear.bias.data = torch.from_numpy(drawn.weights(draw, n, 1)[:, 0] / 4)
        common = {"v_th": torch.from_numpy(drawn.thresholds(draw, n, each))}
        leak = {"tau_mem_inv": torch.from_numpy((1 - kept) * 1000), "v_leak": torch.zeros(n)}
        if kind == 0:
            how = {"reset_method": reset_subtract} if soft else {}
            cell = norse.LIFBoxCell(LIFBoxParameters(**common, **leak, v_reset=torch.zeros(n), **how))
        elif kind == 1:
            syn = torch.full((n,), 500.0)
            cell = norse.LIFCell(LIFParameters(**common, **leak, tau_syn_inv=syn, v_reset=torch.zeros(n)))
        else:
            cell = norse.IAFCell(IAFParameters(**common, v_reset=torch.zeros(n)))
        modules += [linear, cell]
        cells.append(cell)
    x = drawn.fed(draw, sizes[0])
    with torch.no_grad():
        graph = to_nir(norse.SequentialState(*modules), torch.zeros(1, sizes[0]))
        spikes, states = [[] for _ in cells], [None for _ in cells]
        for now in torch.from_numpy(x):
            for i, cell in enumerate(cells):
                now, states[i] = cell(modules[2 * i](now), states[i])
                spikes[i].append(now.numpy().copy())
    return graph, x, spikes, {"reset": "soft"} if kind == 0 and soft else {}


drawn.main(networks)
