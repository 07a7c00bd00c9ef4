// How much room rows of numbers and of bits take. For sources that are compiled for every processor, not for kernels.
#ifndef ASRC_SIZES_H
#define ASRC_SIZES_H

#include <cstdint>

#include "kernel.h"

namespace asrc {

inline int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
inline int64_t padded_width(int64_t n) { return rounded_up(n, kPadding); }
inline int64_t words_of(int64_t bits) { return rounded_up(bits, kWordBits) / kWordBits; }

}  // namespace asrc

#endif
