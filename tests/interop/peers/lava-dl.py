"""SLAYER of lava-dl: cuba.Dense and cuba.Recurrent, written as netx files. `python lava-dl.py FOLDER`."""

import sys
from itertools import pairwise

import h5py
import numpy as np
import torch

HERE = sys.path.pop(0)
from lava.lib.dl import slayer  # noqa: E402

sys.path.insert(0, HERE)
from pathlib import Path  # noqa: E402

import drawn  # noqa: E402


def block(draw, inputs, n, recurrent):
    how = {
        "threshold": float(draw.choice([0.5, 1.0, 1.25])),
        "current_decay": 1.0,
        "voltage_decay": float(draw.choice([*drawn.DECAYS, 0.1])),
    }
    made = slayer.block.cuba.Recurrent if recurrent else slayer.block.cuba.Dense
    layer = made(how, inputs, n, delay_shift=False)
    synapse = layer.input_synapse if recurrent else layer.synapse
    synapse.weight.data = torch.from_numpy(drawn.weights(draw, n, inputs)).reshape(synapse.weight.shape)
    if recurrent:
        again = torch.from_numpy(drawn.weights(draw, n, n) / 2)
        layer.recurrent_synapse.weight.data = again.reshape(layer.recurrent_synapse.weight.shape)
    return layer


def networks(seed, draw):
    sizes = drawn.widths(draw)
    blocks = [block(draw, inputs, n, seed % 2 == 1) for inputs, n in pairwise(sizes)]
    x = drawn.fed(draw, sizes[0])
    now, spikes = torch.from_numpy(x.transpose(1, 2, 0).copy()), []
    with torch.no_grad():
        for each in blocks:
            now = each(now)
            spikes.append(now.numpy().transpose(2, 0, 1).copy())
    return blocks, x, spikes


folder = Path(sys.argv[1])
for seed in range(drawn.NETWORKS):
    blocks, x, spikes = networks(seed, np.random.default_rng(seed))
    with h5py.File(folder / f"{seed}.net", "w") as file:
        for i, each in enumerate(blocks):
            each.export_hdf5(file.create_group(f"layer/{i}"))
    np.savez(folder / f"{seed}.npz", x=x, **{f"layer{i}": each for i, each in enumerate(spikes)})
