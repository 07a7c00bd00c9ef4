// The kernels, written once; each kernel_<isa>.cpp includes this file and is compiled for its instruction set.
#ifndef ASRC_KERNEL_BODY_H
#define ASRC_KERNEL_BODY_H

#include "kernel.h"
#include "lanes.h"

namespace {

using namespace asrc;

inline uint32_t lowest_bit(uint64_t word) { return word ? __builtin_ctzll(word) : 64; }

// The positions of the bits of a word, each plus `base`. Eight are written whatever their number: at the rates of
// spiking networks that leaves next to no branch to mispredict. What is written too much is overwritten by the next.
inline uint32_t* list_word(uint64_t word, uint32_t base, uint32_t* room) {
    const int64_t n = popcount(word);
    for (int64_t written = 0;; written += 8) {
        for (int64_t i = written; i < written + 8; ++i) {
            room[i] = base + lowest_bit(word);
            word &= word - 1;
        }
        if (n <= written + 8) return room + n;
    }
}

int64_t count_ones(const uint64_t* words, int64_t n) {
    int64_t count = 0;
    for (int64_t w = 0; w < n; ++w) count += popcount(words[w]);
    return count;
}

inline int64_t ones(Spikes s) { return count_ones(s.words, (s.count + kWordBits - 1) / kWordBits); }

inline uint32_t* list_spikes(Spikes s, bool silent, uint32_t base, uint32_t* room) {
    for (int64_t at = 0; at < s.count; at += kWordBits) {
        uint64_t word = s.words[at / kWordBits];
        if (silent) {
            word = ~word;
            if (s.count - at < kWordBits) word &= (uint64_t{1} << (s.count - at)) - 1;
        }
        room = list_word(word, base + static_cast<uint32_t>(at), room);
    }
    return room;
}

uint32_t* list_events(Spikes a, Spikes b, uint32_t* room, Events& events) {
    const bool silent = 2 * (ones(a) + ones(b)) > a.count + b.count;
    uint32_t* end = list_spikes(a, silent, 0, room);
    end = list_spikes(b, silent, static_cast<uint32_t>(a.count), end);
    events = Events{room, end - room, silent};
    return end;
}

int64_t list_products(const Graded& graded, const int32_t* x, int64_t channels, uint32_t* entry, int32_t* value) {
    int64_t n = 0;
    if (!graded.paired) {
        for (int64_t c = 0; c < channels; ++c) {
            entry[n] = static_cast<uint32_t>(c);
            value[n] = x[c];
            n += x[c] != 0;
        }
        return n;
    }
    for (int64_t e = 0; e < graded.entries; ++e) {
        const uint32_t low = static_cast<uint16_t>(x[2 * e]);
        const uint32_t high = 2 * e + 1 < channels ? static_cast<uint16_t>(x[2 * e + 1]) : 0u;
        const uint32_t both = low | high << 16;
        entry[n] = static_cast<uint32_t>(e);
        value[n] = static_cast<int32_t>(both);
        n += both != 0;
    }
    return n;
}

void pack(const int32_t* x, int64_t channels, uint64_t* words) {
    for (int64_t at = 0; at < channels; at += kWordBits) {
        uint64_t word = 0;
        const int64_t n = channels - at < kWordBits ? channels - at : kWordBits;
        int64_t i = 0;
        for (; i + kLanes <= n; i += kLanes) word |= bits(differ(load_unaligned(x + at + i), I32{})) << i;
        for (; i < n; ++i) word |= static_cast<uint64_t>(x[at + i] != 0) << i;
        words[at / kWordBits] = word;
    }
}

// Sums of int8 rows without unpacking them. A 16-bit lane of a row holds an odd byte o (signed) above an even byte e
// (stored as e + 128, so that it borrows nothing): x = 256 o + e + 128. Over n rows, modulo 2^16,
//     sum of (x >> 8, arithmetic) = sum of o      and      sum of x - 256 (sum of o) - 128 n = sum of e,
// three instructions for as many bytes as a vector has, where widening the bytes takes four and shuffles.
template <int B>  // vectors of bytes in a row of the tile
struct ByteSums {
    U16 all[B];
    U16 odd[B];

    inline void add(const uint8_t* cells, const uint32_t* row, const uint32_t* end) {
        for (int b = 0; b < B; ++b) all[b] = odd[b] = U16{};
        for (; row != end; ++row) {
            const U16* x = reinterpret_cast<const U16*>(cells + static_cast<size_t>(*row) * (B * kVectorBytes));
            for (int b = 0; b < B; ++b) {
                const U16 both = x[b];
                all[b] += both;
                odd[b] += (U16)((I16)both >> 8);
            }
        }
    }

    // Lane i of the four results, as the high half of 32 bits: neurons i, i + V/4, i + V/2 and i + 3V/4 of vector b.
    inline void high_halves(int b, int64_t rows, U32 (&sums)[4]) const {
        const U16 even = all[b] - (odd[b] << 8) - static_cast<uint16_t>(128 * rows);
        const U32 upper = U32{} + 0xffff0000u;
        sums[0] = (U32)even << 16;
        sums[1] = (U32)even & upper;
        sums[2] = (U32)odd[b] << 16;
        sums[3] = (U32)odd[b] & upper;
    }
};

// u += ((sum of the rows) >> right) << left
template <int B>
inline void add_rows(U32 (&u)[4 * B], const Rows& rows, const Tile& tile, const Events& events) {
    const uint8_t* cells = rows.cells + rows.count * tile.first;
    ByteSums<B> sums;
    U32 high[4];
    if (events.count <= rows.exact && !events.silent) {
        // The sums stand in the high halves, so one shift brings them down to where the exponents want them.
        const int32_t excess = rows.left - 16;
        const bool once = rows.right == 0 && excess <= 0;
        const Count down = count(once ? -excess : 16 + rows.right), up = count(rows.left);
        sums.add(cells, events.row, events.row + events.count);
        for (int b = 0; b < B; ++b) {
            sums.high_halves(b, events.count, high);
            for (int q = 0; q < 4; ++q) {
                const U32 placed = (U32)shift_right((I32)high[q], down);
                u[4 * b + q] += once ? placed : shift_left(placed, up);
            }
        }
        return;
    }
    U32 total[4 * B] = {};
    for (int64_t at = 0; at < events.count; at += rows.exact) {
        const int64_t n = events.count - at < rows.exact ? events.count - at : rows.exact;
        sums.add(cells, events.row + at, events.row + at + n);
        for (int b = 0; b < B; ++b) {
            sums.high_halves(b, n, high);
            for (int q = 0; q < 4; ++q) total[4 * b + q] += (U32)((I32)high[q] >> 16);
        }
    }
    const Count right = count(rows.right), left = count(rows.left);
    for (int k = 0; k < 4 * B; ++k) {
        if (events.silent) total[k] = (U32)load(rows.total + tile.first + k * kLanes) - total[k];
        u[k] += shift_left((U32)shift_right((I32)total[k], right), left);
    }
}

template <int B>
inline void add_products(U32 (&u)[4 * B], const Graded& graded, const Tile& tile, const Products& products) {
    const Count right = count(graded.right), left = count(graded.left);
    for (int b = 0; b < B; ++b) {  // one vector of bytes after the other: the list is short, registers are few
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

// sign(v) floor(|v| (4096 - d) / 4096)
template <int V>
inline void add_decayed(U32 (&u)[V], const int32_t* membrane, const Decay& decay) {
    const Count down = count(decay.shift);
    if (decay.kind == DecayKind::kShift) {
        // The bits above the 24 of a membrane are all its sign, so this adds 2^shift - 1 to the negative ones.
        const Count sign = count(32 - decay.shift);
        for (int k = 0; k < V; ++k) {
            const U32 v = (U32)load(membrane + k * kLanes);
            u[k] += (U32)shift_right((I32)(v + shift_right(v, sign)), down);
        }
        return;
    }
    const U32 factor = (U32)splat(decay.factor);
    for (int k = 0; k < V; ++k) {
        const I32 v = load(membrane + k * kLanes);
        const U32 sign = (U32)(v >> 31);
        const U32 size = ((U32)v ^ sign) - sign;
        U32 kept;
        if (decay.kind == DecayKind::kProduct) {
            kept = shift_right(size * factor, down);
        } else {  // |v| = 4096 high + low, and 4096 divides the product of the first
            kept = (size >> 12) * factor + (((size & 4095u) * factor) >> 12);
        }
        u[k] += (kept ^ sign) - sign;
    }
}

// Clip to 24 bits and count what that changes.
template <int V>
inline int64_t saturate(U32 (&u)[V]) {
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
inline void store_first(const U32 (&u)[V], int32_t* at, int64_t n) {
    if (n > V * kLanes) n = V * kLanes;
    std::memcpy(at, u, static_cast<size_t>(n) * sizeof(int32_t));
}

template <int B>
void run_tile_of(const Layer& layer, const Tile& tile, Block& block) {
    constexpr int V = 4 * B;
    int32_t* membrane = block.membrane + tile.first;
    const I32 threshold = splat(layer.threshold);
    for (int64_t t = 0; t < block.steps; ++t) {
        U32 u[V];
        for (int k = 0; k < V; ++k) u[k] = (U32)load(layer.bias + tile.first + k * kLanes);
        if (block.products) add_products<B>(u, layer.graded_feedforward, tile, block.products[t]);
        if (block.feedforward) add_rows<B>(u, layer.feedforward, tile, block.feedforward[t]);
        if (block.recurrent) add_rows<B>(u, layer.recurrent, tile, block.recurrent[t]);
        add_decayed<V>(u, membrane, layer.decay);
        if (layer.may_saturate) block.saturations += saturate<V>(u);
        if (block.trace)
            store_first<V>(u, block.trace + t * block.trace_step + tile.first, layer.neurons - tile.first);

        Mask spike[V];
        for (int k = 0; k < V; ++k) spike[k] = at_least((I32)u[k], threshold);
        if (layer.soft_reset) {
            for (int k = 0; k < V; ++k) store(membrane + k * kLanes, (I32)u[k] - where(spike[k], threshold));
        } else {
            for (int k = 0; k < V; ++k) store(membrane + k * kLanes, (I32)u[k] - where(spike[k], (I32)u[k]));
        }
        if (block.fired) {
            int32_t* fired = block.fired + tile.first;
            for (int k = 0; k < V; ++k)
                store(fired + k * kLanes, load(fired + k * kLanes) + where(spike[k], splat(1)));
        }
        uint64_t* words = block.spikes + t * layer.words + tile.first / kWordBits;
        constexpr int per_word = static_cast<int>(kWordBits / kLanes);
        for (int w = 0; w < V / per_word; ++w) {
            uint64_t word = 0;
            for (int k = 0; k < per_word; ++k) word |= bits(spike[w * per_word + k]) << (k * kLanes);
            words[w] = word;
        }
    }
}

template <int B>
void run_readout_of(const Readout& readout, const Tile& tile, ReadoutBlock& block) {
    constexpr int V = 4 * B;
    int32_t* accumulator = block.accumulator + tile.first;
    for (int64_t t = 0; t < block.steps; ++t) {
        U32 y[V];
        for (int k = 0; k < V; ++k)
            y[k] = (U32)(load(accumulator + k * kLanes) + load(readout.bias + tile.first + k * kLanes));
        add_rows<B>(y, readout.rows, tile, block.events[t]);
        block.saturations += saturate<V>(y);
        for (int k = 0; k < V; ++k) store(accumulator + k * kLanes, (I32)y[k]);
        if (block.trace)
            store_first<V>(y, block.trace + t * block.trace_step + tile.first, readout.classes - tile.first);
    }
}

inline int64_t sum_lanes(I32 v) {
    int64_t sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += v[i];
    return sum;
}

bool sum_readout(const Readout& readout, const int32_t* fired, int64_t steps, const int32_t* before, int32_t* after) {
    const int64_t input_lanes = readout.input_words * kWordBits;
    const int64_t unit = int64_t{1} << readout.rows.left;
    for (int64_t c = 0; c < readout.classes; ++c) {
        const int32_t* weight = readout.dense + c * input_lanes;
        I32 all{}, positive{};
        for (int64_t i = 0; i < input_lanes; i += kLanes) {
            const I32 n = load(fired + i), w = load(weight + i);
            all += n * w;
            positive += n * larger(w, I32{});
        }
        // Whatever the order of the spikes, the accumulator passes no further up than all positive terms take it, and
        // no further down than all negative ones.
        const int64_t sum = sum_lanes(all) * unit, up = sum_lanes(positive) * unit, bias = steps * readout.bias[c];
        const int64_t high = before[c] + up + (bias > 0 ? bias : 0);
        const int64_t low = before[c] + sum - up + (bias < 0 ? bias : 0);
        if (high > kStateMax || low < -kStateMax) return false;
        after[c] = static_cast<int32_t>(before[c] + sum + bias);
    }
    return true;
}

constexpr int64_t kMaxTile = 4 * kVectorBytes;

void run_tile(const Layer& layer, const Tile& tile, Block& block) {
    if (tile.lanes == kMaxTile) return run_tile_of<4>(layer, tile, block);
    if constexpr (kMaxTile > kWordBits) {
        if (tile.lanes == kMaxTile / 2) return run_tile_of<2>(layer, tile, block);
    }
    if constexpr (kMaxTile > 2 * kWordBits) run_tile_of<1>(layer, tile, block);
}

void run_readout(const Readout& readout, const Tile& tile, ReadoutBlock& block) {
    if (tile.lanes == kMaxTile) return run_readout_of<4>(readout, tile, block);
    if constexpr (kMaxTile > kWordBits) {
        if (tile.lanes == kMaxTile / 2) return run_readout_of<2>(readout, tile, block);
    }
    if constexpr (kMaxTile > 2 * kWordBits) run_readout_of<1>(readout, tile, block);
}

constexpr Kernels kernels(const char* isa) {
    return {isa, kVectorBytes, kMaxTile, list_events, list_products, pack, run_tile, run_readout, sum_readout, count_ones};
}

}  // namespace

#endif
