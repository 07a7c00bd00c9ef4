// Rows of synapses at work: what a spike adds to a group's ring forward, and what it finds there backward.
#ifndef ASRC_DELAYS_SYNAPSES_H
#define ASRC_DELAYS_SYNAPSES_H

#include <cstdint>
#include <type_traits>

#include "delays_kernel.h"
#include "vectors.h"

namespace {

using namespace asrc;

// A group of a layer: its matrices, from where they begin. W, its width, is known to the compiler.
template <typename R>
struct Group {
    const R* weight;
    const void* delay;
    int64_t mask;
    int32_t* at;
};

template <typename R>
ASRC_INLINE Group<R> group_of(const DelayedLayer<R>& layer, const DelayRoom<R>& room, int64_t first) {
    const int64_t place = place_of_group(layer.rows, first), bytes = layer.wide ? 2 : 1;
    return {layer.weight + place, static_cast<const char*>(layer.delay) + bytes * place, layer.mask, room.at};
}

// Where what a row sends at step t arrives in the group's ring, by target: worked out in vectors, for all at once.
template <int W, typename D, typename R>
ASRC_INLINE void arrivals(const Group<R>& group, int64_t row, int64_t t) {
    const D* delay = static_cast<const D*>(group.delay) + row * W;
    const int32_t mask = static_cast<int32_t>(group.mask), now = static_cast<int32_t>(t & group.mask);
    int32_t* at = group.at;
    for (int32_t j = 0; j < W; ++j) at[j] = ((now + delay[j]) & mask) * W + j;
}

// Rows that will be wanted soon, and where: the same rows in the next group, while this one is at work; in the last
// group, the first one's rows of the step to come. Rows lie in the last cache or beyond, in no order that a processor
// guesses.
template <typename R>
struct Ahead {
    const Sent<R>* sent;
    int64_t count;
    int64_t width;
    const R* weight;  // or null
    const char* delay;
    int64_t bytes;  // of a delay
    const R* sums;  // or null
};

template <typename R>
ASRC_INLINE void fetch(const Ahead<R>& ahead, int64_t i) {
    if (i >= ahead.count) return;
    const auto lines = [](const void* from, int64_t bytes) ASRC_INLINE_CALL {
        constexpr int64_t line = 64;
        for (int64_t at = 0; at < bytes; at += line) prefetch(static_cast<const char*>(from) + at);
    };
    const int64_t row = ahead.sent[i].row, numbers = ahead.width * static_cast<int64_t>(sizeof(R));
    lines(ahead.delay + row * ahead.width * ahead.bytes, ahead.width * ahead.bytes);
    if (ahead.weight) lines(ahead.weight + row * ahead.width, numbers);
    if (ahead.sums) lines(ahead.sums + row * 2 * ahead.width, 2 * numbers);
}

// Of the group that begins with neuron `first`.
template <typename R>
ASRC_INLINE Ahead<R> ahead_in(
    const DelayedLayer<R>& layer, int64_t first, const Sent<R>* sent, int64_t count, bool weights, const R* sums) {
    const int64_t place = place_of_group(layer.rows, first), bytes = layer.wide ? 2 : 1;
    return {sent, count, group_width(layer.width, first), weights ? layer.weight + place : nullptr,
            static_cast<const char*>(layer.delay) + bytes * place, bytes, sums ? sums + 2 * place : nullptr};
}

template <int W, typename R>
ASRC_INLINE void add(const R* weight, const int32_t* at, R value, R* ring) {
    for (int64_t j = 0; j < W; j += 8) {
        ASRC_UNROLL
        for (int k = 0; k < 8; ++k) ring[at[j + k]] += weight[j + k] * value;
    }
}

// Adds what rows send at step t to the group's ring.
template <int W, typename D, typename R>
ASRC_INLINE void send_rows(
    const Group<R>& group, const Sent<R>* sent, int64_t count, int64_t t, R* ring, const Ahead<R>& ahead) {
    for (int64_t i = 0; i < count; ++i) {
        fetch(ahead, i);
        arrivals<W, D>(group, sent[i].row, t);
        add<W>(group.weight + sent[i].row * W, group.at, sent[i].value, ring);
    }
}

// ------------------------------------------------------------------------------------------------------- backward

template <typename R>
ASRC_INLINE R sum_of(Vector<R> v) {
    constexpr int lanes = kLanes<R>;
    R part[lanes];
    ASRC_UNROLL
    for (int k = 0; k < lanes; ++k) part[k] = v[k];
    ASRC_UNROLL
    for (int half = lanes / 2; half; half /= 2) {
        ASRC_UNROLL
        for (int k = 0; k < half; ++k) part[k] += part[k + half];
    }
    return part[0];
}

// Q and Q' of as many arrivals as a vector has lanes, in the order of `at`.
template <typename R>
struct Met {
    Vector<R> q, moved;
};

// Pairs are read whole, two to a lane of 128 bits, such that one shuffle within lanes brings each half in order.
ASRC_INLINE Met<float> met_at(const Pair<float>* ring, const int32_t* at) {
    typedef double Whole __attribute__((may_alias));
    const Whole* pair = reinterpret_cast<const Whole*>(ring);
#if defined(__AVX512F__)
    const Floats a = (Floats)Doubles{pair[at[0]], pair[at[1]], pair[at[4]], pair[at[5]],
                                     pair[at[8]], pair[at[9]], pair[at[12]], pair[at[13]]};
    const Floats b = (Floats)Doubles{pair[at[2]], pair[at[3]], pair[at[6]], pair[at[7]],
                                     pair[at[10]], pair[at[11]], pair[at[14]], pair[at[15]]};
#elif defined(__AVX2__)
    const Floats a = (Floats)Doubles{pair[at[0]], pair[at[1]], pair[at[4]], pair[at[5]]};
    const Floats b = (Floats)Doubles{pair[at[2]], pair[at[3]], pair[at[6]], pair[at[7]]};
#else
    const Floats a = (Floats)Doubles{pair[at[0]], pair[at[1]]};
    const Floats b = (Floats)Doubles{pair[at[2]], pair[at[3]]};
#endif
    return {evens(a, b), odds(a, b)};
}

ASRC_INLINE Met<double> met_at(const Pair<double>* ring, const int32_t* at) {
    Met<double> met;
    ASRC_UNROLL
    for (int k = 0; k < kLanes<double>; ++k) met.q[k] = ring[at[k]].q, met.moved[k] = ring[at[k]].moved;
    return met;
}

// Adds what the arrivals of a row met, times `value`, to its sums; sum_m w_m Q'_m where it is asked for.
template <int W, bool kOwed, typename R>
ASRC_INLINE R gather(const R* weight, const int32_t* at, R value, const Pair<R>* ring, R* sums) {
    constexpr int64_t lanes = kLanes<R>;
    Vector<R> owed = {};
    for (int64_t j = 0; j < W; j += lanes) {
        const Met<R> met = met_at(ring, at + j);
        store(sums + j, load(sums + j) + met.q * value);
        store(sums + W + j, load(sums + W + j) + met.moved * value);
        if (kOwed) owed += met.moved * load(weight + j);
    }
    return kOwed ? sum_of<R>(owed) : R{0};
}

// For each of the rows, which sent at step t: adds what their arrivals met to the sums of the group, and what it is
// worth to move them to `worth`, unless that is null.
template <int W, typename D, typename R>
ASRC_INLINE void gather_rows(
    const Group<R>& group, const Sent<R>* sent, int64_t count, int64_t t, const Pair<R>* ring, R* sums, R* worth,
    const Ahead<R>& ahead) {
    for (int64_t i = 0; i < count; ++i) {
        const int64_t row = sent[i].row;
        fetch(ahead, i);
        arrivals<W, D>(group, row, t);
        R* own = sums + row * 2 * W;
        if (worth) {
            worth[i] += gather<W, true>(group.weight + row * W, group.at, R{1}, ring, own);
        } else {
            gather<W, false>(group.weight, group.at, sent[i].value, ring, own);
        }
    }
}

// Calls work with the width of a group and the type of its delays, as types.
template <typename R, typename Work>
ASRC_INLINE void as_types(const DelayedLayer<R>& layer, int64_t width, Work work) {
    constexpr std::integral_constant<int, kGroup> full;
    constexpr std::integral_constant<int, kGroup / 2> half;
    if (width == kGroup) {
        layer.wide ? work(full, uint16_t{}) : work(full, uint8_t{});
    } else {
        layer.wide ? work(half, uint16_t{}) : work(half, uint8_t{});
    }
}
static_assert(kGroup == 2 * kPadding, "a group is as wide as it can be, or half as wide");

}  // namespace

#endif
