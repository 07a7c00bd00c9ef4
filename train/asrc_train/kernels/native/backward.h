// One tile of one layer backward through time. With slope[t] = triangle(u[t] - theta) and ds[t] the gradient that
// reaches s[t] from above and through U,
//
//     du[t]    = carry[t] du[t+1] + slope[t] ds[t]
//     carry[t] = alpha (1 - theta slope[t])           soft reset
//                alpha (1 - s[t] - u[t] slope[t])     hard reset (both without the slope if the reset is detached)
//     ds[t]    = above[t] + U^T g[t],    g[t] = du[t + span]   or   sum_k p_k du[t + k]
//
// and then  dU = sum_t g[t] s[t]^T,  dp_k = sum_t du[t] . U s[t-k],  dW = sum_t du[t] x[t]^T,  dx[t] = W^T du[t].
#ifndef ASRC_BACKWARD_H
#define ASRC_BACKWARD_H

#include "forward.h"
#include "product.h"

namespace {

using namespace asrc;

static_assert(kTile * kBlock == kWordBits, "a block of a tile is one call of add_outer");
static_assert(kTile % kProductRows == 0, "a tile is a whole number of products");

// Steps between the request of a row from memory and its use: sequences are longer than caches, and run backward.
constexpr int64_t kAhead = 4;

// What reaches back over one step inside a neuron.
template <bool hard, bool detached, typename R>
ASRC_INLINE Vector<R> carry(const Layer<R>& layer, Vector<R> u, Vector<R> slope) {
    Vector<R> kept = splat(R{1});
    if (hard) kept -= where(at_least(u, splat(layer.threshold)), splat(R{1}));
    if (!detached) kept -= slope * (hard ? u : splat(layer.threshold));
    return layer.decay * kept;
}

// du[t] of one sample in place of ds[t], and its share of g for the `earlier` steps of the same block that come before.
// `above` is where ds[t] comes from, without `fed_back`.
template <bool hard, bool detached, typename R>
ASRC_INLINE void unstep(
    const Layer<R>& layer, R* du, const R* later, const R* u, const R* above, const R* fed_back, R* lagged,
    int64_t earlier) {
    constexpr int L = kLanes<R>;
    for (int64_t at = 0; at < layer.width; at += L) {
        prefetch(u + at - kAhead * layer.width);
        prefetch(above + at - kAhead * layer.width);
        const Vector<R> membrane = load(u + at);
        const Vector<R> slope = triangle(membrane - layer.threshold);
        const Vector<R> ds = load(above + at) + load(fed_back + at);
        const Vector<R> d = slope * ds + carry<hard, detached>(layer, membrane, slope) * load(later + at);
        store(du + at, d);
        R* row = lagged + at - layer.width;
        for (int64_t k = 1; k <= earlier; ++k, row -= layer.width) store(row, load(row) + layer.taps[k] * d);
    }
}

// The rows that U^T multiplies at one step: g of each sample of the tile; those beyond the batch are zero.
template <typename R>
ASRC_INLINE bool recalled_rows(
    const Layer<R>& layer, const Backward<R>& run, const Room<R>& room, int64_t t, int64_t j, const R** rows) {
    const int64_t sequence = run.steps * layer.width;
    const bool reached = layer.lags || t + layer.span < run.steps;
    for (int64_t b = 0; b < kTile; ++b) {
        if (!reached || b >= run.samples) {
            rows[b] = room.zero;
        } else if (layer.lags) {
            rows[b] = room.lagged + (b * kBlock + j) * layer.width;
        } else {
            rows[b] = run.gradient + b * sequence + (t + layer.span) * layer.width;
        }
    }
    return reached;
}

// Gradient of the taps from the block of steps that begins at `begin`, which may be before the first step.
template <typename R>
void correlate_block(const Layer<R>& layer, const Backward<R>& run, const Room<R>& room, int64_t b, int64_t begin) {
    const int64_t width = layer.width, reach = padded_lags(layer.lags);
    const R* du = run.gradient + (b * run.steps + begin) * width;
    const R* past = run.fed_back + (b * run.steps + begin) * width;
    if (begin < reach) {  // rows before the first step are silent: lay the window out with zeros for them
        R* rows = room.early;
        for (int64_t t = begin - reach; t < begin + kBlock; ++t, rows += width) {
            t < 0 ? clear_row(rows, width) : copy_row(rows, past + (t - begin) * width, width);
        }
        R* rows_du = rows;
        for (int64_t t = begin; t < begin + kBlock; ++t, rows += width) {
            t < 0 ? clear_row(rows, width) : copy_row(rows, du + (t - begin) * width, width);
        }
        past = rows_du - kBlock * width;
        du = rows_du;
    }
    correlate(run.sums.taps, du, past, layer.lags, width);
}

// Everything that happens step by step. `gradient` becomes du; dU and dp of a mixture are summed on the way.
template <bool hard, bool detached, typename R>
void through_time(const Layer<R>& layer, const Backward<R>& run, const Room<R>& room) {
    constexpr int L = kLanes<R>;
    const int64_t width = layer.width, sequence = run.steps * width;
    R* out[kTile];
    for (int64_t b = 0; b < kTile; ++b) out[b] = room.row + b * width;
    for (int64_t end = run.steps; end > 0; end -= kBlock) {
        const int64_t begin = end - kBlock;  // the earliest block may begin before the first step
        const int64_t first = begin < 0 ? -begin : 0;
        if (layer.lags) {
            const int64_t count = run.steps - end < layer.lags ? run.steps - end : layer.lags;
            for (int64_t b = 0; b < run.samples; ++b) {
                R* newest = room.lagged + (b * kBlock + kBlock - 1) * width;
                const R* nearest = count ? run.gradient + b * sequence + end * width : room.zero;
                sum_outside_block(newest, -width, nearest, width, count, layer.taps, width / L);
            }
        }
        for (int64_t j = kBlock - 1; j >= first; --j) {
            const int64_t t = begin + j;
            const R* rows[kTile];
            const bool reached = recalled_rows(layer, run, room, t, j, rows);
            for (int64_t b = 0; reached && b < run.samples; b += kProductRows) {
                multiply_rows(out + b, rows + b, layer.neurons, layer.back_recurrent, width);
            }
            for (int64_t b = 0; b < run.samples; ++b) {
                R* du = run.gradient + b * sequence + t * width;
                const R* later = t + 1 < run.steps ? du + width : room.zero;
                const R* above = run.above ? run.above + b * width : du;
                R* lagged = room.lagged + (b * kBlock + j) * width;
                unstep<hard, detached>(
                    layer, du, later, run.membrane + b * sequence + t * width, above, reached ? out[b] : room.zero,
                    lagged, layer.lags ? j - first : 0);
            }
        }
        if (layer.lags) {
            const uint64_t* spikes[kWordBits] = {};
            for (int64_t b = 0; b < run.samples; ++b) {
                for (int64_t j = first; j < kBlock; ++j) {
                    spikes[b * kBlock + j] = run.spikes[b] + (begin + j) * layer.words;
                }
                correlate_block(layer, run, room, b, begin);
            }
            R* sums = run.sums.weights + layer.inputs * width;
            add_outer(sums, layer.neurons, layer.words, width, room.lagged, spikes);
        }
    }
}

// sums += outer products of spikes[t] and rows[t], t < steps.
template <typename R>
void add_outer_over_time(
    R* sums, int64_t count, int64_t words, int64_t width, const R* rows, const uint64_t* spikes, int64_t steps) {
    for (int64_t t = 0; t < steps; t += kWordBits) {
        const uint64_t* chosen[kWordBits] = {};
        for (int64_t r = 0; r < kWordBits && t + r < steps; ++r) chosen[r] = spikes + (t + r) * words;
        add_outer(sums, count, words, width, rows + t * width, chosen);
    }
}

// Of one sample: decay gets du[t] . v[t-1]; the threshold what goes through the spike and through the size of the reset.
template <bool hard, typename R>
void add_dynamics(const Layer<R>& layer, const Backward<R>& run, const Room<R>& room, int64_t b) {
    constexpr int L = kLanes<R>;
    Vector<R> decay = load(run.sums.dynamics), threshold = load(run.sums.dynamics + kMostLanes);
    for (int64_t t = 0; t < run.steps; ++t) {
        const R* du = run.gradient + (b * run.steps + t) * layer.width;
        const R* u = run.membrane + (b * run.steps + t) * layer.width;
        const R* later = t + 1 < run.steps ? du + layer.width : room.zero;
        for (int64_t at = 0; at < layer.width; at += L) {
            const Vector<R> membrane = load(u + at), dv = layer.decay * load(later + at);
            const auto fired = at_least(membrane, splat(layer.threshold));
            const Vector<R> reset = where(fired, dv);
            decay += load(later + at) * (membrane - where(fired, hard ? membrane : splat(layer.threshold)));
            threshold -= load(du + at) - (hard ? dv - reset : dv) + (hard ? Vector<R>{} : reset);
        }
    }
    store(run.sums.dynamics, decay);
    store(run.sums.dynamics + kMostLanes, threshold);
}

// Up to kWordBits steps of one sample, from t on: bias and feed-forward weights, gain, and the gradient of the input.
template <typename R>
void feed_forward(const Layer<R>& layer, const Backward<R>& run, int64_t b, int64_t t) {
    constexpr int L = kLanes<R>;
    const int64_t width = layer.width;
    const int64_t count = run.steps - t < kWordBits ? run.steps - t : kWordBits;
    const Input<R>& input = run.input[b];
    R* rows = run.gradient + (b * run.steps + t) * width;
    over_runs(width / L, [&](auto run_length, int64_t first) {
        constexpr int P = decltype(run_length)::value;
        Vector<R> sum[P];
        R* const bias = run.sums.bias + first * L;
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) sum[c] = load(bias + c * L);
        R* row = rows + first * L;
        for (int64_t r = 0; r < count; ++r, row += width) {
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) {
                if (run.gain[b]) store(row + c * L, load(row + c * L) * load(run.gain[b] + first * L + c * L));
                sum[c] += load(row + c * L);
            }
        }
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) store(bias + c * L, sum[c]);
    });
    if (input.spikes) {
        const uint64_t* spikes = input.spikes + t * layer.input_words;
        add_outer_over_time(run.sums.weights, layer.inputs, layer.input_words, width, rows, spikes, count);
    } else {
        for (int64_t i = 0; i < layer.inputs; ++i) {
            for (int64_t at = 0; at < width; at += L) {
                R* to = run.sums.weights + i * width + at;
                Vector<R> sum = load(to);
                for (int64_t r = 0; r < count; ++r) {
                    sum += input.numbers[(t + r) * input.step + i] * load(rows + r * width + at);
                }
                store(to, sum);
            }
        }
    }
    if (!run.below || !layer.inputs) return;
    R* below = run.below + (b * run.steps + t) * layer.input_width;
    for (int64_t r = 0; r < count; r += kProductRows) {
        const R* in[kProductRows];
        R* out[kProductRows];
        for (int64_t i = 0; i < kProductRows; ++i) {  // the last rows once more where there are no others
            const int64_t row = r + i < count ? r + i : count - 1;
            in[i] = rows + row * width;
            out[i] = below + row * layer.input_width;
        }
        multiply_rows(out, in, layer.neurons, layer.back_feedforward, layer.input_width);
    }
}

template <typename R>
void backward(const Layer<R>& layer, const Backward<R>& run, const Room<R>& room) {
    if (layer.hard) {
        layer.detached ? through_time<true, true>(layer, run, room) : through_time<true, false>(layer, run, room);
    } else {
        layer.detached ? through_time<false, true>(layer, run, room) : through_time<false, false>(layer, run, room);
    }
    for (int64_t b = 0; b < run.samples; ++b) {
        if (layer.span && layer.span < run.steps) {
            R* sums = run.sums.weights + layer.inputs * layer.width;
            const R* reached = run.gradient + (b * run.steps + layer.span) * layer.width;
            const int64_t steps = run.steps - layer.span;
            add_outer_over_time(sums, layer.neurons, layer.words, layer.width, reached, run.spikes[b], steps);
        }
        if (run.dynamics) {
            layer.hard ? add_dynamics<true>(layer, run, room, b) : add_dynamics<false>(layer, run, room, b);
        }
        for (int64_t t = 0; t < run.steps; t += kWordBits) feed_forward(layer, run, b, t);
    }
}

template <typename R>
constexpr Kernels<R> kernels() {
    return {pack_matrix<R>, forward<R>, backward<R>, pack_spikes<R>};
}

}  // namespace

#endif
