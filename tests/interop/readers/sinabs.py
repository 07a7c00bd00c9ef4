"""Sinabs: from_nir, all steps of all samples at once."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
import torch  # noqa: E402
from sinabs.nir import from_nir  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402


def outputs(graph, x):
    steps, batch, channels = x.shape
    for node in graph.nodes.values():  # its layers take tensors
        for name in ("tau", "r", "v_leak", "v_threshold"):
            if hasattr(node, name):
                setattr(node, name, torch.from_numpy(getattr(node, name)))
    net = from_nir(graph, batch_size=batch)
    flat = torch.from_numpy(x.transpose(1, 0, 2).reshape(batch * steps, channels).copy())
    with torch.no_grad():
        out = net(flat)
    out = out[0] if isinstance(out, tuple) else out
    return out.numpy().reshape(batch, steps, -1).transpose(1, 0, 2)


files.main(outputs)
