// Which capabilities this thread has in force now: read, not tried (doctor tries: bpf/capabilities.h).
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace hopscope::procmap {

// Bit N: capability N (linux/capability.h). None where the kernel does not tell.
inline std::uint64_t effective_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
    return data[0].effective | std::uint64_t{data[1].effective} << 32;
}

constexpr std::uint64_t capability_bit(unsigned capability) { return std::uint64_t{1} << capability; }

// Without both, /proc hides the descriptors of other users' processes; one of them alone changes nothing.
inline bool may_list_all_descriptors() {
    constexpr std::uint64_t kBoth = capability_bit(CAP_SYS_PTRACE) | capability_bit(CAP_DAC_READ_SEARCH);
    return (effective_capabilities() & kBoth) == kBoth;
}

}  // namespace hopscope::procmap
