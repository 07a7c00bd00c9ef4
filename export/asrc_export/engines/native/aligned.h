// An array of plain values on a cache line of its own, zero to begin with.
#ifndef ASRC_ALIGNED_H
#define ASRC_ALIGNED_H

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace asrc {

template <typename T>
class AlignedArray {
public:
    AlignedArray() = default;
    explicit AlignedArray(int64_t size)
        : data_(static_cast<T*>(::operator new(static_cast<size_t>(size) * sizeof(T), kLine))), size_(size) {
        clear();
    }
    AlignedArray(AlignedArray&& other) noexcept { *this = std::move(other); }
    AlignedArray& operator=(AlignedArray&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~AlignedArray() { ::operator delete(data_, kLine); }

    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](int64_t i) { return data_[i]; }
    const T& operator[](int64_t i) const { return data_[i]; }
    int64_t size() const { return size_; }
    void clear() { std::memset(data_, 0, static_cast<size_t>(size_) * sizeof(T)); }

private:
    static constexpr std::align_val_t kLine{64};
    T* data_ = nullptr;
    int64_t size_ = 0;
};

}  // namespace asrc

#endif
