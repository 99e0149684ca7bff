// Overwrites the texts of an OCI process specification (JSON) in place, without changing a length: the words of `args`
// become stand-ins, as the words of a CRI call do; environment, paths and all other texts are overwritten with 'x'.
// Keys, numbers and flags stay.
#pragma once

#include <span>
#include <string>

#include "record/mask_plan.h"

namespace hopscope::record {

void mask_process_spec(std::span<char> text, Pseudonyms& pseudonyms, MaskCounts& counts);

}  // namespace hopscope::record
