#include "runner.h"

#include <algorithm>

namespace asrc {
namespace {

constexpr int64_t kShortChunk = 16;       // steps; below, the readout is not worth summing at once
constexpr int64_t kSpikeBytes = 1 << 14;  // bounds a layer's packed spikes of one chunk

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

Runner::Scratch::Scratch(const Prepared& net, int64_t chunk)
    : inputs(net.layers.front().graded ? 0 : chunk, net.channels),
      fired(net.layers.back().lanes),
      summed(net.readout.lanes) {
    const Layer& first = net.layers.front();
    if (first.graded) {
        entries = AlignedArray<uint32_t>(first.block * first.inputs);
        values = AlignedArray<int32_t>(first.block * first.inputs);
        products.resize(first.block);
    } else {
        packed = AlignedArray<uint64_t>(chunk * first.input_words);
    }
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
    scratch_.reserve(group);
    traced_.reserve(group);
    x_.resize(group);
    for (int64_t g = 0; g < group; ++g) {
        samples_.emplace_back(net, chunk_);
        scratch_.emplace_back(net, chunk_);
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
        if (l == 0 && !layer.graded) list_inputs(group, steps);
        for (int64_t at = 0; at < steps; at += layer.block)
            run_block(l, group, at, std::min(layer.block, steps - at));
        for (int64_t g = 0; g < group; ++g) finish_layer(l, g, steps);
    }
    for (int64_t g = 0; g < group; ++g) {
        run_readout(g, steps);
        for (LayerState& state : samples_[g].layers) state.now += steps;
    }
}

void Runner::list_inputs(int64_t group, int64_t steps) {
    const Layer& first = net_.layers.front();
    for (int64_t g = 0; g < group; ++g) {
        Scratch& scratch = scratch_[g];
        uint64_t* packed = scratch.packed.data();
        for (int64_t t = 0; t < steps; ++t)
            net_.kernels->pack(x_[g] + t * first.inputs, first.inputs, packed + t * first.input_words);
        samples_[g].counts[0].inputs += net_.kernels->count_ones(packed, steps * first.input_words);
        scratch.inputs.reset(0);
        scratch.inputs.append(*net_.kernels, 0, {packed, first.input_words, first.inputs}, steps);
    }
}

void Runner::list_products(int64_t g, int64_t at, int64_t steps) {
    const Layer& first = net_.layers.front();
    Scratch& scratch = scratch_[g];
    samples_[g].counts[0].inputs +=
        net_.kernels->list_products(first.graded_feedforward, x_[g] + at * first.inputs, first.inputs, steps,
                                    scratch.entries.data(), scratch.values.data(), scratch.products.data());
}

const Events* Runner::input_events(size_t l, int64_t g, int64_t at) const {
    return l == 0 ? scratch_[g].inputs.at(at) : samples_[g].layers[l - 1].events(at);
}

void Runner::run_block(size_t l, int64_t group, int64_t at, int64_t steps) {
    const Layer& layer = net_.layers[l];
    for (int64_t g = 0; layer.graded && g < group; ++g) list_products(g, at, steps);
    for (int64_t tile = 0; tile < layer.tile_count; ++tile) {
        for (int64_t g = 0; g < group; ++g) {
            LayerState& state = samples_[g].layers[l];
            int32_t* membranes = traced_[g].membranes[l];
            Block block{};
            block.steps = steps;
            block.feedforward = layer.graded ? nullptr : input_events(l, g, at);
            block.products = scratch_[g].products.data();
            block.recalled = state.events(at - layer.span);
            block.membrane = state.membrane.data();
            block.spikes = state.row(layer, at);
            block.trace_step = traced_[g].samples * layer.neurons;
            block.trace = membranes ? membranes + at * block.trace_step : nullptr;
            net_.kernels->run_tile(layer, layer.tiles[tile], block);
            samples_[g].counts[l].saturations += block.saturations;
        }
    }
    for (int64_t g = 0; g < group; ++g) {
        LayerState& state = samples_[g].layers[l];
        state.log.append(*net_.kernels, state.now + at, {state.row(layer, at), layer.words, layer.neurons}, steps);
        if (layer.taps) samples_[g].counts[l].delivered += count_messages(*net_.kernels, layer, state, at, steps);
    }
}

void Runner::finish_layer(size_t l, int64_t g, int64_t steps) {
    const Layer& layer = net_.layers[l];
    const LayerState& state = samples_[g].layers[l];
    const uint64_t* rows = state.row(layer, 0);
    int64_t spikes = 0;
    for (const Events *event = state.events(0), *end = event + steps; event != end; ++event)
        spikes += event->silent ? layer.neurons - event->count : event->count;
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
    Scratch& scratch = scratch_[g];
    const Layer& last = net_.layers.back();
    const SpikeRows spikes{sample.layers.back().row(last, 0), last.words, last.neurons};
    int32_t* trace = traced_[g].readout;
    if (readout.dense && !trace && steps >= kShortChunk &&
        net_.kernels->sum_readout(readout, spikes, steps, scratch.fired.data(), sample.accumulator.data(),
                                  scratch.summed.data())) {
        std::copy_n(scratch.summed.data(), readout.classes, sample.accumulator.data());
        return;
    }
    for (int64_t t = 0; t < steps; ++t) {
        for (int64_t tile = 0; tile < readout.tile_count; ++tile) {
            ReadoutBlock block{};
            block.steps = 1;
            block.events = input_events(depth, g, t);
            block.accumulator = sample.accumulator.data();
            block.trace_step = traced_[g].samples * readout.classes;
            block.trace = trace ? trace + t * block.trace_step : nullptr;
            net_.kernels->run_readout(readout, readout.tiles[tile], block);
            sample.counts[depth].saturations += block.saturations;
        }
    }
}

}  // namespace asrc
