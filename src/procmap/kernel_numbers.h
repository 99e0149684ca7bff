// The kernel's numbers in our words: shared by what netlink, /proc and the eBPF programs tell.
//
// Pure. Sources are named at each.
#pragma once

#include <sys/sysmacros.h>

#include <charconv>
#include <cstdint>
#include <string_view>

#include "core/socket_table.h"

namespace hopscope::procmap {

// A TCP state (include/net/tcp_states.h); unix sockets have 1, 7 and 10 of them.
inline SocketState state_of_number(unsigned number) {
    switch (number) {
        case 1: return SocketState::established;
        case 2: return SocketState::syn_sent;
        case 3:
        case 12: return SocketState::syn_recv;  // TCP_NEW_SYN_RECV
        case 4:
        case 5: return SocketState::fin_wait;
        case 6: return SocketState::time_wait;
        case 7: return SocketState::close;
        case 8: return SocketState::close_wait;
        case 9: return SocketState::last_ack;
        case 10: return SocketState::listen;
        case 11: return SocketState::closing;
        default: return SocketState::unknown;
    }
}

// The kernel's own dev_t (include/linux/kdev_t.h) has 12 bits of major and 20 of minor number; that of stat(2) is
// packed otherwise.
inline std::uint64_t file_device_of(std::uint32_t kernel_device) {
    return ::makedev(kernel_device >> 20, kernel_device & 0xfffff);
}

// The link of a descriptor: "socket:[12345]" → 12345; 0: something else.
inline std::uint64_t socket_inode(std::string_view link) {
    constexpr std::string_view kHead = "socket:[";
    std::uint64_t inode = 0;
    if (link.starts_with(kHead)) std::from_chars(link.data() + kHead.size(), link.data() + link.size(), inode);
    return inode;
}

// The link of a namespace: "net:[4026531840]", kind "net" → 4026531840; 0: something else.
inline std::uint64_t namespace_inode(std::string_view link, std::string_view kind) {
    std::uint64_t inode = 0;
    if (!link.starts_with(kind) || !link.substr(kind.size()).starts_with(":[")) return 0;
    std::from_chars(link.data() + kind.size() + 2, link.data() + link.size(), inode);
    return inode;
}

}  // namespace hopscope::procmap
