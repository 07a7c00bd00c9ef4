// Weights into sums: the rows of the neurons that spiked, and products with graded inputs.
#ifndef ASRC_ROWS_H
#define ASRC_ROWS_H

#include "kernel.h"
#include "lanes.h"

namespace {

using namespace asrc;

// Sums of int8 rows without unpacking them. A 16-bit lane of a row holds an odd byte o (signed) above an even byte e
// (stored as e + 128, so that it borrows nothing): x = 256 o + e + 128. Over n rows, modulo 2^16,
//     sum of (x >> 8, arithmetic) = sum of o      and      sum of x - 256 (sum of o) - 128 n = sum of e,
// three instructions for as many bytes as a vector has, where widening the bytes takes four and shuffles.
template <int B>  // vectors of bytes in a row of the tile
struct ByteSums {
    U16 even[B] = {};
    U16 odd[B] = {};

    ALWAYS_INLINE ByteSums(const uint8_t* cells, const Events& events)
        : ByteSums(cells, events.place, events.count) {}
    ALWAYS_INLINE ByteSums(const uint8_t* cells, const uint32_t* place, int64_t n) {
        add(cells, place, n);
        part(n);
    }
    // Rows of two connections.
    ALWAYS_INLINE ByteSums(const uint8_t* a, const Events& of_a, const uint8_t* b, const Events& of_b) {
        add(a, of_a.place, of_a.count);
        add(b, of_b.place, of_b.count);
        part(of_a.count + of_b.count);
    }

private:
    // Until they are parted, the even sums hold the sums of x.
    ALWAYS_INLINE void add(const uint8_t* cells, const uint32_t* place, int64_t n) {
        constexpr size_t kUnits = B * kVectorBytes / kPlaceUnit;
        for (const uint32_t* end = place + n; place != end; ++place) {
            const U16* row = reinterpret_cast<const U16*>(cells + *place * kUnits);
            for (int b = 0; b < B; ++b) {
                const U16 x = in_register(row[b]);
                even[b] += x;
                odd[b] += (U16)((I16)x >> 8);
            }
        }
    }
    ALWAYS_INLINE void part(int64_t n) {
        const U16 offset = U16{} + static_cast<uint16_t>(128 * n);
        for (int b = 0; b < B; ++b) even[b] = even[b] - (odd[b] << 8) - offset;
    }
};

inline U32 low_halves(U16 v) { return (U32)((I32)((U32)v << 16) >> 16); }
inline U32 high_halves(U16 v) { return (U32)((I32)v >> 16); }

// Adds the rows of one accumulator to u, and counts them as (sum >> right) << left. The four vectors of u that belong
// to a vector of bytes take, in this order, the low halves of its even sums, their high halves, and those of the odd.
template <int B>
class RowAdder {
public:
    RowAdder(const Rows& rows, const Tile& tile)
        : cells_(rows.cells + rows.count * tile.first),
          total_(rows.total + tile.first),
          exact_(rows.exact),
          quick_(kMultipliesPairs && (rows.left < rows.right || rows.left - rows.right > 14) ? -1 : rows.exact),
          low_(splat(quick_ < 0 || rows.left < rows.right ? 0 : 1 << (rows.left - rows.right))),
          high_((I32)((U32)low_ << 16)),
          kept_(splat((int32_t)(~(uint32_t)0 << rows.left))),
          right_(count(rows.right)),
          down_(count(rows.right + 16)),
          left_(count(rows.left)) {}

    // Set kWhole if it is known that right is 0.
    template <bool kWhole>
    ALWAYS_INLINE void add(U32 (&u)[4 * B], const Events& events) const {
        if (events.count > quick_ || events.silent) return add_any(u, events);
        add_sums<kWhole>(u, ByteSums<B>(cells_, events));
    }

    // The same for two connections that share the accumulator, of which this is the first.
    ALWAYS_INLINE void add_both(U32 (&u)[4 * B], const Events& events, const RowAdder& second,
                                const Events& events_of_second) const {
        if (events.count + events_of_second.count > quick_ || events.silent || events_of_second.silent) {
            add_any(u, events);
            return second.add_any(u, events_of_second);
        }
        add_sums<true>(u, ByteSums<B>(cells_, events, second.cells_, events_of_second));
    }

    // The same for the events of several steps, each counting as often as its tap says; `last` are those of the longest.
    ALWAYS_INLINE void add_weighed(U32 (&u)[4 * B], const Tap* taps, int64_t count, const Events* last) const {
        U32 all[4 * B] = {};
        for (int64_t j = 0; j < count; ++j) {
            const Events* events = last + taps[count - 1].span - taps[j].span;
            const U32 weight = (U32)splat(taps[j].weight);
            if (events->count > exact_ || events->silent) {
                U32 sum[4 * B];
                whole_sum(sum, *events);
                for (int k = 0; k < 4 * B; ++k) all[k] += sum[k] * weight;
                continue;
            }
            const ByteSums<B> sums(cells_, *events);
            for (int b = 0; b < B; ++b) {
                all[4 * b] += low_halves(sums.even[b]) * weight;
                all[4 * b + 1] += high_halves(sums.even[b]) * weight;
                all[4 * b + 2] += low_halves(sums.odd[b]) * weight;
                all[4 * b + 3] += high_halves(sums.odd[b]) * weight;
            }
        }
        for (int k = 0; k < 4 * B; ++k) u[k] += shift_left((U32)shift_right((I32)all[k], right_), left_);
    }

private:
    template <bool kWhole>
    ALWAYS_INLINE void add_sums(U32 (&u)[4 * B], const ByteSums<B>& sums) const {
        for (int b = 0; b < B; ++b) {
            u[4 * b] += low_half<kWhole>(sums.even[b]);
            u[4 * b + 1] += high_half<kWhole>(sums.even[b]);
            u[4 * b + 2] += low_half<kWhole>(sums.odd[b]);
            u[4 * b + 3] += high_half<kWhole>(sums.odd[b]);
        }
    }

    ALWAYS_INLINE void add_any(U32 (&u)[4 * B], const Events& events) const {
        U32 sum[4 * B];  // not u itself, which would then have an address and leave its registers
        any_sum(sum, events);
        for (int k = 0; k < 4 * B; ++k) u[k] += sum[k];
    }

    __attribute__((noinline)) void any_sum(U32 (&total)[4 * B], const Events& events) const {
        whole_sum(total, events);
        for (int k = 0; k < 4 * B; ++k) total[k] = shift_left((U32)shift_right((I32)total[k], right_), left_);
    }

    // Sums that do not fit 16 bits are carried over to 32 before they leave them; silent neurons' rows are taken
    // from the sum of all rows.
    void whole_sum(U32 (&total)[4 * B], const Events& events) const {
        for (int k = 0; k < 4 * B; ++k) total[k] = U32{};
        for (int64_t at = 0; at < events.count; at += exact_) {
            const int64_t n = events.count - at < exact_ ? events.count - at : exact_;
            const ByteSums<B> sums(cells_, events.place + at, n);
            for (int b = 0; b < B; ++b) {
                total[4 * b] += low_halves(sums.even[b]);
                total[4 * b + 1] += high_halves(sums.even[b]);
                total[4 * b + 2] += low_halves(sums.odd[b]);
                total[4 * b + 3] += high_halves(sums.odd[b]);
            }
        }
        if (events.silent)
            for (int k = 0; k < 4 * B; ++k) total[k] = (U32)load(total_ + k * kLanes) - total[k];
    }

    // Half of each lane, widened to 32 bits and shifted. A product with 2^(left - right) in that half and 0 in the other
    // does both in one instruction; what should have been shifted out below is then cleared.
    template <bool kWhole>
    ALWAYS_INLINE U32 low_half(U16 sums) const {
        if constexpr (kMultipliesPairs) return cleared<kWhole>(multiply_add_pairs((I32)sums, low_));
        return shift_left((U32)shift_right((I32)((U32)sums << 16), down_), left_);
    }
    template <bool kWhole>
    ALWAYS_INLINE U32 high_half(U16 sums) const {
        if constexpr (kMultipliesPairs) return cleared<kWhole>(multiply_add_pairs((I32)sums, high_));
        return shift_left((U32)shift_right((I32)((U32)sums & 0xffff0000u), down_), left_);
    }
    template <bool kWhole>
    ALWAYS_INLINE U32 cleared(I32 product) const {
        return (U32)(kWhole ? product : product & kept_);
    }

    const uint8_t* cells_;
    const int32_t* total_;
    int64_t exact_;
    int64_t quick_;  // most rows that `add` takes by itself
    I32 low_, high_, kept_;
    Count right_, down_, left_;
};

// The same for graded inputs: each entry's weights times its value.
template <int B>
ALWAYS_INLINE void add_products(U32 (&u)[4 * B], const Graded& graded, const Tile& tile, const Products& products) {
    const Count right = count(graded.right), left = count(graded.left);
    for (int b = 0; b < B; ++b) {
        const int32_t* cells = graded.cells + (tile.first + b * kVectorBytes) * graded.entries;
        U32 sum[4] = {};
        for (int64_t i = 0; i < products.count; ++i) {
            const int32_t* w = cells + static_cast<size_t>(products.entry[i]) * kVectorBytes;
            const I32 x = splat(products.value[i]);
            for (int q = 0; q < 4; ++q) {
                const I32 weight = load(w + q * kLanes);
                sum[q] += graded.paired ? (U32)multiply_add_pairs(x, weight) : (U32)x * (U32)weight;
            }
        }
        for (int q = 0; q < 4; ++q) u[4 * b + q] += shift_left((U32)shift_right((I32)sum[q], right), left);
    }
}

}  // namespace

#endif
