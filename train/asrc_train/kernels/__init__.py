"""Kernels that run skip-recurrent layers over time: same equations, same gradients, different speed.

    autograd   the equations as written, differentiated by PyTorch; every other kernel is tested against it
    bptt       back-propagation through time by hand in plain torch operations; any device, any float type
    native     C++ over bit-packed spikes, fused over layers and batch tiles; CPU, float32 and float64

Each is a module with `why_not(x, layers)`, `spikes(x, layer)` and `counts(x, layers)`; `choice` picks one.
"""

from asrc_core import extras

extras.require("train", ["torch"])
