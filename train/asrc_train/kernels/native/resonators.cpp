// From a call to the kernels for state-space neurons: packing of constants, memory, samples spread over threads.
#include <algorithm>
#include <new>
#include <vector>

#include "isa.h"
#include "memory.h"
#include "resonators_abi.h"
#include "resonators_kernel.h"
#include "threads.h"

namespace asrc {
namespace {

int64_t padded_width(int64_t n) { return (n + kPadding - 1) / kPadding * kPadding; }

int64_t words_of(const asrc_resonators_call& call) {
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
    layer.rows = 4 * layer.modes + 1 + layer.taps, layer.words = 2 * layer.modes + layer.taps;
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
void run(const asrc_resonators_call& call, const ResonatorKernels<R>& kernels, bool back) {
    Memory memory;
    const ResonatorLayer<R> layer = layer_of<R>(memory, call);
    const int64_t threads = std::min(call.threads, call.batch), kept = words_of(call);
    const std::vector<ResonatorRoom<R>> rooms = rooms_of(memory, layer, threads, back);
    const auto work = [&](int64_t b, int64_t worker) {
        const DenormalsAreZero fast;
        const ResonatorRoom<R>& room = rooms[static_cast<size_t>(worker)];
        const int64_t at = b * layer.neurons;
        ResonatorSample<R> sample{};
        sample.steps = call.steps, sample.stride = call.batch * layer.neurons;
        sample.input = static_cast<const R*>(call.input) + at;
        sample.kept = call.kept ? static_cast<R*>(call.kept) + b * kept : nullptr;
        if (!back) {
            sample.spikes = static_cast<R*>(call.spikes) + at;
            kernels.forward(layer, sample, room);
            return;
        }
        sample.above = static_cast<const R*>(call.above) + at;
        sample.grad_input = static_cast<R*>(call.grad_input) + at;
        kernels.backward(layer, sample, room);
        R* to = static_cast<R*>(call.grad_constants) + b * layer.rows * layer.neurons;
        for (int64_t row = 0; row < layer.rows; ++row) {
            std::copy_n(room.sums + row * layer.width, layer.neurons, to + row * layer.neurons);
        }
    };
    over_items(call.batch, threads, work, [](int64_t, int64_t) {});
}

int64_t run_any(const asrc_resonators_call& call, bool back) {
    const InstructionSet& set = instruction_set_at(call.isa);
    if (call.element_bytes == 4) {
        run<float>(call, set.resonator_floats, back);
    } else {
        run<double>(call, set.resonator_doubles, back);
    }
    return ASRC_OK;
}

}  // namespace
}  // namespace asrc

extern "C" {

int64_t asrc_resonators_words(const asrc_resonators_call* call) { return asrc::words_of(*call); }

int64_t asrc_resonators_forward(const asrc_resonators_call* call) try {
    return asrc::run_any(*call, false);
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}

int64_t asrc_resonators_backward(const asrc_resonators_call* call) try {
    return asrc::run_any(*call, true);
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}
}
