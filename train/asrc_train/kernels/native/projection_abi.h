// The plain C interface of y = W x + b and its adjoint: what projection_library.py declares to ctypes, field by field.
// As in abi.h, the caller has checked shapes and values; R is float or double.
#ifndef ASRC_PROJECTION_ABI_H
#define ASRC_PROJECTION_ABI_H

#include <stdint.h>

#include "abi.h"
#include "rows_abi.h"

extern "C" {

struct asrc_projection_call {
    int64_t element_bytes;
    int64_t isa;
    int64_t threads;
    int64_t steps;
    int64_t batch;
    int64_t inputs;
    int64_t neurons;
    const void* weight;    // R (neurons, inputs)
    const void* bias;      // R (neurons)
    struct asrc_rows heard;    // x as numbers, or
    const uint64_t* bits;      // x as spikes, (B, T, words): bit n % 64 of word n / 64 is input n

    void* made;       // R (B, T, neurons padded): y. Forward writes it; backward reads it where there is `settle`
    void* origin;     // R (neurons): y of the first step of the first sample; forward writes it, or null
    double* moments;  // (2, neurons): sums of y - origin and of its square over all steps and samples; likewise

    const void* above;   // R (B, T, neurons padded): dL/dy; backward reads it
    const void* settle;  // R (2, neurons): settle[0] + settle[1] y is added to dL/dy; or null
    void* grad_weight;   // R, shapes as above
    void* grad_bias;
    struct asrc_rows below;  // dL/dx; without data nobody wants it. It may be `above`, if x is as wide as y.
};

// The same bits for the same arguments and instruction set, whatever the number of threads.
ASRC_EXPORT int64_t asrc_projection_forward(const asrc_projection_call* call);
ASRC_EXPORT int64_t asrc_projection_backward(const asrc_projection_call* call);
}

#endif
