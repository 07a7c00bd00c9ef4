#include "isa_table.h"

const asrc::InstructionSet* asrc::neon() {
    static constexpr InstructionSet set = instruction_set("neon");
    return &set;
}
