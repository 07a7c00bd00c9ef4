#include "isa_table.h"

const asrc::InstructionSet* asrc::avx2() {
    static constexpr InstructionSet set = instruction_set("avx2");
    return &set;
}
