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

int64_t padded(int64_t n) { return (n + kPadding - 1) / kPadding * kPadding; }

int64_t longest_of(const asrc_delays_synapses& from, int64_t count) {
    return from.delay ? *std::max_element(from.delay, from.delay + count) : 0;
}

// (neurons, sources) into rows of `sources`.
template <typename R, typename D>
void pack(const asrc_delays_synapses& from, int64_t neurons, int64_t sources, int64_t width, R* weight, D* delay) {
    const R* w = static_cast<const R*>(from.weight);
    for (int64_t n = 0; n < neurons; ++n) {
        for (int64_t i = 0; i < sources; ++i) {
            weight[i * width + n] = w[n * sources + i];
            delay[i * width + n] = static_cast<D>(from.delay[n * sources + i]);
        }
    }
}

template <typename R, typename D>
const void* pack_all(Memory& memory, const asrc_delays_layer& from, const DelayedLayer<R>& layer, R* weight) {
    D* delay = memory.zeros<D>((layer.inputs + layer.neurons) * layer.width);
    const int64_t own = layer.inputs * layer.width;
    pack(from.forward, layer.neurons, layer.inputs, layer.width, weight, delay);
    if (layer.back) pack(from.back, layer.neurons, layer.neurons, layer.width, weight + own, delay + own);
    return delay;
}

template <typename R>
DelayedLayer<R> prepared(Memory& memory, const asrc_delays_layer& from) {
    DelayedLayer<R> layer{};
    layer.inputs = from.inputs, layer.neurons = from.neurons, layer.width = padded(from.neurons);
    layer.fires = from.fires != 0, layer.back = from.back.weight != nullptr;
    layer.threshold = static_cast<R>(from.threshold);
    layer.longest = std::max(
        longest_of(from.forward, from.neurons * from.inputs), longest_of(from.back, from.neurons * from.neurons));
    int64_t slots = 1;
    while (slots < layer.longest + 1) slots *= 2;
    layer.mask = slots - 1;
    layer.wide = layer.longest > 255;
    R* weight = memory.zeros<R>((layer.inputs + layer.neurons) * layer.width);
    layer.delay = layer.wide ? pack_all<R, uint16_t>(memory, from, layer, weight)
                             : pack_all<R, uint8_t>(memory, from, layer, weight);
    layer.weight = weight;
    return layer;
}

template <typename R>
struct Network {
    std::vector<DelayedLayer<R>> layers;
    DelayConstants<R> constants{};

    Network(Memory& memory, const asrc_delays_call& call) {
        for (int64_t l = 0; l < call.layer_count; ++l) layers.push_back(prepared<R>(memory, call.layers[l]));
        const auto real = [](double x) { return static_cast<R>(x); };
        constants = {call.steps, real(call.alpha), real(call.beta), real(call.gain), real(call.mean_current),
                     real(call.tau_membrane), real(call.tau_synapse), real(call.grazing), call.plain != 0,
                     call.readout, static_cast<const R*>(call.time_weights)};
    }

    int64_t depth() const { return static_cast<int64_t>(layers.size()); }
};

template <typename R>
std::vector<DelayRoom<R>> rooms_of(Memory& memory, const Network<R>& network, bool back) {
    std::vector<DelayRoom<R>> rooms;
    for (const DelayedLayer<R>& layer : network.layers) {
        DelayRoom<R> room{};
        const int64_t ring = (layer.mask + 1) * layer.width;
        R** rows[] = {&room.current, &room.v, &room.later, &room.moved, &room.now, &room.jumps};
        for (R** row : rows) *row = memory.uninitialized<R>(layer.width);
        room.at = memory.uninitialized<int32_t>(layer.width);
        if (back) {
            room.pairs = memory.uninitialized<Pair<R>>(ring);
            room.sums = memory.uninitialized<Pair<R>>((layer.inputs + layer.neurons) * layer.width);
        } else {
            room.ring = memory.uninitialized<R>(ring);
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
        for (R* row : {room.current, room.v, room.later, room.moved, room.now}) std::fill_n(row, layer.width, R{0});
        if (room.ring) std::fill_n(room.ring, ring, R{0});
        if (room.pairs) std::fill_n(room.pairs, ring, Pair<R>{0, 0});
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

// The sums of one connection, rows of sources, as gradients (neurons, sources).
template <typename R>
void write_gradients(
    const asrc_delays_synapses& to, const Pair<R>* sums, const R* weight, int64_t neurons, int64_t sources,
    int64_t width) {
    for (int64_t n = 0; n < neurons; ++n) {
        for (int64_t i = 0; i < sources; ++i) {
            const int64_t from = i * width + n, at = n * sources + i;
            static_cast<R*>(to.grad_weight)[at] = sums[from].q;
            static_cast<R*>(to.grad_delay)[at] = sums[from].moved * weight[from];
        }
    }
}

template <typename R>
int64_t sums_of(const DelayedLayer<R>& layer) {
    return (layer.inputs + (layer.back ? layer.neurons : 0)) * layer.width;
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
    std::vector<Pair<R>*> totals;
    for (const DelayedLayer<R>& layer : network.layers) totals.push_back(memory.zeros<Pair<R>>(sums_of(layer)));
    over_items(
        tiles, threads,
        [&](int64_t tile, int64_t worker) {
            const size_t w = static_cast<size_t>(worker);
            for (size_t l = 0; l < rooms[w].size(); ++l) {
                std::fill_n(rooms[w][l].sums, sums_of(network.layers[l]), Pair<R>{0, 0});
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
                const Pair<R>* sums = rooms[static_cast<size_t>(worker)][l].sums;
                for (int64_t i = 0; i < sums_of(network.layers[l]); ++i) {
                    totals[l][i].q += sums[i].q;
                    totals[l][i].moved += sums[i].moved;
                }
            }
        });
    for (int64_t l = 0; l < depth; ++l) {
        const DelayedLayer<R>& layer = network.layers[static_cast<size_t>(l)];
        const Pair<R>* sums = totals[static_cast<size_t>(l)];
        const int64_t own = layer.inputs * layer.width;
        write_gradients(call.layers[l].forward, sums, layer.weight, layer.neurons, layer.inputs, layer.width);
        if (layer.back) {
            write_gradients(
                call.layers[l].back, sums + own, layer.weight + own, layer.neurons, layer.neurons, layer.width);
        }
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
