// Words that the sentences of joins have in common.
#pragma once

#include <string>

#include "chain/model.h"

namespace hopscope::chain {

// "containerd[4711]", "pid 4711".
std::string who(const Process& process);
// "12.3 ms"
std::string milliseconds(Duration span);
// Not of a place in a capture.
Evidence said(Grade grade, std::string says, const char* id);

}  // namespace hopscope::chain
