// Which kernels this machine can run.
#ifndef ASRC_DISPATCH_H
#define ASRC_DISPATCH_H

#include "kernel.h"

namespace asrc {

const char* instruction_sets();
const Kernels* find_kernels(const char* isa);

}  // namespace asrc

#endif
