// Runs a test in a network namespace of its own, with a loopback interface that nobody else uses. Needs CAP_SYS_ADMIN.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "core/bytes.h"

namespace hopscope::test {

inline bool set_loopback(bool up) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::string("lo").copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = static_cast<short>(up ? IFF_UP | IFF_RUNNING : 0);
    const bool done = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return done;
}

// False: it could not be made, `body` was not called. `body` runs in a thread; threads that it starts are in the same
// namespace.
inline bool in_private_network(const std::function<void()>& body, bool up = true) {
    bool made = false;
    std::thread([&] {
        made = ::unshare(CLONE_NEWNET) == 0 && (!up || set_loopback(true));
        if (made) body();
    }).join();
    return made;
}

// A descriptor that closes itself.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    void close() { *this = Fd(); }

private:
    int fd_;
};

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

inline std::uint16_t port_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

// A TCP connection over loopback, both ends in our hands.
struct TcpPair {
    Fd client, server;
    std::uint16_t server_port = 0;
    Fd listener;

    explicit TcpPair(std::uint16_t port = 0) {
        listener = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int on = 1;
        ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address = loopback(port);
        ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::listen(listener.get(), 16);
        server_port = port_of(listener.get());
        connect();
    }
    void connect() {
        client = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address = loopback(server_port);
        ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
        server = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const int on = 1;
        ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
};

inline bool pass_on(int from, int to, Bytes bytes) {
    std::size_t sent = 0, received = 0;
    char buffer[65536];
    while (received < bytes.size()) {
        if (sent < bytes.size()) {
            const ssize_t n = ::send(from, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) sent += static_cast<std::size_t>(n);
        }
        const ssize_t n = ::recv(to, buffer, sizeof buffer, sent < bytes.size() ? MSG_DONTWAIT : 0);
        if (n == 0 || (n < 0 && sent == bytes.size())) return false;
        if (n > 0) received += static_cast<std::size_t>(n);
    }
    return true;
}

}  // namespace hopscope::test
