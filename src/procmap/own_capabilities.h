// Which capabilities this thread has in force now: read, not tried (doctor tries: bpf/capabilities.h).
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

namespace hopscope::procmap {

// Bit N: capability N (linux/capability.h). None where the kernel does not tell.
inline std::uint64_t effective_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
    return data[0].effective | std::uint64_t{data[1].effective} << 32;
}

constexpr std::uint64_t capability_bit(unsigned capability) { return std::uint64_t{1} << capability; }

// Without both, /proc hides the descriptors of other users' processes; one of them alone changes nothing. Which of them
// `effective` lacks: "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", one of the two, or nothing.
inline std::string missing_to_list_descriptors(std::uint64_t effective) {
    const bool trace = (effective & capability_bit(CAP_SYS_PTRACE)) != 0;
    const bool search = (effective & capability_bit(CAP_DAC_READ_SEARCH)) != 0;
    return std::string(trace ? "" : "CAP_SYS_PTRACE") + (trace || search ? "" : " and ") +
           (search ? "" : "CAP_DAC_READ_SEARCH");
}

inline bool may_list_all_descriptors() { return missing_to_list_descriptors(effective_capabilities()).empty(); }

}  // namespace hopscope::procmap
