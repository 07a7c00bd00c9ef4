// Samples through layers: state, blocks of steps, threads. Implements abi.h.

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "abi.h"
#include "aligned.h"
#include "dispatch.h"
#include "kernel.h"
#include "prepare.h"

namespace asrc {
namespace {

constexpr int64_t kShortChunk = 16;          // steps; below, the readout is not worth summing at once
constexpr int64_t kSpikeBytes = 1 << 16;     // bounds a layer's packed spikes of one chunk
constexpr int64_t kResidentWeights = 1 << 19;  // weights of a layer that stay in cache without help
constexpr int64_t kGroup = 16;

void add(asrc_counts& to, const asrc_counts& from) {
    to.inputs += from.inputs;
    to.delivered += from.delivered;
    to.spikes += from.spikes;
    to.saturations += from.saturations;
}

void unpack(const uint64_t* words, int64_t neurons, uint8_t* to) {
    for (int64_t n = 0; n < neurons; ++n) to[n] = words[n / kWordBits] >> (n % kWordBits) & 1;
}

int64_t chunk_steps(const Prepared& net) {
    int64_t words = 1;
    for (const Layer& layer : net.layers) words = std::max({words, layer.words, layer.input_words});
    return std::clamp<int64_t>(kSpikeBytes / (8 * words), 32, kMaxChunk);
}

// A layer's state within one sample. `rows` is what the delay lines of all neurons hold, turned by 90 degrees: one
// row of packed spikes for each step, the last `span` of which are what a line's bits 0 to span - 1 are.
struct LayerState {
    AlignedArray<int32_t> membrane;
    AlignedArray<uint64_t> rows;
    int64_t now = 0;  // row of the next step
};

struct Sample {
    std::vector<LayerState> layers;
    AlignedArray<int32_t> accumulator;
    std::vector<asrc_counts> counts;

    Sample(const Prepared& net, int64_t chunk) : accumulator(net.readout.lanes), counts(net.layers.size() + 1) {
        for (const Layer& layer : net.layers) {
            LayerState& state = layers.emplace_back();
            state.membrane = AlignedArray<int32_t>(layer.lanes);
            state.rows = AlignedArray<uint64_t>((layer.span + chunk) * layer.words);
        }
        reset(net);
    }

    void reset(const Prepared& net) {
        for (size_t l = 0; l < layers.size(); ++l) {
            layers[l].membrane.clear();
            layers[l].now = net.layers[l].span;
            std::fill_n(layers[l].rows.data(), layers[l].now * net.layers[l].words, 0);
        }
        accumulator.clear();
        std::fill(counts.begin(), counts.end(), asrc_counts{});
    }
};

// Room for one sample's lists of a block of steps.
struct Lists {
    AlignedArray<uint32_t> rows;
    AlignedArray<int32_t> values;
    AlignedArray<uint64_t> packed;  // the first layer's binary input, one chunk
    AlignedArray<int32_t> fired;    // spikes of each neuron of the last layer in one chunk
    AlignedArray<int32_t> summed;   // of the readout
    std::vector<Events> feedforward, recurrent;
    std::vector<Products> products;

    Lists(const Prepared& net, int64_t chunk) {
        int64_t places = 0, steps = 1;
        for (const Layer& layer : net.layers) {
            steps = std::max(steps, layer.block);
            places = std::max(places, layer.block * (layer.inputs + layer.neurons) + 2 * kSpareRoom);
        }
        const Layer& first = net.layers.front();
        places = std::max(places, net.readout.inputs + kSpareRoom);
        rows = AlignedArray<uint32_t>(places);
        if (first.graded) values = AlignedArray<int32_t>(first.block * first.inputs);
        if (!first.graded) packed = AlignedArray<uint64_t>(chunk * first.input_words);
        fired = AlignedArray<int32_t>(net.layers.back().lanes);
        summed = AlignedArray<int32_t>(net.readout.lanes);
        feedforward.resize(steps);
        recurrent.resize(steps);
        products.resize(steps);
    }
};

// Where one sample's trace of one chunk goes; null pointers for what is not asked for.
struct Traced {
    std::vector<uint8_t*> spikes;
    std::vector<int32_t*> membranes;
    int32_t* readout = nullptr;
    int64_t samples = 0;  // steps are samples * neurons apart

    explicit Traced(size_t layers) : spikes(layers), membranes(layers) {}
};

// Runs a group of samples in step, so that weights that do not fit the cache are read once for all of them.
class Runner {
public:
    Runner(const Prepared& net, int64_t group) : net_(net), chunk_(chunk_steps(net)) {
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

    Sample& sample(int64_t g) { return samples_[g]; }

    // Feed `steps` steps to the first `group` samples: those of sample g stand at x + g * stride.
    // The trace, if any, is of samples `first` on of `samples`.
    void feed(const int32_t* x, int64_t stride, int64_t group, int64_t steps, const asrc_trace* trace, int64_t first,
              int64_t samples) {
        const int64_t chunks = (steps + chunk_ - 1) / chunk_;
        const int64_t each = (steps + chunks - 1) / chunks;
        for (int64_t at = 0; at < steps; at += each) {
            const int64_t n = std::min(each, steps - at);
            for (int64_t g = 0; g < group; ++g) {
                x_[g] = x + g * stride + at * net_.channels;
                if (trace) point(traced_[g], *trace, at, first + g, samples);
            }
            run_chunk(group, n);
        }
    }

private:
    void point(Traced& to, const asrc_trace& trace, int64_t step, int64_t sample, int64_t samples) {
        const int64_t at = step * samples + sample;
        to.samples = samples;
        for (size_t l = 0; l < net_.layers.size(); ++l) {
            const int64_t neurons = net_.layers[l].neurons;
            to.spikes[l] = trace.spikes ? trace.spikes[l] + at * neurons : nullptr;
            to.membranes[l] = trace.membranes ? trace.membranes[l] + at * neurons : nullptr;
        }
        to.readout = trace.readout ? trace.readout + at * net_.readout.classes : nullptr;
    }

    void run_chunk(int64_t group, int64_t steps) {
        for (size_t l = 0; l < net_.layers.size(); ++l) {
            const Layer& layer = net_.layers[l];
            for (int64_t g = 0; g < group; ++g) make_room(layer, samples_[g].layers[l], steps);
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

    // Before the rows run over the end, the last `span` of them move to the front.
    void make_room(const Layer& layer, LayerState& state, int64_t steps) {
        if ((state.now + steps) * layer.words <= state.rows.size()) return;
        uint64_t* rows = state.rows.data();
        std::memmove(rows, rows + (state.now - layer.span) * layer.words, layer.span * layer.words * sizeof(uint64_t));
        state.now = layer.span;
    }

    void pack_inputs(int64_t group, int64_t steps) {
        const Layer& first = net_.layers.front();
        for (int64_t g = 0; g < group; ++g) {
            uint64_t* packed = lists_[g].packed.data();
            for (int64_t t = 0; t < steps; ++t)
                net_.kernels->pack(x_[g] + t * first.inputs, first.inputs, packed + t * first.input_words);
            samples_[g].counts[0].inputs += net_.kernels->count_ones(packed, steps * first.input_words);
        }
    }

    // The packed spikes that layer l takes in from step `at` of the chunk on; for l past the end, the readout's.
    SpikeRows input_rows(size_t l, int64_t g, int64_t at) const {
        const int64_t row_words = l < net_.layers.size() ? net_.layers[l].input_words : net_.readout.input_words;
        if (l == 0) return {lists_[g].packed.data() + at * row_words, row_words, net_.channels};
        const LayerState& before = samples_[g].layers[l - 1];
        return {before.rows.data() + (before.now + at) * row_words, row_words, net_.layers[l - 1].neurons};
    }

    void run_block(size_t l, int64_t group, int64_t at, int64_t steps) {
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
                block.spikes = state.rows.data() + (state.now + at) * layer.words;
                block.trace_step = traced_[g].samples * layer.neurons;
                block.trace = membranes ? membranes + at * block.trace_step : nullptr;
                net_.kernels->run_tile(layer, layer.tiles[tile], block);
                samples_[g].counts[l].saturations += block.saturations;
            }
        }
    }

    void list_block(size_t l, int64_t g, int64_t at, int64_t steps) {
        const Layer& layer = net_.layers[l];
        const Kernels& kernels = *net_.kernels;
        const LayerState& state = samples_[g].layers[l];
        Lists& lists = lists_[g];
        uint32_t* room = lists.rows.data();
        const SpikeRows none{};
        const SpikeRows recalled{state.rows.data() + (state.now + at - layer.span) * layer.words, layer.words,
                                 layer.neurons};
        if (layer.merged) {
            kernels.list_events(layer.feedforward, input_rows(l, g, at), recalled, steps, room, lists.feedforward.data());
            return;
        }
        room = kernels.list_events(layer.recurrent, recalled, none, steps, room, lists.recurrent.data());
        if (layer.graded) {
            samples_[g].counts[l].inputs +=
                kernels.list_products(layer.graded_feedforward, x_[g] + at * layer.inputs, layer.inputs, steps, room,
                                      lists.values.data(), lists.products.data());
        } else {
            kernels.list_events(layer.feedforward, input_rows(l, g, at), none, steps, room, lists.feedforward.data());
        }
    }

    void finish_layer(size_t l, int64_t g, int64_t steps) {
        const Layer& layer = net_.layers[l];
        const LayerState& state = samples_[g].layers[l];
        const uint64_t* rows = state.rows.data() + state.now * layer.words;
        const int64_t spikes = net_.kernels->count_ones(rows, steps * layer.words);
        samples_[g].counts[l].spikes += spikes;
        samples_[g].counts[l + 1].inputs += spikes;
        if (uint8_t* to = traced_[g].spikes[l]) {
            for (int64_t t = 0; t < steps; ++t)
                unpack(rows + t * layer.words, layer.neurons, to + t * traced_[g].samples * layer.neurons);
        }
    }

    void run_readout(int64_t g, int64_t steps) {
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
            net_.kernels->list_events(readout.rows, input_rows(depth, g, t), {}, 1, lists.rows.data(),
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

    const Prepared& net_;
    const int64_t chunk_;
    std::vector<Sample> samples_;
    std::vector<Lists> lists_;
    std::vector<Traced> traced_;
    std::vector<const int32_t*> x_;
};

void read_logits(const Prepared& net, const Sample& sample, int64_t* logits) {
    std::copy_n(sample.accumulator.data(), net.readout.classes, logits);
}

// Adds the sample's counts so far. Of its spikes, all have come back but those of the last `span` steps.
void add_counts(const Prepared& net, const Sample& sample, asrc_counts* totals) {
    for (size_t l = 0; l <= net.layers.size(); ++l) {
        asrc_counts counts = sample.counts[l];
        if (l < net.layers.size()) {
            const Layer& layer = net.layers[l];
            const LayerState& state = sample.layers[l];
            const uint64_t* under_way = state.rows.data() + (state.now - layer.span) * layer.words;
            counts.delivered = counts.spikes - net.kernels->count_ones(under_way, layer.span * layer.words);
        }
        add(totals[l], counts);
    }
}

// One call of asrc_engine_run: workers take group after group until none is left.
struct Batch {
    const Prepared& net;
    const int32_t* x;
    int64_t samples, steps, group;
    int64_t* logits;
    asrc_counts* totals;
    const asrc_trace* trace;
    std::atomic<int64_t> next{0};
    std::atomic<bool> out_of_memory{false};
    std::mutex totals_lock;

    void work() noexcept {
        try {
            Runner runner(net, group);
            std::vector<asrc_counts> counts(net.layers.size() + 1);
            for (int64_t first; (first = next.fetch_add(group)) < samples;) {
                const int64_t n = std::min(group, samples - first), stride = steps * net.channels;
                for (int64_t g = 0; g < n; ++g) runner.sample(g).reset(net);
                runner.feed(x + first * stride, stride, n, steps, trace, first, samples);
                for (int64_t g = 0; g < n; ++g) {
                    read_logits(net, runner.sample(g), logits + (first + g) * net.readout.classes);
                    add_counts(net, runner.sample(g), counts.data());
                }
            }
            const std::lock_guard<std::mutex> hold(totals_lock);
            for (size_t i = 0; i < counts.size(); ++i) add(totals[i], counts[i]);
        } catch (const std::bad_alloc&) {
            out_of_memory = true;
        }
    }
};

}  // namespace
}  // namespace asrc

struct asrc_engine {
    asrc::Prepared net;
};

struct asrc_stream {
    const asrc::Prepared& net;
    asrc::Runner runner;
};

const char* asrc_source_hash(void) { return ASRC_SOURCE_HASH; }

const char* asrc_instruction_sets(void) { return asrc::instruction_sets(); }

int asrc_engine_new(const asrc_network* network, const char* isa, asrc_engine** engine) {
    const asrc::Kernels* kernels = asrc::find_kernels(isa);
    if (!kernels) return ASRC_MISSING_ISA;
    try {
        *engine = new asrc_engine{asrc::prepare(*network, *kernels)};
    } catch (const std::bad_alloc&) {
        return ASRC_OUT_OF_MEMORY;
    }
    return ASRC_OK;
}

void asrc_engine_free(asrc_engine* engine) { delete engine; }

int asrc_engine_run(const asrc_engine* engine, const int32_t* x, int64_t samples, int64_t steps, int32_t threads,
                    int64_t* logits, asrc_counts* counts, const asrc_trace* trace) {
    const asrc::Prepared& net = engine->net;
    const int64_t wanted = net.weight_bytes > asrc::kResidentWeights ? asrc::kGroup : 1;
    const int64_t share = (samples + threads - 1) / threads;
    asrc::Batch batch{net, x, samples, steps, std::min(wanted, share), logits, counts, trace, {0}, {false}, {}};
    std::fill_n(counts, net.layers.size() + 1, asrc_counts{});
    const int64_t groups = (samples + batch.group - 1) / batch.group;
    std::vector<std::thread> helpers;
    try {
        for (int64_t i = 1; i < std::min<int64_t>(threads, groups); ++i) helpers.emplace_back([&] { batch.work(); });
    } catch (...) {
        // The system gives no more threads or memory: those there are do the work.
    }
    batch.work();
    for (std::thread& helper : helpers) helper.join();
    return batch.out_of_memory ? ASRC_OUT_OF_MEMORY : ASRC_OK;
}

int asrc_stream_new(const asrc_engine* engine, asrc_stream** stream) {
    try {
        *stream = new asrc_stream{engine->net, asrc::Runner(engine->net, 1)};
    } catch (const std::bad_alloc&) {
        return ASRC_OUT_OF_MEMORY;
    }
    return ASRC_OK;
}

void asrc_stream_free(asrc_stream* stream) { delete stream; }

void asrc_stream_reset(asrc_stream* stream) { stream->runner.sample(0).reset(stream->net); }

void asrc_stream_feed(asrc_stream* stream, const int32_t* x, int64_t steps, int64_t* logits, asrc_counts* counts,
                      uint8_t* const* spikes) {
    const asrc_trace trace{spikes, nullptr, nullptr};
    stream->runner.feed(x, 0, 1, steps, &trace, 0, 1);
    const asrc::Sample& sample = stream->runner.sample(0);
    asrc::read_logits(stream->net, sample, logits);
    std::fill_n(counts, sample.counts.size(), asrc_counts{});
    asrc::add_counts(stream->net, sample, counts);
}
