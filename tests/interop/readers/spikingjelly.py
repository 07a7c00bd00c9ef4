"""SpikingJelly: import_from_nir, one step at a time."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
import numpy as np  # noqa: E402
import torch  # noqa: E402
from spikingjelly.activation_based.nir_exchange import import_from_nir  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402


def outputs(graph, x):
    net, state, shown = import_from_nir(graph), None, []
    with torch.no_grad():
        for now in torch.from_numpy(x):
            out, state = net(now, state)
            shown.append(out.numpy().copy())
    return np.stack(shown)


files.main(outputs)
