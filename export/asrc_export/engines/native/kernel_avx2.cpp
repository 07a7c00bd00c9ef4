#include "kernel_body.h"

const asrc::Kernels* asrc::kernels_avx2() {
    static constexpr Kernels table = kernels("avx2");
    return &table;
}
