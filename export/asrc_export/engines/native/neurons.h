// One step after the other: sums into membranes, membranes into spikes, and spikes into the readout.
#ifndef ASRC_NEURONS_H
#define ASRC_NEURONS_H

#include "kernel.h"
#include "lanes.h"
#include "rows.h"

namespace {

using namespace asrc;

// Adds sign(v) floor(|v| (4096 - d) / 4096) of the membranes.
class Decayer {
public:
    explicit Decayer(const Decay& decay)
        : kind_(decay.kind),
          factor_((U32)splat(decay.factor)),
          down_(count(decay.shift)),
          sign_(count(kind_ == DecayKind::kShift ? 32 - decay.shift : 31)) {}

    // By DecayKind::kShift alone. The bits above the 24 of a membrane are all its sign, so 2^shift - 1 is added to the
    // negative ones.
    template <int V>
    ALWAYS_INLINE void add_shifted(U32 (&u)[V], const int32_t* membrane) const {
        for (int k = 0; k < V; ++k) {
            const U32 v = (U32)load(membrane + k * kLanes);
            u[k] += (U32)shift_right((I32)(v + shift_right(v, sign_)), down_);
        }
    }

    template <int V>
    ALWAYS_INLINE void add(U32 (&u)[V], const int32_t* membrane) const {
        if (kind_ == DecayKind::kShift) return add_shifted(u, membrane);
        for (int k = 0; k < V; ++k) {
            const I32 v = load(membrane + k * kLanes);
            const U32 sign = (U32)(v >> 31);
            const U32 size = ((U32)v ^ sign) - sign;
            U32 kept;
            if (kind_ == DecayKind::kProduct) {
                kept = shift_right(size * factor_, down_);
            } else {  // |v| = 4096 high + low, and 4096 divides the product of the first
                kept = (size >> 12) * factor_ + (((size & 4095u) * factor_) >> 12);
            }
            u[k] += (kept ^ sign) - sign;
        }
    }

private:
    DecayKind kind_;
    U32 factor_;
    Count down_, sign_;
};

// Clip to 24 bits and count what that changes.
template <int V>
ALWAYS_INLINE int64_t saturate(U32 (&u)[V]) {
    int64_t changed = 0;
    for (int k = 0; k < V; ++k) {
        const I32 held = smaller(larger((I32)u[k], splat(-kStateMax)), splat(kStateMax));
        changed += popcount(bits(differ(held, (I32)u[k])));
        u[k] = (U32)held;
    }
    return changed;
}

// The first `n` of the lanes, to a place that has room for no more.
template <int V>
ALWAYS_INLINE void store_first(const U32 (&u)[V], int32_t* at, int64_t n) {
    U32 copy[V];  // u stays in registers
    for (int k = 0; k < V; ++k) copy[k] = u[k];
    std::memcpy(at, copy, static_cast<size_t>(n < V * kLanes ? n : V * kLanes) * sizeof(int32_t));
}

// Compare, reset, store; spikes go out as they come.
template <int V, typename Reset>
ALWAYS_INLINE void fire(const U32 (&u)[V], I32 least, int32_t* membrane, uint64_t* words, Reset reset) {
    SpikeBits bits;
    for (int k = 0; k < V; ++k) {
        const Mask spike = at_least((I32)u[k], least);
        store(membrane + k * kLanes, reset((I32)u[k], spike));
        bits.put(words, k, spike);
    }
}

// What a layer adds up, and whether it is of the usual kind: these are known to the compiler, so that a step is
// straight code with the membranes in registers.
enum class Drive { kMerged, kSeparate, kGraded, kTapped, kGradedTapped };

constexpr bool graded(Drive drive) { return drive == Drive::kGraded || drive == Drive::kGradedTapped; }
constexpr bool tapped(Drive drive) { return drive == Drive::kTapped || drive == Drive::kGradedTapped; }

inline bool usual(const Layer& layer, const Block& block) {
    return layer.soft_reset && layer.decay.kind == DecayKind::kShift && !layer.may_saturate && !block.trace;
}

template <int B, Drive kDrive, bool kUsual>
void run_steps(const Layer& layer, const Tile& tile, Block& block) {
    constexpr int V = 4 * B;
    const RowAdder<B> feedforward(layer.feedforward, tile), recurrent(layer.recurrent, tile);
    const Decayer decayer(layer.decay);
    const I32* bias = reinterpret_cast<const I32*>(layer.bias + tile.first);
    const I32 threshold = splat(layer.threshold), least = splat(layer.least_spike);
    const bool soft_reset = kUsual || layer.soft_reset, may_saturate = !kUsual && layer.may_saturate;
    const int64_t row_words = layer.words;
    const Block in = block;
    int32_t* membrane = in.membrane + tile.first;
    uint64_t* words = in.spikes + tile.first / kWordBits;
    int64_t saturations = 0;
    for (int64_t t = 0; t < in.steps; ++t, words += row_words) {
        U32 u[V];
        for (int k = 0; k < V; ++k) u[k] = (U32)bias[k];
        if constexpr (graded(kDrive)) add_products<B>(u, layer.graded_feedforward, tile, in.products[t]);
        if constexpr (kDrive == Drive::kMerged) {
            feedforward.add_both(u, in.feedforward[t], recurrent, in.recalled[t]);
        } else {
            if constexpr (!graded(kDrive)) feedforward.template add<false>(u, in.feedforward[t]);
            if constexpr (!tapped(kDrive)) recurrent.template add<false>(u, in.recalled[t]);
            if constexpr (tapped(kDrive)) recurrent.add_weighed(u, layer.taps, layer.tap_count, in.recalled + t);
        }
        if constexpr (kUsual) {
            decayer.add_shifted(u, membrane);
        } else {
            decayer.add(u, membrane);
        }
        if (may_saturate) saturations += saturate(u);
        if (!kUsual && in.trace)
            store_first(u, in.trace + t * in.trace_step + tile.first, layer.neurons - tile.first);
        if (soft_reset) {
            fire(u, least, membrane, words, [&](I32 v, Mask spike) { return subtract_where(v, spike, threshold); });
        } else {
            fire(u, least, membrane, words, [](I32 v, Mask spike) { return subtract_where(v, spike, v); });
        }
    }
    block.saturations += saturations;
}

template <int B, Drive kDrive>
void run_tile_driven(const Layer& layer, const Tile& tile, Block& block) {
    return usual(layer, block) ? run_steps<B, kDrive, true>(layer, tile, block)
                               : run_steps<B, kDrive, false>(layer, tile, block);
}

template <int B>
void run_tile_of(const Layer& layer, const Tile& tile, Block& block) {
    if (layer.taps && layer.graded) return run_tile_driven<B, Drive::kGradedTapped>(layer, tile, block);
    if (layer.taps) return run_tile_driven<B, Drive::kTapped>(layer, tile, block);
    if (layer.graded) return run_tile_driven<B, Drive::kGraded>(layer, tile, block);
    if (layer.merged) return run_tile_driven<B, Drive::kMerged>(layer, tile, block);
    return run_tile_driven<B, Drive::kSeparate>(layer, tile, block);
}

template <int B>
void run_readout_of(const Readout& readout, const Tile& tile, ReadoutBlock& block) {
    constexpr int V = 4 * B;
    const RowAdder<B> adder(readout.rows, tile);
    int32_t* accumulator = block.accumulator + tile.first;
    for (int64_t t = 0; t < block.steps; ++t) {
        U32 y[V];
        for (int k = 0; k < V; ++k)
            y[k] = (U32)(load(accumulator + k * kLanes) + load(readout.bias + tile.first + k * kLanes));
        adder.template add<false>(y, block.events[t]);
        block.saturations += saturate(y);
        for (int k = 0; k < V; ++k) store(accumulator + k * kLanes, (I32)y[k]);
        if (block.trace) store_first(y, block.trace + t * block.trace_step + tile.first, readout.classes - tile.first);
    }
}

}  // namespace

#endif
