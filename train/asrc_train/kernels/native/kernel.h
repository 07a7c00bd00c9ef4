// What the kernels work on, how it lies in memory, and the functions that each instruction set provides.
//
// Only plain data and declarations: every kernels_<isa>.cpp is compiled for another instruction set, and an inline
// function with a body that two of them share could be linked in its AVX-512 form for all.
//
// Memory layout. R is float or double.
//   * A row is what the N neurons of a layer have at one step of one sample, padded to `width` numbers with zeros:
//     a multiple of kPadding, so that rows start on cache lines and loops over vectors have no rest. Neurons that pad
//     have no weights and no gradient; their spike bits are 0.
//   * A sequence is the `steps` rows of one sample, one after the other. A tile is kTile sequences, one after the other.
//     Whatever runs along time (the sums over lags) so walks through memory, and a matrix product takes its kTile rows
//     from as many places.
//   * Spikes are bits, (steps, words) for one sample, bit n % 64 of word n / 64 for neuron n.
//   * A layer's weights are `inputs` rows, what each input adds, followed by N rows, what each recurrent spike adds: the
//     transposes of W and U. Gradients of the weights lie likewise.
//   * To multiply gradients by U and W, these lie packed in panels of a few vectors' columns: product.h.
//   * Everything that a backward pass needs beyond the spikes is computed again, one tile and one layer at a time.
#ifndef ASRC_KERNEL_H
#define ASRC_KERNEL_H

#include <cstddef>
#include <cstdint>

namespace asrc {

constexpr int64_t kTile = 8;      // samples
constexpr int64_t kBlock = 8;     // steps whose older part of a mixture is summed at once
constexpr int64_t kPadding = 32;  // numbers
constexpr int64_t kWordBits = 64;
constexpr int64_t kMostLanes = 16;

template <typename R>
struct Layer {
    int64_t inputs;
    int64_t neurons;
    int64_t width;        // neurons, padded
    int64_t words;        // of spikes in a row
    int64_t input_words;  // of spikes in a row of the input
    int64_t input_width;  // inputs, padded
    int64_t lags;         // K, or 0
    int64_t span;         // or 0
    bool hard;
    bool detached;
    R decay;
    R threshold;
    R resolution;         // or 0
    const R* weights;           // (inputs + neurons, width)
    const R* bias;              // (width)
    const R* taps;              // taps[k] weighs lag k, k = 1..K; zeros up to K + kBlock
    const R* back_recurrent;    // U packed, (neurons, width)
    const R* back_feedforward;  // W packed, (neurons, input_width)
};

// Input of a layer for one sample: one of the two.
template <typename R>
struct Input {
    const R* numbers;  // at step t: numbers + t * step, `inputs` channels, or the current if the layer has no inputs
    int64_t step;
    const uint64_t* spikes;  // (steps, input_words)
};

// One sample of one layer forward.
template <typename R>
struct Forward {
    int64_t steps;
    Input<R> input;
    const R* gain;     // (width), or null
    uint64_t* spikes;  // (steps, words)
    R* membrane;       // rows at this distance, before reset; a distance of 0 is for those who do not care
    int64_t membrane_step;
    R* fed_back;       // (steps, width), U s[t]; for a mixture only
    R* numbers;        // spikes as numbers, (steps, neurons) at this distance; or null
    int64_t numbers_step;
    R* counts;  // (neurons), spikes summed over time; or null
};

// Sums over a tile, padded like the layer.
template <typename R>
struct Gradients {
    R* weights;   // (inputs + neurons, width)
    R* bias;      // (width)
    R* taps;      // (K padded, kMostLanes): the sum of a row is the gradient of that lag
    R* dynamics;  // (2, kMostLanes): decay, threshold
};

// One tile of one layer backward, after its membranes have been computed again.
template <typename R>
struct Backward {
    int64_t steps;
    int64_t samples;
    Input<R> input[kTile];
    const R* gain[kTile];
    const uint64_t* spikes[kTile];
    const R* membrane;  // tile
    const R* fed_back;  // tile, for a mixture only
    R* gradient;        // tile; of the spikes when it begins (unless `above` is given), of the membrane, times gain,
                        // when it ends
    const R* above;     // (samples, width): gradient of the spikes that is the same at all steps; or null
    R* below;           // tile of the input's width; gradient of the input, or null
    bool dynamics;      // whether those gradients are wanted
    Gradients<R> sums;
};

// Scratch memory of one thread. What is called zero must be and stays so.
template <typename R>
struct Room {
    const R* zero;     // (width)
    R* reset;          // (width)
    R* row;            // (kTile, width)
    R* lagged;         // (kTile, kBlock, width)
    R* early;          // (K padded + 2 kBlock, width)
};

template <typename R>
struct Kernels {
    void (*pack_matrix)(R* to, const R* from, int64_t rows, int64_t columns, int64_t width);
    void (*forward)(const Layer<R>&, const Forward<R>&, const Room<R>&);
    void (*backward)(const Layer<R>&, const Backward<R>&, const Room<R>&);
    // Bits of the numbers equal to `value` > 0; false if any other than these and 0 is among them.
    bool (*pack_spikes)(const R* numbers, int64_t count, R value, uint64_t* words);
};

}  // namespace asrc

#endif
