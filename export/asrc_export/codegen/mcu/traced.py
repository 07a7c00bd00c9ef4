"""The printed file on this machine: compiled as it is, with a few lines around it that run samples and keep traces."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterable

from asrc_core.contract.network import IntegerNetwork
from asrc_export.codegen.mcu.program import Program

FUNCTIONS: dict[str, list[type]] = {
    "asrc_run": [c.c_void_p, c.c_int64, c.c_int64, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p],
    "asrc_feed": [c.c_void_p, c.c_void_p],
}

_DRIVER = """
enum {{ LAYERS = {layers} }};
static const int32_t sizes[LAYERS] = {{{sizes}}};
const int32_t asrc_state_bytes = (int32_t)sizeof asrc_state;
unsigned char *const asrc_state_at = (unsigned char *)&asrc_state;

/* One step; adds to (LAYERS, 4) counts. */
void asrc_feed(const int32_t *x, int64_t *counts) {{
    asrc_step(x);
    for (int32_t i = 0; i < 4 * LAYERS; i++) counts[i] += asrc_trace_counts[i], asrc_trace_counts[i] = 0;
}}

/* (samples, steps, channels) to (samples, classes) logits; what neurons sent and showed is kept for each layer,
   (steps, samples, neurons), unless these are null. */
void asrc_run(const int32_t *x, int64_t samples, int64_t steps, int64_t *logits, int64_t *counts,
              int32_t *const *sent, int32_t *const *shown) {{
    for (int64_t b = 0; b < samples; b++) {{
        asrc_init();{clear}
        for (int64_t t = 0; t < steps; t++, x += ASRC_CHANNELS) {{
            asrc_feed(x, counts);
            const int32_t *from = asrc_trace_sent, *seen = asrc_trace_shown;
            for (int32_t l = 0; shown && l < LAYERS; from += sizes[l], seen += sizes[l], l++)
                for (int32_t n = 0; n < sizes[l]; n++) {{
                    const int64_t at = (t * samples + b) * sizes[l] + n;
                    shown[l][at] = seen[n];
                    if (sent[l]) sent[l][at] = from[n];
                }}
        }}
        for (int32_t i = 0; i < ASRC_CLASSES; i++) logits[b * ASRC_CLASSES + i] = asrc_state.logits[i];
    }}
}}
"""


def text(network: IntegerNetwork, printed: Program) -> str:
    """The printed file with its header in place, its trace switched on, and the functions above."""
    whole = printed.source.replace('#include "asrc_network.h"\n', printed.header)
    cleared = _clears(network)
    driver = _DRIVER.format(
        layers=len(network.layers),
        sizes=", ".join(str(layer.neurons) for layer in network.layers),
        clear="".join(f"\n        {line}" for line in cleared),
    )
    return f"#define ASRC_TRACE\n{whole}{driver}"


def _clears(network: IntegerNetwork) -> Iterable[str]:
    """What was under way when a sample ended is nobody's operation."""
    for place, layer in enumerate(network.layers):
        if any(each.delays is not None for each in layer.connections):
            name = f"asrc_trace_arriving{place}"
            yield f"for (uint32_t i = 0; i < sizeof {name}[0] / 4; i++) {name}[0][i] = {name}[1][i] = 0;"
