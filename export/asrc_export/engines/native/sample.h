// One sample's state between steps.
#ifndef ASRC_SAMPLE_H
#define ASRC_SAMPLE_H

#include <memory>
#include <vector>

#include "abi.h"
#include "aligned.h"
#include "prepare.h"

namespace asrc {

// Steps of events, and the lists that they point to, one behind the other.
class EventLog {
public:
    EventLog(int64_t steps, int64_t neurons);

    void reset(int64_t silent_steps);
    // Drop all but the last `kept` of the first `steps` steps.
    void keep(int64_t steps, int64_t kept);
    // Steps from `step` on, whose spikes these are.
    void append(const Kernels& kernels, int64_t step, SpikeRows spikes, int64_t steps);
    const Events* at(int64_t step) const { return events_.data() + step; }

private:
    std::vector<Events> events_;
    std::unique_ptr<uint32_t[]> places_;  // most of it is never touched, so it is not cleared either
    uint32_t* room_;
};

// A layer's state within one sample. `rows` is what the delay lines of all neurons hold, turned by 90 degrees: one
// row of packed spikes for each step, the last `span` of which are what a line's bits 0 to span - 1 are. `log` is the
// same as events: listed once, they serve the layer's own recurrence and the layer above.
struct LayerState {
    AlignedArray<int32_t> membrane;
    AlignedArray<uint64_t> rows;
    EventLog log;
    int64_t now = 0;  // row of the next step

    LayerState(const Layer& layer, int64_t chunk);
    void reset(const Layer& layer);
    // Before the rows run over the end, the last `span` of them move to the front.
    void make_room(const Layer& layer, int64_t steps);
    uint64_t* row(const Layer& layer, int64_t step) { return rows.data() + (now + step) * layer.words; }
    const uint64_t* row(const Layer& layer, int64_t step) const { return rows.data() + (now + step) * layer.words; }
    const Events* events(int64_t step) const { return log.at(now + step); }
};

struct Sample {
    std::vector<LayerState> layers;
    AlignedArray<int32_t> accumulator;
    std::vector<asrc_counts> counts;  // delivered is left for add_counts, but where there are taps

    // `chunk`: the most steps that are ever fed at once.
    Sample(const Prepared& net, int64_t chunk);
    void reset(const Prepared& net);
    void read_logits(const Prepared& net, int64_t* logits) const;
    // Adds what the sample has counted so far to `totals`, of which there is one for each layer and for the readout.
    void add_counts(const Prepared& net, asrc_counts* totals) const;
};

}  // namespace asrc

#endif
