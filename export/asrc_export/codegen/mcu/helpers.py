"""The functions of a printed file that several layers share; a file has those that its network needs."""

from __future__ import annotations

_LIST_BITS = """\
/* Append the places of the spikes in a bit set; how many events there are then. */
static uint32_t asrc_list_bits(const uint16_t *set, uint32_t words, uint32_t base, asrc_event *events, uint32_t count) {
    for (; words--; base += 16) {
        uint32_t left = (uint32_t)*set++ << 16, place = base;
        while (left) {
#ifdef __ARM_FEATURE_CLZ
            const uint32_t zeros = (uint32_t)__builtin_clz(left);
            place += zeros;
            left <<= zeros;
            events[count++] = (asrc_event)place;
#else
            events[count] = (asrc_event)place;
            count += left >> 31;
#endif
            place++;
            left <<= 1;
        }
    }
    return count;
}
"""

_LIST_ONES = """\
/* Append the places of what is not 0, all of it 1. */
static uint32_t asrc_list_ones_{name}(const {type} *sent, uint32_t size, uint32_t base, asrc_event *events,
                                      uint32_t count) {{
    for (uint32_t i = 0; i < size; i++)
        if (sent[i]) events[count++] = (asrc_event)(base + i);
    return count;
}}
"""

_LIST_VALUES = """\
/* Append the places and the values of what is not 0. */
static uint32_t asrc_list_values_{name}(const {type} *sent, uint32_t size, uint32_t base, asrc_event *events,
                                        asrc_value *values, uint32_t count) {{
    for (uint32_t i = 0; i < size; i++)
        if (sent[i]) {{
            events[count] = (asrc_event)(base + i);
            values[count++] = (asrc_value)sent[i];
        }}
    return count;
}}
"""

_TAP = """\
/* Add a tap's weight to the message of every neuron that fired a span ago. */
static void asrc_tap(const uint16_t *set, uint32_t size, int8_t weight, int8_t *messages) {
    for (uint32_t i = 0; i < size; i++)
        if (set[i / 16] >> (15 - i % 16) & 1) messages[i] = (int8_t)(messages[i] + weight);
}
"""

_TAP_VALUES = """\
/* The same of what is kept as numbers, 0 or 1. */
static void asrc_tap_values(const int8_t *sent, uint32_t size, int8_t weight, int8_t *messages) {
    for (uint32_t i = 0; i < size; i++)
        if (sent[i]) messages[i] = (int8_t)(messages[i] + weight);
}
"""

_TAPPED = """\
/* Append what several taps come to, and clear it. */
static uint32_t asrc_list_tapped(int8_t *messages, uint32_t size, uint32_t base, asrc_event *events,
                                 asrc_value *values, uint32_t count) {
    count = asrc_list_values_int8(messages, size, base, events, values, count);
    for (uint32_t i = 0; i < size; i++) messages[i] = 0;
    return count;
}
"""

_SPIKES_16 = """\
/* The sums of 16 neurons: four words of weights for each event. */
static void asrc_spikes_16(const uint32_t *weights, const asrc_event *event, uint32_t count, int16_t *sums) {
    const asrc_event *const end = event + count;
    uint32_t a0 = ASRC_START(count), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    while (event != end) {
        const uint32_t *const row = weights + 4 * (uint32_t)*event++;
        const uint32_t w0 = row[0], w1 = row[1], w2 = row[2], w3 = row[3];
        ASRC_ADD_EVEN(a0, w0);
        ASRC_ADD_ODD(b0, w0);
        ASRC_ADD_EVEN(a1, w1);
        ASRC_ADD_ODD(b1, w1);
        ASRC_ADD_EVEN(a2, w2);
        ASRC_ADD_ODD(b2, w2);
        ASRC_ADD_EVEN(a3, w3);
        ASRC_ADD_ODD(b3, w3);
    }
    ASRC_STORE(0, a0), ASRC_STORE(2, b0), ASRC_STORE(4, a1), ASRC_STORE(6, b1);
    ASRC_STORE(8, a2), ASRC_STORE(10, b2), ASRC_STORE(12, a3), ASRC_STORE(14, b3);
}
"""

_SPIKES_4 = """\
/* The sums of 4. */
static void asrc_spikes_4(const uint32_t *weights, const asrc_event *event, uint32_t count, int16_t *sums) {
    const asrc_event *const end = event + count;
    uint32_t a = ASRC_START(count), b = a;
    while (event != end) {
        const uint32_t word = weights[*event++];
        ASRC_ADD_EVEN(a, word);
        ASRC_ADD_ODD(b, word);
    }
    ASRC_STORE(0, a), ASRC_STORE(2, b);
}
"""

_VALUES = """\
/* The sums of so many words of 4 neurons, each event weighed: one product serves two sums. */
static void asrc_values(const uint32_t *weights, uint32_t words, const asrc_event *event, const asrc_value *value,
                        uint32_t count, int16_t *sums) {
    for (uint32_t k = 0; k < words; k++, sums += 4) {
        uint32_t a = 0, b = 0, whole = 0;
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t word = weights[words * (uint32_t)event[i] + k], times = (uint32_t)(int32_t)value[i];
            whole += times;
            a += (word & 0x00ff00ffu) * times;
            b += (word >> 8 & 0x00ff00ffu) * times;
        }
        whole *= 128u * 0x10001u;
        a -= whole, b -= whole;
        sums[0] = (int16_t)a, sums[1] = ASRC_UPPER_CARRIED(a);
        sums[2] = (int16_t)b, sums[3] = ASRC_UPPER_CARRIED(b);
    }
}
"""

_WIDE = """\
/* The same with a register for each sum; without values every event is a 1. */
static void asrc_wide(const uint32_t *weights, uint32_t words, const asrc_event *event, const asrc_value *value,
                      uint32_t count, int32_t *sums) {
    for (uint32_t k = 0; k < words; k++, sums += 4) {
        uint32_t a = 0, b = 0, c = 0, d = 0;
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t word = weights[words * (uint32_t)event[i] + k];
            const uint32_t times = value ? (uint32_t)(int32_t)value[i] : 1u;
            a += ((word & 0xffu) - 128u) * times;
            b += ((word >> 16 & 0xffu) - 128u) * times;
            c += ((word >> 8 & 0xffu) - 128u) * times;
            d += ((word >> 24) - 128u) * times;
        }
        sums[0] = (int32_t)a, sums[1] = (int32_t)b, sums[2] = (int32_t)c, sums[3] = (int32_t)d;
    }
}
"""

_SCATTER = """\
/* Add one event, times its value and the exponent, to the sums of the steps in which it arrives. */
static void asrc_scatter(const int8_t *weights, const uint8_t *delays, uint32_t size, uint32_t factor, uint32_t *ring,
                         uint32_t now, uint32_t mask) {
    for (uint32_t i = 0; i < size; i++)
        ring[((now + delays[i]) & mask) * size + i] += (uint32_t)(int32_t)weights[i] * factor;
}
"""

_ARRIVALS = """\
#ifdef ASRC_TRACE
static void asrc_count_arrivals(const uint8_t *delays, uint32_t size, uint32_t *arriving, uint32_t now,
                                uint32_t mask) {
    for (uint32_t i = 0; i < size; i++) arriving[(now + delays[i]) & mask]++;
}
#endif
"""

HELPERS = {
    "bits": _LIST_BITS,
    **{f"ones_int{bits}": _LIST_ONES.format(name=f"int{bits}", type=f"int{bits}_t") for bits in (8, 16, 32)},
    **{f"values_int{bits}": _LIST_VALUES.format(name=f"int{bits}", type=f"int{bits}_t") for bits in (8, 16, 32)},
    "tap": _TAP,
    "tap_values": _TAP_VALUES,
    "tapped": _TAPPED,
    "spikes_16": _SPIKES_16,
    "spikes_4": _SPIKES_4,
    "values": _VALUES,
    "wide": _WIDE,
    "scatter": _SCATTER,
    "arrivals": _ARRIVALS,
}
"""By name, in the order in which they stand in a file."""
