// One connection to a unix socket or a TCP port, with a deadline for everything together. Never blocks beyond it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/endpoint.h"
#include "core/result.h"

namespace hopscope::procmap {

class Call {
public:
    using Clock = std::chrono::steady_clock;

    // `path` as open(2) takes it; at most 107 bytes (unix(7)).
    static Result<Call> to_unix(const std::string& path, Clock::time_point deadline);
    static Result<Call> to_tcp(const Endpoint& endpoint, Clock::time_point deadline);
    ~Call();
    Call(Call&& other) noexcept;
    Call& operator=(Call&& other) noexcept;

    Status send(std::string_view bytes);
    // What has come, at least one byte; empty: the other side has closed. Borrowed until the next call.
    Result<Bytes> receive();

private:
    Call(int fd, Clock::time_point deadline) : fd_(fd), deadline_(deadline) {}
    static Result<Call> connect(int fd, const void* address, unsigned length, Clock::time_point deadline);
    Status wait(short events);

    int fd_ = -1;
    Clock::time_point deadline_;
    std::string buffer_;
};

}  // namespace hopscope::procmap
