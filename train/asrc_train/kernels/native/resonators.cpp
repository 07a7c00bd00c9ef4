// From a call to the kernels for state-space neurons: packing of constants, memory, samples spread over threads.
#include <algorithm>
#include <vector>

#include "isa.h"
#include "memory.h"
#include "resonators_abi.h"
#include "resonators_kernel.h"
#include "sizes.h"
#include "threads.h"

namespace asrc {
namespace {

int64_t kept_words(const asrc_resonators_call& call) {
    const int64_t chunks = (call.steps + kChunk - 1) / kChunk;
    return chunks * (2 * call.modes + call.taps) * padded_width(call.neurons);
}

template <typename R>
ResonatorLayer<R> layer_of(Memory& memory, const asrc_resonators_call& call) {
    ResonatorLayer<R> layer{};
    layer.neurons = call.neurons, layer.width = padded_width(call.neurons);
    layer.modes = call.modes, layer.taps = call.taps;
    layer.period = static_cast<R>(call.period), layer.masked = call.masked != 0;
    layer.threshold = static_cast<R>(call.threshold);
    layer.spike_words = words_of(call.neurons);
    layer.rows = 4 * layer.modes + 3 + layer.taps, layer.words = 2 * layer.modes + layer.taps;
    R* constants = memory.zeros<R>(layer.rows * layer.width);
    const R* from = static_cast<const R*>(call.constants);
    for (int64_t row = 0; row < layer.rows; ++row) {
        std::copy_n(from + row * layer.neurons, layer.neurons, constants + row * layer.width);
    }
    layer.constants = constants;
    return layer;
}

template <typename R>
std::vector<ResonatorRoom<R>> rooms_of(Memory& memory, const ResonatorLayer<R>& layer, int64_t threads, bool back) {
    std::vector<ResonatorRoom<R>> rooms;
    const int64_t chunk = kChunk * layer.width;
    for (int64_t i = 0; i < threads; ++i) {
        ResonatorRoom<R> room{};
        room.state = memory.zeros<R>(layer.words * layer.width);
        room.gain = memory.zeros<R>(layer.width), room.counts = memory.zeros<R>(layer.width);
        room.input = memory.zeros<R>(chunk), room.output = memory.zeros<R>(chunk);
        if (back) {
            room.above = memory.zeros<R>(chunk);
            room.adjoint = memory.zeros<R>((2 * layer.modes + layer.taps - 1) * layer.width);
            room.sums = memory.zeros<R>(layer.rows * layer.width);
        }
        rooms.push_back(room);
    }
    return rooms;
}

template <typename R>
Rows<R> rows_of(const asrc_rows& rows, int64_t b) {
    return {rows.data ? static_cast<R*>(rows.data) + b * rows.sample : nullptr, rows.step, rows.padded != 0};
}

template <typename R>
ResonatorSample<R> sample_of(const asrc_resonators_call& call, const ResonatorLayer<R>& layer, int64_t b) {
    ResonatorSample<R> sample{};
    sample.steps = call.steps;
    sample.input = rows_of<const R>(call.input, b);
    sample.gain = call.gain ? static_cast<const R*>(call.gain) + b * call.neurons : nullptr;
    sample.spikes = rows_of<R>(call.spikes, b);
    sample.bits = call.bits ? call.bits + b * call.steps * layer.spike_words : nullptr;
    sample.counts = call.counts ? static_cast<R*>(call.counts) + b * call.neurons : nullptr;
    sample.kept = call.kept ? static_cast<R*>(call.kept) + b * kept_words(call) : nullptr;
    sample.above = rows_of<const R>(call.above, b);
    sample.grad_input = rows_of<R>(call.grad_input, b);
    return sample;
}

// What a call works with: the layer, and a room for each thread.
template <typename R>
struct Prepared {
    Memory memory;
    ResonatorLayer<R> layer;
    int64_t threads;
    std::vector<ResonatorRoom<R>> rooms;

    Prepared(const asrc_resonators_call& call, bool back)
        : layer(layer_of<R>(memory, call)), threads(std::min(call.threads, call.batch)),
          rooms(rooms_of(memory, layer, threads, back)) {}

    const ResonatorRoom<R>& room(int64_t worker) const { return rooms[static_cast<size_t>(worker)]; }
};

template <typename R>
void run(const asrc_resonators_call& call, const ResonatorKernels<R>& kernels, bool back) {
    const Prepared<R> with(call, back);
    const ResonatorLayer<R>& layer = with.layer;
    const auto work = [&](int64_t b, int64_t worker) {
        const DenormalsAreZero fast;
        const ResonatorSample<R> sample = sample_of<R>(call, layer, b);
        if (!back) {
            kernels.forward(layer, sample, with.room(worker));
            return;
        }
        kernels.backward(layer, sample, with.room(worker));
        R* to = static_cast<R*>(call.grad_constants) + b * layer.rows * layer.neurons;
        for (int64_t row = 0; row < layer.rows; ++row) {
            std::copy_n(with.room(worker).sums + row * layer.width, layer.neurons, to + row * layer.neurons);
        }
    };
    over_items(call.batch, with.threads, work, [](int64_t, int64_t) {});
}

}  // namespace
}  // namespace asrc

extern "C" {

int64_t asrc_resonators_words(const asrc_resonators_call* call) { return asrc::kept_words(*call); }

int64_t asrc_resonators_forward(const asrc_resonators_call* call) {
    return asrc::on_its_numbers(
        *call, [&](const auto& set, auto number) { asrc::run(*call, set.resonators(number), false); });
}

int64_t asrc_resonators_backward(const asrc_resonators_call* call) {
    return asrc::on_its_numbers(
        *call, [&](const auto& set, auto number) { asrc::run(*call, set.resonators(number), true); });
}
}
