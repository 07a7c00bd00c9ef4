// The kernels, written once; each kernel_<isa>.cpp includes this file and is compiled for its instruction set.
#ifndef ASRC_KERNEL_BODY_H
#define ASRC_KERNEL_BODY_H

#include "columns.h"
#include "events.h"
#include "kernel.h"
#include "lanes.h"
#include "neurons.h"

namespace {

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
