// From a call to the kernels: packing of weights, memory, the way of tiles through the layers and back.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>

#include "abi.h"
#include "cpu.h"
#include "isa.h"
#include "kernel.h"
#include "memory.h"
#include "sizes.h"
#include "threads.h"

namespace asrc {

const std::vector<const InstructionSet*>& instruction_sets();

const InstructionSet& instruction_set_at(int64_t index) { return *instruction_sets()[static_cast<size_t>(index)]; }

namespace {

// ---------------------------------------------------------------------------------------------- instruction sets

// Best first.
std::vector<const InstructionSet*> usable() {
    std::vector<const InstructionSet*> sets;
#if defined(__x86_64__)
    if (has_avx512()) sets.push_back(avx512());
    if (has_avx2()) sets.push_back(avx2());
    sets.push_back(baseline());
#elif defined(__aarch64__)
    sets.push_back(neon());
#else
    sets.push_back(baseline());
#endif
    return sets;
}

}  // namespace

const std::vector<const InstructionSet*>& instruction_sets() {
    static const std::vector<const InstructionSet*> sets = usable();
    return sets;
}

namespace {

const InstructionSet& chosen(const asrc_call& call) { return instruction_set_at(call.isa); }

// ----------------------------------------------------------------------------------------------- packed layers

template <typename R>
const R* numbers(const void* data) {
    return static_cast<const R*>(data);
}

// Whether all exponents are below the one that NaN and infinity have. Integers, so that it runs in vectors on any machine.
template <typename R>
bool finite(const void* data, int64_t count) {
    using Bits = std::conditional_t<sizeof(R) == 4, uint32_t, uint64_t>;
    constexpr Bits kMost = sizeof(R) == 4 ? Bits{0x7f800000} : static_cast<Bits>(0x7ff0000000000000);
    const unsigned char* at = static_cast<const unsigned char*>(data);
    Bits bad = 0;
    for (int64_t i = 0; i < count; ++i) {
        Bits x;
        std::memcpy(&x, at + static_cast<size_t>(i) * sizeof(R), sizeof(R));
        bad |= (x & kMost) == kMost;
    }
    return bad == 0;
}

template <typename R>
bool finite_weights(const asrc_call& call) {
    for (int64_t l = 0; l < call.layer_count; ++l) {
        const asrc_layer& layer = call.layers[l];
        const auto all = [](const void* data, int64_t count) { return !data || finite<R>(data, count); };
        if (!all(layer.weight, layer.neurons * layer.inputs) || !all(layer.bias, layer.neurons) ||
            !all(layer.recurrent, layer.neurons * layer.neurons) || !all(layer.mixture, layer.lags) ||
            !all(layer.gain, call.batch * layer.neurons) || !std::isfinite(layer.decay) ||
            !std::isfinite(layer.threshold)) {
            return false;
        }
    }
    return true;
}

template <typename R>
bool finite_input(const asrc_call& call, int64_t sample) {
    if (call.feed == ASRC_SPIKES) return true;  // bits
    const R* row = numbers<R>(call.input) + sample * call.input_sample;
    bool all = true;
    for (int64_t t = 0; t < call.steps; ++t) all &= finite<R>(row + t * call.input_step, call.layers[0].inputs);
    return all;
}

// (rows, width) transposed from (columns, rows), each row padded with zeros.
template <typename R>
void transpose_into(R* to, const R* from, int64_t rows, int64_t columns, int64_t width, R factor) {
    constexpr int64_t kSquare = 16;  // of a size that both sides' cache lines are used whole
    for (int64_t r0 = 0; r0 < rows; r0 += kSquare) {
        for (int64_t c0 = 0; c0 < columns; c0 += kSquare) {
            for (int64_t r = r0; r < std::min(rows, r0 + kSquare); ++r) {
                for (int64_t c = c0; c < std::min(columns, c0 + kSquare); ++c) {
                    to[r * width + c] = from[c * rows + r] * factor;
                }
            }
        }
    }
}

// What an input of the layer counts when its weights add up: spikes are bits.
template <typename R>
R input_value(const asrc_call& call, int64_t index) {
    return index == 0 && call.feed == ASRC_SPIKES ? static_cast<R>(call.spike_value) : R{1};
}

template <typename R>
Layer<R> prepare(Memory& memory, const asrc_call& call, int64_t index, const Kernels<R>& kernels, bool back) {
    const asrc_layer& given = call.layers[index];
    Layer<R> layer{};
    layer.neurons = given.neurons;
    layer.inputs = given.weight ? given.inputs : 0;
    layer.width = padded_width(layer.neurons);
    layer.words = words_of(layer.neurons);
    layer.input_words = words_of(layer.inputs);
    layer.input_width = padded_width(layer.inputs);
    layer.lags = std::min(given.lags, call.steps);  // nothing reaches back further
    layer.span = given.span;
    layer.hard = given.hard_reset != 0;
    layer.detached = given.detach_reset != 0;
    layer.decay = static_cast<R>(given.decay);
    layer.threshold = static_cast<R>(given.threshold);
    layer.resolution = static_cast<R>(given.resolution);

    R* weights = memory.zeros<R>((layer.inputs + layer.neurons) * layer.width);
    const R* w = numbers<R>(given.weight);
    const R* u = numbers<R>(given.recurrent);
    if (w) transpose_into(weights, w, layer.inputs, layer.neurons, layer.width, input_value<R>(call, index));
    transpose_into(weights + layer.inputs * layer.width, u, layer.neurons, layer.neurons, layer.width, R{1});
    layer.weights = weights;
    R* bias = memory.zeros<R>(layer.width);
    if (given.bias) std::copy_n(numbers<R>(given.bias), layer.neurons, bias);
    layer.bias = bias;
    R* taps = memory.zeros<R>(layer.lags + kBlock + 1);
    if (layer.lags) std::copy_n(numbers<R>(given.mixture), layer.lags, taps + 1);
    layer.taps = taps;
    if (back) {
        R* packed = memory.uninitialized<R>(layer.neurons * (layer.width + layer.input_width));
        layer.back_recurrent = packed;
        kernels.pack_matrix(packed, u, layer.neurons, layer.neurons, layer.width);
        packed += layer.neurons * layer.width;
        layer.back_feedforward = packed;
        if (w) kernels.pack_matrix(packed, w, layer.neurons, layer.inputs, layer.input_width);
    }
    return layer;
}

template <typename R>
std::vector<Layer<R>> prepare_all(Memory& memory, const asrc_call& call, const Kernels<R>& kernels, bool back) {
    std::vector<Layer<R>> layers;
    for (int64_t l = 0; l < call.layer_count; ++l) layers.push_back(prepare(memory, call, l, kernels, back));
    return layers;
}

// --------------------------------------------------------------------------------------------- a thread's memory

template <typename R>
struct Largest {
    int64_t width = 0, lags = 0;
    explicit Largest(const std::vector<Layer<R>>& layers) {
        for (const Layer<R>& layer : layers) {
            width = std::max(width, layer.width);
            lags = std::max(lags, layer.lags);
        }
    }
};

template <typename R>
struct Workplace {
    Room<R> room;
    R* gain;                      // (kTile, width)
    R* membrane;                  // (width)
    std::vector<uint64_t*> spikes;  // one sample's, per layer, where the caller does not keep them
    R* sequences[3];              // tiles; for a forward call only the first, and only one sequence of it
    R* above;                     // (kTile, width)
    std::vector<Gradients<R>> sums;
    R* all_sums;  // what `sums` points into
};

template <typename R>
int64_t sums_size(const Layer<R>& layer) {
    return (layer.inputs + layer.neurons + 1) * layer.width + (layer.lags + 3 + 2) * kMostLanes;
}

template <typename R>
int64_t sums_size(const std::vector<Layer<R>>& layers) {
    int64_t size = 0;
    for (const Layer<R>& layer : layers) size += sums_size(layer);
    return size;
}

template <typename R>
std::vector<Gradients<R>> sums_within(R* at, const std::vector<Layer<R>>& layers) {
    std::vector<Gradients<R>> sums;
    for (const Layer<R>& layer : layers) {
        R* bias = at + (layer.inputs + layer.neurons) * layer.width;
        R* dynamics = bias + layer.width;
        sums.push_back({at, bias, dynamics + 2 * kMostLanes, dynamics});
        at += sums_size(layer);
    }
    return sums;
}

template <typename R>
Workplace<R> workplace(Memory& memory, const asrc_call& call, const std::vector<Layer<R>>& layers, bool back) {
    const Largest<R> most(layers);
    Workplace<R> made{};
    made.room.zero = memory.zeros<R>(most.width);
    made.room.reset = memory.uninitialized<R>(most.width);
    made.room.row = memory.zeros<R>(kTile * most.width);
    made.room.lagged = memory.zeros<R>(kTile * kBlock * most.width);
    made.room.early = memory.uninitialized<R>((most.lags + 3 + 2 * kBlock) * most.width);
    made.membrane = memory.uninitialized<R>(most.width);
    made.gain = memory.zeros<R>(kTile * most.width);
    for (const Layer<R>& layer : layers) {
        made.spikes.push_back(memory.uninitialized<uint64_t>(call.steps * layer.words));
    }
    // A tile has to hold the gradient of the call's input too, where that is wanted.
    const int64_t sequence = call.steps * std::max(most.width, call.grad_input ? layers[0].input_width : 0);
    if (back) {
        for (R*& tile : made.sequences) tile = memory.uninitialized<R>(kTile * sequence);
        made.above = memory.zeros<R>(kTile * most.width);
        made.all_sums = memory.uninitialized<R>(sums_size(layers));
        made.sums = sums_within(made.all_sums, layers);
    } else if (most.lags) {
        made.sequences[0] = memory.uninitialized<R>(sequence);
    }
    return made;
}

template <typename R>
std::vector<Workplace<R>> workplaces(
    Memory& memory, const asrc_call& call, const std::vector<Layer<R>>& layers, bool back, int64_t count) {
    std::vector<Workplace<R>> made;
    for (int64_t i = 0; i < count; ++i) made.push_back(workplace(memory, call, layers, back));
    return made;
}

// ---------------------------------------------------------------------------------------------------- the passes

template <typename R>
Input<R> input_of(const asrc_call& call, const Layer<R>& layer, int64_t index, int64_t sample) {
    if (index > 0) {
        return {nullptr, 0, call.layers[index - 1].spikes + sample * call.steps * layer.input_words};
    }
    if (call.feed == ASRC_SPIKES) {
        const uint64_t* spikes = static_cast<const uint64_t*>(call.input);
        return {nullptr, 0, spikes + sample * call.steps * layer.input_words};
    }
    return {numbers<R>(call.input) + sample * call.input_sample, call.input_step, nullptr};
}

template <typename R>
const R* gain_of(const asrc_layer& given, const Layer<R>& layer, int64_t sample, R* row) {
    if (!given.gain) return nullptr;
    std::fill_n(row, layer.width, R{0});
    std::copy_n(numbers<R>(given.gain) + sample * layer.neurons, layer.neurons, row);
    return row;
}

template <typename R>
void forward_sample(
    const asrc_call& call, const Kernels<R>& kernels, const std::vector<Layer<R>>& layers, Workplace<R>& place,
    int64_t sample) {
    Input<R> input = input_of(call, layers[0], 0, sample);
    for (int64_t l = 0; l < call.layer_count; ++l) {
        const asrc_layer& given = call.layers[l];
        const Layer<R>& layer = layers[static_cast<size_t>(l)];
        Forward<R> run{};
        run.steps = call.steps;
        run.input = input;
        run.gain = gain_of(given, layer, sample, place.gain);
        run.spikes = given.spikes ? given.spikes + sample * call.steps * layer.words
                                  : place.spikes[static_cast<size_t>(l)];
        run.membrane = place.membrane;
        run.fed_back = place.sequences[0];
        if (l + 1 == call.layer_count) {
            if (call.spikes) {
                run.numbers = static_cast<R*>(call.spikes) + sample * layer.neurons;
                run.numbers_step = call.batch * layer.neurons;
            }
            if (call.counts) run.counts = static_cast<R*>(call.counts) + sample * layer.neurons;
        }
        kernels.forward(layer, run, place.room);
        input = {nullptr, 0, run.spikes};
    }
}

// Copies the gradient of the last layer's spikes into padded rows, or leaves it where it is the same at all steps.
template <typename R>
const R* gradient_from_above(
    const asrc_call& call, const Layer<R>& layer, Workplace<R>& place, R* tile, int64_t first, int64_t samples) {
    for (int64_t b = 0; b < samples; ++b) {
        const R* from = numbers<R>(call.above) + (first + b) * call.above_sample;
        if (!call.above_step) {
            std::fill_n(place.above + b * layer.width, layer.width, R{0});
            std::copy_n(from, layer.neurons, place.above + b * layer.width);
            continue;
        }
        for (int64_t t = 0; t < call.steps; ++t, from += call.above_step) {
            R* row = tile + (b * call.steps + t) * layer.width;
            std::fill(std::copy_n(from, layer.neurons, row), row + layer.width, R{0});
        }
    }
    return call.above_step ? nullptr : place.above;
}

template <typename R>
void write_input_gradient(
    const asrc_call& call, const R* tile, int64_t width, int64_t first, int64_t samples) {
    const int64_t count = call.layers[0].inputs;
    for (int64_t b = 0; b < samples; ++b) {
        for (int64_t t = 0; t < call.steps; ++t) {
            R* to = static_cast<R*>(call.grad_input) + (t * call.batch + first + b) * count;
            std::copy_n(tile + (b * call.steps + t) * width, count, to);
        }
    }
}

template <typename R>
void backward_tile(
    const asrc_call& call, const Kernels<R>& kernels, const std::vector<Layer<R>>& layers, Workplace<R>& place,
    int64_t first) {
    const int64_t samples = std::min(kTile, call.batch - first);
    R *gradient = place.sequences[0], *membrane = place.sequences[1], *fed_back = place.sequences[2];
    std::fill_n(place.all_sums, sums_size(layers), R{0});
    const R* above = gradient_from_above(call, layers.back(), place, gradient, first, samples);
    for (int64_t l = call.layer_count - 1; l >= 0; --l) {
        const asrc_layer& given = call.layers[l];
        const Layer<R>& layer = layers[static_cast<size_t>(l)];
        Backward<R> run{};
        run.steps = call.steps;
        run.samples = samples;
        for (int64_t b = 0; b < samples; ++b) {
            const int64_t sequence = b * call.steps * layer.width;
            run.input[b] = input_of(call, layer, l, first + b);
            run.gain[b] = gain_of(given, layer, first + b, place.gain + b * layer.width);
            run.spikes[b] = given.spikes + (first + b) * call.steps * layer.words;
            Forward<R> again{};
            again.steps = call.steps;
            again.input = run.input[b];
            again.gain = run.gain[b];
            again.spikes = place.spikes[static_cast<size_t>(l)];
            again.membrane = membrane + sequence;
            again.membrane_step = layer.width;
            again.fed_back = fed_back + sequence;
            kernels.forward(layer, again, place.room);
        }
        run.membrane = membrane;
        run.fed_back = fed_back;
        run.gradient = gradient;
        run.above = above;
        run.below = l > 0 || call.grad_input ? fed_back : nullptr;  // fed_back is read no more when this is written
        run.dynamics = given.grad_dynamics != nullptr;
        run.sums = place.sums[static_cast<size_t>(l)];
        kernels.backward(layer, run, place.room);
        above = nullptr;
        if (layer.inputs) std::swap(gradient, fed_back);
        if (l == 0 && call.grad_input) {
            write_input_gradient(call, gradient, layer.inputs ? layer.input_width : layer.width, first, samples);
        }
    }
}

template <typename R>
void write_gradients(const asrc_call& call, int64_t index, const Layer<R>& layer, const Gradients<R>& sums) {
    const asrc_layer& given = call.layers[index];
    const auto transposed = [&](void* to, const R* from, int64_t rows, R factor) {
        if (!to) return;
        for (int64_t n = 0; n < layer.neurons; ++n) {
            for (int64_t i = 0; i < rows; ++i) static_cast<R*>(to)[n * rows + i] = from[i * layer.width + n] * factor;
        }
    };
    const auto lanes = [](const R* row) {
        R sum = 0;
        for (int64_t i = 0; i < kMostLanes; ++i) sum += row[i];
        return sum;
    };
    transposed(given.grad_weight, sums.weights, layer.inputs, input_value<R>(call, index));
    transposed(given.grad_recurrent, sums.weights + layer.inputs * layer.width, layer.neurons, R{1});
    if (given.grad_bias) std::copy_n(sums.bias, layer.neurons, static_cast<R*>(given.grad_bias));
    for (int64_t k = 0; given.grad_mixture && k < given.lags; ++k) {
        static_cast<R*>(given.grad_mixture)[k] = k < layer.lags ? lanes(sums.taps + k * kMostLanes) : R{0};
    }
    for (int64_t i = 0; given.grad_dynamics && i < 2; ++i) {
        static_cast<R*>(given.grad_dynamics)[i] = lanes(sums.dynamics + i * kMostLanes);
    }
}

// ------------------------------------------------------------------------------------------------------ the calls

template <typename R>
int64_t forward_call(const asrc_call& call, const InstructionSet& set) {
    if (!finite_weights<R>(call)) return ASRC_NOT_FINITE;
    Memory memory;
    const Kernels<R>& kernels = set.of(R{});
    const auto layers = prepare_all(memory, call, kernels, false);
    const int64_t threads = std::min(call.threads, call.batch);
    auto places = workplaces(memory, call, layers, false, threads);
    std::atomic<bool> clean{true};
    over_items(
        call.batch, threads,
        [&](int64_t sample, int64_t worker) {
            if (!finite_input<R>(call, sample)) clean = false;
            if (clean) forward_sample(call, kernels, layers, places[static_cast<size_t>(worker)], sample);
        },
        [](int64_t, int64_t) {});
    return clean ? ASRC_OK : ASRC_NOT_FINITE;
}

template <typename R>
int64_t backward_call(const asrc_call& call, const InstructionSet& set) {
    Memory memory;
    const Kernels<R>& kernels = set.of(R{});
    const auto layers = prepare_all(memory, call, kernels, true);
    const int64_t tiles = rounded_up(call.batch, kTile) / kTile;
    const int64_t threads = std::min(call.threads, tiles);
    auto places = workplaces(memory, call, layers, true, threads);
    const int64_t size = sums_size(layers);
    R* totals = memory.zeros<R>(size);
    over_items(
        tiles, threads,
        [&](int64_t tile, int64_t worker) {
            backward_tile(call, kernels, layers, places[static_cast<size_t>(worker)], tile * kTile);
        },
        [&](int64_t, int64_t worker) {
            const R* sums = places[static_cast<size_t>(worker)].all_sums;
            for (int64_t i = 0; i < size; ++i) totals[i] += sums[i];
        });
    const auto gradients = sums_within(totals, layers);
    for (int64_t l = 0; l < call.layer_count; ++l) {
        write_gradients(call, l, layers[static_cast<size_t>(l)], gradients[static_cast<size_t>(l)]);
    }
    return ASRC_OK;
}

template <typename R>
double pack_call(const asrc_call& call, const Kernels<R>& kernels, uint64_t* words) {
    const int64_t count = call.layers[0].inputs;
    const int64_t row_words = words_of(count);
    const R* input = numbers<R>(call.input);
    R value = 0;
    for (int64_t t = 0; t < call.steps && value == 0; ++t) {
        for (int64_t b = 0; b < call.batch && value == 0; ++b) {
            const R* row = input + t * call.input_step + b * call.input_sample;
            const R* found = std::find_if(row, row + count, [](R x) { return !(x == 0); });
            if (found != row + count) value = *found;
        }
    }
    if (value != 0 && !(value > 0 && std::isfinite(value))) return std::numeric_limits<double>::quiet_NaN();
    const R compared = value == 0 ? R{1} : value;
    std::atomic<bool> clean{true};
    over_items(
        call.batch, std::min(call.threads, call.batch),
        [&](int64_t b, int64_t) {
            for (int64_t t = 0; t < call.steps && clean; ++t) {
                const R* row = input + t * call.input_step + b * call.input_sample;
                if (!kernels.pack_spikes(row, count, compared, words + (b * call.steps + t) * row_words)) clean = false;
            }
        },
        [](int64_t, int64_t) {});
    return clean ? static_cast<double>(value) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace
}  // namespace asrc

extern "C" {

int64_t asrc_forward(const asrc_call* call) try {
    const asrc::InstructionSet& set = asrc::chosen(*call);
    return call->element_bytes == 4 ? asrc::forward_call<float>(*call, set) : asrc::forward_call<double>(*call, set);
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}

int64_t asrc_backward(const asrc_call* call) try {
    const asrc::InstructionSet& set = asrc::chosen(*call);
    return call->element_bytes == 4 ? asrc::backward_call<float>(*call, set) : asrc::backward_call<double>(*call, set);
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}

double asrc_pack(const asrc_call* call, uint64_t* words) {
    const asrc::InstructionSet& set = asrc::chosen(*call);
    return call->element_bytes == 4 ? asrc::pack_call<float>(*call, set.floats, words)
                                    : asrc::pack_call<double>(*call, set.doubles, words);
}

const char* asrc_isa_name(int64_t index) {
    const auto& sets = asrc::instruction_sets();
    return index >= 0 && index < static_cast<int64_t>(sets.size()) ? sets[static_cast<size_t>(index)]->name : nullptr;
}

const char* asrc_source_hash(void) { return ASRC_SOURCE_HASH; }
}
