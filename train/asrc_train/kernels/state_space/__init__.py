"""Kernels that run state-space neurons over all steps of a sample, and differentiate them.

    native   C++, one pass over time for each sample, samples spread over threads; CPU, float32 and float64
    fft      the kernel of each neuron by FFT, in plain torch operations; any device, float32 and float64
    chunks   the same by products within chunks of steps, between which states are handed on

Each is a module with `why_not(u, layer)` and `spikes(u, layer)`; `run` chooses one. The equations stand in `layer`.
"""

from asrc_core import extras

extras.require("train", ["torch"])
