#include "runner.h"

#include <algorithm>

namespace asrc {
namespace {

constexpr int64_t kShortChunk = 16;       // steps; below, the readout is not worth summing at once
constexpr int64_t kSpikeBytes = 1 << 16;  // bounds a layer's packed spikes of one chunk

void unpack(const uint64_t* words, int64_t neurons, uint8_t* to) {
    for (int64_t n = 0; n < neurons; ++n) to[n] = words[n / kWordBits] >> (n % kWordBits) & 1;
}

// Neurons of which some tap hears a spike, from step `at` on: each sends one message a step.
int64_t count_messages(const Kernels& kernels, const Layer& layer, const LayerState& state, int64_t at, int64_t steps) {
    int64_t count = 0;
    for (int64_t w = 0; w < steps * layer.words; ++w) {
        uint64_t heard = 0;
        for (int64_t j = 0; j < layer.tap_count; ++j) heard |= state.row(layer, at - layer.taps[j].span)[w];
        count += kernels.count_ones(&heard, 1);
    }
    return count;
}

int64_t chunk_steps(const Prepared& net) {
    int64_t words = 1;
    for (const Layer& layer : net.layers) words = std::max({words, layer.words, layer.input_words});
    return std::clamp<int64_t>(kSpikeBytes / (8 * words), 32, kMaxChunk);
}

}  // namespace

Runner::Lists::Lists(const Prepared& net, int64_t chunk) {
    int64_t most = net.readout.inputs, steps = 1, recalled = 1;
    for (const Layer& layer : net.layers) {
        const int64_t taps = std::max<int64_t>(layer.tap_count, 1);
        steps = std::max(steps, layer.block);
        recalled = std::max(recalled, layer.block * taps);
        most = std::max(most, layer.block * (layer.inputs + taps * layer.neurons));
    }
    const Layer& first = net.layers.front();
    places = AlignedArray<uint32_t>(most + 2 * kSpareRoom);
    if (first.graded) values = AlignedArray<int32_t>(first.block * first.inputs);
    if (!first.graded) packed = AlignedArray<uint64_t>(chunk * first.input_words);
    fired = AlignedArray<int32_t>(net.layers.back().lanes);
    summed = AlignedArray<int32_t>(net.readout.lanes);
    feedforward.resize(steps);
    recurrent.resize(recalled);
    products.resize(steps);
}

void Runner::Traced::point(const Prepared& net, const asrc_trace& trace, int64_t step, int64_t sample, int64_t of) {
    const int64_t at = step * of + sample;
    samples = of;
    for (size_t l = 0; l < net.layers.size(); ++l) {
        const int64_t neurons = net.layers[l].neurons;
        spikes[l] = trace.spikes ? trace.spikes[l] + at * neurons : nullptr;
        membranes[l] = trace.membranes ? trace.membranes[l] + at * neurons : nullptr;
    }
    readout = trace.readout ? trace.readout + at * net.readout.classes : nullptr;
}

Runner::Runner(const Prepared& net, int64_t group) : net_(net), chunk_(chunk_steps(net)) {
    samples_.reserve(group);
    lists_.reserve(group);
    traced_.reserve(group);
    x_.resize(group);
    for (int64_t g = 0; g < group; ++g) {
        samples_.emplace_back(net, chunk_);
        lists_.emplace_back(net, chunk_);
        traced_.emplace_back(net.layers.size());
    }
}

void Runner::feed(const int32_t* x, int64_t stride, int64_t group, int64_t steps, const asrc_trace* trace,
                  int64_t first, int64_t samples) {
    const int64_t chunks = (steps + chunk_ - 1) / chunk_;
    const int64_t each = (steps + chunks - 1) / chunks;
    for (int64_t at = 0; at < steps; at += each) {
        for (int64_t g = 0; g < group; ++g) {
            x_[g] = x + g * stride + at * net_.channels;
            if (trace) traced_[g].point(net_, *trace, at, first + g, samples);
        }
        run_chunk(group, std::min(each, steps - at));
    }
}

void Runner::run_chunk(int64_t group, int64_t steps) {
    for (size_t l = 0; l < net_.layers.size(); ++l) {
        const Layer& layer = net_.layers[l];
        for (int64_t g = 0; g < group; ++g) samples_[g].layers[l].make_room(layer, steps);
        if (l == 0 && !layer.graded) pack_inputs(group, steps);
        for (int64_t at = 0; at < steps; at += layer.block)
            run_block(l, group, at, std::min(layer.block, steps - at));
        for (int64_t g = 0; g < group; ++g) finish_layer(l, g, steps);
    }
    for (int64_t g = 0; g < group; ++g) {
        run_readout(g, steps);
        for (LayerState& state : samples_[g].layers) state.now += steps;
    }
}

void Runner::pack_inputs(int64_t group, int64_t steps) {
    const Layer& first = net_.layers.front();
    for (int64_t g = 0; g < group; ++g) {
        uint64_t* packed = lists_[g].packed.data();
        for (int64_t t = 0; t < steps; ++t)
            net_.kernels->pack(x_[g] + t * first.inputs, first.inputs, packed + t * first.input_words);
        samples_[g].counts[0].inputs += net_.kernels->count_ones(packed, steps * first.input_words);
    }
}

SpikeRows Runner::input_rows(size_t l, int64_t g, int64_t at) const {
    const int64_t row_words = l < net_.layers.size() ? net_.layers[l].input_words : net_.readout.input_words;
    if (l == 0) return {lists_[g].packed.data() + at * row_words, row_words, net_.channels};
    const LayerState& before = samples_[g].layers[l - 1];
    return {before.row(net_.layers[l - 1], at), row_words, net_.layers[l - 1].neurons};
}

void Runner::run_block(size_t l, int64_t group, int64_t at, int64_t steps) {
    const Layer& layer = net_.layers[l];
    for (int64_t g = 0; g < group; ++g) list_block(l, g, at, steps);
    for (int64_t tile = 0; tile < layer.tile_count; ++tile) {
        for (int64_t g = 0; g < group; ++g) {
            Lists& lists = lists_[g];
            LayerState& state = samples_[g].layers[l];
            int32_t* membranes = traced_[g].membranes[l];
            Block block{};
            block.steps = steps;
            block.feedforward = layer.graded ? nullptr : lists.feedforward.data();
            block.recurrent = layer.merged ? nullptr : lists.recurrent.data();
            block.products = layer.graded ? lists.products.data() : nullptr;
            block.membrane = state.membrane.data();
            block.spikes = state.row(layer, at);
            block.trace_step = traced_[g].samples * layer.neurons;
            block.trace = membranes ? membranes + at * block.trace_step : nullptr;
            net_.kernels->run_tile(layer, layer.tiles[tile], block);
            samples_[g].counts[l].saturations += block.saturations;
        }
    }
}

void Runner::list_block(size_t l, int64_t g, int64_t at, int64_t steps) {
    const Layer& layer = net_.layers[l];
    const Kernels& kernels = *net_.kernels;
    const LayerState& state = samples_[g].layers[l];
    Lists& lists = lists_[g];
    uint32_t* room = lists.places.data();
    const SpikeRows none{};
    const SpikeRows recalled{state.row(layer, at - layer.span), layer.words, layer.neurons};
    if (layer.merged) {
        kernels.list_events(layer.feedforward, input_rows(l, g, at), recalled, steps, room, lists.feedforward.data());
        return;
    }
    if (layer.taps) {
        for (int64_t j = 0; j < layer.tap_count; ++j) {
            const SpikeRows heard{state.row(layer, at - layer.taps[j].span), layer.words, layer.neurons};
            room = kernels.list_events(layer.recurrent, heard, none, steps, room, lists.recurrent.data() + j * steps);
        }
        samples_[g].counts[l].delivered += count_messages(kernels, layer, state, at, steps);
    } else {
        room = kernels.list_events(layer.recurrent, recalled, none, steps, room, lists.recurrent.data());
    }
    if (layer.graded) {
        samples_[g].counts[l].inputs +=
            kernels.list_products(layer.graded_feedforward, x_[g] + at * layer.inputs, layer.inputs, steps, room,
                                  lists.values.data(), lists.products.data());
    } else {
        kernels.list_events(layer.feedforward, input_rows(l, g, at), none, steps, room, lists.feedforward.data());
    }
}

void Runner::finish_layer(size_t l, int64_t g, int64_t steps) {
    const Layer& layer = net_.layers[l];
    const LayerState& state = samples_[g].layers[l];
    const uint64_t* rows = state.row(layer, 0);
    const int64_t spikes = net_.kernels->count_ones(rows, steps * layer.words);
    samples_[g].counts[l].spikes += spikes;
    samples_[g].counts[l + 1].inputs += spikes;
    if (uint8_t* to = traced_[g].spikes[l]) {
        for (int64_t t = 0; t < steps; ++t)
            unpack(rows + t * layer.words, layer.neurons, to + t * traced_[g].samples * layer.neurons);
    }
}

void Runner::run_readout(int64_t g, int64_t steps) {
    const Readout& readout = net_.readout;
    const size_t depth = net_.layers.size();
    Sample& sample = samples_[g];
    Lists& lists = lists_[g];
    int32_t* trace = traced_[g].readout;
    if (readout.dense && !trace && steps >= kShortChunk &&
        net_.kernels->sum_readout(readout, input_rows(depth, g, 0), steps, lists.fired.data(),
                                  sample.accumulator.data(), lists.summed.data())) {
        std::copy_n(lists.summed.data(), readout.classes, sample.accumulator.data());
        return;
    }
    for (int64_t t = 0; t < steps; ++t) {
        net_.kernels->list_events(readout.rows, input_rows(depth, g, t), {}, 1, lists.places.data(),
                                  lists.feedforward.data());
        for (int64_t tile = 0; tile < readout.tile_count; ++tile) {
            ReadoutBlock block{};
            block.steps = 1;
            block.events = lists.feedforward.data();
            block.accumulator = sample.accumulator.data();
            block.trace_step = traced_[g].samples * readout.classes;
            block.trace = trace ? trace + t * block.trace_step : nullptr;
            net_.kernels->run_readout(readout, readout.tiles[tile], block);
            sample.counts[depth].saturations += block.saturations;
        }
    }
}

}  // namespace asrc
