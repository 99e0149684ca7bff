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

// What stat(2) tells of /proc/PID/fd, to anybody. The kernel makes its numbers when the directory is first looked at,
// so that equal ones mean: the same process.
struct DescriptorDirectory {
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    std::uint32_t owner = 0;  // root of a process that may not be dumped
    std::uint64_t open = 0;   // how many descriptors (Linux 6.2); 0: not told
    bool operator==(const DescriptorDirectory&) const = default;
};

// Replaces `out`. `proc` is a descriptor of the /proc directory. denied: EACCES or EPERM, at the directory or its
// links. `directory`: as look_at_descriptors() told before the first was looked at.
Walk walk_descriptors(int proc, std::uint32_t pid, std::vector<HeldSocket>& out, DescriptorDirectory& directory);

// All zero: it is gone.
DescriptorDirectory look_at_descriptors(int proc, std::uint32_t pid);

}  // namespace hopscope::procmap
