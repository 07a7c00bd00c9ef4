#include "isa_table.h"

const asrc::InstructionSet* asrc::avx512() {
    static constexpr InstructionSet set = instruction_set("avx512");
    return &set;
}
