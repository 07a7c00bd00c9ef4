"""Rockpool: from_nir, all steps at once."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
import torch  # noqa: E402
from rockpool.nn.modules.torch.nir import from_nir  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402


def outputs(graph, x):
    net = from_nir(graph)
    with torch.no_grad():
        out = net(torch.from_numpy(x.transpose(1, 0, 2).copy()))
    out = out[0] if isinstance(out, tuple) else out
    return out.numpy().transpose(1, 0, 2)


files.main(outputs)
