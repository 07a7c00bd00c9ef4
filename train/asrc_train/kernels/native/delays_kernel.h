// What the kernels for delays work on. Plain data and declarations only, for the reason that kernel.h gives.
//
// Neurons stand in groups of kGroup, the last of which may be smaller (`group_width`): a step's spikes go to one group
// after the other, so that what a group's ring holds stays in the first cache while they do.
//
// A matrix with a column for each neuron lies group by group, each (rows, its width): `place_of_group`. A row of
// synapses is what source i leads to, inputs first, then the layer's own neurons. Those that pad have weight 0 and
// delay 0.
// Rings have a power of two of rows, slots; what belongs to step t lies in slot t & mask.
#ifndef ASRC_DELAYS_KERNEL_H
#define ASRC_DELAYS_KERNEL_H

#include <cstdint>

#include "kernel.h"

namespace asrc {

constexpr int64_t kGroup = 64;  // neurons: rings of 64 slots and pairs of floats just fill a cache of 32 KiB
static_assert(kGroup % kPadding == 0, "a group is whole rows of vectors");

template <typename R>
struct DelaySpike {
    int32_t step;
    int32_t neuron;
    R slope;
};

// Spikes of one layer and sample, in the order of steps. `more` makes room for others, or says false.
template <typename R>
struct DelaySpikes {
    DelaySpike<R>* spikes;
    int64_t count;
    int64_t room;
    bool (*more)(DelaySpikes*);
};

template <typename R>
struct Pair {  // Q and Q' of an arrival
    R q;
    R moved;
};

// A row of synapses that is at work in a step, and what it is multiplied by.
template <typename R>
struct Sent {
    int64_t row;
    R value;
};

template <typename R>
struct DelayedLayer {
    int64_t inputs;
    int64_t neurons;
    int64_t width;    // neurons, padded
    int64_t rows;     // of synapses: inputs, and neurons of a layer that leads to itself
    int64_t mask;     // slots - 1
    int64_t longest;  // delay
    bool fires;
    bool back;
    bool wide;        // whether delays take two bytes
    R threshold;
    const R* weight;    // (rows, width)
    const void* delay;  // uint8_t or uint16_t, the same
};

template <typename R>
struct DelayConstants {
    int64_t steps;
    R alpha, beta, gain, mean_current, tau_membrane, tau_synapse, grazing;
    bool plain, whole;
    int64_t readout;
    const R* time_weights;
};

// One sample's input.
template <typename R>
struct DelayEvents {
    const int32_t* step;
    const int32_t* channel;
    const R* value;
    int64_t count;
};

// What a thread needs of each layer. Rows are of `width`.
template <typename R>
struct DelayRoom {
    R* ring;         // forward: (slots, width), zeros
    R* current;      // forward: I
    R* v;            // V; backward P
    Pair<R>* pairs;  // backward: (slots, width), zeros
    R* q;            // backward: Q of three steps, zeros; that of step t in row (t + 3) % 3
    R* moved;        // backward, plain: Q' of the step after
    R* worth;        // backward: of each spike of a step, what it is worth to move it; then its jump of P
    R* sums;         // backward: what synapses have gathered, (rows, 2 width): of each group, Q and then Q'
    Sent<R>* sent;   // what is sent in a step, at most as much as the layer before and this one can, and as much ahead
    int32_t* at;     // (kGroup): where a row's arrivals lie in the group's ring
};

template <typename R>
struct DelayFound {
    int64_t grazing;
    int64_t late;
    bool memory;  // whether there was enough
};

template <typename R>
struct DelayKernels {
    // counts: per layer (neurons) or null. best: (neurons of the last) steps of the maximum or of the first spike.
    DelayFound<R> (*forward)(
        const DelayedLayer<R>* layers, int64_t depth, const DelayConstants<R>&, const DelayEvents<R>&,
        const DelayRoom<R>* rooms, DelaySpikes<R>* tapes, R* const* counts, R* answers, int32_t* best);
    void (*backward)(
        const DelayedLayer<R>* layers, int64_t depth, const DelayConstants<R>&, const DelayEvents<R>&,
        const DelayRoom<R>* rooms, const DelaySpikes<R>* tapes, const R* const* grad_counts, const R* grad_answers,
        const int32_t* best);
};

}  // namespace asrc

namespace {  // a body each, for every instruction set

// How many neurons stand in the group that begins with neuron `first`.
inline __attribute__((always_inline)) int64_t group_width(int64_t width, int64_t first) {
    return width - first < asrc::kGroup ? width - first : asrc::kGroup;
}

// Where that group begins in a matrix of so many rows.
inline __attribute__((always_inline)) int64_t place_of_group(int64_t rows, int64_t first) { return rows * first; }

}  // namespace

#endif
