// From packed spikes and graded inputs to lists of what there is to add.
#ifndef ASRC_EVENTS_H
#define ASRC_EVENTS_H

#include "kernel.h"
#include "lanes.h"

namespace {

using namespace asrc;

// The places of the neurons from `base` on that a word's bits stand for; writes up to kSpareRoom of them past the last.
inline uint32_t* list_word(uint64_t word, uint32_t base, uint32_t* room) {
#if defined(__AVX512BW__)
    const U32 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    U32 place = (lane + base) * kPlaceUnit;
    for (int part = 0; part < 4; ++part, place += 16 * kPlaceUnit) {
        const Mask mask = static_cast<Mask>(word >> (16 * part));
        const U32 chosen = (U32)_mm512_maskz_compress_epi32(mask, (__m512i)place);
        std::memcpy(room, &chosen, sizeof chosen);
        room += __builtin_popcount(mask);
    }
    return room;
#else
    // Eight whatever their number: at the rates of spiking networks that leaves few branches to mispredict.
    const int64_t n = popcount(word);
    for (int64_t written = 0;; written += 8) {
        for (int64_t i = written; i < written + 8; ++i) {
            room[i] = (base + lowest_bit(word)) * kPlaceUnit;
            word &= word - 1;
        }
        if (n <= written + 8) return room + n;
    }
#endif
}

int64_t count_ones(const uint64_t* words, int64_t n) {
    int64_t count = 0;
    for (int64_t w = 0; w < n; ++w) count += popcount(words[w]);
    return count;
}

template <bool kSilent>
inline uint32_t* list_row(const uint64_t* words, int64_t count, uint32_t* room) {
    for (int64_t at = 0; at < count; at += kWordBits) {
        uint64_t word = words[at / kWordBits];
        if constexpr (kSilent) {
            word = ~word;
            if (count - at < kWordBits) word &= (uint64_t{1} << (count - at)) - 1;
        }
        room = list_word(word, static_cast<uint32_t>(at), room);
    }
    return room;
}

uint32_t* list_events(SpikeRows spikes, int64_t steps, uint32_t* room, Events* events) {
    for (int64_t t = 0; t < steps; ++t, spikes.words += spikes.row_words) {
        uint32_t* end = list_row<false>(spikes.words, spikes.count, room);
        const bool silent = 2 * (end - room) > spikes.count;
        if (silent) end = list_row<true>(spikes.words, spikes.count, room);
        events[t] = Events{room, end - room, silent};
        room = end;
    }
    return room;
}

// Which of x[0 .. n) are not zero, for n up to 64.
inline uint64_t nonzero(const int32_t* x, int64_t n) {
    uint64_t word = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) word |= bits(differ(load_unaligned(x + i), I32{})) << i;
    for (; i < n; ++i) word |= static_cast<uint64_t>(x[i] != 0) << i;
    return word;
}

constexpr int64_t kFewChannels = 4;

// Two inputs as the halves of one value.
inline int32_t paired(int32_t low, int32_t high) {
    return static_cast<int32_t>(static_cast<uint16_t>(low) | static_cast<uint32_t>(high) << 16);
}

// All inputs, zero or not: quicker to multiply than to find out.
int64_t list_few_products(const Graded& graded, const int32_t* x, int64_t channels, int64_t steps, uint32_t* entry,
                          int32_t* value, Products* products) {
    int64_t inputs = 0;
    for (int64_t i = 0; i < steps * channels; ++i) inputs += x[i] != 0;
    for (int64_t i = 0; i < graded.entries; ++i) entry[i] = static_cast<uint32_t>(i);
    for (int64_t t = 0; t < steps; ++t, x += channels, value += graded.entries) {
        products[t] = Products{entry, value, graded.entries};
        for (int64_t i = 0; i < graded.entries; ++i)
            value[i] = graded.paired ? paired(x[2 * i], 2 * i + 1 < channels ? x[2 * i + 1] : 0) : x[i];
    }
    return inputs;
}

int64_t list_products(const Graded& graded, const int32_t* x, int64_t channels, int64_t steps, uint32_t* entry,
                      int32_t* value, Products* products) {
    if (channels <= kFewChannels) return list_few_products(graded, x, channels, steps, entry, value, products);
    int64_t inputs = 0;
    for (int64_t t = 0; t < steps; ++t, x += channels) {
        int64_t n = 0;
        for (int64_t at = 0; at < channels; at += kWordBits) {
            uint64_t word = nonzero(x + at, channels - at < kWordBits ? channels - at : kWordBits);
            inputs += popcount(word);
            if (graded.paired) word = (word | word >> 1) & 0x5555555555555555u;
            for (; word; word &= word - 1, ++n) {
                const int64_t c = at + lowest_bit(word);
                if (graded.paired) {
                    entry[n] = static_cast<uint32_t>(c / 2);
                    value[n] = paired(x[c], c + 1 < channels ? x[c + 1] : 0);
                } else {
                    entry[n] = static_cast<uint32_t>(c);
                    value[n] = x[c];
                }
            }
        }
        products[t] = Products{entry, value, n};
        entry += n;
        value += n;
    }
    return inputs;
}

void pack(const int32_t* x, int64_t channels, uint64_t* words) {
    for (int64_t at = 0; at < channels; at += kWordBits)
        words[at / kWordBits] = nonzero(x + at, channels - at < kWordBits ? channels - at : kWordBits);
}

}  // namespace

#endif
