// From a call to the kernels for delays: packing of synapses, memory, samples spread over threads, tapes.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "delays_abi.h"
#include "delays_kernel.h"
#include "isa.h"
#include "memory.h"
#include "sizes.h"
#include "threads.h"

// Spikes of every sample and layer, and what a backward pass needs to know of the answers.
struct asrc_delays_tape {
    int64_t element_bytes = 0, batch = 0, depth = 0;
    std::vector<int32_t> best;
    virtual ~asrc_delays_tape() = default;
    virtual int64_t spikes(int64_t layer, int64_t* to) const = 0;
};

namespace asrc {
namespace {

template <typename R>
struct Tape : asrc_delays_tape {
    std::vector<DelaySpikes<R>> kept;  // (B, depth)

    ~Tape() override {
        for (DelaySpikes<R>& each : kept) std::free(each.spikes);
    }

    int64_t spikes(int64_t layer, int64_t* to) const override {
        int64_t count = 0;
        for (int64_t b = 0; b < batch; ++b) {
            const DelaySpikes<R>& of = kept[static_cast<size_t>(b * depth + layer)];
            for (int64_t k = 0; k < of.count; ++k, ++count) {
                if (!to) continue;
                int64_t* row = to + 3 * count;
                row[0] = b, row[1] = of.spikes[k].step, row[2] = of.spikes[k].neuron;
            }
        }
        return count;
    }
};

template <typename R>
bool more_room(DelaySpikes<R>* spikes) {
    const int64_t room = std::max<int64_t>(256, 2 * spikes->room);
    void* moved = std::realloc(spikes->spikes, static_cast<size_t>(room) * sizeof(DelaySpike<R>));
    if (!moved) return false;
    spikes->spikes = static_cast<DelaySpike<R>*>(moved);
    spikes->room = room;
    return true;
}

int64_t longest_of(const asrc_delays_synapses& from, int64_t count) {
    return from.delay ? *std::max_element(from.delay, from.delay + count) : 0;
}

// Calls visit(n, i, at) for each neuron and row of a connection (neurons, count), whose rows begin with `row` among
// those of the layer: `at` is where they lie. A few rows at a time, so that what both sides touch stays in the cache.
template <typename R, typename Visit>
void over_synapses(const DelayedLayer<R>& layer, int64_t row, int64_t count, Visit visit) {
    constexpr int64_t rows = 16;
    for (int64_t first = 0; first < layer.neurons; first += kGroup) {
        const int64_t width = group_width(layer.width, first), place = place_of_group(layer.rows, first);
        for (int64_t tile = 0; tile < count; tile += rows) {
            for (int64_t n = first; n < std::min(layer.neurons, first + width); ++n) {
                for (int64_t i = tile; i < std::min(count, tile + rows); ++i) {
                    visit(n, i, place + (row + i) * width + n - first);
                }
            }
        }
    }
}

// (neurons, sources) into rows of synapses.
template <typename R, typename D>
void pack(
    const asrc_delays_synapses& from, const DelayedLayer<R>& layer, int64_t row, int64_t sources, R* weight, D* delay) {
    const R* w = static_cast<const R*>(from.weight);
    over_synapses(layer, row, sources, [&](int64_t n, int64_t i, int64_t at) {
        weight[at] = w[n * sources + i];
        delay[at] = static_cast<D>(from.delay[n * sources + i]);
    });
}

template <typename R, typename D>
const void* pack_all(Memory& memory, const asrc_delays_layer& from, const DelayedLayer<R>& layer, R* weight) {
    D* delay = memory.zeros<D>(layer.rows * layer.width);
    pack(from.forward, layer, 0, layer.inputs, weight, delay);
    if (layer.back) pack(from.back, layer, layer.inputs, layer.neurons, weight, delay);
    return delay;
}

template <typename R>
DelayedLayer<R> prepared(Memory& memory, const asrc_delays_layer& from) {
    DelayedLayer<R> layer{};
    layer.inputs = from.inputs, layer.neurons = from.neurons, layer.width = padded_width(from.neurons);
    layer.fires = from.fires != 0, layer.back = from.back.weight != nullptr;
    layer.rows = layer.inputs + (layer.back ? layer.neurons : 0);
    layer.threshold = static_cast<R>(from.threshold);
    const int64_t forward = longest_of(from.forward, from.neurons * from.inputs);
    layer.longest = std::max(forward, longest_of(from.back, from.neurons * from.neurons));
    // Backward, a layer's input may be looked up when the two steps before it have been written.
    int64_t slots = 1;
    while (slots < std::max(layer.longest + 1, forward + 2)) slots *= 2;
    layer.mask = slots - 1;
    layer.wide = layer.longest > 255;
    R* weight = memory.zeros<R>(layer.rows * layer.width);
    layer.delay = layer.wide ? pack_all<R, uint16_t>(memory, from, layer, weight)
                             : pack_all<R, uint8_t>(memory, from, layer, weight);
    layer.weight = weight;
    return layer;
}

// The most events that the input has in a step of any sample.
int64_t most_at_once(const asrc_delays_call& call) {
    int64_t most = 0;
    for (int64_t b = 0; b < call.batch; ++b) {
        for (int64_t from = call.first[b], e = from; e < call.first[b + 1]; ++e) {
            if (call.step[e] != call.step[from]) from = e;
            most = std::max(most, e - from + 1);
        }
    }
    return most;
}

template <typename R>
struct Network {
    std::vector<DelayedLayer<R>> layers;
    DelayConstants<R> constants{};
    int64_t most_events;

    Network(Memory& memory, const asrc_delays_call& call) : most_events(most_at_once(call)) {
        for (int64_t l = 0; l < call.layer_count; ++l) layers.push_back(prepared<R>(memory, call.layers[l]));
        const auto real = [](double x) { return static_cast<R>(x); };
        constants = {call.steps, real(call.alpha), real(call.beta), real(call.gain), real(call.mean_current),
                     real(call.tau_membrane), real(call.tau_synapse), real(call.grazing), call.plain != 0,
                     call.whole != 0, call.readout, static_cast<const R*>(call.time_weights)};
    }

    int64_t depth() const { return static_cast<int64_t>(layers.size()); }
};

template <typename R>
int64_t sums_of(const DelayedLayer<R>& layer) {
    return 2 * layer.rows * layer.width;
}

template <typename R>
std::vector<DelayRoom<R>> rooms_of(Memory& memory, const Network<R>& network, bool back) {
    std::vector<DelayRoom<R>> rooms;
    for (const DelayedLayer<R>& layer : network.layers) {
        DelayRoom<R> room{};
        const int64_t ring = (layer.mask + 1) * layer.width;
        const int64_t most_sent = (rooms.empty() ? network.most_events : layer.inputs) + layer.neurons;
        room.v = memory.uninitialized<R>(layer.width);
        room.at = memory.uninitialized<int32_t>(kGroup);
        room.sent = memory.uninitialized<Sent<R>>(2 * most_sent);
        if (back) {
            room.pairs = memory.uninitialized<Pair<R>>(ring);
            room.q = memory.uninitialized<R>(3 * layer.width);
            room.moved = memory.uninitialized<R>(layer.width);
            room.worth = memory.uninitialized<R>(layer.width);
            room.sums = memory.uninitialized<R>(sums_of(layer));
        } else {
            room.ring = memory.uninitialized<R>(ring);
            room.current = memory.uninitialized<R>(layer.width);
        }
        rooms.push_back(room);
    }
    return rooms;
}

// Before each sample: nothing is under way, nothing is known of what comes after.
template <typename R>
void cleared(const Network<R>& network, const std::vector<DelayRoom<R>>& rooms) {
    for (size_t l = 0; l < rooms.size(); ++l) {
        const DelayedLayer<R>& layer = network.layers[l];
        const DelayRoom<R>& room = rooms[l];
        const int64_t ring = (layer.mask + 1) * layer.width;
        std::fill_n(room.v, layer.width, R{0});
        if (room.ring) {
            std::fill_n(room.ring, ring, R{0});
            std::fill_n(room.current, layer.width, R{0});
        } else {
            std::fill_n(room.pairs, ring, Pair<R>{0, 0});
            std::fill_n(room.q, 3 * layer.width, R{0});
            std::fill_n(room.moved, layer.width, R{0});
        }
    }
}

template <typename R>
DelayEvents<R> events_of(const asrc_delays_call& call, int64_t sample) {
    const int64_t begin = call.first[sample];
    return {call.step + begin, call.channel + begin, static_cast<const R*>(call.value) + begin,
            call.first[sample + 1] - begin};
}

template <typename R>
std::unique_ptr<asrc_delays_tape> forward(asrc_delays_call& call, const DelayKernels<R>& kernels) {
    Memory memory;
    const Network<R> network(memory, call);
    const int64_t depth = network.depth(), classes = network.layers.back().neurons;
    auto tape = std::make_unique<Tape<R>>();
    tape->element_bytes = call.element_bytes, tape->batch = call.batch, tape->depth = depth;
    tape->kept.assign(static_cast<size_t>(call.batch * depth), {nullptr, 0, 0, more_room<R>});
    tape->best.resize(static_cast<size_t>(call.batch * classes));
    const int64_t threads = std::min(call.threads, call.batch);
    std::vector<std::vector<DelayRoom<R>>> rooms;
    std::vector<std::vector<R*>> counts(static_cast<size_t>(threads), std::vector<R*>(static_cast<size_t>(depth)));
    for (int64_t i = 0; i < threads; ++i) rooms.push_back(rooms_of(memory, network, false));
    std::vector<DelayFound<R>> found(static_cast<size_t>(threads), {0, 0, true});
    call.grazing_spikes = call.late_arrivals = 0;
    bool enough = true;
    over_items(
        call.batch, threads,
        [&](int64_t b, int64_t worker) {
            const size_t w = static_cast<size_t>(worker);
            cleared(network, rooms[w]);
            for (int64_t l = 0; l < depth; ++l) {
                const asrc_delays_layer& layer = call.layers[l];
                R* row = layer.counts ? static_cast<R*>(layer.counts) + b * layer.neurons : nullptr;
                if (row) std::fill_n(row, layer.neurons, R{0});
                counts[w][static_cast<size_t>(l)] = row;
            }
            found[w] = kernels.forward(
                network.layers.data(), depth, network.constants, events_of<R>(call, b), rooms[w].data(),
                &tape->kept[static_cast<size_t>(b * depth)], counts[w].data(),
                static_cast<R*>(call.answers) + b * classes, &tape->best[static_cast<size_t>(b * classes)]);
        },
        [&](int64_t, int64_t worker) {
            const DelayFound<R>& of = found[static_cast<size_t>(worker)];
            call.grazing_spikes += of.grazing, call.late_arrivals += of.late, enough &= of.memory;
        });
    if (!enough) throw std::bad_alloc();
    return tape;
}

// The sums of one connection as gradients (neurons, sources).
template <typename R>
void write_gradients(
    const asrc_delays_synapses& to, const R* sums, const DelayedLayer<R>& layer, int64_t row, int64_t sources) {
    over_synapses(layer, row, sources, [&](int64_t n, int64_t i, int64_t at) {
        const int64_t first = n / kGroup * kGroup, width = group_width(layer.width, first);
        const int64_t q = 2 * at - (n - first), synapse = n * sources + i;
        static_cast<R*>(to.grad_weight)[synapse] = sums[q];
        static_cast<R*>(to.grad_delay)[synapse] = sums[q + width] * layer.weight[at];
    });
}

template <typename R>
void backward(const asrc_delays_call& call, const Tape<R>& tape, const DelayKernels<R>& kernels) {
    Memory memory;
    const Network<R> network(memory, call);
    const int64_t depth = network.depth(), classes = network.layers.back().neurons;
    const int64_t tiles = (call.batch + kTile - 1) / kTile, threads = std::min(call.threads, tiles);
    std::vector<std::vector<DelayRoom<R>>> rooms;
    std::vector<std::vector<const R*>> above(
        static_cast<size_t>(threads), std::vector<const R*>(static_cast<size_t>(depth)));
    for (int64_t i = 0; i < threads; ++i) rooms.push_back(rooms_of(memory, network, true));
    std::vector<R*> totals;
    for (const DelayedLayer<R>& layer : network.layers) totals.push_back(memory.zeros<R>(sums_of(layer)));
    over_items(
        tiles, threads,
        [&](int64_t tile, int64_t worker) {
            const size_t w = static_cast<size_t>(worker);
            for (size_t l = 0; l < rooms[w].size(); ++l) {
                std::fill_n(rooms[w][l].sums, sums_of(network.layers[l]), R{0});
            }
            for (int64_t b = tile * kTile; b < std::min(call.batch, (tile + 1) * kTile); ++b) {
                cleared(network, rooms[w]);
                for (int64_t l = 0; l < depth; ++l) {
                    const R* given = static_cast<const R*>(call.layers[l].grad_counts);
                    above[w][static_cast<size_t>(l)] = given ? given + b * call.layers[l].neurons : nullptr;
                }
                kernels.backward(
                    network.layers.data(), depth, network.constants, events_of<R>(call, b), rooms[w].data(),
                    &tape.kept[static_cast<size_t>(b * depth)], above[w].data(),
                    static_cast<const R*>(call.grad_answers) + b * classes,
                    &tape.best[static_cast<size_t>(b * classes)]);
            }
        },
        [&](int64_t, int64_t worker) {
            for (size_t l = 0; l < totals.size(); ++l) {
                const R* sums = rooms[static_cast<size_t>(worker)][l].sums;
                for (int64_t i = 0; i < sums_of(network.layers[l]); ++i) totals[l][i] += sums[i];
            }
        });
    for (int64_t l = 0; l < depth; ++l) {
        const DelayedLayer<R>& layer = network.layers[static_cast<size_t>(l)];
        const R* sums = totals[static_cast<size_t>(l)];
        write_gradients(call.layers[l].forward, sums, layer, 0, layer.inputs);
        if (layer.back) write_gradients(call.layers[l].back, sums, layer, layer.inputs, layer.neurons);
    }
}

}  // namespace
}  // namespace asrc

extern "C" {

asrc_delays_tape* asrc_delays_forward(asrc_delays_call* call) try {
    const asrc::InstructionSet& set = asrc::instruction_set_at(call->isa);
    return (call->element_bytes == 4 ? asrc::forward<float>(*call, set.delay_floats)
                                     : asrc::forward<double>(*call, set.delay_doubles)).release();
} catch (const std::bad_alloc&) {
    return nullptr;
}

int64_t asrc_delays_backward(const asrc_delays_call* call, const asrc_delays_tape* tape) try {
    const asrc::InstructionSet& set = asrc::instruction_set_at(call->isa);
    if (call->element_bytes == 4) {
        asrc::backward<float>(*call, *static_cast<const asrc::Tape<float>*>(tape), set.delay_floats);
    } else {
        asrc::backward<double>(*call, *static_cast<const asrc::Tape<double>*>(tape), set.delay_doubles);
    }
    return ASRC_OK;
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}

int64_t asrc_delays_spikes(const asrc_delays_tape* tape, int64_t layer, int64_t* to) { return tape->spikes(layer, to); }

void asrc_delays_free(asrc_delays_tape* tape) { delete tape; }
}
