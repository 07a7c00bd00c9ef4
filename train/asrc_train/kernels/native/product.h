// Rows times a packed matrix.
#ifndef ASRC_PRODUCT_H
#define ASRC_PRODUCT_H

#include "kernel.h"
#include "vectors.h"

namespace {

using namespace asrc;

constexpr int kProductRows = kRegisters == 32 ? 8 : 4;
constexpr int kPanel = 3;  // vectors; times rows, three quarters of the registers hold sums

// How many vectors the panel that begins at vector `first` of `vectors` has: at most kPanel, and as even as can be, for
// a panel of one would wait for its loads. `vectors` is even.
ASRC_INLINE int64_t panel_at(int64_t first, int64_t vectors) {
    const int64_t rest = vectors - first, panels = (rest + kPanel - 1) / kPanel;
    return (rest + panels - 1) / panels;
}

// A matrix (rows, columns) in panels, the columns padded with zeros to `width`: all rows of the first panel, then all
// of the next.
template <typename R>
void pack_matrix(R* to, const R* from, int64_t rows, int64_t columns, int64_t width) {
    constexpr int L = kLanes<R>;
    for (int64_t first = 0; first < width / L;) {
        const int64_t panel = panel_at(first, width / L);
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = first * L; c < (first + panel) * L; ++c) *to++ = c < columns ? from[r * columns + c] : 0;
        }
        first += panel;
    }
}

template <int P, typename R>
ASRC_INLINE const R* multiply_panel(
    R* const* out, const R* const (&rows)[kProductRows], int64_t length, const R* packed, int64_t column) {
    constexpr int L = kLanes<R>;
    Vector<R> sum[kProductRows][P] = {};
    for (int64_t i = 0; i < length; ++i, packed += P * L) {
        Vector<R> b[P];
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) b[c] = load(packed + c * L);
        ASRC_UNROLL
        for (int r = 0; r < kProductRows; ++r) {
            const Vector<R> a = splat(rows[r][i]);
            ASRC_UNROLL
            for (int c = 0; c < P; ++c) sum[r][c] += a * b[c];
        }
    }
    ASRC_UNROLL
    for (int r = 0; r < kProductRows; ++r) {
        ASRC_UNROLL
        for (int c = 0; c < P; ++c) store(out[r] + column + c * L, sum[r][c]);
    }
    return packed;
}

// out[r] = in[r] (length) times the packed matrix (length, width), r < kProductRows. Rows nobody wants may point to
// the same places.
template <typename R>
void multiply_rows(R* const* out, const R* const* in, int64_t length, const R* packed, int64_t width) {
    constexpr int L = kLanes<R>;
    const R* rows[kProductRows];
    ASRC_UNROLL
    for (int r = 0; r < kProductRows; ++r) rows[r] = in[r];
    for (int64_t first = 0; first < width / L;) {
        const int64_t panel = panel_at(first, width / L);
        packed = panel == kPanel ? multiply_panel<kPanel>(out, rows, length, packed, first * L)
                            : multiply_panel<2>(out, rows, length, packed, first * L);
        first += panel;
    }
}

}  // namespace

#endif
