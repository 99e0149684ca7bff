#include "capture/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace hopscope::capture {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;  // one write(2)

Unexpected<Error> cannot_write(const std::string& name, int error) {
    const char* hint = "";
    switch (error) {
        case EACCES:
        case EPERM:
        case EROFS: hint = "write to a directory that is yours"; break;
        case ENOENT: hint = "create the directory first"; break;
        case ENOSPC:
        case EDQUOT: hint = "free some space; what was written before can be read"; break;
        default: break;
    }
    return unexpected(Error{.doing = "cannot write",
                            .subject = name,
                            .why = std::strerror(error),
                            .errno_value = error,
                            .hint = hint,
                            .code = "CAP-20"});
}

std::optional<unsigned> number_from_environment(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    unsigned number = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, number);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

// Root through sudo writes for the person who called it. Where that fails (some network disks) the file stays root's.
void give_to_caller(int fd) {
    if (::geteuid() != 0) return;
    const auto user = number_from_environment("SUDO_UID"), group = number_from_environment("SUDO_GID");
    if (user && ::fchown(fd, *user, group ? *group : static_cast<gid_t>(-1)) != 0) return;
}

// Nothing is lost by writing to these, and a device must not be replaced by a file.
bool is_device_or_pipe(const std::string& name) {
    struct stat status {};
    return ::stat(name.c_str(), &status) == 0 && (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode));
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::string& name, bool overwrite) {
    const auto made = [&](int fd, bool regular) {
        return std::unique_ptr<OutputFile>(new OutputFile(name, fd, regular));
    };
    if (name == "-") return made(STDOUT_FILENO, false);
    if (is_device_or_pipe(name)) {
        const int fd = ::open(name.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) return cannot_write(name, errno);
        return made(fd, false);
    }
    // A new file under the old name: what a link points at is never written through.
    if (overwrite && ::unlink(name.c_str()) != 0 && errno != ENOENT) return cannot_write(name, errno);
    const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        if (errno != EEXIST) return cannot_write(name, errno);
        return unexpected(Error{.doing = "cannot write",
                                .subject = name,
                                .why = "the file exists already",
                                .errno_value = EEXIST,
                                .hint = "choose another name, or remove it first",
                                .code = "CAP-21"});
    }
    give_to_caller(fd);
    return made(fd, true);
}

OutputFile::~OutputFile() { static_cast<void>(close()); }

Status OutputFile::append(std::initializer_list<Bytes> parts) {
    if (error_ != 0) return fail(error_);
    std::size_t size = 0;
    for (const Bytes part : parts) size += part.size();
    if (buffer_.size() + size > kBufferBytes) {
        if (Status status = flush(); !status) return status;
    }
    if (buffer_.capacity() < kBufferBytes) buffer_.reserve(kBufferBytes);
    if (size <= kBufferBytes) {
        for (const Bytes part : parts) buffer_.insert(buffer_.end(), part.begin(), part.end());
        ends_.push_back(buffer_.size());
        return Done{};
    }
    for (const Bytes part : parts) {
        std::size_t written = 0;
        if (const int error = write_all(part, written); error != 0) return fail(error);
    }
    whole_bytes_ += size;
    return Done{};
}

Status OutputFile::flush() {
    if (error_ != 0) return fail(error_);
    std::size_t written = 0;
    const int error = write_all(buffer_, written);
    // The records that got through whole, all of them when nothing failed.
    const auto whole = std::upper_bound(ends_.begin(), ends_.end(), written);
    whole_bytes_ += whole == ends_.begin() ? 0 : *std::prev(whole);
    buffer_.clear();
    ends_.clear();
    if (error != 0) return fail(error);
    return Done{};
}

// Returns errno of a failure, or 0.
int OutputFile::write_all(Bytes bytes, std::size_t& written) const {
    while (written < bytes.size()) {
        const ssize_t n = ::write(fd_, bytes.data() + written, bytes.size() - written);
        if (n >= 0) {
            written += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            pollfd waiting{fd_, POLLOUT, 0};
            ::poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

Status OutputFile::fail(int error) {
    const bool first = error_ == 0;
    error_ = error;
    // A half-written record at the end would make the file look cut off. Where this fails, too, readers say so.
    if (first && regular_ && ::ftruncate(fd_, static_cast<off_t>(whole_bytes_)) != 0)
        return cannot_write(name_, error_);
    return cannot_write(name_, error_);
}

Status OutputFile::close() {
    if (fd_ < 0) return Done{};
    Status status = flush();
    const int fd = std::exchange(fd_, -1);
    if (fd > STDERR_FILENO && ::close(fd) != 0 && status) {
        error_ = errno;
        return cannot_write(name_, error_);
    }
    return status;
}

}  // namespace hopscope::capture
