// What the kernels for W x + b work on, and for its adjoint. Plain data and declarations only, for the reason that
// kernel.h gives; rows, bits and packed matrices lie as it says.
#ifndef ASRC_PROJECTION_KERNEL_H
#define ASRC_PROJECTION_KERNEL_H

#include <cstdint>

#include "kernel.h"

namespace asrc {

constexpr int64_t kRows = kWordBits;  // steps that are taken at once: their rows stay in the first-level cache

template <typename R>
struct Projection {
    int64_t inputs;
    int64_t input_words;
    int64_t input_width;  // padded
    int64_t neurons;
    int64_t width;        // padded
    const R* weights;     // (inputs, width), the transpose of W
    const R* panels;      // the same, packed; for numbers only
    const R* bias;        // (width)
    const R* back;        // W packed, (neurons, input_width); backward only, as is all that follows
    const R* settle;      // (2, width): settle[0] + settle[1] y is added to dL/dy; or null
};

// Some steps of one sample. `input` begins at their first; rows of `made` and `above` are padded and lie one after the
// other.
template <typename R>
struct ProjectedSteps {
    int64_t steps;
    Input<R> input;
    R* made;         // y = W x + b; forward writes it, backward reads it where there is `settle`
    const R* above;  // dL/dy
    R* below;        // dL/dx, or null; may be `above` itself
    int64_t below_step;
    bool below_padded;
};

// Scratch memory of one thread, and what it sums.
template <typename R>
struct ProjectionRoom {
    R* rows;   // (kRows, width)
    R* below;  // (kRows, input_width)
    R* sums;   // forward (2, width): y - origin, and its square; backward (inputs + 1, width): dL/dW^T, dL/db
};

template <typename R>
struct ProjectionKernels {
    // Adds to the sums where there is an origin.
    void (*forward)(const Projection<R>&, const ProjectedSteps<R>&, const ProjectionRoom<R>&, const R* origin);
    void (*backward)(const Projection<R>&, const ProjectedSteps<R>&, const ProjectionRoom<R>&);
};

}  // namespace asrc

#endif
