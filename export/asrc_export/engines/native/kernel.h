// What the kernels work on, and the table of functions that each instruction set provides.
//
// Only plain data and declarations: every kernel file is compiled for another instruction set, and an inline function
// with a body that two of them share could be linked in its AVX-512 form for all.
#ifndef ASRC_KERNEL_H
#define ASRC_KERNEL_H

#include <cstddef>
#include <cstdint>

namespace asrc {

constexpr int64_t kWordBits = 64;
constexpr uint32_t kPlaceUnit = 64;
constexpr int32_t kStateMax = (1 << 23) - 1;

// Spike rows are padded to whole 64-bit words, and neurons with them, so that a tile owns its words. The neurons that
// pad have no weights and no bias, so they never fire.
struct Tile {
    int64_t first;  // its first neuron
    int64_t lanes;  // how many, a power of two, at least kWordBits
};

// The weights that add into one accumulator, one row for each presynaptic neuron, in int8: a weight of the contract
// is even and within [-256, 254], so dividing it by a power of two and raising the exponent by as much loses nothing.
//
// cells holds, tile after tile, row after row, the tile's lanes. Within a vector of V bytes, 32-bit lane i takes the
// neurons i, i + V/2, i + V/4, i + 3V/4 in its bytes 0 to 3; bytes 0 and 2 are stored with 128 added. rows.h says why.
struct Rows {
    int64_t count;
    const uint8_t* cells;
    const int32_t* total;  // (lanes) sum of all rows
    // Any selection of this many rows sums within 16 bits: the proof is in prepare.cpp. Of a merged layer's feed-forward
    // rows, of this many of both connections.
    int64_t exact;
    int32_t right;         // the sum counts (sum >> right) << left
    int32_t left;
};

// One place of a delay line that a layer hears, and how many times it counts.
struct Tap {
    int32_t span;
    int32_t weight;
};

// First-layer weights for graded input. cells holds, for each vector of V lanes, entry after entry, V int32: one
// weight, or (paired) the weights of channels 2e and 2e + 1 in the low and the high half.
struct Graded {
    bool paired;  // inputs fit 16 bits, so two of them are multiplied and added by one instruction
    int64_t entries;
    const int32_t* cells;
    int32_t right;  // as for Rows
    int32_t left;
};

enum class DecayKind {
    kShift,        // 4096 - d = 4096 / 2^shift, 1 <= shift <= 8
    kProduct,      // |v| factor >> shift, where the product fits 32 bits
    kLongProduct,  // the same in two halves of |v|; shift is 12
};

struct Decay {
    DecayKind kind;
    int32_t factor;
    int32_t shift;
};

// A layer, ready to run. Its input comes as spikes or graded. Spikes of the input and of the past share one
// accumulator (`merged`) where their exponents allow it. With several taps, each tap's spikes are added up for
// themselves, and U r is the sum of these sums times the taps' weights.
struct Layer {
    int64_t inputs;
    int64_t neurons;
    int64_t lanes;        // neurons padded to whole words
    int64_t words;        // of a row of its spikes
    int64_t input_words;  // of a row of its input's spikes
    bool graded;
    bool merged;
    Rows feedforward;  // unused if graded
    Rows recurrent;
    Graded graded_feedforward;
    const int32_t* bias;  // (lanes)
    Decay decay;
    int32_t threshold;   // what a soft reset subtracts
    int32_t least_spike;  // the least membrane that fires
    int32_t span;     // the longest
    const Tap* taps;  // null where only s[t - span] comes back
    int64_t tap_count;
    bool soft_reset;
    bool may_saturate;
    const Tile* tiles;
    int64_t tile_count;
    int64_t block;  // steps that run at once, at most the shortest span: what they recall is known before they start
};

struct Readout {
    int64_t inputs;
    int64_t input_words;
    int64_t classes;
    int64_t lanes;
    Rows rows;
    const int32_t* bias;   // (lanes)
    const int32_t* dense;  // (classes, input lanes) weights in units of 2^left, to sum a chunk of steps at once; or null
    const Tile* tiles;
    int64_t tile_count;
};

// One step of one layer, or of the input: the neurons that spiked or, if they are fewer, those that did not (`silent`).
struct Events {
    const uint32_t* place;  // kPlaceUnit times the number of each: a row is a multiple of kPlaceUnit bytes long
    int64_t count;
    bool silent;
};

// Graded inputs that are not zero, and maybe some that are: entry and value (two packed 16-bit values if paired).
struct Products {
    const uint32_t* entry;
    const int32_t* value;
    int64_t count;
};

// Rows of packed spikes, one for each step; the bits beyond `count` in a row's last word are 0.
struct SpikeRows {
    const uint64_t* words;
    int64_t row_words;
    int64_t count;
};

// One sample's share of a tile, for a block of steps.
struct Block {
    int64_t steps;
    const Events* feedforward;  // (steps) of the input; null if graded
    const Products* products;   // (steps); null unless graded
    const Events* recalled;     // (steps) the layer's own, `span` steps earlier; with taps those after them, too
    int32_t* membrane;   // (lanes of the layer)
    uint64_t* spikes;    // out: (steps, words of the layer)
    int32_t* trace;      // out: membrane before reset, or null
    int64_t trace_step;  // distance between steps in it
    int64_t saturations;  // out: added to
};

struct ReadoutBlock {
    int64_t steps;
    const Events* events;  // (steps)
    int32_t* accumulator;  // (lanes)
    int32_t* trace;        // out: accumulator after each step, or null
    int64_t trace_step;
    int64_t saturations;  // out: added to
};

struct Kernels {
    const char* isa;
    int64_t vector_bytes;
    int64_t max_tile;  // most lanes of a tile; fewer are a power of two, at least kWordBits

    // Turn each step's spikes into events. Their lists, each of at most half the neurons, stand one behind the other from
    // `room` on, which has kSpareRoom + spikes.count more than they need; returns where they end.
    uint32_t* (*list_events)(SpikeRows spikes, int64_t steps, uint32_t* room, Events* events);
    // The same for graded inputs x (steps, channels): entries at entry[], values at value[], each with room for all of
    // them. Returns how many inputs are not zero.
    int64_t (*list_products)(const Graded& graded, const int32_t* x, int64_t channels, int64_t steps, uint32_t* entry,
                             int32_t* value, Products* products);
    // Pack one step's binary inputs.
    void (*pack)(const int32_t* x, int64_t channels, uint64_t* words);
    void (*run_tile)(const Layer& layer, const Tile& tile, Block& block);
    void (*run_readout)(const Readout& readout, const Tile& tile, ReadoutBlock& block);
    // The same for all of `steps` steps at once, at most kMaxChunk, from their spikes, if it can be proven from the
    // number of spikes of each neuron that no step saturates; otherwise return false. `after` takes what `before`
    // becomes; `fired` is room for a count for each bit of a row.
    bool (*sum_readout)(const Readout& readout, SpikeRows spikes, int64_t steps, int32_t* fired, const int32_t* before,
                        int32_t* after);
    // Bits that are set in n words.
    int64_t (*count_ones)(const uint64_t* words, int64_t n);
};

constexpr int64_t kSpareRoom = 64;  // places: lists are written a vector at a time, past their ends
constexpr int64_t kMaxChunk = 256;  // steps

const Kernels* kernels_baseline();
const Kernels* kernels_avx2();
const Kernels* kernels_avx512();
const Kernels* kernels_neon();

}  // namespace asrc

#endif
