// One sample of one layer forward: the equations of recurrence.py, driven by events.
#ifndef ASRC_FORWARD_H
#define ASRC_FORWARD_H

#include "lags.h"

namespace {

using namespace asrc;

template <typename R>
ASRC_INLINE void clear_row(R* row, int64_t width) {
    std::memset(row, 0, static_cast<size_t>(width) * sizeof(R));
}

template <typename R>
ASRC_INLINE void copy_row(R* to, const R* from, int64_t count) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(R));
}

// The bits of a row from `at` on. Runs of vectors come in order, and the first of a word clears the rest of it.
template <int n>
ASRC_INLINE void put_bits(uint64_t* words, int64_t at, const uint64_t (&values)[n]) {
    ASRC_UNROLL
    for (int i = 0; i < n; ++i) {
        uint64_t& word = words[at / kWordBits + i];
        word = at % kWordBits ? word | values[i] << at % kWordBits : values[i];
    }
}

// Spikes and membrane of one step. `lagged`: U r[t] of a mixture.
template <bool hard, bool rounded, typename R>
ASRC_INLINE void step(const Layer<R>& layer, const Forward<R>& run, const Room<R>& room, int64_t t, const R* lagged) {
    constexpr int L = kLanes<R>;
    const Input<R>& input = run.input;
    const R* numbers = input.numbers ? input.numbers + t * input.step : nullptr;
    const R* start = layer.bias;
    if (numbers && !layer.inputs) {  // a row of the caller's, without padding
        copy_row(room.row, numbers, layer.neurons);
        start = room.row;
    }
    const uint64_t* fed = input.spikes ? input.spikes + t * layer.input_words : nullptr;
    const uint64_t* past = layer.span && t >= layer.span ? run.spikes + (t - layer.span) * layer.words : nullptr;
    const R* recurrent = layer.weights + layer.inputs * layer.width;
    uint64_t* words = run.spikes + t * layer.words;
    R* const membrane = run.membrane + t * run.membrane_step;
    const R* const last = t ? run.membrane + (t - 1) * run.membrane_step : room.reset;
    over_runs(layer.width / L, [&](auto run_length, int64_t first) {
        constexpr int P = decltype(run_length)::value;
        const int64_t at = first * L;
        Vector<R> sum[P];
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) sum[c] = load(start + at + c * L);
        if (numbers) {
            const R* row = layer.weights + at;
            for (int64_t i = 0; i < layer.inputs; ++i, row += layer.width) {
                ASRC_UNROLL
                for (int c = 0; c < P; ++c) sum[c] += numbers[i] * load(row + c * L);
            }
        }
        if (fed) add_rows<R, P>(sum, layer.weights + at, layer.width, fed, layer.input_words);
        if (run.gain) {
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[c] *= load(run.gain + at + c * L);
        }
        if (past) add_rows<R, P>(sum, recurrent + at, layer.width, past, layer.words);
        if (lagged) {
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[c] += load(lagged + at + c * L);
        }
        uint64_t fired[(P * L + 63) / 64] = {};
        const Vector<R> threshold = splat(layer.threshold);
        const R units = rounded ? 1 / layer.resolution : R{1};  // powers of two: scaling by them is exact
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) {
            const Vector<R> before = load(last + at + c * L);
            const Vector<R> v = before - where(at_least(before, threshold), hard ? before : threshold);
            const Vector<R> kept = layer.decay * v;
            const Vector<R> u = (rounded ? layer.resolution * toward_zero(units * kept) : kept) + sum[c];
            store(membrane + at + c * L, u);
            fired[c * L / 64] |= bits(at_least(u, threshold)) << c * L % 64;
        }
        put_bits(words, at, fired);
    });
    if (layer.neurons % kWordBits) words[layer.words - 1] &= (uint64_t{1} << layer.neurons % kWordBits) - 1;
}

// fed_back[t] = U s[t], and its share of U r for the steps after t of the same block, which begin at `rest`.
template <typename R>
ASRC_INLINE void feed_back(
    const Layer<R>& layer, const Forward<R>& run, int64_t t, R* rest, int64_t rest_count) {
    constexpr int L = kLanes<R>;
    const R* recurrent = layer.weights + layer.inputs * layer.width;
    const uint64_t* spikes = run.spikes + t * layer.words;
    over_runs(layer.width / L, [&](auto run_length, int64_t first) {
        constexpr int P = decltype(run_length)::value;
        const int64_t at = first * L;
        Vector<R> sum[P] = {};
        add_rows<R, P>(sum, recurrent + at, layer.width, spikes, layer.words);
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) store(run.fed_back + t * layer.width + at + c * L, sum[c]);
        R* later = rest + at;
        for (int64_t k = 1; k <= rest_count; ++k, later += layer.width) {
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) store(later + c * L, load(later + c * L) + layer.taps[k] * sum[c]);
        }
    });
}

// Spikes of one sample as numbers, and how many there were of each neuron.
template <typename R>
void write_numbers(const Layer<R>& layer, const Forward<R>& run) {
    for (int64_t t = 0; run.numbers && t < run.steps; ++t) {
        R* to = run.numbers + t * run.numbers_step;
        for (int64_t n = 0; n < layer.neurons; ++n) {
            to[n] = static_cast<R>(run.spikes[t * layer.words + n / kWordBits] >> n % kWordBits & 1);
        }
    }
    if (!run.counts) return;
    for (int64_t w = 0; w < layer.words; ++w) {
        const int64_t first = w * kWordBits;
        int64_t counts[kWordBits] = {};
        for (int64_t t = 0; t < run.steps; t += kWordBits) {
            uint64_t block[kWordBits];
            for (int64_t r = 0; r < kWordBits; ++r) {
                block[r] = t + r < run.steps ? run.spikes[(t + r) * layer.words + w] : 0;
            }
            transpose(block);
            for (int64_t n = 0; n < kWordBits; ++n) counts[n] += __builtin_popcountll(block[n]);
        }
        for (int64_t n = 0; n < kWordBits && first + n < layer.neurons; ++n) {
            run.counts[first + n] = static_cast<R>(counts[n]);
        }
    }
}

template <bool hard, bool rounded, typename R>
void run_sample(const Layer<R>& layer, const Forward<R>& run, const Room<R>& room) {
    const int64_t width = layer.width;
    clear_row(room.row, width);
    // v = 0 before the first step is what a membrane just at the threshold leaves behind, with either reset.
    for (int64_t n = 0; n < width; ++n) room.reset[n] = layer.threshold;
    for (int64_t begin = 0; begin < run.steps; begin += kBlock) {
        const int64_t count = run.steps - begin < kBlock ? run.steps - begin : kBlock;
        if (layer.lags) {
            const int64_t past = begin < layer.lags ? begin : layer.lags;
            const R* newest = past ? run.fed_back + (begin - 1) * width : room.zero;
            sum_outside_block(room.lagged, width, newest, -width, past, layer.taps, width / kLanes<R>);
        }
        for (int64_t j = 0; j < count; ++j) {
            R* lagged = room.lagged + j * width;
            step<hard, rounded>(layer, run, room, begin + j, layer.lags ? lagged : nullptr);
            if (layer.lags) feed_back(layer, run, begin + j, lagged + width, count - 1 - j);
        }
    }
    write_numbers(layer, run);
}

template <typename R>
void forward(const Layer<R>& layer, const Forward<R>& run, const Room<R>& room) {
    if (layer.resolution != 0) {
        layer.hard ? run_sample<true, true>(layer, run, room) : run_sample<false, true>(layer, run, room);
    } else {
        layer.hard ? run_sample<true, false>(layer, run, room) : run_sample<false, false>(layer, run, room);
    }
}

template <typename R>
bool pack_spikes(const R* numbers, int64_t count, R value, uint64_t* words) {
    constexpr int L = kLanes<R>;
    alignas(64) R staged[kWordBits];
    Vector<R> strange = {};
    for (int64_t at = 0; at < count; at += kWordBits) {
        const int64_t n = count - at < kWordBits ? count - at : kWordBits;
        if (n < kWordBits) clear_row(staged, kWordBits);
        copy_row(staged, numbers + at, n);
        uint64_t word = 0;
        ASRC_UNROLL
        for (int i = 0; i < kWordBits; i += L) {
            const Vector<R> x = load(staged + i);
            const auto set = at_least(x, splat(value));
            const Vector<R> distance = x - where(set, splat(value));
            strange += larger(distance, -distance);  // infinity and NaN stay
            word |= bits(set) << i;
        }
        words[at / kWordBits] = word;
    }
    bool clean = true;
    for (int i = 0; i < L; ++i) clean &= strange[i] == 0;
    return clean;
}

}  // namespace

#endif
