// Vectors of the instruction set that the including file is compiled for.
//
// Arithmetic is the compilers' vector extension (+, -, *, and a number with a vector); the few operations that it
// lacks are given here, once for each instruction set. All has internal linkage: see kernel.h.
#ifndef ASRC_VECTORS_H
#define ASRC_VECTORS_H

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// Loops over registers have to be written out, or the compiler keeps arrays of vectors in memory.
#define ASRC_UNROLL _Pragma("GCC unroll 32")
#define ASRC_INLINE inline __attribute__((always_inline))
#define ASRC_INLINE_CALL __attribute__((always_inline))  // of a lambda

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

// may_alias: they read and write arrays of their elements.
typedef float Floats __attribute__((vector_size(kVectorBytes), may_alias));
typedef double Doubles __attribute__((vector_size(kVectorBytes), may_alias));

template <typename R>
struct VectorOf;
template <>
struct VectorOf<float> {
    typedef Floats type;
};
template <>
struct VectorOf<double> {
    typedef Doubles type;
};
template <typename R>
using Vector = typename VectorOf<R>::type;

template <typename R>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(R));

ASRC_INLINE Floats load(const float* aligned) { return *reinterpret_cast<const Floats*>(aligned); }
ASRC_INLINE Doubles load(const double* aligned) { return *reinterpret_cast<const Doubles*>(aligned); }
ASRC_INLINE void store(float* aligned, Floats v) { *reinterpret_cast<Floats*>(aligned) = v; }
ASRC_INLINE void store(double* aligned, Doubles v) { *reinterpret_cast<Doubles*>(aligned) = v; }

// A pointer that the addresses after it are relative to: GCC else works out each of them from all its terms.
template <typename R>
ASRC_INLINE const R* base(const R* pointer) {
    __asm__("" : "+r"(pointer));
    return pointer;
}

template <typename R>
ASRC_INLINE void prefetch(const R* soon) {
    __builtin_prefetch(soon);
}

// For later than the next few steps: into the second-level cache, where it drives out nothing that is in use.
template <typename R>
ASRC_INLINE void prefetch_later(const R* later) {
    __builtin_prefetch(later, 0, 2);
}

// x - 0 is x for all x, and compilers know; 0 + x is not, for -0.
template <typename R>
ASRC_INLINE Vector<R> splat(R x) {
    return x - Vector<R>{};
}

// A Mask is one truth value a lane; bits() gives them as an integer, lane 0 lowest. where() is the vector in the lanes
// that hold, and 0 in the others. A comparison with NaN does not hold. (Masks of ones: without them GCC 12 warns of its
// own header.) toward_zero() drops the fraction.
#if defined(__AVX512F__)

typedef __mmask16 MaskF;
typedef __mmask8 MaskD;
ASRC_INLINE MaskF at_least(Floats a, Floats b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ); }
ASRC_INLINE MaskD at_least(Doubles a, Doubles b) { return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GE_OQ); }
ASRC_INLINE uint64_t bits(MaskF m) { return m; }
ASRC_INLINE uint64_t bits(MaskD m) { return m; }
ASRC_INLINE Floats where(MaskF m, Floats v) { return (Floats)_mm512_maskz_mov_ps(m, (__m512)v); }
ASRC_INLINE Doubles where(MaskD m, Doubles v) { return (Doubles)_mm512_maskz_mov_pd(m, (__m512d)v); }
ASRC_INLINE Floats larger(Floats a, Floats b) { return (Floats)_mm512_maskz_max_ps(MaskF{0xffff}, (__m512)a, (__m512)b); }
ASRC_INLINE Doubles larger(Doubles a, Doubles b) { return (Doubles)_mm512_maskz_max_pd(MaskD{0xff}, (__m512d)a, (__m512d)b); }
ASRC_INLINE Floats smaller(Floats a, Floats b) { return (Floats)_mm512_maskz_min_ps(MaskF{0xffff}, (__m512)a, (__m512)b); }
ASRC_INLINE Doubles smaller(Doubles a, Doubles b) { return (Doubles)_mm512_maskz_min_pd(MaskD{0xff}, (__m512d)a, (__m512d)b); }
constexpr int kTowardZero = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
ASRC_INLINE Floats toward_zero(Floats v) { return (Floats)_mm512_maskz_roundscale_ps(MaskF{0xffff}, (__m512)v, kTowardZero); }
ASRC_INLINE Doubles toward_zero(Doubles v) { return (Doubles)_mm512_maskz_roundscale_pd(MaskD{0xff}, (__m512d)v, kTowardZero); }

#else

typedef int32_t MaskF __attribute__((vector_size(kVectorBytes)));
typedef int64_t MaskD __attribute__((vector_size(kVectorBytes)));
ASRC_INLINE MaskF at_least(Floats a, Floats b) { return a >= b; }
ASRC_INLINE MaskD at_least(Doubles a, Doubles b) { return a >= b; }
ASRC_INLINE Floats where(MaskF m, Floats v) { return (Floats)((MaskF)v & m); }
ASRC_INLINE Doubles where(MaskD m, Doubles v) { return (Doubles)((MaskD)v & m); }

#if defined(__AVX2__)
ASRC_INLINE uint64_t bits(MaskF m) { return static_cast<uint32_t>(_mm256_movemask_ps((__m256)m)); }
ASRC_INLINE uint64_t bits(MaskD m) { return static_cast<uint32_t>(_mm256_movemask_pd((__m256d)m)); }
ASRC_INLINE Floats larger(Floats a, Floats b) { return (Floats)_mm256_max_ps((__m256)a, (__m256)b); }
ASRC_INLINE Doubles larger(Doubles a, Doubles b) { return (Doubles)_mm256_max_pd((__m256d)a, (__m256d)b); }
ASRC_INLINE Floats smaller(Floats a, Floats b) { return (Floats)_mm256_min_ps((__m256)a, (__m256)b); }
ASRC_INLINE Doubles smaller(Doubles a, Doubles b) { return (Doubles)_mm256_min_pd((__m256d)a, (__m256d)b); }
constexpr int kTowardZero = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
ASRC_INLINE Floats toward_zero(Floats v) { return (Floats)_mm256_round_ps((__m256)v, kTowardZero); }
ASRC_INLINE Doubles toward_zero(Doubles v) { return (Doubles)_mm256_round_pd((__m256d)v, kTowardZero); }
#elif defined(__SSE2__)
ASRC_INLINE uint64_t bits(MaskF m) { return static_cast<uint32_t>(_mm_movemask_ps((__m128)m)); }
ASRC_INLINE uint64_t bits(MaskD m) { return static_cast<uint32_t>(_mm_movemask_pd((__m128d)m)); }
ASRC_INLINE Floats larger(Floats a, Floats b) { return (Floats)_mm_max_ps((__m128)a, (__m128)b); }
ASRC_INLINE Doubles larger(Doubles a, Doubles b) { return (Doubles)_mm_max_pd((__m128d)a, (__m128d)b); }
ASRC_INLINE Floats smaller(Floats a, Floats b) { return (Floats)_mm_min_ps((__m128)a, (__m128)b); }
ASRC_INLINE Doubles smaller(Doubles a, Doubles b) { return (Doubles)_mm_min_pd((__m128d)a, (__m128d)b); }
#else
ASRC_INLINE uint64_t bits(MaskF m) { return (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8); }
ASRC_INLINE uint64_t bits(MaskD m) { return (m[0] & 1) | (m[1] & 2); }
ASRC_INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }
ASRC_INLINE Doubles larger(Doubles a, Doubles b) { return a > b ? a : b; }
ASRC_INLINE Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
ASRC_INLINE Doubles smaller(Doubles a, Doubles b) { return a < b ? a : b; }
#endif
#endif

#if !defined(__AVX2__)

// Adding `ulp_one` and taking it away rounds what is smaller to a nearest whole number; what is not smaller is whole.
template <typename V, typename R>
ASRC_INLINE V without_fraction(V v, R ulp_one) {
    const V size = larger(v, -v);
    V whole = (size + ulp_one) - ulp_one;
    whole = whole - 1 + where(at_least(size, whole), V{} + 1);
    whole += where(at_least(size, V{} + ulp_one), size - whole);
    return whole - where(at_least(V{}, v), whole + whole);
}

ASRC_INLINE Floats toward_zero(Floats v) { return without_fraction(v, 0x1p23f); }
ASRC_INLINE Doubles toward_zero(Doubles v) { return without_fraction(v, 0x1p52); }

#endif

// The even numbers of a and then those of b, or the odd ones, of each lane of 128 bits for itself.
#if defined(__AVX512F__)
ASRC_INLINE Floats evens(Floats a, Floats b) { return (Floats)_mm512_maskz_shuffle_ps(MaskF{0xffff}, (__m512)a, (__m512)b, 0x88); }
ASRC_INLINE Floats odds(Floats a, Floats b) { return (Floats)_mm512_maskz_shuffle_ps(MaskF{0xffff}, (__m512)a, (__m512)b, 0xdd); }
#elif defined(__AVX2__)
ASRC_INLINE Floats evens(Floats a, Floats b) { return (Floats)_mm256_shuffle_ps((__m256)a, (__m256)b, 0x88); }
ASRC_INLINE Floats odds(Floats a, Floats b) { return (Floats)_mm256_shuffle_ps((__m256)a, (__m256)b, 0xdd); }
#elif defined(__SSE2__)
ASRC_INLINE Floats evens(Floats a, Floats b) { return (Floats)_mm_shuffle_ps((__m128)a, (__m128)b, 0x88); }
ASRC_INLINE Floats odds(Floats a, Floats b) { return (Floats)_mm_shuffle_ps((__m128)a, (__m128)b, 0xdd); }
#else
ASRC_INLINE Floats evens(Floats a, Floats b) { return Floats{a[0], a[2], b[0], b[2]}; }
ASRC_INLINE Floats odds(Floats a, Floats b) { return Floats{a[1], a[3], b[1], b[3]}; }
#endif

// max(0, 1 - |u - theta|): the triangle of surrogate.py. `distance` is u - theta.
template <typename V>
ASRC_INLINE V triangle(V distance) {
    return larger(smaller(1 - distance, 1 + distance), V{});
}

}  // namespace

#endif
