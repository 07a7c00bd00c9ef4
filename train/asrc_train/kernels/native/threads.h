// Work spread over threads, with results joined in an order that does not depend on how many there are.
#ifndef ASRC_THREADS_H
#define ASRC_THREADS_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace asrc {

// Denormals count as 0 while this lives, in the thread that made it. Outside the surrogate's window a gradient halves at
// every step; as a denormal each of its operations would take a hundred times longer.
class DenormalsAreZero {
public:
#if defined(__SSE2__)
    DenormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
    ~DenormalsAreZero() { _mm_setcsr(before_); }

private:
    unsigned before_;
#elif defined(__aarch64__)
    DenormalsAreZero() {
        __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
        __asm__ volatile("msr fpcr, %0" : : "r"(before_ | (uint64_t{1} << 24)));
    }
    ~DenormalsAreZero() { __asm__ volatile("msr fpcr, %0" : : "r"(before_)); }

private:
    uint64_t before_;
#endif
public:
    DenormalsAreZero(const DenormalsAreZero&) = delete;
    DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;
};

// Calls work(item, worker) for each item, by several workers at a time, and after each join(item, worker), one at a
// time and in the order of the items. Neither may throw. Threads live for one call: starting one takes some ten
// microseconds, and none is left behind to spin beside PyTorch's own, or to be missed in a forked process.
template <typename Work, typename Join>
void over_items(int64_t items, int64_t workers, Work work, Join join) {
    std::atomic<int64_t> next{0};
    std::mutex mutex;
    std::condition_variable joined;
    int64_t turn = 0;
    const auto serve = [&](int64_t worker) {
        const DenormalsAreZero flushed;
        for (int64_t item; (item = next++) < items;) {
            work(item, worker);
            std::unique_lock<std::mutex> lock(mutex);
            joined.wait(lock, [&] { return turn == item; });
            join(item, worker);
            ++turn;
            joined.notify_all();
        }
    };
    std::vector<std::thread> threads;
    try {
        threads.reserve(static_cast<size_t>(workers));
        while (static_cast<int64_t>(threads.size()) + 1 < workers) {
            const int64_t worker = static_cast<int64_t>(threads.size()) + 1;
            threads.emplace_back(serve, worker);
        }
    } catch (const std::exception&) {
        // Out of threads: those there are do all the work, with the same result.
    }
    serve(0);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace asrc

#endif
