#include "asrc_network.h"

typedef char asrc_needs_an_int_of_32_bits[sizeof(int) >= 4 ? 1 : -1];

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns") /* no call of memset or memcpy: there may be no library */
#endif

/* a / 2^k, rounded down, wherever compilers may shift negative numbers otherwise. */
#if (-2 >> 1) == -1
#define ASRC_FLOOR(a, k) ((a) >> (k))
#else
#define ASRC_FLOOR(a, k) ((a) < 0 ? ~(~(a) >> (k)) : (a) >> (k))
#endif

#ifdef ASRC_TRACE
#define ASRC_COUNT(layer, what, times) (asrc_trace_counts[4 * (layer) + (what)] += (uint32_t)(times))
#else
#define ASRC_COUNT(layer, what, times) ((void)0)
#endif

/* Two sums of 16 bits in each word. What is added is a weight plus 128, so all of it is positive, and the sums begin
   at -128 for each event. Whatever they go through, their lower 16 bits are right at the end, where they are proven to
   fit. The processor adds both at once where it can; elsewhere a sum carries into the one above it, and the
   carry is taken out again when they are read. */
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
#define ASRC_ADD_EVEN(sums, word) __asm__("uxtab16 %0, %0, %1" : "+r"(sums) : "r"(word))
#define ASRC_ADD_ODD(sums, word) __asm__("uxtab16 %0, %0, %1, ror #8" : "+r"(sums) : "r"(word))
#define ASRC_UPPER(sums) ((int16_t)((sums) >> 16))
#define ASRC_START(count) (((0u - 128u * (count)) & 0xffffu) * 0x10001u)
#else
#define ASRC_ADD_EVEN(sums, word) ((sums) += (word) & 0x00ff00ffu)
#define ASRC_ADD_ODD(sums, word) ((sums) += (word) >> 8 & 0x00ff00ffu)
#define ASRC_UPPER(sums) ASRC_UPPER_CARRIED(sums)
#define ASRC_START(count) (0u - 128u * (count) * 0x10001u)
#endif
#define ASRC_STORE(i, pair) (sums[i] = (int16_t)(pair), sums[(i) + 1] = ASRC_UPPER(pair))
#define ASRC_UPPER_CARRIED(sums) ((int16_t)(((sums) - (uint32_t)(int16_t)(sums)) >> 16))

/* sign(p) floor(|p| / 2^32) of p = a b, b not negative. */
static inline int32_t asrc_scaled(int32_t a, int32_t b) {
    const int64_t p = (int64_t)a * b + (int64_t)(uint32_t)(a < 0 ? 0xffffffffu : 0u);
    return (int32_t)ASRC_FLOOR(p, 32);
}

/* The slot of what was kept so many steps ago. */
static inline uint32_t asrc_back(uint32_t now, uint32_t lag, uint32_t slots) {
    return now >= lag ? now - lag : now + slots - lag;
}
