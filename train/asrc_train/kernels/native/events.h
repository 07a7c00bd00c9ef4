// Spikes as events: weight rows to add, and for gradients the rows that each input's spikes select.
#ifndef ASRC_EVENTS_H
#define ASRC_EVENTS_H

#include "kernel.h"
#include "vectors.h"

namespace {

using namespace asrc;

template <int n>
struct Int {
    static constexpr int value = n;
};

// Calls body(Int<P>, first) for runs of P <= 8 vectors that stay in registers. `vectors` is even.
template <typename F>
ASRC_INLINE void over_runs(int64_t vectors, F body) {
    int64_t first = 0;
    for (; first + 8 <= vectors; first += 8) body(Int<8>{}, first);
    switch (vectors - first) {
        case 6: return body(Int<6>{}, first);
        case 4: return body(Int<4>{}, first);
        case 2: return body(Int<2>{}, first);
    }
}

// sum += row n of `rows` for each spike n.
template <typename R, int P>
ASRC_INLINE void add_rows(Vector<R> (&sum)[P], const R* rows, int64_t width, const uint64_t* spikes, int64_t words) {
    for (int64_t w = 0; w < words; ++w, rows += kWordBits * width) {
        for (uint64_t word = spikes[w]; word; word &= word - 1) {
            const R* row = base(rows + __builtin_ctzll(word) * width);
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[c] += load(row + c * kLanes<R>);
        }
    }
}

template <int distance>
ASRC_INLINE void swap_quarters(uint64_t* m, uint64_t low) {
    for (int base = 0; base < 64; base += 2 * distance) {
        for (int i = base; i < base + distance; ++i) {
            const uint64_t swapped = ((m[i] >> distance) ^ m[i + distance]) & low;
            m[i] ^= swapped << distance;
            m[i + distance] ^= swapped;
        }
    }
}

// Bit c of m[r] and bit r of m[c] change places.
inline void transpose(uint64_t* m) {
    swap_quarters<32>(m, 0x00000000ffffffff);
    swap_quarters<16>(m, 0x0000ffff0000ffff);
    swap_quarters<8>(m, 0x00ff00ff00ff00ff);
    swap_quarters<4>(m, 0x0f0f0f0f0f0f0f0f);
    swap_quarters<2>(m, 0x3333333333333333);
    swap_quarters<1>(m, 0x5555555555555555);
}

// sums[i] += rows[r] for each row r whose bit i is set: the outer products of spikes and gradients. Up to 64 rows at
// once, so that a row of sums is read and written once for all its events, and the rows stay in the first-level cache.
// Row r has its bits at spikes[r], or none.
template <typename R>
void add_outer(
    R* sums, int64_t count, int64_t words, int64_t width, const R* rows, const uint64_t* const (&spikes)[kWordBits]) {
    alignas(64) uint64_t columns[kWordBits];
    for (int64_t w = 0; w < words; ++w) {
        for (int64_t r = 0; r < kWordBits; ++r) columns[r] = spikes[r] ? spikes[r][w] : 0;
        transpose(columns);
        const int64_t inputs = count - w * kWordBits < kWordBits ? count - w * kWordBits : kWordBits;
        for (int64_t i = 0; i < inputs; ++i) {
            if (!columns[i]) continue;
            R* sum_row = sums + (w * kWordBits + i) * width;
            over_runs(width / kLanes<R>, [&](auto run, int64_t first) {
                constexpr int P = decltype(run)::value;
                const int64_t at = first * kLanes<R>;
                Vector<R> sum[P];
                ASRC_UNROLL
                for (int c = 0; c < P; ++c) sum[c] = load(sum_row + at + c * kLanes<R>);
                add_rows<R, P>(sum, rows + at, width, &columns[i], 1);
                ASRC_UNROLL
                for (int c = 0; c < P; ++c) store(sum_row + at + c * kLanes<R>, sum[c]);
            });
        }
    }
}

}  // namespace

#endif
