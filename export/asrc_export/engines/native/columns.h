// The readout of a whole chunk of steps at once, from how often each neuron of the last layer spiked.
#ifndef ASRC_COLUMNS_H
#define ASRC_COLUMNS_H

#include "kernel.h"
#include "lanes.h"

namespace {

using namespace asrc;

inline int64_t sum_lanes(I32 v) {
    int64_t sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += v[i];
    return sum;
}

// Adds three bits of equal weight, in 64 columns at once: `a` keeps the sum, the result is the carry.
inline uint64_t add_bits(uint64_t& a, uint64_t b, uint64_t c) {
    const uint64_t either = a ^ b, carry = (a & b) | (either & c);
    a = either ^ c;
    return carry;
}

// How often each bit is set, in up to 256 rows: counters of nine bits, turned by 90 degrees, one word a digit.
void count_columns(SpikeRows spikes, int64_t steps, int32_t* fired) {
    for (int64_t w = 0; w < spikes.row_words; ++w) {
        uint64_t digit[9] = {};
        const uint64_t* word = spikes.words + w;
        int64_t t = 0;
        for (; t + 4 <= steps; t += 4, word += 4 * spikes.row_words) {
            const uint64_t two = add_bits(digit[0], word[0], word[spikes.row_words]);
            const uint64_t too = add_bits(digit[0], word[2 * spikes.row_words], word[3 * spikes.row_words]);
            uint64_t carry = add_bits(digit[1], two, too);
            for (int d = 2; d < 9; ++d) {
                const uint64_t both = digit[d] & carry;
                digit[d] ^= carry;
                carry = both;
            }
        }
        for (; t < steps; ++t, word += spikes.row_words) {
            uint64_t carry = *word;
            for (int d = 0; d < 9; ++d) {
                const uint64_t both = digit[d] & carry;
                digit[d] ^= carry;
                carry = both;
            }
        }
        for (int64_t n = 0; n < kWordBits; ++n) {
            uint64_t count = 0;
            for (int d = 0; d < 9; ++d) count |= (digit[d] >> n & 1) << d;
            fired[w * kWordBits + n] = static_cast<int32_t>(count);
        }
    }
}

bool sum_readout(const Readout& readout, SpikeRows spikes, int64_t steps, int32_t* fired, const int32_t* before,
                 int32_t* after) {
    count_columns(spikes, steps, fired);
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

}  // namespace

#endif
