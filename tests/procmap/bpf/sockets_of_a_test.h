// Sockets that a test owns, and small helpers to make them. Everything closes itself.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

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

class Fd {
public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool ok() const { return fd_ >= 0; }

private:
    int fd_;
};

inline std::uint64_t inode_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}
inline std::uint64_t inode_of(const Fd& fd) { return inode_of(fd.get()); }

inline std::uint64_t inode_of_path(const char* path) {
    struct stat status {};
    return ::stat(path, &status) == 0 ? status.st_ino : 0;
}

// A directory of its own that goes with everything in it.
class TempDir {
public:
    TempDir() {
        char name[] = "/tmp/hopscope-test-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        for (const std::string& file : files_) ::unlink(file.c_str());
        ::rmdir(path_.c_str());
    }
    std::string file(std::string_view name) {
        files_.push_back(path_ + "/" + std::string(name));
        return files_.back();
    }

private:
    std::string path_;
    std::vector<std::string> files_;
};

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

inline sockaddr_in loopback(std::uint16_t port = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}
inline std::uint16_t port_of(const Fd& fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                              : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
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
