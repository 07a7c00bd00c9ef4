// From a call for y = W x + b to its kernels: packing of weights, memory, and steps of samples spread over threads.
#include <algorithm>
#include <vector>

#include "isa.h"
#include "memory.h"
#include "projection_abi.h"
#include "projection_kernel.h"
#include "sizes.h"
#include "threads.h"

namespace asrc {
namespace {

// A job is some samples or a part of one: of about so many rows, so that adding up what jobs sum costs little beside
// them. It does not depend on the number of threads, so that neither do results.
constexpr int64_t kJobRows = 512;

struct Jobs {
    int64_t samples;  // of a job
    int64_t steps;
    int64_t parts;    // of a sample
    int64_t count;

    explicit Jobs(const asrc_projection_call& call) {
        parts = std::max<int64_t>(1, call.steps / kJobRows);
        const int64_t blocks = (call.steps + kRows - 1) / kRows;
        steps = (blocks + parts - 1) / parts * kRows;
        parts = (call.steps + steps - 1) / steps;
        samples = parts > 1 ? 1 : std::max<int64_t>(1, kJobRows / call.steps);
        count = parts * ((call.batch + samples - 1) / samples);
    }
};

template <typename R>
Projection<R> projection_of(
    Memory& memory, const asrc_projection_call& call, const InstructionSet& set, bool back) {
    Projection<R> of{};
    of.inputs = call.inputs, of.neurons = call.neurons;
    of.input_words = words_of(call.inputs);
    of.input_width = padded_width(call.inputs), of.width = padded_width(call.neurons);
    const R* weight = static_cast<const R*>(call.weight);
    R* transposed = memory.zeros<R>(call.inputs * of.width);
    for (int64_t n = 0; n < call.neurons; ++n) {
        for (int64_t i = 0; i < call.inputs; ++i) transposed[i * of.width + n] = weight[n * call.inputs + i];
    }
    of.weights = transposed;
    R* bias = memory.zeros<R>(of.width);
    std::copy_n(static_cast<const R*>(call.bias), call.neurons, bias);
    of.bias = bias;
    const auto pack = set.of(R{}).pack_matrix;
    if (!call.bits) {
        R* panels = memory.uninitialized<R>(call.inputs * of.width);
        pack(panels, transposed, call.inputs, of.width, of.width);
        of.panels = panels;
    }
    if (!back) return of;
    if (call.below.data) {
        R* packed = memory.uninitialized<R>(call.neurons * of.input_width);
        pack(packed, weight, call.neurons, call.inputs, of.input_width);
        of.back = packed;
    }
    if (call.settle) {
        R* rows = memory.zeros<R>(2 * of.width);
        for (int64_t row = 0; row < 2; ++row) {
            std::copy_n(static_cast<const R*>(call.settle) + row * call.neurons, call.neurons, rows + row * of.width);
        }
        of.settle = rows;
    }
    return of;
}

template <typename R>
ProjectedSteps<R> steps_of(
    const asrc_projection_call& call, const Projection<R>& of, int64_t b, int64_t t, int64_t steps) {
    ProjectedSteps<R> run{};
    const int64_t row = b * call.steps + t;
    run.steps = steps;
    if (call.bits) {
        run.input.spikes = call.bits + row * of.input_words;
    } else {
        run.input.numbers = static_cast<const R*>(call.heard.data) + t * call.heard.step + b * call.heard.sample;
        run.input.step = call.heard.step;
    }
    run.made = call.made ? static_cast<R*>(call.made) + row * of.width : nullptr;
    run.above = call.above ? static_cast<const R*>(call.above) + row * of.width : nullptr;
    const asrc_rows& below = call.below;
    run.below = below.data ? static_cast<R*>(below.data) + t * below.step + b * below.sample : nullptr;
    run.below_step = below.step, run.below_padded = below.padded != 0;
    return run;
}

// What a call works with: weights, and for each thread a room with `rows` rows of sums.
template <typename R>
struct Prepared {
    Memory memory;
    const Projection<R> of;
    const Jobs jobs;
    const int64_t threads;
    std::vector<ProjectionRoom<R>> rooms;

    Prepared(const asrc_projection_call& call, const InstructionSet& set, bool back)
        : of(projection_of<R>(memory, call, set, back)), jobs(call), threads(std::min(call.threads, jobs.count)) {
        for (int64_t i = 0; i < threads; ++i) {
            ProjectionRoom<R> room{};
            room.sums = memory.zeros<R>((back ? call.inputs + 1 : 2) * of.width);
            if (back) {
                room.rows = memory.zeros<R>(kRows * of.width);
                room.below = memory.zeros<R>(kRows * of.input_width);
            }
            rooms.push_back(room);
        }
    }

    const ProjectionRoom<R>& room(int64_t worker) const { return rooms[static_cast<size_t>(worker)]; }

    // Calls what(steps, room) for the steps of each job, and join(sums) for what they have added to `rows` rows.
    template <typename What, typename Join>
    void over_jobs(const asrc_projection_call& call, int64_t rows, What what, Join join) {
        const auto work = [&](int64_t job, int64_t worker) {
            std::fill_n(room(worker).sums, rows * of.width, R{0});
            const int64_t first = job / jobs.parts * jobs.samples, begin = job % jobs.parts * jobs.steps;
            const int64_t steps = std::min(jobs.steps, call.steps - begin);
            for (int64_t b = first; b < std::min(first + jobs.samples, call.batch); ++b) {
                what(steps_of<R>(call, of, b, begin, steps), room(worker));
            }
        };
        over_items(jobs.count, threads, work, [&](int64_t, int64_t worker) { join(room(worker).sums); });
    }
};

template <typename R>
void forward(const asrc_projection_call& call, const InstructionSet& set, const ProjectionKernels<R>& kernels) {
    Prepared<R> with(call, set, false);
    const Projection<R>& of = with.of;
    R* origin = nullptr;
    if (call.moments) {
        const DenormalsAreZero fast;
        origin = with.memory.template zeros<R>(of.width);
        ProjectedSteps<R> first = steps_of<R>(call, of, 0, 0, 1);
        first.made = origin;
        kernels.forward(of, first, with.room(0), nullptr);
        std::copy_n(origin, call.neurons, static_cast<R*>(call.origin));
        std::fill_n(call.moments, 2 * call.neurons, 0.0);
    }
    with.over_jobs(
        call, 2, [&](const ProjectedSteps<R>& run, const ProjectionRoom<R>& room) { kernels.forward(of, run, room, origin); },
        [&](const R* sums) {
            for (int64_t i = 0; call.moments && i < 2 * call.neurons; ++i) {
                call.moments[i] += static_cast<double>(sums[i / call.neurons * of.width + i % call.neurons]);
            }
        });
}

template <typename R>
void backward(const asrc_projection_call& call, const InstructionSet& set, const ProjectionKernels<R>& kernels) {
    Prepared<R> with(call, set, true);
    const Projection<R>& of = with.of;
    const int64_t rows = of.inputs + 1;
    R* total = with.memory.template zeros<R>(rows * of.width);
    with.over_jobs(
        call, rows, [&](const ProjectedSteps<R>& run, const ProjectionRoom<R>& room) { kernels.backward(of, run, room); },
        [&](const R* sums) {
            for (int64_t i = 0; i < rows * of.width; ++i) total[i] += sums[i];
        });
    R* weight = static_cast<R*>(call.grad_weight);
    for (int64_t n = 0; n < of.neurons; ++n) {
        for (int64_t i = 0; i < of.inputs; ++i) weight[n * of.inputs + i] = total[i * of.width + n];
    }
    std::copy_n(total + of.inputs * of.width, of.neurons, static_cast<R*>(call.grad_bias));
}

}  // namespace
}  // namespace asrc

extern "C" {

int64_t asrc_projection_forward(const asrc_projection_call* call) {
    return asrc::on_its_numbers(
        *call, [&](const auto& set, auto number) { asrc::forward(*call, set, set.projections(number)); });
}

int64_t asrc_projection_backward(const asrc_projection_call* call) {
    return asrc::on_its_numbers(
        *call, [&](const auto& set, auto number) { asrc::backward(*call, set, set.projections(number)); });
}
}
