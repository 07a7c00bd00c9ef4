// What the kernels for state-space neurons work on. Plain data and declarations only, for the reason that kernel.h gives.
//
// Time is cut into chunks. Forward keeps the state at the start of each; backward walks the chunks from the last to the
// first and makes the states within one anew, so that memory grows with T by a few numbers a chunk and not a step.
#ifndef ASRC_RESONATORS_KERNEL_H
#define ASRC_RESONATORS_KERNEL_H

#include <cstdint>

#include "kernel.h"

namespace asrc {

constexpr int64_t kChunk = 32;    // steps
constexpr int64_t kMostModes = 8;
constexpr int64_t kMostTaps = 8;

template <typename R>
struct ResonatorLayer {
    int64_t neurons;
    int64_t width;  // padded
    int64_t spike_words;  // of bits in a row
    int64_t modes;
    int64_t taps;
    R period;
    bool masked;
    R threshold;
    int64_t rows;        // 4 modes + 3 + taps
    int64_t words;       // 2 modes + taps: re and im of each mode, steps left to wait, the y that the window looks back at
    const R* constants;  // (rows, width): c, d, p, q, D, window, scale, shift; poles that pad are 0
};

// A sequence of one sample, a row each `step` numbers; padded rows have room for `width` numbers.
template <typename R>
struct Rows {
    R* data;  // or null
    int64_t step;
    bool padded;
};

template <typename R>
struct ResonatorSample {
    int64_t steps;
    Rows<const R> input;
    const R* gain;   // (neurons) or null
    Rows<R> spikes;
    uint64_t* bits;  // (steps, spike_words) or null
    R* counts;       // (neurons) or null
    R* kept;         // (chunks, words, width) or null
    Rows<const R> above;
    Rows<R> grad_input;
};

// What a thread needs, all aligned.
template <typename R>
struct ResonatorRoom {
    R* state;     // (words, width)
    R* gain;      // (width), what pads is 0
    R* counts;    // (width)
    R* input;     // (kChunk, width)
    R* output;    // (kChunk, width)
    R* above;     // (kChunk, width); backward only, as is all that follows
    R* adjoint;   // (2 modes + taps - 1, width): dL/dre, dL/dim, dL/dh of the steps after
    R* sums;      // (rows, width)
};

template <typename R>
struct ResonatorKernels {
    void (*forward)(const ResonatorLayer<R>&, const ResonatorSample<R>&, const ResonatorRoom<R>&);
    void (*backward)(const ResonatorLayer<R>&, const ResonatorSample<R>&, const ResonatorRoom<R>&);
};

}  // namespace asrc

#endif
