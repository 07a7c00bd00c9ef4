"""spyx: IF, LIF, CuBaLIF, and the recurrent RIF, RLIF, RCuBaLIF."""

import sys
from itertools import pairwise

HERE = sys.path.pop(0)  # this file has its package's name
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import spyx.nn as snn  # noqa: E402
from flax import nnx  # noqa: E402
from spyx.nir import to_nir  # noqa: E402

sys.path.insert(0, HERE)
import drawn  # noqa: E402


def networks(seed, draw):
    sizes, kind, recurrent, each = drawn.widths(draw), seed % 3, seed % 2 == 1, seed % 4 >= 2
    rngs, modules = nnx.Rngs(0), []
    made = [(snn.IF, snn.LIF, snn.CuBaLIF), (snn.RIF, snn.RLIF, snn.RCuBaLIF)][recurrent][kind]
    for inputs, n in pairwise(sizes):
        linear = nnx.Linear(inputs, n, use_bias=seed % 3 == 0, rngs=rngs)
        linear.kernel[...] = jnp.asarray(drawn.weights(draw, n, inputs).T)
        if linear.bias is not None:
            linear.bias[...] = jnp.asarray(drawn.weights(draw, n, 1)[:, 0] / 4)
        threshold = 1.0 if not each else jnp.asarray(drawn.thresholds(draw, n, True))
        cell = made((n,), threshold=threshold, rngs=rngs)
        if kind:
            cell.beta[...] = jnp.asarray(drawn.decays(draw, n, each))
        if kind == 2:
            cell.alpha[...] = jnp.asarray(drawn.decays(draw, n, each))
        if recurrent:
            cell.recurrent_w[...] = jnp.asarray(drawn.weights(draw, n, n) / 2)
        modules += [linear, cell]
    x = drawn.fed(draw, sizes[0])
    ends = {"input": np.array([sizes[0]])}, {"output": np.array([sizes[-1]])}
    graph = to_nir(nnx.Sequential(*modules), *ends, dt=1)
    cells = modules[1::2]
    states, spikes = [cell.initial_state(drawn.BATCH) for cell in cells], [[] for _ in cells]
    for now in [*x, np.zeros_like(x[0])]:
        now = jnp.asarray(now)
        for i, cell in enumerate(cells):
            now, states[i] = cell(modules[2 * i](now), states[i])
            spikes[i].append(np.asarray(now))
    # Sent a step after the membrane crossed: named here by the membrane's step.
    return graph, x, [each[1:] for each in spikes], {}


drawn.main(networks)
