// Rows times a packed matrix.
#ifndef ASRC_PRODUCT_H
#define ASRC_PRODUCT_H

#include "kernel.h"
#include "vectors.h"

namespace {

using namespace asrc;

constexpr int kProductRows = kRegisters == 32 ? 8 : 4;  // times two vectors: half the registers hold sums

template <typename R>
constexpr int64_t kPanel = 2 * kLanes<R>;

// out[r] = in[r] (length) times the packed matrix (length, width), r < kProductRows. Rows nobody wants may point to
// the same places.
template <typename R>
void multiply_rows(R* const* out, const R* const* in, int64_t length, const R* packed, int64_t width) {
    constexpr int L = kLanes<R>;
    const R* rows[kProductRows];
    ASRC_UNROLL
    for (int r = 0; r < kProductRows; ++r) rows[r] = in[r];
    for (int64_t column = 0; column < width; column += kPanel<R>) {
        Vector<R> left[kProductRows] = {}, right[kProductRows] = {};
        for (int64_t i = 0; i < length; ++i, packed += kPanel<R>) {
            const Vector<R> a = load(packed), b = load(packed + L);
            ASRC_UNROLL
            for (int r = 0; r < kProductRows; ++r) {
                left[r] += rows[r][i] * a;
                right[r] += rows[r][i] * b;
            }
        }
        ASRC_UNROLL
        for (int r = 0; r < kProductRows; ++r) {
            store(out[r] + column, left[r]);
            store(out[r] + column + L, right[r]);
        }
    }
}

}  // namespace

#endif
