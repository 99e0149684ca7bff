#include "capture/byte_source.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hopscope::capture {

FileSource::~FileSource() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
}

std::size_t FileSource::read(std::uint8_t* out, std::size_t size) {
    if (ending_.kind != SourceEnd::Kind::clean) return 0;
    while (true) {
        const ssize_t got = ::read(fd_, out, size);
        if (got >= 0) {
            file_bytes_ += static_cast<std::uint64_t>(got);
            return static_cast<std::size_t>(got);
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            // Standard input may have been left non-blocking by whoever had it before us.
            pollfd waiting{fd_, POLLIN, 0};
            ::poll(&waiting, 1, -1);
            continue;
        }
        ending_ = {SourceEnd::Kind::failed, std::strerror(errno)};
        return 0;
    }
}

std::size_t MemorySource::read(std::uint8_t* out, std::size_t size) {
    const std::size_t n = std::min({size, piece_max_, bytes_.size() - taken_});
    if (n > 0) std::memcpy(out, bytes_.data() + taken_, n);
    taken_ += n;
    return n;
}

}  // namespace hopscope::capture
