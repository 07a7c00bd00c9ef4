#include "kernel_body.h"

const asrc::Kernels* asrc::kernels_avx512() {
    static constexpr Kernels table = kernels("avx512");
    return &table;
}
