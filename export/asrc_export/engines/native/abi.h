// The plain C interface of the engine: what library.py declares to ctypes, field by field.
//
// The caller (Python) has already validated the network and the samples; sizes here are trusted, as they come from
// NumPy arrays that were checked. No call throws, and none keeps a pointer it was given, unless it says so.
#ifndef ASRC_ABI_H
#define ASRC_ABI_H

#include <stdint.h>

#if defined(__GNUC__)
#define ASRC_EXPORT __attribute__((visibility("default")))
#else
#define ASRC_EXPORT
#endif

extern "C" {

// One skip-recurrent layer, as in docs/arithmetic.md. Weights in C order.
struct asrc_layer {
    int64_t neurons;
    int64_t inputs;
    const int16_t* feedforward;  // (neurons, inputs)
    const int16_t* recurrent;    // (neurons, neurons)
    const int32_t* bias;         // (neurons)
    int32_t feedforward_exponent;
    int32_t recurrent_exponent;
    int32_t decay;
    int32_t threshold;
    int32_t span;
    int32_t activation_shift;
    int32_t soft_reset;
    int32_t fires_above;   // 0 if it fires at the threshold, too
    int32_t may_saturate;  // 0 if the worst case of u is proven to stay within 24 bits
    int32_t tap_count;     // 0 where only s[t - span] comes back
    const int32_t* taps;   // (tap_count, 2) spans, ascending to the one above, and weights
};

struct asrc_readout {
    int64_t classes;
    int64_t inputs;
    const int16_t* weight;  // (classes, inputs)
    const int32_t* bias;    // (classes)
    int32_t exponent;
};

struct asrc_network {
    int64_t channels;
    int32_t minimum;  // of the first layer's inputs
    int32_t maximum;
    int64_t layer_count;
    const asrc_layer* layers;
    asrc_readout readout;
};

// Events of one layer, or of the readout, which has saturations only. Python multiplies by fan-outs.
struct asrc_counts {
    int64_t inputs;     // non-zero entries of x
    int64_t delivered;  // messages that came back through the recurrent connection
    int64_t spikes;
    int64_t saturations;
};

// Where a full trace goes; arrays (steps, samples, neurons), one pointer a layer.
struct asrc_trace {
    uint8_t* const* spikes;
    int32_t* const* membranes;
    int32_t* readout;  // (steps, samples, classes)
};

enum asrc_status { ASRC_OK = 0, ASRC_OUT_OF_MEMORY = 1, ASRC_MISSING_ISA = 2 };

struct asrc_engine;
struct asrc_stream;

// SHA-256 of the sources that the library was built from.
ASRC_EXPORT const char* asrc_source_hash(void);

// Instruction sets that were compiled in and that this machine has, best first, separated by spaces.
ASRC_EXPORT const char* asrc_instruction_sets(void);

// A network made ready to run; copies what it needs. `isa` is a name of the list above. An engine never changes, so
// any number of threads may use one. Free it with asrc_engine_free.
ASRC_EXPORT int asrc_engine_new(const asrc_network* network, const char* isa, asrc_engine** engine);
ASRC_EXPORT void asrc_engine_free(asrc_engine* engine);

// Run x (samples, steps, channels) on at most `threads` threads: logits (samples, classes), counts one for each layer
// and one for the readout. `trace` may be null.
ASRC_EXPORT int asrc_engine_run(const asrc_engine* engine, const int32_t* x, int64_t samples, int64_t steps,
                                int32_t threads, int64_t* logits, asrc_counts* counts, const asrc_trace* trace);

// One sample fed as it comes, its state kept. The engine must outlive its streams; a stream serves one thread at a time.
ASRC_EXPORT int asrc_stream_new(const asrc_engine* engine, asrc_stream** stream);
ASRC_EXPORT void asrc_stream_free(asrc_stream* stream);
ASRC_EXPORT void asrc_stream_reset(asrc_stream* stream);

// Feed x (steps, channels); `logits` (classes) are those after the last step, `counts` those since the last reset,
// spikes[l] (steps, neurons) are the spikes of layer l.
ASRC_EXPORT void asrc_stream_feed(asrc_stream* stream, const int32_t* x, int64_t steps, int64_t* logits,
                                  asrc_counts* counts, uint8_t* const* spikes);
}

#endif
