#include "sample.h"

#include <algorithm>

namespace asrc {

LayerState::LayerState(const Layer& layer, int64_t chunk)
    : membrane(layer.lanes), rows((layer.span + chunk) * layer.words), now(layer.span) {}

void LayerState::reset(const Layer& layer) {
    membrane.clear();
    now = layer.span;
    std::fill_n(rows.data(), layer.span * layer.words, 0);
}

void LayerState::make_room(const Layer& layer, int64_t steps) {
    if ((now + steps) * layer.words <= rows.size()) return;
    const uint64_t* last = row(layer, -layer.span);
    std::copy(last, last + layer.span * layer.words, rows.data());
    now = layer.span;
}

Sample::Sample(const Prepared& net, int64_t chunk) : accumulator(net.readout.lanes), counts(net.layers.size() + 1) {
    for (const Layer& layer : net.layers) layers.emplace_back(layer, chunk);
}

void Sample::reset(const Prepared& net) {
    for (size_t l = 0; l < layers.size(); ++l) layers[l].reset(net.layers[l]);
    accumulator.clear();
    std::fill(counts.begin(), counts.end(), asrc_counts{});
}

void Sample::read_logits(const Prepared& net, int64_t* logits) const {
    std::copy_n(accumulator.data(), net.readout.classes, logits);
}

void Sample::add_counts(const Prepared& net, asrc_counts* totals) const {
    for (size_t l = 0; l < counts.size(); ++l) {
        totals[l].inputs += counts[l].inputs;
        totals[l].spikes += counts[l].spikes;
        totals[l].saturations += counts[l].saturations;
        totals[l].delivered += counts[l].delivered;
    }
    for (size_t l = 0; l < layers.size(); ++l) {
        // All of a layer's spikes have come back but those of the last `span` steps.
        const Layer& layer = net.layers[l];
        if (layer.taps) continue;
        const uint64_t* under_way = layers[l].row(layer, -layer.span);
        totals[l].delivered += counts[l].spikes - net.kernels->count_ones(under_way, layer.span * layer.words);
    }
}

}  // namespace asrc
