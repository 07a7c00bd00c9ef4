// Sums over the lags of a mixture, in both directions of time, and their gradient.
#ifndef ASRC_LAGS_H
#define ASRC_LAGS_H

#include "events.h"

namespace {

using namespace asrc;

// For the kBlock rows j of a block, sum[j] = sum_m taps[m + 1 + j] row(m), m = 0 .. count - 1, where row(0) is the one
// next to the block. Rows lie `row_step`, sums `sum_step` numbers apart, either of which may be negative.
template <typename R>
void sum_outside_block(
    R* sum, int64_t sum_step, const R* row, int64_t row_step, int64_t count, const R* taps, int64_t vectors) {
    constexpr int J = kRegisters == 32 ? 8 : 4;  // two vectors of each fill half the registers
    constexpr int L = kLanes<R>;
    for (int64_t c = 0; c < vectors; c += 2) {
        for (int64_t j0 = 0; j0 < kBlock; j0 += J) {
            Vector<R> left[J] = {}, right[J] = {};
            const R* from = row + c * L;
            const R* tap = taps + 1 + j0;
            for (int64_t m = 0; m < count; ++m, from += row_step, ++tap) {
                const Vector<R> a = load(from), b = load(from + L);
                ASRC_UNROLL
                for (int j = 0; j < J; ++j) {
                    left[j] += tap[j] * a;
                    right[j] += tap[j] * b;
                }
            }
            ASRC_UNROLL
            for (int j = 0; j < J; ++j) {
                store(sum + (j0 + j) * sum_step + c * L, left[j]);
                store(sum + (j0 + j) * sum_step + (c + 1) * L, right[j]);
            }
        }
    }
}

// sums[q] += sum_j du[j] . past[j - lag - q] for q = 0 .. Q - 1, lane by lane.
template <typename R, int Q>
void correlate_lags(R* sums, const R* du, const R* past, int64_t lag, int64_t width) {
    constexpr int J = kRegisters == 32 ? 8 : 4;
    constexpr int L = kLanes<R>;
    Vector<R> sum[Q];
    ASRC_UNROLL
    for (int q = 0; q < Q; ++q) sum[q] = load(sums + q * kMostLanes);
    for (int64_t j0 = 0; j0 < kBlock; j0 += J) {
        const R* from = past + (j0 - lag - Q + 1) * width;
        for (int64_t at = 0; at < width; at += L) {
            Vector<R> d[J];
            const R* row = du + j0 * width + at;
            ASRC_UNROLL
            for (int j = 0; j < J; ++j, row = base(row + width)) d[j] = load(row);
            row = from + at;
            ASRC_UNROLL
            for (int r = 0; r < J + Q - 1; ++r, row = base(row + width)) {
                const Vector<R> y = load(row);
                ASRC_UNROLL
                for (int j = 0; j < J; ++j) {
                    const int q = Q - 1 + j - r;
                    if (q >= 0 && q < Q) sum[q] += d[j] * y;
                }
            }
        }
    }
    ASRC_UNROLL
    for (int q = 0; q < Q; ++q) store(sums + q * kMostLanes, sum[q]);
}

ASRC_INLINE int64_t padded_lags(int64_t lags) { return (lags + 3) / 4 * 4; }

// sums[k - 1] += sum_j du[j] . past[j - k], k = 1 .. padded_lags, for the kBlock rows j of du. Reads past from row
// -padded_lags on.
template <typename R>
void correlate(R* sums, const R* du, const R* past, int64_t lags, int64_t width) {
    constexpr int kMost = kRegisters == 32 ? 16 : 8;
    int64_t lag = 1;
    while (lag <= lags) {
        R* sum = sums + (lag - 1) * kMostLanes;
        const int64_t rest = padded_lags(lags) - lag + 1;
        if (rest >= kMost) {
            correlate_lags<R, kMost>(sum, du, past, lag, width);
            lag += kMost;
        } else if (rest >= 8) {
            correlate_lags<R, 8>(sum, du, past, lag, width);
            lag += 8;
        } else {
            correlate_lags<R, 4>(sum, du, past, lag, width);
            lag += 4;
        }
    }
}

}  // namespace

#endif
