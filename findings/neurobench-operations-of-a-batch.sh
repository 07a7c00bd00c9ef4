#!/usr/bin/env bash
# neurobench 2.3.0, SynapticOperations: what a sample costs depends on the samples that it is batched with.
#
# Expected, of a figure for one sample: the mean over a batch is the mean of what its samples take by themselves.
# Seen: a layer's operations count as accumulates if all inputs of the batch are -1, 0 or 1, and as multiply-accumulates
# otherwise. A sample of spikes takes 6 accumulates alone; beside one sample with a single value of 0.5 both are said to
# take 6 multiply-accumulates and no accumulate. So figures of graded first layers, and of networks that send more than
# spikes now and then, change with the batch size.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet neurobench==2.3.0 torch==2.5.1 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import torch
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import TorchModel
from torch import nn

torch.manual_seed(0)


def operations(samples):
    """Accumulates and multiply-accumulates a sample of one linear layer, samples (n, 4)."""
    model = TorchModel(nn.Sequential(nn.Linear(4, 3, bias=False)))
    model.register_hooks()
    batch = torch.tensor(samples)
    found = SynapticOperations()(model, model(batch), (batch, None))
    model.cleanup_hooks()
    return found["Effective_ACs"], found["Effective_MACs"]


spikes, graded = [1.0, 0.0, 1.0, 0.0], [0.5, 0.0, 1.0, 0.0]
print(f"neurobench {version('neurobench')}, accumulates and multiply-accumulates of a sample:")
for name, batch in (("spikes alone", [spikes]), ("graded alone", [graded]), ("both in a batch", [spikes, graded])):
    print(f"  {name}: {operations(batch)}")
assert operations([spikes]) == (6, 0)
assert operations([graded]) == (0, 6)
assert operations([spikes, graded]) == (0, 6), "the batch is taken sample by sample now"
PYTHON
