#include "dispatch.h"

#include <string>
#include <vector>

#include "cpu.h"

namespace asrc {
namespace {

// Best first.
std::vector<const Kernels*> usable() {
    std::vector<const Kernels*> found;
#if defined(__x86_64__)
    if (has_avx512()) found.push_back(kernels_avx512());
    if (has_avx2()) found.push_back(kernels_avx2());
    found.push_back(kernels_baseline());
#elif defined(__aarch64__)
    found.push_back(kernels_neon());
#else
    found.push_back(kernels_baseline());
#endif
    return found;
}

}  // namespace

const char* instruction_sets() {
    static const std::string names = [] {
        std::string joined;
        for (const Kernels* kernels : usable()) joined += (joined.empty() ? "" : " ") + std::string(kernels->isa);
        return joined;
    }();
    return names.c_str();
}

const Kernels* find_kernels(const char* isa) {
    for (const Kernels* kernels : usable())
        if (std::string(kernels->isa) == isa) return kernels;
    return nullptr;
}

}  // namespace asrc
