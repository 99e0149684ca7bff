// The open descriptors of a process that are sockets: /proc/PID/fd.
//
// Threads that unshared their descriptor table (rare) are not looked at: the table of the process itself is.
#pragma once

#include <cstdint>
#include <vector>

namespace hopscope::procmap {

struct HeldSocket {
    std::uint64_t inode = 0;
    std::uint32_t fd = 0;
};

enum class Walk : std::uint8_t { none, whole, denied, gone };

// Replaces `out`. `proc` is a descriptor of the /proc directory. denied: EACCES or EPERM, at the directory or its
// links. `count`: as count_descriptors() told before the first was looked at.
Walk walk_descriptors(int proc, std::uint32_t pid, std::vector<HeldSocket>& out, std::uint64_t& count);

// How many descriptors the process has open (st_size of /proc/PID/fd, Linux 6.2), readable by anybody; 0: not told.
std::uint64_t count_descriptors(int proc, std::uint32_t pid);

}  // namespace hopscope::procmap
