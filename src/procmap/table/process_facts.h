// What /proc/PID tells of one process: stat; its executable, control group, arguments, namespaces and user apart.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "core/process.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// Where a program lies in memory. The kernel picks the places at random for each program that is run and a fork keeps
// them: siblings with equal ones run the same program, which none of them started itself. All zero: not ours to see.
struct MemoryPlaces {
    std::uint64_t code_start = 0, code_end = 0, stack_start = 0;
    auto operator<=>(const MemoryPlaces&) const = default;
};

struct ProcessFacts {
    Process process;            // without executable, container, arguments, role and namespaces
    std::uint32_t session = 0;  // of its terminal: the pid of the process that began it
    MemoryPlaces places;
    bool is_kernel_thread = false;
    bool is_monitor = false;                                 // its cgroup is that of conmon
    bool exe_denied = false;                                 // the executable may not be looked at
    bool program_unread = false;                             // nor was it searched: too much was before it
    bool namespace_asked = false, namespace_denied = false;  // of the network
};

// False: it is gone. `proc` is a descriptor of the /proc directory.
bool read_process(int proc, std::uint32_t pid, ProcessFacts& out);
// Not for kernel threads: they have none.
void read_executable(int proc, ProcessFacts& facts);
// Container, pod and control group.
void read_container(int proc, ProcessFacts& facts);
// Its arguments: apart, because the kernel has to look into the process' memory for them and few are asked for.
void read_arguments(int proc, ProcessFacts& facts);

// Is it root's own: its real user and all others? A setuid program that an ordinary user started is not, until it makes
// itself root's wholly (sudo does). False also where it is gone.
bool runs_as_root(const HostRoot& root, std::uint32_t pid);

// The inode in "net:[4026531840]"; 0: not readable. `file`: "ns/net", "ns/pid".
std::uint64_t read_namespace(int proc, std::uint32_t pid, std::string_view file, bool* denied = nullptr);

// The line of /proc/PID/stat: "123 (name with ) in it) S 1 …". False: not of this form. The places stay zero where the
// line ends before them.
bool parse_stat(std::string_view line, ProcessFacts& out);

}  // namespace hopscope::procmap
