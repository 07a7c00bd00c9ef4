// What the kernels for delays work on. Plain data and declarations only, for the reason that kernel.h gives.
//
// Rows of synapses are padded like rows of neurons: row i has what source i leads to, inputs first, then the layer's own
// neurons. Synapses that pad have weight 0 and delay 0. Rings have a power of two of slots, one row each; what belongs
// to step t lies in slot t & mask.
#ifndef ASRC_DELAYS_KERNEL_H
#define ASRC_DELAYS_KERNEL_H

#include <cstdint>

#include "kernel.h"

namespace asrc {

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
struct Pair {  // Q and Q' of an arrival, or what a synapse has gathered of them
    R q;
    R moved;
};

template <typename R>
struct DelayedLayer {
    int64_t inputs;
    int64_t neurons;
    int64_t width;
    int64_t mask;     // slots - 1
    int64_t longest;  // delay
    bool fires;
    bool back;
    bool wide;        // whether delays take two bytes
    R threshold;
    const R* weight;    // (inputs + neurons, width)
    const void* delay;  // uint8_t or uint16_t, the same
};

template <typename R>
struct DelayConstants {
    int64_t steps;
    R alpha, beta, gain, mean_current, tau_membrane, tau_synapse, grazing;
    bool plain;
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

// What a thread needs of each layer, all rows of `width`.
template <typename R>
struct DelayRoom {
    R* ring;        // forward: (slots, width), zeros
    Pair<R>* pairs;  // backward: (slots, width), zeros
    R* current;     // I; backward Q of the step after
    R* v;           // V; backward P
    R* later;       // backward: Q of two steps after
    R* moved;       // backward, plain: Q' of the step after
    R* now;         // backward: Q of this step
    R* jumps;       // backward: of the spikes of a step
    int32_t* at;    // where a row's arrivals lie
    Pair<R>* sums;  // backward: (inputs + neurons, width)
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

#endif
