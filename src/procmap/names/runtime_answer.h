// What a container runtime said when it was asked over its socket.
#pragma once

#include <chrono>
#include <vector>

#include "core/node.h"
#include "core/result.h"

namespace hopscope::procmap {

struct RuntimeAnswer {
    RuntimeFacts facts;
    std::vector<ContainerNames> containers;
};

// Why nothing came of the call: the sentence, and how long was waited where the deadline (`waited` after the beginning)
// passed.
void give_up(RuntimeFacts& facts, const Error& error, std::chrono::milliseconds waited);

// 64 lower-case hexadecimal digits, as containerd, CRI-O and Docker number containers and sandboxes.
bool is_container_id(std::string_view text);

}  // namespace hopscope::procmap
