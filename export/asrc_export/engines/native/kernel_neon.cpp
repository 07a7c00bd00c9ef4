#include "kernel_body.h"

const asrc::Kernels* asrc::kernels_neon() {
    static constexpr Kernels table = kernels("neon");
    return &table;
}
