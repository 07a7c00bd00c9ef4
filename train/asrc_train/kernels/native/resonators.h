// State-space neurons over all steps of one sample, and their adjoint. The equations stand in
// kernels/state_space/layer.py. Vectors are neurons; a chunk's rows are gathered first where they are not padded.
// All has internal linkage: see kernel.h.
#ifndef ASRC_RESONATORS_H
#define ASRC_RESONATORS_H

#include <cstring>

#include "resonators_kernel.h"
#include "vectors.h"

namespace {

using asrc::kChunk;
using asrc::kMostModes;
using asrc::kMostTaps;
using asrc::ResonatorKernels;
using asrc::ResonatorLayer;
using asrc::ResonatorRoom;
using asrc::ResonatorSample;
using asrc::Rows;

// The constants of a vector of neurons.
template <typename R, int K>
struct Modes {
    Vector<R> c[K], d[K], p[K], q[K], direct, scale, shift, window[kMostTaps];

    Modes(const ResonatorLayer<R>& layer, const R* gain, int64_t at) {
        const R* row = layer.constants + at;
        ASRC_UNROLL
        for (int k = 0; k < K; ++k) {
            c[k] = load(row + k * layer.width), d[k] = load(row + (K + k) * layer.width);
            p[k] = load(row + (2 * K + k) * layer.width), q[k] = load(row + (3 * K + k) * layer.width);
        }
        direct = load(row + 4 * K * layer.width);
        for (int64_t j = 0; j < layer.taps; ++j) window[j] = load(row + (4 * K + 1 + j) * layer.width);
        scale = load(row + (4 * K + 1 + layer.taps) * layer.width);
        shift = load(row + (4 * K + 2 + layer.taps) * layer.width);
        if (gain) scale *= load(gain + at), shift *= load(gain + at);
    }
};

// The state of a vector of neurons; `past` is y of the steps before, the last one first.
template <typename R, int K>
struct State {
    Vector<R> re[K], im[K], wait, past[kMostTaps];

    void from(const R* rows, int64_t width, int64_t taps) {
        ASRC_UNROLL
        for (int k = 0; k < K; ++k) re[k] = load(rows + 2 * k * width), im[k] = load(rows + (2 * k + 1) * width);
        wait = load(rows + 2 * K * width);
        for (int64_t j = 0; j + 1 < taps; ++j) past[j] = load(rows + (2 * K + 1 + j) * width);
    }

    void to(R* rows, int64_t width, int64_t taps) const {
        ASRC_UNROLL
        for (int k = 0; k < K; ++k) store(rows + 2 * k * width, re[k]), store(rows + (2 * k + 1) * width, im[k]);
        store(rows + 2 * K * width, wait);
        for (int64_t j = 0; j + 1 < taps; ++j) store(rows + (2 * K + 1 + j) * width, past[j]);
    }
};

// y of a step, with the modes moved on.
template <typename R, int K>
ASRC_INLINE Vector<R> moved(const Modes<R, K>& of, Vector<R> u, Vector<R>* re, Vector<R>* im) {
    Vector<R> y = of.direct * u;
    ASRC_UNROLL
    for (int k = 0; k < K; ++k) {
        const Vector<R> before = re[k];
        re[k] = of.c[k] * before + (u - of.d[k] * im[k]);
        im[k] = of.d[k] * before + of.c[k] * im[k];
        y += of.p[k] * re[k] - of.q[k] * im[k];
    }
    return y;
}

// A spike at h >= theta unless the neuron waits; it waits as many steps as the period says after each one.
template <typename R>
ASRC_INLINE Vector<R> spiking(Vector<R> distance, R period, Vector<R>& wait) {
    const Vector<R> none{};
    const Vector<R> s = where(at_least(distance, none), where(at_least(none, wait), none + R{1}));
    wait = larger(wait - R{1}, none) + s * period;
    return s;
}

// Rows of a sequence from step `begin` on, where they lie or gathered in `room`; `step` is how far apart they are.
template <typename R>
ASRC_INLINE const R* rows_at(
    const Rows<const R>& from, int64_t begin, int64_t steps, const ResonatorLayer<R>& layer, R* room, int64_t& step) {
    const R* at = from.data + begin * from.step;
    step = from.padded ? from.step : layer.width;
    if (from.padded) return at;
    for (int64_t t = 0; t < steps; ++t) {
        std::memcpy(room + t * layer.width, at + t * from.step, static_cast<size_t>(layer.neurons) * sizeof(R));
    }
    return room;
}

// Where rows of a sequence from step `begin` on are written: in place, or in `room` for `put_rows`.
template <typename R>
ASRC_INLINE R* rows_for(
    const Rows<R>& to, int64_t begin, const ResonatorLayer<R>& layer, R* room, int64_t& step) {
    step = to.padded ? to.step : layer.width;
    return to.padded ? to.data + begin * to.step : room;
}

template <typename R>
ASRC_INLINE void put_rows(
    const Rows<R>& to, int64_t begin, int64_t steps, const ResonatorLayer<R>& layer, const R* room) {
    for (int64_t t = 0; t < steps && !to.padded; ++t) {
        R* row = to.data + (begin + t) * to.step;
        std::memcpy(row, room + t * layer.width, static_cast<size_t>(layer.neurons) * sizeof(R));
    }
}

// The sample's gain, padded, or null.
template <typename R>
ASRC_INLINE const R* gain_of(
    const ResonatorLayer<R>& layer, const ResonatorSample<R>& sample, const ResonatorRoom<R>& room) {
    if (sample.gain) std::memcpy(room.gain, sample.gain, static_cast<size_t>(layer.neurons) * sizeof(R));
    return sample.gain ? room.gain : nullptr;
}

template <typename R, int K>
void resonators_forward(
    const ResonatorLayer<R>& layer, const ResonatorSample<R>& sample, const ResonatorRoom<R>& room) {
    const int64_t width = layer.width, words = layer.words * width;
    const R* gain = gain_of(layer, sample, room);
    std::memset(room.state, 0, static_cast<size_t>(words) * sizeof(R));
    std::memset(room.counts, 0, static_cast<size_t>(width) * sizeof(R));
    R* kept = sample.kept;
    for (int64_t begin = 0; begin < sample.steps; begin += kChunk) {
        const int64_t steps = sample.steps - begin < kChunk ? sample.steps - begin : kChunk;
        if (kept) {
            std::memcpy(kept, room.state, static_cast<size_t>(words) * sizeof(R));
            kept += words;
        }
        int64_t in_step, out_step = 0;
        const R* input = rows_at(sample.input, begin, steps, layer, room.input, in_step);
        const R* later = sample.input.data + (begin + kChunk) * sample.input.step;
        R* numbers = sample.spikes.data ? rows_for(sample.spikes, begin, layer, room.output, out_step) : nullptr;
        uint64_t* bits_of = sample.bits ? sample.bits + begin * layer.spike_words : nullptr;
        for (int64_t i = 0; bits_of && i < steps * layer.spike_words; ++i) bits_of[i] = 0;
        for (int64_t at = 0; at < width; at += kLanes<R>) {
            const Modes<R, K> of(layer, gain, at);
            State<R, K> state;
            state.from(room.state + at, width, layer.taps);
            Vector<R> count = load(room.counts + at);
            uint64_t* word = bits_of ? bits_of + at / asrc::kWordBits : nullptr;
            for (int64_t t = 0; t < steps; ++t) {
                prefetch_later(later + t * sample.input.step + at);  // beyond the last chunk nobody minds
                const Vector<R> u = of.scale * load(input + t * in_step + at) + of.shift;
                const Vector<R> y = moved<R, K>(of, u, state.re, state.im);
                Vector<R> h = y;
                if (layer.taps > 1) {
                    h = of.window[0] * y;
                    for (int64_t j = 1; j < layer.taps; ++j) h += of.window[j] * state.past[j - 1];
                    for (int64_t j = layer.taps - 2; j > 0; --j) state.past[j] = state.past[j - 1];
                    state.past[0] = y;
                }
                const Vector<R> s = spiking<R>(h - layer.threshold, layer.period, state.wait);
                count += s;
                if (word) word[t * layer.spike_words] |= bits(at_least(s, Vector<R>{} + R{1})) << at % asrc::kWordBits;
                if (numbers) store(numbers + t * out_step + at, s);
            }
            store(room.counts + at, count);
            state.to(room.state + at, width, layer.taps);
        }
        if (bits_of && layer.neurons % asrc::kWordBits) {  // neurons that pad may fire, at a threshold below 0
            const uint64_t there = (uint64_t{1} << layer.neurons % asrc::kWordBits) - 1;
            for (int64_t t = 1; t <= steps; ++t) bits_of[t * layer.spike_words - 1] &= there;
        }
        if (numbers) put_rows(sample.spikes, begin, steps, layer, numbers);
    }
    if (sample.counts) std::memcpy(sample.counts, room.counts, static_cast<size_t>(layer.neurons) * sizeof(R));
}

// The states within a chunk, made anew, and what walks back through them.
template <typename R, int K>
struct Walked {
    Vector<R> re[kChunk + 1][K], im[kChunk + 1][K];
    Vector<R> y[kMostTaps - 1 + kChunk];     // y[taps - 1 + t] of step t
    Vector<R> pass[kChunk];                  // surrogate of a step
    Vector<R> worth[kChunk + kMostTaps - 1];  // dL/dh; behind the chunk's own, those of the steps after
};

template <typename R, int K>
ASRC_INLINE void walked(
    const ResonatorLayer<R>& layer, const Modes<R, K>& of, const R* kept, const R* input, int64_t step, int64_t steps,
    int64_t earlier, Walked<R, K>& to) {
    const int64_t width = layer.width, back = layer.taps - 1;
    State<R, K> state;
    state.from(kept, width, layer.taps);
    for (int64_t j = 0; j < back; ++j) to.y[back - 1 - j] = state.past[j];
    ASRC_UNROLL
    for (int k = 0; k < K; ++k) to.re[0][k] = state.re[k], to.im[0][k] = state.im[k];
    for (int64_t t = 0; t < steps; ++t) {
        prefetch_later(input + t * step - earlier);
        Vector<R> h = to.y[back + t] = moved<R, K>(of, of.scale * load(input + t * step) + of.shift, state.re, state.im);
        ASRC_UNROLL
        for (int k = 0; k < K; ++k) to.re[t + 1][k] = state.re[k], to.im[t + 1][k] = state.im[k];
        if (back) {
            h = of.window[0] * h;
            for (int64_t j = 1; j <= back; ++j) h += of.window[j] * to.y[back + t - j];
        }
        const Vector<R> distance = h - layer.threshold, waited = state.wait;
        spiking<R>(distance, layer.period, state.wait);
        to.pass[t] = triangle(distance);
        if (layer.masked) to.pass[t] = where(at_least(Vector<R>{}, waited), to.pass[t]);
    }
}

template <typename R, int K>
void resonators_backward(
    const ResonatorLayer<R>& layer, const ResonatorSample<R>& sample, const ResonatorRoom<R>& room) {
    const int64_t width = layer.width, words = layer.words * width, back = layer.taps - 1;
    const R* gain = gain_of(layer, sample, room);
    std::memset(room.adjoint, 0, static_cast<size_t>((2 * K + back) * width) * sizeof(R));
    std::memset(room.sums, 0, static_cast<size_t>(layer.rows * width) * sizeof(R));
    const int64_t chunks = (sample.steps + kChunk - 1) / kChunk;
    for (int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t steps = sample.steps - begin < kChunk ? sample.steps - begin : kChunk;
        int64_t in_step, above_step, out_step;
        const R* input = rows_at(sample.input, begin, steps, layer, room.input, in_step);
        const R* above = rows_at(sample.above, begin, steps, layer, room.above, above_step);
        R* output = rows_for(sample.grad_input, begin, layer, room.output, out_step);
        for (int64_t at = 0; at < width; at += kLanes<R>) {
            const Modes<R, K> of(layer, gain, at);
            Walked<R, K> walk;
            walked<R, K>(layer, of, sample.kept + chunk * words + at, input + at, in_step, steps, kChunk * in_step, walk);
            R* rows = room.adjoint + at;
            R* sums = room.sums + at;
            Vector<R> ar[K], ai[K], gc[K]{}, gd[K]{}, gp[K]{}, gq[K]{}, direct{}, scale{}, shift{};
            Vector<R> window[kMostTaps]{};
            ASRC_UNROLL
            for (int k = 0; k < K; ++k) ar[k] = load(rows + 2 * k * width), ai[k] = load(rows + (2 * k + 1) * width);
            for (int64_t j = 0; j < back; ++j) walk.worth[steps + j] = load(rows + (2 * K + j) * width);
            for (int64_t t = steps - 1; t >= 0; --t) {
                prefetch_later(above + (t - kChunk) * above_step + at);
                const Vector<R> x = load(input + t * in_step + at), u = of.scale * x + of.shift;
                const Vector<R> gh = load(above + t * above_step + at) * walk.pass[t];
                Vector<R> gy = gh;
                if (back) {
                    walk.worth[t] = gh;
                    gy = of.window[0] * gh;
                    for (int64_t j = 1; j <= back; ++j) gy += of.window[j] * walk.worth[t + j];
                    for (int64_t j = 0; j <= back; ++j) window[j] += gh * walk.y[back + t - j];
                }
                direct += gy * u;
                Vector<R> gu = of.direct * gy;
                ASRC_UNROLL
                for (int k = 0; k < K; ++k) {
                    const Vector<R> r = ar[k], i = ai[k];
                    ar[k] = of.p[k] * gy + (of.c[k] * r + of.d[k] * i);
                    ai[k] = (of.c[k] * i - of.d[k] * r) - of.q[k] * gy;
                    gu += ar[k];
                    gc[k] += ar[k] * walk.re[t][k] + ai[k] * walk.im[t][k];
                    gd[k] += ai[k] * walk.re[t][k] - ar[k] * walk.im[t][k];
                    gp[k] += gy * walk.re[t + 1][k];
                    gq[k] -= gy * walk.im[t + 1][k];
                }
                scale += gu * x, shift += gu;
                store(output + t * out_step + at, of.scale * gu);
            }
            ASRC_UNROLL
            for (int k = 0; k < K; ++k) {
                store(rows + 2 * k * width, ar[k]), store(rows + (2 * k + 1) * width, ai[k]);
                const Vector<R> found[] = {gc[k], gd[k], gp[k], gq[k]};
                for (int row = 0; row < 4; ++row) {
                    R* sum = sums + (row * K + k) * width;
                    store(sum, load(sum) + found[row]);
                }
            }
            for (int64_t j = 0; j < back; ++j) store(rows + (2 * K + j) * width, walk.worth[j]);
            if (gain) scale *= load(gain + at), shift *= load(gain + at);
            R* ends = sums + (4 * K + 1 + layer.taps) * width;
            store(ends, load(ends) + scale), store(ends + width, load(ends + width) + shift);
            store(sums + 4 * K * width, load(sums + 4 * K * width) + direct);
            for (int64_t j = 0; back && j <= back; ++j) {
                R* sum = sums + (4 * K + 1 + j) * width;
                store(sum, load(sum) + window[j]);
            }
        }
        put_rows(sample.grad_input, begin, steps, layer, output);
    }
}

// With the number of modes known to the compiler, a neuron's modes stay in registers.
template <typename R>
void resonators_forward_any(
    const ResonatorLayer<R>& layer, const ResonatorSample<R>& sample, const ResonatorRoom<R>& room) {
    switch (layer.modes) {
        case 1: return resonators_forward<R, 1>(layer, sample, room);
        case 2: return resonators_forward<R, 2>(layer, sample, room);
        case 3: return resonators_forward<R, 3>(layer, sample, room);
        case 4: return resonators_forward<R, 4>(layer, sample, room);
        case 5: return resonators_forward<R, 5>(layer, sample, room);
        case 6: return resonators_forward<R, 6>(layer, sample, room);
        case 7: return resonators_forward<R, 7>(layer, sample, room);
        default: return resonators_forward<R, 8>(layer, sample, room);
    }
}

template <typename R>
void resonators_backward_any(
    const ResonatorLayer<R>& layer, const ResonatorSample<R>& sample, const ResonatorRoom<R>& room) {
    switch (layer.modes) {
        case 1: return resonators_backward<R, 1>(layer, sample, room);
        case 2: return resonators_backward<R, 2>(layer, sample, room);
        case 3: return resonators_backward<R, 3>(layer, sample, room);
        case 4: return resonators_backward<R, 4>(layer, sample, room);
        case 5: return resonators_backward<R, 5>(layer, sample, room);
        case 6: return resonators_backward<R, 6>(layer, sample, room);
        case 7: return resonators_backward<R, 7>(layer, sample, room);
        default: return resonators_backward<R, 8>(layer, sample, room);
    }
}

template <typename R>
constexpr ResonatorKernels<R> resonator_kernels() {
    return {resonators_forward_any<R>, resonators_backward_any<R>};
}

}  // namespace

#endif
