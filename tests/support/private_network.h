// Runs a test in a network namespace of its own, with a loopback interface that nobody else uses. Needs CAP_SYS_ADMIN.
#pragma once

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

#include "core/bytes.h"
#include "support/own_fd.h"

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

// The rest of the test, in such a network; skips it where there is none to be had.
#define IN_PRIVATE_NETWORK(...)                           \
    if (!hopscope::test::in_private_network(__VA_ARGS__)) \
    GTEST_SKIP() << "no network namespace of our own: CAP_SYS_ADMIN is missing"

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
        server_port = port_of(listener);
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
