// All kernels, compiled for the including file's instruction set.
#ifndef ASRC_ISA_TABLE_H
#define ASRC_ISA_TABLE_H

#include "backward.h"
#include "delays.h"
#include "isa.h"
#include "projection.h"
#include "resonators.h"

namespace {

constexpr InstructionSet instruction_set(const char* name) {
    return {name, kernels<float>(), kernels<double>(), delay_kernels<float>(), delay_kernels<double>(),
            resonator_kernels<float>(), resonator_kernels<double>(), projection_kernels<float>(),
            projection_kernels<double>()};
}

}  // namespace

#endif
