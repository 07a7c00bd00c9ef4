#include "kernel_body.h"

const asrc::Kernels* asrc::kernels_baseline() {
    static constexpr Kernels table = kernels("baseline");
    return &table;
}
