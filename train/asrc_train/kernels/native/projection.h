// y = W x + b over some steps of one sample, and its adjoint: spikes as events, numbers as matrix products.
// All has internal linkage: see kernel.h.
#ifndef ASRC_PROJECTION_H
#define ASRC_PROJECTION_H

#include <cstring>

#include "events.h"
#include "product.h"
#include "projection_kernel.h"

namespace {

using asrc::kRows;
using asrc::ProjectedSteps;
using asrc::Projection;
using asrc::ProjectionKernels;
using asrc::ProjectionRoom;

// A run of columns is done for all steps before the next one, so that its part of W stays in the first-level cache.
template <typename R>
void project_spikes(const Projection<R>& of, const uint64_t* spikes, int64_t steps, R* to) {
    constexpr int L = kLanes<R>;
    over_runs(of.width / L, [&](auto run, int64_t first) {
        constexpr int P = decltype(run)::value;
        const int64_t at = first * L;
        for (int64_t t = 0; t < steps; ++t) {
            Vector<R> sum[P];
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[c] = load(of.bias + at + c * L);
            add_rows<R, P>(sum, of.weights + at, of.width, spikes + t * of.input_words, of.input_words);
            R* row = to + t * of.width + at;
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) store(row + c * L, sum[c]);
        }
    });
}

// The rows first .. first + kProductRows of some; the last one again where there are no others.
template <typename R>
ASRC_INLINE void some_rows(R* (&rows)[kProductRows], R* from, int64_t step, int64_t first, int64_t count) {
    ASRC_UNROLL
    for (int64_t r = 0; r < kProductRows; ++r) rows[r] = from + (first + r < count ? first + r : count - 1) * step;
}

// out[t] = in[t] (length) times a packed matrix (length, width), t < steps. One panel after the other, each of which
// stays in the first-level cache for all rows.
template <typename R>
void multiply(const R* in, int64_t in_step, int64_t length, const R* packed, int64_t width, int64_t steps, R* out,
              int64_t out_step) {
    constexpr int L = kLanes<R>;
    for (int64_t first = 0; first < width / L;) {
        const int64_t panel = panel_at(first, width / L);
        for (int64_t t = 0; t < steps; t += kProductRows) {
            const R* from[kProductRows];
            R* to[kProductRows];
            some_rows(from, in, in_step, t, steps);
            some_rows(to, out, out_step, t, steps);
            if (panel == kPanel) {
                multiply_panel<kPanel>(to, from, length, packed, first * L);
            } else {
                multiply_panel<2>(to, from, length, packed, first * L);
            }
        }
        packed += length * panel * L;
        first += panel;
    }
}

template <typename R>
void project_numbers(const Projection<R>& of, const R* numbers, int64_t step, int64_t steps, R* to) {
    multiply(numbers, step, of.inputs, of.panels, of.width, steps, to, of.width);
    for (int64_t t = 0; t < steps; ++t, to += of.width) {
        for (int64_t at = 0; at < of.width; at += kLanes<R>) store(to + at, load(to + at) + load(of.bias + at));
    }
}

template <typename R>
void add_moments(const R* rows, int64_t steps, int64_t width, const R* origin, R* sums) {
    for (int64_t at = 0; at < width; at += kLanes<R>) {
        const Vector<R> from = load(origin + at);
        Vector<R> sum{}, squares{};
        for (int64_t t = 0; t < steps; ++t) {
            const Vector<R> y = load(rows + t * width + at) - from;
            sum += y, squares += y * y;
        }
        store(sums + at, load(sums + at) + sum);
        store(sums + width + at, load(sums + width + at) + squares);
    }
}

template <typename R>
void projection_forward(
    const Projection<R>& of, const ProjectedSteps<R>& run, const ProjectionRoom<R>& room, const R* origin) {
    for (int64_t t = 0; t < run.steps; t += kRows) {
        const int64_t count = run.steps - t < kRows ? run.steps - t : kRows;
        R* to = run.made + t * of.width;
        if (run.input.spikes) {
            project_spikes(of, run.input.spikes + t * of.input_words, count, to);
        } else {
            project_numbers(of, run.input.numbers + t * run.input.step, run.input.step, count, to);
        }
        if (origin) add_moments(to, count, of.width, origin, room.sums);
    }
}

// dL/dy as it is wanted, and its sum over the steps. Row by row, as they lie in memory, from where they come.
template <typename R>
void settled(const Projection<R>& of, const R* above, const R* made, int64_t steps, R* to, R* sums) {
    const int64_t width = of.width;
    for (int64_t t = 0; t < steps; ++t, above += width, made += width, to += width) {
        for (int64_t at = 0; at < width; at += kLanes<R>) {
            Vector<R> g = load(above + at);
            if (of.settle) g += load(of.settle + at) + load(of.settle + width + at) * load(made + at);
            store(sums + at, load(sums + at) + g);
            store(to + at, g);
        }
    }
}

// sums[i] += sum over the rows of their number i times the row.
template <typename R>
void add_outer_numbers(
    R* sums, int64_t count, const R* numbers, int64_t step, const R* rows, int64_t width, int64_t steps) {
    constexpr int L = kLanes<R>;
    for (int64_t i = 0; i < count; ++i) {
        over_runs(width / L, [&](auto run, int64_t first) {
            constexpr int P = decltype(run)::value;
            R* to = sums + i * width + first * L;
            const R* row = rows + first * L;
            Vector<R> sum[P];
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[c] = load(to + c * L);
            for (int64_t t = 0; t < steps; ++t, row += width) {
                const Vector<R> x = splat(numbers[t * step + i]);
                ASRC_UNROLL
                for (int c = 0; c < P; ++c) sum[c] += x * load(row + c * L);
            }
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) store(to + c * L, sum[c]);
        });
    }
}

template <typename R>
void send_below(const Projection<R>& of, const ProjectedSteps<R>& run, const ProjectionRoom<R>& room, int64_t begin,
                int64_t steps) {
    R* to = run.below + begin * run.below_step;
    R* padded = run.below_padded ? to : room.below;
    const int64_t padded_step = run.below_padded ? run.below_step : of.input_width;
    multiply(room.rows, of.width, of.neurons, of.back, of.input_width, steps, padded, padded_step);
    for (int64_t t = 0; t < steps && !run.below_padded; ++t) {
        const R* row = padded + t * padded_step;
        std::memcpy(to + t * run.below_step, row, static_cast<size_t>(of.inputs) * sizeof(R));
    }
}

template <typename R>
void projection_backward(const Projection<R>& of, const ProjectedSteps<R>& run, const ProjectionRoom<R>& room) {
    const int64_t width = of.width;
    for (int64_t t = 0; t < run.steps; t += kRows) {
        const int64_t count = run.steps - t < kRows ? run.steps - t : kRows;
        settled(of, run.above + t * width, run.made + t * width, count, room.rows, room.sums + of.inputs * width);
        if (run.input.spikes) {
            const uint64_t* chosen[kWordBits] = {};
            for (int64_t r = 0; r < count; ++r) chosen[r] = run.input.spikes + (t + r) * of.input_words;
            add_outer(room.sums, of.inputs, of.input_words, width, room.rows, chosen);
        } else {
            const R* numbers = run.input.numbers + t * run.input.step;
            add_outer_numbers(room.sums, of.inputs, numbers, run.input.step, room.rows, width, count);
        }
        if (run.below) send_below(of, run, room, t, count);
    }
}

template <typename R>
constexpr ProjectionKernels<R> projection_kernels() {
    return {projection_forward<R>, projection_backward<R>};
}

}  // namespace

#endif
