#!/usr/bin/env bash
# lava-dl 0.6.0: netx reads a convolution without the delays that SLAYER wrote for it.
#
# Expected (netx's README lists "delay(if available)" for dense and for conv): a block that was trained with axonal
# delays sends on Lava in the step in which it sends in SLAYER.
# Seen: a dense block does. A convolution's delay of 5 steps is in the file, the network prints True in its column
# "delay", and it sends 5 steps early, as if there were none. Nothing is warned of.
#
# Takes the Python in PYTHON if that has lava-dl, and installs it for python3.10 otherwise. Fails if the behaviour is
# another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.10}
if ! "$python" -c 'from lava.lib.dl import slayer' >/dev/null 2>&1; then
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet lava-dl==0.6.0
fi
cd "$folder"
"$python" -W ignore - 2>/dev/null <<'PYTHON'
import contextlib
import io
import warnings
from importlib.metadata import version

import h5py
import numpy as np
import torch
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source

with contextlib.redirect_stdout(io.StringIO()):  # it tells of data sets that it has no tools for
    from lava.lib.dl import netx, slayer

NEURON = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 1.0}
STEPS = 20
found = {}
for kind in ("dense", "conv"):
    for delay in (0, 5):
        if kind == "dense":
            block, shape = slayer.block.cuba.Dense(NEURON, 1, 1, delay=True), (1,)
        else:
            block, shape = slayer.block.cuba.Conv(NEURON, 1, 1, kernel_size=1, delay=True), (1, 1, 1)
        x = torch.zeros(1, *shape, STEPS)
        x[..., 2] = 1
        block(x)  # makes the neurons and their delays
        block.delay_buffer = None
        block.synapse.weight.data.fill_(1.5)
        block.delay.delay.data.fill_(delay)
        trained = block(x).flatten().nonzero().flatten().tolist()

        path = f"{kind}-{delay}.net"  # netx leaves its file open
        with h5py.File(path, "w") as file:
            if kind == "conv":
                entry = file.create_group("layer/0")
                entry["type"], entry["shape"] = [b"input"], np.array(shape)
            group = file.create_group(f"layer/{int(kind == 'conv')}")
            block.export_hdf5(group)
            written = group["delay"][()].tolist()
        said = io.StringIO()
        with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(said):
            warnings.simplefilter("always")
            network = netx.hdf5.Network(net_config=path)
        about = [str(each.message) for each in warned if "delay" in str(each.message).lower()]
        source, sink = Source(data=x[0].numpy()), Sink(shape=network.out.shape, buffer=STEPS)
        source.s_out.connect(network.inp)
        network.out.connect(sink.a_in)
        network.run(condition=RunSteps(num_steps=STEPS), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        sent = np.flatnonzero(sink.data.get()).tolist()
        network.stop()

        column = str(network).splitlines()[-1].split("|")[-2].strip()
        found[kind, delay] = trained, sent
        print(
            f"lava-dl {version('lava-dl')}, {kind}, delay {written} in the file and {column} in the table: "
            f"spike in step {trained} of SLAYER and {sent} of netx"
        )
        assert written == [delay] and column == "True" and not about and "delay" not in said.getvalue()
assert all(found["dense", delay] == ([3 + delay], [3 + delay]) for delay in (0, 5)), "dense blocks are read otherwise"
assert found["conv", 0] == ([3], [3])
assert found["conv", 5] == ([8], [3]), "delays of convolutions are read now"
PYTHON
