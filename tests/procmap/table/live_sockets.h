// Real sockets of a test's own.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "core/socket_table.h"
#include "support/own_fd.h"

namespace hopscope::procmap::test {

using hopscope::test::Fd;
using hopscope::test::port_of;

inline sockaddr* generic(void* address) { return static_cast<sockaddr*>(address); }

// Bound to 127.0.0.1 and a free port; listening where `backlog` > 0.
inline Fd bound(int type, int backlog) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in address = hopscope::test::loopback();
    EXPECT_EQ(::bind(fd.get(), generic(&address), sizeof address), 0);
    if (backlog > 0) EXPECT_EQ(::listen(fd.get(), backlog), 0);
    return fd;
}

inline Fd connected_to(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = hopscope::test::loopback(port);
    EXPECT_EQ(::connect(fd.get(), generic(&address), sizeof address), 0) << std::strerror(errno);
    return fd;
}

inline std::pair<sockaddr_un, socklen_t> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '\0' ? 0 : 1))};
}

inline const Socket* by_inode(const SocketTable& table, std::uint64_t inode) {
    for (const Socket& socket : table.sockets)
        if (socket.inode == inode) return &socket;
    return nullptr;
}

inline bool is_owned_by(const Socket& socket, int pid, int fd) {
    for (const SocketOwner& owner : socket.owners)
        if (owner.process.pid == static_cast<std::uint32_t>(pid) && owner.fd == static_cast<std::uint32_t>(fd))
            return true;
    return false;
}

}  // namespace hopscope::procmap::test
