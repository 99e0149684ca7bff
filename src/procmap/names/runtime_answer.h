// What a container runtime said when it was asked over its socket.
#pragma once

#include <vector>

#include "core/node.h"

namespace hopscope::procmap {

struct RuntimeAnswer {
    RuntimeFacts facts;
    std::vector<ContainerNames> containers;
};

// 64 lower-case hexadecimal digits, as containerd, CRI-O and Docker number containers and sandboxes.
bool is_container_id(std::string_view text);

}  // namespace hopscope::procmap
