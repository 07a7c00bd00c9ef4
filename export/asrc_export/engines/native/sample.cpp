#include "sample.h"

#include <algorithm>
#include <cstring>

namespace asrc {

EventLog::EventLog(int64_t steps, int64_t neurons)
    : events_(steps),
      places_(new uint32_t[steps * (neurons / 2) + neurons + kSpareRoom]),
      room_(places_.get()) {}

void EventLog::reset(int64_t silent_steps) {
    room_ = places_.get();
    std::fill_n(events_.begin(), silent_steps, Events{room_, 0, false});
}

void EventLog::keep(int64_t steps, int64_t kept) {
    const Events* from = at(steps - kept);
    const uint32_t* first = from->place;
    const auto count = room_ - first;
    std::memmove(places_.get(), first, static_cast<size_t>(count) * sizeof *first);
    for (int64_t t = 0; t < kept; ++t) {
        events_[t] = from[t];
        events_[t].place = places_.get() + (from[t].place - first);
    }
    room_ = places_.get() + count;
}

void EventLog::append(const Kernels& kernels, int64_t step, SpikeRows spikes, int64_t steps) {
    room_ = kernels.list_events(spikes, steps, room_, events_.data() + step);
}

LayerState::LayerState(const Layer& layer, int64_t chunk)
    : membrane(layer.lanes),
      rows((layer.span + chunk) * layer.words),
      log(layer.span + chunk, layer.neurons),
      now(layer.span) {}

void LayerState::reset(const Layer& layer) {
    membrane.clear();
    now = layer.span;
    std::fill_n(rows.data(), layer.span * layer.words, 0);
    log.reset(layer.span);
}

void LayerState::make_room(const Layer& layer, int64_t steps) {
    if ((now + steps) * layer.words <= rows.size()) return;
    const uint64_t* last = row(layer, -layer.span);
    std::copy(last, last + layer.span * layer.words, rows.data());
    log.keep(now, layer.span);
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
