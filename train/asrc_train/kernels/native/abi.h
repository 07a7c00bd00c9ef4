// The plain C interface of the kernels: what library.py declares to ctypes, field by field.
//
// The caller (Python) has already checked shapes and types; sizes here are trusted, and the forward call looks at the
// values, which it reads anyway. Arrays of numbers are float
// or double as `element_bytes` says (below: R), in C order unless strides are given. No call throws or keeps a pointer.
#ifndef ASRC_ABI_H
#define ASRC_ABI_H

#include <stdint.h>

#if defined(__GNUC__)
#define ASRC_EXPORT __attribute__((visibility("default")))
#else
#define ASRC_EXPORT
#endif

extern "C" {

// ASRC_NOT_FINITE: NaN or infinity among the numbers given; what was written then means nothing.
enum asrc_status { ASRC_OK = 0, ASRC_NO_MEMORY = 1, ASRC_NOT_FINITE = 2 };

// What the first layer is fed with.
enum asrc_feed {
    ASRC_CHANNELS = 0,  // numbers, (T, B, inputs)
    ASRC_SPIKES = 1,    // packed spikes, (B, T, words), each worth `spike_value`
    ASRC_CURRENT = 2,   // the layer's feed-forward current itself, (T, B, neurons); the layer has no weight
};

// One layer; the equations are those of recurrence.py. A gradient is written where its pointer is not null.
struct asrc_layer {
    int64_t inputs;
    int64_t neurons;
    int64_t lags;  // K of a mixture, or 0
    int64_t span;  // of a layer without a mixture, or 0
    int64_t hard_reset;
    int64_t detach_reset;
    double decay;
    double threshold;
    double resolution;  // alpha v is rounded toward zero to multiples of this power of two; 0: not at all
    const void* weight;     // R (neurons, inputs), or null
    const void* bias;       // R (neurons), or null
    const void* recurrent;  // R (neurons, neurons)
    const void* mixture;    // R (lags), or null
    const void* gain;       // R (B, neurons), or null
    uint64_t* spikes;       // (B, T, words), words = ceil(neurons / 64), bit n % 64 of word n / 64 is neuron n. The
                            // forward call writes it where it is not null; the backward call reads it.
    void* grad_weight;      // R, shapes as above
    void* grad_bias;
    void* grad_recurrent;
    void* grad_mixture;
    void* grad_dynamics;  // R (2): decay, threshold
};

struct asrc_call {
    int64_t element_bytes;  // 4 or 8
    int64_t isa;            // an index into asrc_isa_name
    int64_t threads;
    int64_t steps;  // T
    int64_t batch;  // B
    int64_t layer_count;
    asrc_layer* layers;

    int64_t feed;  // asrc_feed
    const void* input;
    int64_t input_step;    // distance of two steps and of two samples, in elements
    int64_t input_sample;
    double spike_value;

    void* spikes;        // forward: R (T, B, neurons of the last layer), or null
    void* counts;        // forward: R (B, neurons of the last layer), sum over time of the above, or null
    const void* above;   // backward: gradient of `spikes`, (T, B, neurons) by the strides below
    int64_t above_step;  // 0: every step has the same, which is the gradient of `counts`
    int64_t above_sample;
    void* grad_input;  // backward: R (T, B, inputs), or null
};

// The same bits for the same arguments and instruction set, whatever the number of threads.
ASRC_EXPORT int64_t asrc_forward(const asrc_call* call);
ASRC_EXPORT int64_t asrc_backward(const asrc_call* call);

// Packs call->input, numbers that are all 0 or one and the same finite value, as the first layer's ASRC_SPIKES into
// `words` and returns that value; 0 if none is set, NaN if there are other numbers. Reads steps, batch, input strides,
// element_bytes, threads and layers[0].inputs.
ASRC_EXPORT double asrc_pack(const asrc_call* call, uint64_t* words);

// Name of an instruction set that runs on this machine, best first; null beyond the last.
ASRC_EXPORT const char* asrc_isa_name(int64_t index);

// The hash of the sources that the library was built from.
ASRC_EXPORT const char* asrc_source_hash(void);
}

#endif
