"""A network as one freestanding C99 file and its header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core import __version__
from asrc_core.contract.interpreter import run
from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_export.codegen.mcu.helpers import HELPERS
from asrc_export.codegen.mcu.layer import LayerText, Source, sources_of
from asrc_export.codegen.mcu.memory import Memory, narrowest

RUNTIME = Path(__file__).with_name("runtime.c").read_text(encoding="utf-8")
SAMPLE_BYTES = 1024
"""The self-test's sample takes at most about this much: of longer samples it has the first steps."""


@dataclass(frozen=True)
class Program:
    """The two files' texts; bytes of constants and of static memory, code left out."""

    source: str
    header: str
    weights: int
    """Bytes of the weights and delays alone."""
    constants: int
    ram: int


def program(network: IntegerNetwork, sample: NDArray[np.generic] | None = None) -> Program:
    """A network's text; ``sample`` (T, channels) is what the self-test runs, a drawn one if it is left out."""
    memory, sources = Memory(), sources_of(network)
    layers = [LayerText(network, place, sources, memory) for place in range(len(network.layers))]
    needed: set[str] = set()
    steps, neurons = [], []
    for each in layers:
        each.reserve()
        steps.append(each.step())
    sending = [[line for each in layers for line in each.send(source)] for source in sources]
    weights = memory.flash
    for each in layers:
        neurons.append(each.neurons())
        needed |= each.needed
    # Scratch and state after the constants: how much flash weights take is read in between.
    scratch = _reserve(network, layers, memory)
    _reserve_state(network, layers, sources, memory)
    body = _step_function(layers, sources, sending)
    test = _self_test(network, sample, memory)
    text = "\n".join(
        [
            _about(network),
            RUNTIME,
            scratch,
            *(each.text for each in memory.constants),
            f"static struct {{\n{memory.structure}\n}} asrc_state;\n",
            _trace(network, layers),
            *(text for name, text in HELPERS.items() if name in needed),
            *(each for pair in zip(neurons, steps, strict=True) for each in pair),
            "\n".join(body),
            _ENDS,
            test,
        ]
    )
    return Program(text, _header(network), weights, memory.flash, memory.ram)


def _reserve_state(
    network: IntegerNetwork, layers: Sequence[LayerText], sources: Sequence[Source], memory: Memory
) -> None:
    """What was sent and is still to be heard, the logits, and the time where delayed synapses ask for it."""
    for source in sources:
        if source.kept and source.bits:
            memory.member("uint16_t", f"sent{source.place + 1}", source.slots, source.words)
        elif source.kept:
            memory.member(f"{source.type_}_t", f"sent{source.place + 1}", source.slots, source.size)
        if source.slots > 1:
            memory.member("uint32_t", f"now{source.place + 1}")
    memory.member("int32_t", "logits", network.classes)
    if any(each.ring >= 0 for each in layers):
        memory.member("uint32_t", "time")


def _step_function(
    layers: Sequence[LayerText], sources: Sequence[Source], sending: Sequence[Sequence[str]]
) -> list[str]:
    """The lines of `asrc_step`: each layer in turn, and behind it what passes on what it sent."""
    body = ["void asrc_step(const int32_t *x) {"]
    if not any(each.takes_frame for each in layers) and not sources[0].kept and not sending[0]:
        body.append("    (void)x;")
    for source, sent in zip(sources, sending, strict=True):
        if source.place >= 0:
            body.append(f"    {layers[source.place].call}")
        elif source.kept:
            now = source.slot(0)
            body.append(
                f"    for (uint32_t i = 0; i < {source.size}; i++) asrc_state.sent0[{now}][i] = ({source.type_}_t)x[i];"
            )
        body += [line if line.startswith("#") else f"    {line}" for line in sent]
    body.append(f"    {layers[-1].call}")
    for source in sources:
        if source.slots > 1:
            now = f"asrc_state.now{source.place + 1}"
            body.append(f"    {now} = {now} + 1 == {source.slots} ? 0 : {now} + 1;")
    if any(each.ring >= 0 for each in layers):
        body.append("    asrc_state.time++;")
    return [*body, "}\n"]


def _reserve(network: IntegerNetwork, layers: list[LayerText], memory: Memory) -> str:
    """Lists of events for the groups of one layer at a time; the types of their entries."""
    events: dict[int, int] = {}
    values: dict[int, int] = {}
    low = high = 0
    tapped = 0
    for each in layers:
        for i, group in enumerate(each.groups):
            events[i] = max(events.get(i, 0), group.inputs)
            for part in group.parts:
                message = part.connection.message(network.sent(part.connection.source))
                if not group.spikes:
                    values[i] = max(values.get(i, 0), group.inputs)
                    low, high = min(low, message.low), max(high, message.high)
                if len(part.connection.taps) > 1:
                    tapped = max(tapped, part.connection.inputs)
        for connection in each.layer.connections:
            if connection.delays is not None:
                sent = network.sent(connection.source)
                events[0] = max(events.get(0, 0), connection.inputs)
                if not sent.is_bit:
                    values[0] = max(values.get(0, 0), connection.inputs)
                    low, high = min(low, sent.low), max(high, sent.high)
    widest = max(events.values())
    event = "uint8_t" if widest <= 2**8 else "uint16_t" if widest <= 2**16 else "uint32_t"
    value = f"int{narrowest(low, high)}_t"
    for i, size in events.items():
        memory.member(event, f"events{i}", size)
    for i, size in values.items():
        memory.member(value, f"values{i}", size)
    if tapped:
        memory.member("int8_t", "messages", tapped)
    return f"typedef {event} asrc_event;\n" + (f"typedef {value} asrc_value;\n" if values else "")


def _about(network: IntegerNetwork) -> str:
    widths = " - ".join(str(layer.neurons) for layer in network.layers)
    return (
        f"/* An integer spiking network, {plural(network.input.channels, 'channel')} to {widths}, written by asrc"
        f" {__version__}."
        "\n\n   C99 without a library: no allocation, all state static, weights constant. Every spike, membrane and"
        "\n   logit is that of the network file, on any processor whose int has 32 bits. Not to be edited: write it"
        "\n   again. */\n"
    )


def _trace(network: IntegerNetwork, layers: list[LayerText]) -> str:
    total = sum(layer.neurons for layer in network.layers)
    rings = "".join(
        f"uint32_t asrc_trace_arriving{each.place}[2][{1 << each.ring.bit_length()}];\n"
        for each in layers
        if each.ring >= 0
    )
    return (
        "#ifdef ASRC_TRACE /* what an engine looks at: not for the device */\n"
        f"int32_t asrc_trace_shown[{total}], asrc_trace_sent[{total}];\n"
        f"uint32_t asrc_trace_counts[{4 * len(network.layers)}];\n{rings}#endif\n"
    )


_ENDS = """\
void asrc_init(void) {
    volatile unsigned char *bytes = (volatile unsigned char *)&asrc_state;
    for (uint32_t i = 0; i < sizeof asrc_state; i++) bytes[i] = 0;
}

const int32_t *asrc_logits(void) {
    return asrc_state.logits;
}

uint32_t asrc_answer(void) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < ASRC_CLASSES; i++)
        if (asrc_state.logits[i] > asrc_state.logits[best]) best = i;
    return best;
}
"""


def _self_test(network: IntegerNetwork, sample: NDArray[np.generic] | None, memory: Memory) -> str:
    entry = network.input
    bits = narrowest(entry.minimum, entry.maximum)
    most = max(1, SAMPLE_BYTES * 8 // bits // entry.channels)
    if sample is None:
        steps = min(network.steps, most)
        sample = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, (steps, entry.channels))
    x = np.asarray(sample)[:most]
    logits = run(network, x[np.newaxis]).logits[0]
    own = Memory()
    own.constant("asrc_sample", f"int{bits}_t", x.ravel())
    own.constant("asrc_expected", "int32_t", logits)
    memory.flash += own.flash
    return "\n".join(each.text for each in own.constants) + (
        f"\nuint32_t asrc_self_test(void) {{\n"
        f"    int32_t x[{entry.channels}];\n    uint32_t wrong = 0;\n    asrc_init();\n"
        f"    for (uint32_t t = 0; t < {len(x)}; t++) {{\n"
        f"        for (uint32_t c = 0; c < {entry.channels}; c++) x[c] = asrc_sample[t * {entry.channels} + c];\n"
        "        asrc_step(x);\n    }\n"
        "    for (uint32_t i = 0; i < ASRC_CLASSES; i++) wrong += asrc_state.logits[i] != asrc_expected[i];\n"
        "    asrc_init();\n    return wrong;\n}\n"
    )


def _header(network: IntegerNetwork) -> str:
    order = ""
    if network.permutation is not None:
        type_ = "uint16_t" if network.steps <= 2**16 else "uint32_t"
        entries = ", ".join(map(str, network.permutation.tolist()))
        order = (
            "\n/* The order in which the network takes a sample's steps: t is the sample's step asrc_order[t]. */\n"
            "#ifdef ASRC_ORDER\n"
            f"static const {type_} asrc_order[ASRC_STEPS] = {{{entries}}};\n#endif\n"
        )
    return _HEADER.format(
        channels=network.input.channels,
        minimum=network.input.minimum,
        maximum=network.input.maximum,
        steps=network.steps,
        classes=network.classes,
        order=order,
    )


_HEADER = """\
#ifndef ASRC_NETWORK_H
#define ASRC_NETWORK_H

#include <stdint.h>

#define ASRC_CHANNELS {channels}
#define ASRC_MINIMUM ({minimum})
#define ASRC_MAXIMUM ({maximum})
#define ASRC_STEPS {steps}
#define ASRC_CLASSES {classes}
{order}
#ifdef __cplusplus
extern "C" {{
#endif

/* Before a sample's first step. */
void asrc_init(void);

/* One step: ASRC_CHANNELS numbers from ASRC_MINIMUM to ASRC_MAXIMUM, which are not checked. */
void asrc_step(const int32_t *x);

/* ASRC_CLASSES logits so far; those after a sample's last step are the answer's. */
const int32_t *asrc_logits(void);

/* The class with the greatest logit, the first of several. */
uint32_t asrc_answer(void);

/* Runs a sample that is built in: how many of its logits are not as expected: 0 if all is well. Leaves the
   state as asrc_init does. */
uint32_t asrc_self_test(void);

#ifdef __cplusplus
}}
#endif

#endif
"""
