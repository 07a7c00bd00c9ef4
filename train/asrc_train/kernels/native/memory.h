// Memory handed out in aligned pieces, all at once released.
#ifndef ASRC_MEMORY_H
#define ASRC_MEMORY_H

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace asrc {

class Memory {
public:
    Memory() = default;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() {
        for (void* block : blocks_) std::free(block);
    }

    // Throws std::bad_alloc.
    template <typename T>
    T* uninitialized(int64_t count) {
        return static_cast<T*>(take(static_cast<size_t>(count) * sizeof(T)));
    }

    template <typename T>
    T* zeros(int64_t count) {
        T* data = uninitialized<T>(count);
        std::memset(static_cast<void*>(data), 0, static_cast<size_t>(count) * sizeof(T));
        return data;
    }

private:
    static constexpr size_t kLine = 64;
    static constexpr size_t kHugePage = size_t{2} << 20;

    void* take(size_t bytes) {
        // Sequences are megabytes that every call writes afresh: in huge pages the kernel clears them far sooner.
        const size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
        bytes = (bytes + alignment - 1) / alignment * alignment;
        blocks_.reserve(blocks_.size() + 1);
        void* block = std::aligned_alloc(alignment, bytes ? bytes : alignment);
        if (!block) throw std::bad_alloc();
        blocks_.push_back(block);
#if defined(MADV_HUGEPAGE)
        if (alignment == kHugePage) madvise(block, bytes, MADV_HUGEPAGE);
#endif
        return block;
    }

    std::vector<void*> blocks_;
};

}  // namespace asrc

#endif
