// Where a test may make a control group of its own and put a process into it.
#pragma once

#include <unistd.h>

#include <string>

namespace hopscope::test {

// Of the pids controller (version 1), else of the unified tree; empty: nowhere.
inline std::string writable_control_groups() {
    for (const char* root : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"})
        if (::access((std::string(root) + "/cgroup.procs").c_str(), W_OK) == 0) return root;
    return {};
}

}  // namespace hopscope::test
