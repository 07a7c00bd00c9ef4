// The plain C interface of the kernels for state-space neurons: what resonators_library.py declares to ctypes, field by
// field. As in abi.h, the caller has checked shapes and values; R is float or double.
#ifndef ASRC_RESONATORS_ABI_H
#define ASRC_RESONATORS_ABI_H

#include <stdint.h>

#include "abi.h"

extern "C" {

// Of one layer: poles a = c + i d and read-outs r = p + i q, (K, neurons) each; D and the window are (neurons) and
// (taps, neurons). Sequences are (T, B, neurons).
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

    const void* constants;  // R (4 K + 3 + taps, neurons): c, d, p, q, D, window, scale, shift
    const void* input;      // R, x; the current is u = scale x + shift
    void* spikes;           // R, forward writes it
    void* kept;             // R (B, chunks, words), of `asrc_resonators_words`; null: no backward pass follows

    const void* above;       // R, dL/ds, of which steps and samples lie so many numbers apart; backward reads it
    int64_t above_step;
    int64_t above_sample;
    void* grad_input;        // R
    void* grad_constants;    // R (B, 4 K + 3 + taps, neurons): of each sample
};

// How many numbers forward keeps of a sample for backward.
ASRC_EXPORT int64_t asrc_resonators_words(const asrc_resonators_call* call);

// The same bits for the same arguments and instruction set, whatever the number of threads.
ASRC_EXPORT int64_t asrc_resonators_forward(const asrc_resonators_call* call);
ASRC_EXPORT int64_t asrc_resonators_backward(const asrc_resonators_call* call);

// Sums of x - x[0, 0] and of its square over all steps and samples, (2, neurons), of `input`.
ASRC_EXPORT int64_t asrc_resonators_moments(const asrc_resonators_call* call, double* sums);

// grad_input += by[0] + by[1] input, what statistics of the whole batch add to a gradient; `by` is R (2, neurons).
ASRC_EXPORT int64_t asrc_resonators_settle(const asrc_resonators_call* call, const void* by);
}

#endif
