#include "dispatch.h"

#include <string>
#include <vector>

namespace asrc {
namespace {

// Best first. Every AVX2 machine has BMI; asking the system for each flag costs nothing.
std::vector<const Kernels*> usable() {
    std::vector<const Kernels*> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found.push_back(kernels_avx512());
    if (avx2) found.push_back(kernels_avx2());
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
