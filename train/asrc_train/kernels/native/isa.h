// The table of functions that each instruction set provides, and which of them a call runs on.
#ifndef ASRC_ISA_H
#define ASRC_ISA_H

#include <new>

#include "abi.h"
#include "delays_kernel.h"
#include "kernel.h"
#include "projection_kernel.h"
#include "resonators_kernel.h"

namespace asrc {

struct InstructionSet {
    const char* name;
    Kernels<float> floats;
    Kernels<double> doubles;
    DelayKernels<float> delay_floats;
    DelayKernels<double> delay_doubles;
    ResonatorKernels<float> resonator_floats;
    ResonatorKernels<double> resonator_doubles;
    ProjectionKernels<float> projection_floats;
    ProjectionKernels<double> projection_doubles;

    const Kernels<float>& of(float) const { return floats; }
    const Kernels<double>& of(double) const { return doubles; }
    const ResonatorKernels<float>& resonators(float) const { return resonator_floats; }
    const ResonatorKernels<double>& resonators(double) const { return resonator_doubles; }
    const ProjectionKernels<float>& projections(float) const { return projection_floats; }
    const ProjectionKernels<double>& projections(double) const { return projection_doubles; }
};

const InstructionSet* baseline();
const InstructionSet* avx2();
const InstructionSet* avx512();
const InstructionSet* neon();

// `index` as asrc_isa_name counts.
const InstructionSet& instruction_set_at(int64_t index);

// Calls what(set, R{}) with the call's instruction set and R as its numbers are; ASRC_NO_MEMORY where that runs out of it.
// For sources that are compiled for every processor, not for kernels.
template <typename Call, typename What>
int64_t on_its_numbers(const Call& call, What what) try {
    const InstructionSet& set = instruction_set_at(call.isa);
    if (call.element_bytes == 4) {
        what(set, float{});
    } else {
        what(set, double{});
    }
    return ASRC_OK;
} catch (const std::bad_alloc&) {
    return ASRC_NO_MEMORY;
}

}  // namespace asrc

#endif
