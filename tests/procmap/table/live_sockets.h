// Real sockets of a test's own.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "core/socket_table.h"

namespace hopscope::procmap::test {

class Fd {
public:
    explicit Fd(int fd) : fd_(fd) { EXPECT_GE(fd, 0) << std::strerror(errno); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~Fd() { close(); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] std::uint64_t inode() const {
        struct stat status {};
        EXPECT_EQ(::fstat(fd_, &status), 0);
        return status.st_ino;
    }

private:
    int fd_;
};

inline sockaddr* generic(void* address) { return static_cast<sockaddr*>(address); }

// Bound to 127.0.0.1 and a free port; listening where `backlog` > 0.
inline Fd bound(int type, int backlog) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.get(), generic(&address), sizeof address), 0);
    if (backlog > 0) EXPECT_EQ(::listen(fd.get(), backlog), 0);
    return fd;
}

inline std::uint16_t port_of(const Fd& fd) {
    sockaddr_in6 address{};
    socklen_t length = sizeof address;
    EXPECT_EQ(::getsockname(fd.get(), generic(&address), &length), 0);
    return ntohs(address.sin6_port);  // at the same place for both families
}

inline Fd connected_to(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
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
