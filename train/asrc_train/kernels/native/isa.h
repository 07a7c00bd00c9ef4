// The table of functions that each instruction set provides, and which of them a call runs on.
#ifndef ASRC_ISA_H
#define ASRC_ISA_H

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
};

const InstructionSet* baseline();
const InstructionSet* avx2();
const InstructionSet* avx512();
const InstructionSet* neon();

// `index` as asrc_isa_name counts.
const InstructionSet& instruction_set_at(int64_t index);

}  // namespace asrc

#endif
