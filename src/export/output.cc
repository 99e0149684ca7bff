#include "export/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hopscope::exports {

Output::Output()
    : buffer_(std::make_unique_for_overwrite<char[]>(kOutputBufferBytes)),
      at_(buffer_.get()),
      end_(buffer_.get() + kOutputBufferBytes) {}

void Output::drain() {
    const auto size = static_cast<std::size_t>(at_ - buffer_.get());
    at_ = buffer_.get();
    if (size > 0) write({buffer_.get(), size});
}

void Output::append_large(std::string_view text) {
    drain();
    if (text.size() >= kOutputBufferBytes) {
        write(text);  // a copy through the buffer would gain nothing
        return;
    }
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
}

void FdOutput::write(std::string_view bytes) {
    while (!bytes.empty() && errno_value_ == 0) {
        const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
        if (written >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
            if (::poll(&ready, 1, -1) < 0 && errno != EINTR) errno_value_ = errno;
        } else if (errno != EINTR) {
            errno_value_ = errno;
        }
    }
}

Status FdOutput::status() const {
    if (errno_value_ == 0) return Done{};
    Error error{.doing = "cannot write",
                .subject = subject_,
                .why = std::generic_category().message(errno_value_),
                .errno_value = errno_value_,
                .hint = "",
                .code = "OUT-03"};
    if (errno_value_ == EPIPE) {
        error.code = "OUT-01";
        error.hint = "the program that read the output has ended; nothing to repair here";
    } else if (errno_value_ == ENOSPC || errno_value_ == EDQUOT || errno_value_ == EFBIG) {
        error.code = "OUT-02";
        error.hint = "free some space or write elsewhere: -O FILE";
    }
    return unexpected(std::move(error));
}

}  // namespace hopscope::exports
