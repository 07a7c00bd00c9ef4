"""Event lists, rings and byte-wide delays in C++, samples spread over threads; its sources lie in `kernels/native`.

The tape lives in the library: 12 or 16 bytes a spike, and nothing that grows with steps. Delays take one byte, or two
where one is longer than 255 steps.
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

from asrc_train.kernels.delays.layer import Asked, DelayLayer, Outcome, Run, Synapses, Told
from asrc_train.kernels.native import library
from asrc_train.kernels.native.delays_library import (
    READOUTS,
    CDelayCall,
    CDelayLayer,
    CSynapses,
    functions,
)
from asrc_train.kernels.native.library import instruction_set, require_memory


class Tape:
    """The library's tape of one run, released with this object."""

    def __init__(self, run: Run, handle: int) -> None:
        self.run, self.handle = run, handle
        weakref.finalize(self, functions().asrc_delays_free, handle)


def why_not(run: Run) -> str | None:
    """Why this kernel cannot do it here, or None."""
    reason = library.why_not(run.layers[0].forward.weight)
    if reason is not None:
        return reason
    if run.cuba.gradient != "eventprop" and run.keep:
        return "surrogate gradients need all membranes, and it keeps spikes only"
    return None


def forward(run: Run) -> Outcome:
    """The pass, one sample after the other on each thread."""
    call = _Call(run)
    like, batch = run.layers[-1].forward.weight, run.events.batch
    answers = like.new_empty(batch, run.layers[-1].neurons)
    counts = [like.new_empty(batch, layer.neurons) for layer in run.layers if layer.threshold is not None]
    call.c.answers = answers.data_ptr()
    for layer, each in zip(call.layers, counts, strict=False):
        layer.counts = each.data_ptr()
    handle = functions().asrc_delays_forward(call.c)
    require_memory(handle is not None)
    return Outcome(answers, counts, Told(call.c.grazing_spikes, call.c.late_arrivals), Tape(run, handle))


def backward(tape: Tape, asked: Asked) -> list[list[Synapses]]:
    """Gradients of every layer's connections."""
    call = _Call(tape.run)
    call.c.grad_answers = call.kept(asked.answers)
    for c_layer, worth in zip(call.layers, asked.counts, strict=False):
        c_layer.grad_counts = None if worth is None else call.kept(worth)
    made: list[list[Synapses]] = []
    for given, layer in zip(tape.run.layers, call.layers, strict=True):
        found = [Synapses(torch.empty_like(each.weight), torch.empty_like(each.weight)) for each in given.connections]
        for to, gradient in zip((layer.forward, layer.back), found, strict=False):
            to.grad_weight, to.grad_delay = gradient.weight.data_ptr(), gradient.delay.data_ptr()
        made.append(found)
    require_memory(functions().asrc_delays_backward(call.c, tape.handle) == 0)
    return made


def spikes(tape: Tape) -> list[Tensor]:
    """Sample, step and neuron of all spikes, sample by sample."""
    made = []
    for i, layer in enumerate(tape.run.layers):
        if layer.threshold is not None:
            found = torch.empty(functions().asrc_delays_spikes(tape.handle, i, None), 3, dtype=torch.int64)
            functions().asrc_delays_spikes(tape.handle, i, found.data_ptr())
            made.append(found)
    return made


class _Call:
    """A `CDelayCall`, with the tensors that its pointers point into."""

    def __init__(self, run: Run) -> None:
        self._alive: list[Tensor] = []
        events, cuba = run.events, run.cuba
        like = run.layers[0].forward.weight
        self.layers = (CDelayLayer * len(run.layers))(*map(self._layer, run.layers))
        self.c = CDelayCall(
            element_bytes=like.dtype.itemsize,
            isa=instruction_set(),
            threads=torch.get_num_threads(),
            steps=events.steps,
            batch=events.batch,
            layer_count=len(run.layers),
            layers=self.layers,
            first=self.kept(events.first),
            step=self.kept(events.step),
            channel=self.kept(events.channel),
            value=self.kept(events.value.to(like.dtype)),
            alpha=cuba.alpha,
            beta=cuba.beta,
            gain=cuba.gain,
            mean_current=cuba.mean_current,
            tau_membrane=cuba.tau_membrane,
            tau_synapse=cuba.tau_synapse,
            grazing=cuba.grazing,
            plain=cuba.delay_gradient == "plain",
            whole=cuba.whole is not None,
            readout=READOUTS[run.readout.kind],
            time_weights=None if run.readout.weights is None else self.kept(run.readout.weights),
        )

    def kept(self, tensor: Tensor) -> int:
        """Where its numbers lie in C order, for as long as the call lives."""
        self._alive.append(tensor.contiguous())
        return self._alive[-1].data_ptr()

    def _layer(self, layer: DelayLayer) -> CDelayLayer:
        neurons, inputs = layer.forward.weight.shape
        return CDelayLayer(
            inputs=inputs,
            neurons=neurons,
            fires=layer.threshold is not None,
            threshold=layer.threshold or 0.0,
            forward=self._synapses(layer.forward),
            back=CSynapses() if layer.back is None else self._synapses(layer.back),
        )

    def _synapses(self, given: Synapses) -> CSynapses:
        return CSynapses(weight=self.kept(given.weight), delay=self.kept(given.delay.to(torch.int16)))
