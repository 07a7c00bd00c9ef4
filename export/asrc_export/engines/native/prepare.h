// From the network of the contract to what the kernels read: packed weights, tiles, and the proofs they rely on.
#ifndef ASRC_PREPARE_H
#define ASRC_PREPARE_H

#include <vector>

#include "abi.h"
#include "aligned.h"
#include "kernel.h"

namespace asrc {

// Owns all that its layers and its readout point to.
struct Prepared {
    const Kernels* kernels;
    int64_t channels;
    std::vector<Layer> layers;
    Readout readout;
    int64_t weight_bytes;  // of the largest layer

    std::vector<AlignedArray<uint8_t>> cells;
    std::vector<AlignedArray<int32_t>> words;
    std::vector<std::vector<Tile>> tiles;
    std::vector<std::vector<Tap>> taps;
};

Prepared prepare(const asrc_network& network, const Kernels& kernels);

}  // namespace asrc

#endif
