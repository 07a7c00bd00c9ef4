// Sequences of numbers as several of the plain C interfaces take them.
#ifndef ASRC_ROWS_ABI_H
#define ASRC_ROWS_ABI_H

#include <stdint.h>

extern "C" {

// R (T, B, n): those of step t and sample b begin at data + t step + b sample. Rows that are padded begin on cache lines
// and have room for a multiple of 32 numbers; what pads is 0 where it is read, and may be written.
struct asrc_rows {
    void* data;  // or null
    int64_t step;
    int64_t sample;
    int64_t padded;
};
}

#endif
