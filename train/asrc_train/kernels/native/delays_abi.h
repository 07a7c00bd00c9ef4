// The plain C interface of the kernels for networks with a delay for each synapse: what delays_library.py declares to
// ctypes, field by field. As in abi.h, the caller has checked shapes and values; R is float or double.
#ifndef ASRC_DELAYS_ABI_H
#define ASRC_DELAYS_ABI_H

#include <stdint.h>

#include "abi.h"

extern "C" {

enum asrc_delays_readout { ASRC_WEIGHTED = 0, ASRC_MAXIMUM = 1, ASRC_FIRST_SPIKE = 2 };

// Synapses (neurons, inputs), or of a layer to itself (neurons, neurons); no pointer is set where there are none.
struct asrc_delays_synapses {
    const void* weight;    // R
    const int16_t* delay;  // steps
    void* grad_weight;     // R; backward only
    void* grad_delay;      // R
};

struct asrc_delays_layer {
    int64_t inputs;
    int64_t neurons;
    int64_t fires;
    double threshold;
    asrc_delays_synapses forward;
    asrc_delays_synapses back;
    void* counts;             // R (B, neurons), of a layer that fires; forward writes it
    const void* grad_counts;  // R (B, neurons), or null; backward reads it
};

struct asrc_delays_call {
    int64_t element_bytes;
    int64_t isa;
    int64_t threads;
    int64_t steps;
    int64_t batch;
    int64_t layer_count;
    asrc_delays_layer* layers;

    const int64_t* first;    // (B + 1): where each sample's events begin, which are sorted by step
    const int32_t* step;
    const int32_t* channel;
    const void* value;       // R

    double alpha, beta, gain, mean_current, tau_membrane, tau_synapse, grazing;
    int64_t plain;           // whether Q' is the plain one
    int64_t whole;           // whether states are whole numbers: decays round toward zero

    int64_t readout;             // asrc_delays_readout
    const void* time_weights;    // R (T), of ASRC_WEIGHTED
    void* answers;               // R (B, neurons of the last layer)
    const void* grad_answers;    // R
    int64_t grazing_spikes;      // found by forward
    int64_t late_arrivals;
};

struct asrc_delays_tape;

// A tape that `asrc_delays_free` has to release; null without memory for it.
ASRC_EXPORT asrc_delays_tape* asrc_delays_forward(asrc_delays_call* call);

// The same bits for the same arguments and instruction set, whatever the number of threads.
ASRC_EXPORT int64_t asrc_delays_backward(const asrc_delays_call* call, const asrc_delays_tape* tape);

// How many spikes a layer fired in all samples; with `to`, (that many, 3): sample, step, neuron.
ASRC_EXPORT int64_t asrc_delays_spikes(const asrc_delays_tape* tape, int64_t layer, int64_t* to);

ASRC_EXPORT void asrc_delays_free(asrc_delays_tape* tape);
}

#endif
