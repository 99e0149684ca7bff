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

// What stat(2) tells of /proc/PID or /proc/PID/fd, to anybody. The kernel makes its numbers when the directory is first
// looked at, so that equal ones mean: the same process.
struct DirectoryFacts {
    std::uint64_t inode = 0;  // 0: it is gone
    std::int64_t changed_ns = 0;
    std::uint32_t owner = 0;  // of fd: root of a process that may not be dumped
    std::uint64_t open = 0;   // of fd: how many descriptors (Linux 6.2); 0: not told
    bool operator==(const DirectoryFacts&) const = default;
};

class DescriptorWalk {
public:
    // `is_real_proc`: else the size of a directory is no number of descriptors.
    explicit DescriptorWalk(bool is_real_proc) : is_real_proc_(is_real_proc) {}

    // Replaces `out`, in order of their numbers. `proc` is a descriptor of the /proc directory. denied: EACCES or
    // EPERM, at the directory or its links. `directory`: as look_at_descriptors() told before the first was looked at.
    Walk of(int proc, std::uint32_t pid, std::vector<HeldSocket>& out, DirectoryFacts& directory);

private:
    Walk read_at_known_numbers(int directory, std::vector<HeldSocket>& out);
    Walk list(int directory, std::uint64_t count, std::vector<HeldSocket>& out);

    bool is_real_proc_;
    // All open descriptors of the process before: its sibling often has the same, and need not be listed where the
    // kernel tells how many it has.
    std::vector<std::uint32_t> numbers_;
};

DirectoryFacts look_at_process(int proc, std::uint32_t pid);
DirectoryFacts look_at_descriptors(int proc, std::uint32_t pid);

}  // namespace hopscope::procmap
