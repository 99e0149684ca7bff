// Asks several runtimes at once, each in a short-lived thread of its own; one deadline for all.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "procmap/names/runtime_answer.h"

namespace hopscope::procmap {

struct RuntimeSocket {
    std::string open_path;    // what connect(2) gets
    std::string path;         // on the host
    std::string component;    // whose it is by its owner: "containerd" …; empty: unknown
    bool docker_api = false;  // Docker's Engine API, else CRI
};

// In the order of `sockets`; at most limits::kRuntimesMax of them are asked.
std::vector<RuntimeAnswer> ask_runtimes(std::span<const RuntimeSocket> sockets, std::chrono::milliseconds timeout);

}  // namespace hopscope::procmap
