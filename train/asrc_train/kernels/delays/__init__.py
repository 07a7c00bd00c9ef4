"""Kernels that run networks of current-based LIF neurons with a delay for every synapse, and differentiate them.

    plain    events and rings in plain torch operations; any device, any float type; surrogate gradients too
    native   C++ over event lists, samples spread over threads; CPU, float32 and float64

Each is a module with `why_not(run)`, `forward(run)` and `backward(tape, asked)`; `network` chooses one and hands its
gradients to autograd. The equations stand in `dynamics`.
"""

from asrc_core import extras

extras.require("train", ["torch"])
