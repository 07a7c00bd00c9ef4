#include "backward.h"

const asrc::InstructionSet* asrc::baseline() {
    static constexpr InstructionSet set = instruction_set("baseline");
    return &set;
}
