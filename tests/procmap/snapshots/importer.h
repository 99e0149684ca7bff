// Makes a Node of a snapshot in testdata/snapshots: text of ss and of descriptor lists. Only for tests; shares no code
// with the readers of src/procmap, so that what is judged here was read by other programs.
#pragma once

#include <string>

#include "core/node.h"

namespace hopscope::test {

// `name` is a folder of testdata/snapshots. Processes carry the role that their arguments begin with ("bin/kubelet"),
// which stands for the proof that the real reader takes from the executable. Throws std::runtime_error on a line that
// it does not understand.
Node import_snapshot(const std::string& name);

}  // namespace hopscope::test
