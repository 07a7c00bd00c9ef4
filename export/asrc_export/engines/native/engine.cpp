// Batches over threads, and streams: implements abi.h.

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "abi.h"
#include "dispatch.h"
#include "prepare.h"
#include "runner.h"

namespace asrc {
namespace {

constexpr int64_t kResidentWeights = 1 << 19;  // bytes of a layer's weights that stay in cache without help
constexpr int64_t kGroup = 16;                 // samples that share one reading of larger ones

void add(asrc_counts& to, const asrc_counts& from) {
    to.inputs += from.inputs;
    to.delivered += from.delivered;
    to.spikes += from.spikes;
    to.saturations += from.saturations;
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
                    runner.sample(g).read_logits(net, logits + (first + g) * net.readout.classes);
                    runner.sample(g).add_counts(net, counts.data());
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
        helpers.reserve(std::min<int64_t>(threads, groups));
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
    sample.read_logits(stream->net, logits);
    std::fill_n(counts, sample.counts.size(), asrc_counts{});
    sample.add_counts(stream->net, counts);
}
