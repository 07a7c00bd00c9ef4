// Feeds steps to samples, layer after layer.
#ifndef ASRC_RUNNER_H
#define ASRC_RUNNER_H

#include <vector>

#include "abi.h"
#include "aligned.h"
#include "prepare.h"
#include "sample.h"

namespace asrc {

// Runs a group of samples in step, so that weights that do not fit the cache are read once for all of them.
class Runner {
public:
    Runner(const Prepared& net, int64_t group);

    Sample& sample(int64_t g) { return samples_[g]; }

    // Feed `steps` steps to the first `group` samples: those of sample g stand at x + g * stride. The trace, if any,
    // is of all of `samples`, of which sample 0 of this group is number `first`.
    void feed(const int32_t* x, int64_t stride, int64_t group, int64_t steps, const asrc_trace* trace, int64_t first,
              int64_t samples);

private:
    // Room for one sample's input, graded for a block of steps or binary for a chunk, and for the readout of a chunk.
    struct Scratch {
        AlignedArray<uint32_t> entries;
        AlignedArray<int32_t> values;
        std::vector<Products> products;
        AlignedArray<uint64_t> packed;
        EventLog inputs;
        AlignedArray<int32_t> fired;   // spikes of each neuron of the last layer in one chunk
        AlignedArray<int32_t> summed;  // of the readout

        Scratch(const Prepared& net, int64_t chunk);
    };

    // Where one sample's trace of one chunk goes; null pointers for what is not asked for.
    struct Traced {
        std::vector<uint8_t*> spikes;
        std::vector<int32_t*> membranes;
        int32_t* readout = nullptr;
        int64_t samples = 0;  // steps are samples * neurons apart

        explicit Traced(size_t layers) : spikes(layers), membranes(layers) {}
        void point(const Prepared& net, const asrc_trace& trace, int64_t step, int64_t sample, int64_t of);
    };

    // All of these: for samples 0 to group, or for sample g; `at` is the step within the chunk.
    void run_chunk(int64_t group, int64_t steps);
    void list_inputs(int64_t group, int64_t steps);
    void list_products(int64_t g, int64_t at, int64_t steps);
    void run_block(size_t l, int64_t group, int64_t at, int64_t steps);
    void finish_layer(size_t l, int64_t g, int64_t steps);
    void run_readout(int64_t g, int64_t steps);
    // The spikes that layer l takes in from step `at` on; for l past the end, the readout's.
    const Events* input_events(size_t l, int64_t g, int64_t at) const;

    const Prepared& net_;
    const int64_t chunk_;
    std::vector<Sample> samples_;
    std::vector<Scratch> scratch_;
    std::vector<Traced> traced_;
    std::vector<const int32_t*> x_;  // of this chunk
};

}  // namespace asrc

#endif
