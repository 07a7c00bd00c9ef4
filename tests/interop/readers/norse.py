"""Norse: from_nir with its own step, one step at a time."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
import norse.torch as norse  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402


def outputs(graph, x):
    net, state, shown = norse.from_nir(graph, ignore_warnings=True), None, []
    with torch.no_grad():
        for now in torch.from_numpy(x):
            out, state = net(now, state)
            shown.append(out.numpy().copy())
    return np.stack(shown)


files.main(outputs)
