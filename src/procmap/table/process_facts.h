// What /proc/PID tells of one process: stat, owner, executable, control group; its arguments and namespaces apart.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/process.h"

namespace hopscope::procmap {

struct ProcessFacts {
    Process process;  // without arguments, role and namespaces
    bool is_kernel_thread = false;
    bool is_monitor = false;                                 // its cgroup is that of conmon
    bool exe_denied = false;                                 // the executable may not be looked at
    bool namespace_asked = false, namespace_denied = false;  // of the network
};

// False: it is gone. `proc` is a descriptor of the /proc directory. `owner_from_status`: the owner of the directory
// means nothing (a fake tree); else it is the effective user of the process, at a tenth of the price of its status
// file.
bool read_process(int proc, std::uint32_t pid, bool owner_from_status, ProcessFacts& out);
// Its arguments: apart, because the kernel has to look into the process' memory for them and few are asked for.
void read_arguments(int proc, ProcessFacts& facts);

// The inode in "net:[4026531840]"; 0: not readable. `file`: "ns/net", "ns/pid".
std::uint64_t read_namespace(int proc, std::uint32_t pid, std::string_view file, bool* denied = nullptr);

// The line of /proc/PID/stat: "123 (name with ) in it) S 1 …". False: not of this form.
bool parse_stat(std::string_view line, ProcessFacts& out);

}  // namespace hopscope::procmap
