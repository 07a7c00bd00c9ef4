// The plain C interface of the kernels for state-space neurons: what resonators_library.py declares to ctypes, field by
// field. As in abi.h, the caller has checked shapes and values; R is float or double.
#ifndef ASRC_RESONATORS_ABI_H
#define ASRC_RESONATORS_ABI_H

#include <stdint.h>

#include "abi.h"
#include "rows_abi.h"

extern "C" {

// Of one layer: poles a = c + i d and read-outs r = p + i q, (K, neurons) each; D and the window are (neurons) and
// (taps, neurons).
struct asrc_resonators_call {
    int64_t element_bytes;
    int64_t isa;
    int64_t threads;
    int64_t steps;
    int64_t batch;
    int64_t neurons;
    int64_t modes;   // K, 1..8
    int64_t taps;    // 1..8
    int64_t period;  // 0..31
    int64_t masked;  // whether a crossing that the period suppresses lets no gradient pass
    double threshold;

    const void* constants;   // R (4 K + 3 + taps, neurons): c, d, p, q, D, window, scale, shift
    const void* gain;        // R (B, neurons), or null for ones
    struct asrc_rows input;  // x; the current is u = gain (scale x + shift)

    struct asrc_rows spikes;  // forward writes them as numbers, as bits (B, T, words), bit n % 64 of word n / 64 for
    uint64_t* bits;           // neuron n, and their sum over time, R (B, neurons): each where it is not null
    void* counts;
    void* kept;               // R (B, chunks, words), of `asrc_resonators_words`; null: no backward pass follows

    struct asrc_rows above;       // dL/ds; backward reads it
    struct asrc_rows grad_input;  // may be `above`
    void* grad_constants;         // R (B, 4 K + 3 + taps, neurons): of each sample
};

// How many numbers forward keeps of a sample for backward.
ASRC_EXPORT int64_t asrc_resonators_words(const asrc_resonators_call* call);

// The same bits for the same arguments and instruction set, whatever the number of threads.
ASRC_EXPORT int64_t asrc_resonators_forward(const asrc_resonators_call* call);
ASRC_EXPORT int64_t asrc_resonators_backward(const asrc_resonators_call* call);
}

#endif
