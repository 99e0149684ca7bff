// Sockets that a test owns, and small helpers to make them. Everything closes itself.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "core/result.h"
#include "support/own_fd.h"
#include "support/temporary_directory.h"

// Where eBPF is not to be had the test is skipped. A program that the kernel refuses for any other reason is a failure.
#define SKIP_OR_FAIL_WITHOUT(opened)                                                              \
    if (!(opened)) {                                                                              \
        const hopscope::Error& refused = (opened).error();                                        \
        if (refused.errno_value != 0 && refused.errno_value != EPERM && refused.code == "BPF-01") \
            FAIL() << refused.doing << " " << refused.subject << ": " << refused.why;             \
        GTEST_SKIP() << refused.doing << " " << refused.subject << ": " << refused.why;           \
    }                                                                                             \
    static_assert(true)

namespace hopscope::test {

inline std::uint64_t inode_of(const Fd& fd) { return fd.inode(); }

inline std::uint64_t inode_of_path(const char* path) {
    struct stat status {};
    return ::stat(path, &status) == 0 ? status.st_ino : 0;
}

struct UnixName {
    sockaddr_un address{};
    socklen_t size = 0;
};
// `path` beginning with '@' is an abstract name.
inline UnixName unix_name(std::string_view path) {
    UnixName name;
    name.address.sun_family = AF_UNIX;
    std::memcpy(name.address.sun_path, path.data(), path.size());
    const bool abstract = path.front() == '@';
    if (abstract) name.address.sun_path[0] = '\0';
    name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
    return name;
}

inline Fd unix_listener(std::string_view path, int type = SOCK_STREAM) {
    Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const UnixName name = unix_name(path);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0) return Fd();
    if (type != SOCK_DGRAM && ::listen(fd.get(), 16) != 0) return Fd();
    return fd;
}
inline Fd unix_client(std::string_view path, int type = SOCK_STREAM) {
    Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const UnixName name = unix_name(path);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0) return Fd();
    return fd;
}

inline Fd tcp_listener(int backlog = 128) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback();
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Fd();
    if (::listen(fd.get(), backlog) != 0) return Fd();
    return fd;
}
inline Fd tcp_client(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Fd();
    return fd;
}
inline Fd accept_from(const Fd& listener) { return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

}  // namespace hopscope::test
