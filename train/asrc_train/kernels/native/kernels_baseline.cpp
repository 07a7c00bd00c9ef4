#include "isa_table.h"

const asrc::InstructionSet* asrc::baseline() {
    static constexpr InstructionSet set = instruction_set("baseline");
    return &set;
}
