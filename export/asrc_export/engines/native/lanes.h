// Vectors of the instruction set that the including file is compiled for.
//
// Arithmetic is the compilers' vector extension (+, -, *, &, comparisons); the few operations that it lacks are given
// here, once for each instruction set. Unsigned types add and shift left, so that nothing overflows undefined.
// Everything has internal linkage: see kernel.h.
#ifndef ASRC_LANES_H
#define ASRC_LANES_H

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX512BW__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes of a 16-bit lane are told apart by their order");

// For what must keep its vectors in registers.
#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace {

#if defined(__AVX512BW__)
constexpr int64_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int64_t kVectorBytes = 32;
#else
constexpr int64_t kVectorBytes = 16;
#endif
constexpr int64_t kLanes = kVectorBytes / 4;  // 32-bit lanes

// may_alias: they read and write arrays of their elements.
typedef uint16_t U16 __attribute__((vector_size(kVectorBytes), may_alias));
typedef int16_t I16 __attribute__((vector_size(kVectorBytes), may_alias));
typedef uint32_t U32 __attribute__((vector_size(kVectorBytes), may_alias));
typedef int32_t I32 __attribute__((vector_size(kVectorBytes), may_alias));

inline I32 load(const int32_t* aligned) { return *reinterpret_cast<const I32*>(aligned); }
inline void store(int32_t* aligned, I32 value) { *reinterpret_cast<I32*>(aligned) = value; }
inline I32 splat(int32_t value) { return I32{} + value; }

inline I32 load_unaligned(const int32_t* at) {
    I32 value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// Hides a value's origin from the compiler. It would load the value again for each use, and it would shift by one
// count for all lanes where the counts are equal, both of which take one instruction more.
template <typename V>
ALWAYS_INLINE V in_register(V value) {
#if defined(__AVX512BW__)
    asm("" : "+v"(value));
#elif defined(__SSE2__)
    asm("" : "+x"(value));
#elif defined(__ARM_NEON)
    asm("" : "+w"(value));
#endif
    return value;
}

// Shifts by a count that is the same in all lanes and known before the loop, 0 to 31. A vector of counts is one
// instruction where there is one for it.
#if defined(__AVX2__)
typedef I32 Count;
inline Count count(int32_t n) { return in_register(splat(n)); }
#else
typedef int32_t Count;
inline Count count(int32_t n) { return n; }
#endif
inline I32 shift_right(I32 v, Count n) { return v >> n; }
inline U32 shift_right(U32 v, Count n) { return v >> n; }
inline U32 shift_left(U32 v, Count n) { return v << n; }

// A truth value for each lane; bits() gives them as an integer, lane 0 lowest.
#if defined(__AVX512BW__)
typedef __mmask16 Mask;
inline Mask at_least(I32 a, I32 b) { return _mm512_cmpge_epi32_mask((__m512i)a, (__m512i)b); }
inline Mask differ(I32 a, I32 b) { return _mm512_cmpneq_epi32_mask((__m512i)a, (__m512i)b); }
inline uint64_t bits(Mask m) { return m; }
inline I32 subtract_where(I32 a, Mask m, I32 b) {
    return (I32)_mm512_mask_sub_epi32((__m512i)a, m, (__m512i)a, (__m512i)b);
}
#else
typedef I32 Mask;
inline Mask at_least(I32 a, I32 b) { return (Mask)(a >= b); }
inline Mask differ(I32 a, I32 b) { return (Mask)(a != b); }
inline I32 subtract_where(I32 a, Mask m, I32 b) { return a - (m & b); }
inline uint64_t bits(Mask m) {
#if defined(__AVX2__)
    return static_cast<uint32_t>(_mm256_movemask_ps((__m256)m));
#elif defined(__SSE2__)
    return static_cast<uint32_t>(_mm_movemask_ps((__m128)m));
#elif defined(__ARM_NEON)
    return vaddvq_u32((uint32x4_t)(m & I32{1, 2, 4, 8}));
#else
    return (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8);
#endif
}
#endif

// Writes masks as the bits of words, mask k at bit k * kLanes.
struct SpikeBits {
#if defined(__AVX2__)
    // Whole bytes: stored one by one, which costs less than joining them.
    inline void put(uint64_t* words, int k, Mask m) {
        const auto part = static_cast<std::conditional_t<kLanes == 16, uint16_t, uint8_t>>(bits(m));
        std::memcpy(reinterpret_cast<char*>(words) + k * sizeof part, &part, sizeof part);
    }
#else
    uint64_t word = 0;
    inline void put(uint64_t* words, int k, Mask m) {
        word |= bits(m) << (k * kLanes % 64);
        if ((k + 1) * kLanes % 64 == 0) {
            words[k * kLanes / 64] = word;
            word = 0;
        }
    }
#endif
};

// Both as pairs of 16-bit integers: the sum of the two products, for each lane. One instruction or several.
#if defined(__SSE2__)
constexpr bool kMultipliesPairs = true;
#else
constexpr bool kMultipliesPairs = false;
#endif
inline I32 multiply_add_pairs(I32 a, I32 b) {
#if defined(__AVX512BW__)
    return (I32)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (I32)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (I32)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    const I32 low = ((I32)((U32)a << 16) >> 16) * ((I32)((U32)b << 16) >> 16);
    return low + (a >> 16) * (b >> 16);
#endif
}

inline I32 smaller(I32 a, I32 b) { return a < b ? a : b; }
inline I32 larger(I32 a, I32 b) { return a > b ? a : b; }

inline int64_t popcount(uint64_t word) {
#if defined(__POPCNT__) || defined(__ARM_NEON)
    return __builtin_popcountll(word);
#else
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return static_cast<int64_t>((word * 0x0101010101010101u) >> 56);
#endif
}

// The position of the lowest bit, and anything for 0: without a branch, which a compiler would make of `word ? ...`.
inline uint32_t lowest_bit(uint64_t word) {
#if defined(__BMI__)
    return static_cast<uint32_t>(_tzcnt_u64(word));
#else
    return static_cast<uint32_t>(__builtin_ctzll(word | uint64_t{1} << 63));
#endif
}

}  // namespace

#endif
