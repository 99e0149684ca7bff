#include "procmap/names/call.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hopscope::procmap {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr int kBacklogPauseMs = 5;  // a unix listener whose backlog is full says EAGAIN and cannot be polled for

Unexpected<Error> failed(const char* doing, int error) {
    return unexpected(Error{.doing = doing, .why = std::strerror(error), .errno_value = error});
}

Unexpected<Error> too_late() { return failed("no answer", ETIMEDOUT); }

int milliseconds_until(Call::Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Call::Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000));
}

}  // namespace

Call::~Call() {
    if (fd_ >= 0) ::close(fd_);
}
Call::Call(Call&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), deadline_(other.deadline_), buffer_(std::move(other.buffer_)) {}
Call& Call::operator=(Call&& other) noexcept {
    std::swap(fd_, other.fd_);
    deadline_ = other.deadline_;
    buffer_ = std::move(other.buffer_);
    return *this;
}

Result<Call> Call::to_unix(const std::string& path, Clock::time_point deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return failed("cannot connect", ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return connect(fd, &address, sizeof address, deadline);
}

Result<Call> Call::to_tcp(const Endpoint& endpoint, Clock::time_point deadline) {
    const bool v4 = endpoint.address.is_v4();
    const int fd = ::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (v4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port);
        std::memcpy(&address.sin_addr, endpoint.address.bytes.data() + 12, 4);
        return connect(fd, &address, sizeof address, deadline);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), 16);
    return connect(fd, &address, sizeof address, deadline);
}

Result<Call> Call::connect(int fd, const void* address, unsigned length, Clock::time_point deadline) {
    if (fd < 0) return failed("cannot make a socket", errno);
    Call call(fd, deadline);
    while (::connect(fd, static_cast<const sockaddr*>(address), length) != 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
            const int left = milliseconds_until(deadline);
            if (left == 0) return too_late();
            ::poll(nullptr, 0, std::min(left, kBacklogPauseMs));
            continue;
        }
        if (errno != EINPROGRESS) return failed("cannot connect", errno);
        if (Status ready = call.wait(POLLOUT); !ready) return unexpected(std::move(ready.error()));
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return failed("cannot connect", error);
        break;
    }
    return call;
}

Status Call::wait(short events) {
    while (true) {
        const int left = milliseconds_until(deadline_);
        pollfd waiting{.fd = fd_, .events = events, .revents = 0};
        const int ready = ::poll(&waiting, 1, left);
        if (ready > 0) return Done{};
        if (ready < 0 && errno != EINTR) return failed("cannot wait", errno);
        if (ready == 0 && left == 0) return too_late();
    }
}

Status Call::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            if (Status ready = wait(POLLOUT); !ready) return ready;
        } else if (errno != EINTR) {
            return failed("cannot send", errno);
        }
    }
    return Done{};
}

Result<Bytes> Call::receive() {
    buffer_.resize(kPieceBytes);
    while (true) {
        if (Clock::now() >= deadline_) return too_late();  // also where the other side never stops talking
        const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
        if (got >= 0) return as_bytes(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
        if (errno == EAGAIN) {
            if (Status ready = wait(POLLIN); !ready) return unexpected(std::move(ready.error()));
        } else if (errno != EINTR) {
            return failed("cannot receive", errno);
        }
    }
}

}  // namespace hopscope::procmap
