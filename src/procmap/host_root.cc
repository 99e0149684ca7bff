#include "procmap/host_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

#include "core/descriptor.h"

namespace hopscope::procmap {
namespace {

constexpr std::size_t kFirstReadBytes = 4096;  // most files of /proc and most settings fit

Unexpected<Error> cannot(const char* doing, std::string subject, int error) {
    return unexpected(
        Error{.doing = doing, .subject = std::move(subject), .why = std::strerror(error), .errno_value = error});
}

bool is_proc(std::string_view on_host) { return on_host.substr(0, 6) == "/proc/"; }

int open_plainly(const std::string& path, int flags) {
    int fd;
    do fd = ::open(path.c_str(), flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

FileNumbers numbers_of(const struct stat& status) {
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .is_socket = S_ISSOCK(status.st_mode),
            .is_fifo = S_ISFIFO(status.st_mode),
            .is_directory = S_ISDIR(status.st_mode),
            .is_regular = S_ISREG(status.st_mode),
            .size_bytes = static_cast<std::uint64_t>(status.st_size),
            .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
            .mode = status.st_mode & 07777,
            .user_id = status.st_uid,
            .group_id = status.st_gid};
}

}  // namespace

HostRoot::HostRoot(std::string directory) : directory_(std::move(directory)) {
    while (!directory_.empty() && directory_.back() == '/') directory_.pop_back();
}

bool HostRoot::is_live() const { return directory_.empty(); }

std::string HostRoot::path(std::string_view on_host) const {
    std::string whole = directory_;
    if (on_host.empty() || on_host.front() != '/') whole += '/';
    whole += on_host;
    return whole;
}

int HostRoot::open_below(std::string_view on_host, int flags) const {
    flags |= O_CLOEXEC;
    if ((flags & O_PATH) == 0) flags |= O_NOCTTY;  // openat2 refuses it for paths
    if (on_host.find('\0') != std::string_view::npos) {
        errno = EINVAL;
        return -1;
    }
    if (is_live()) return open_plainly(path(on_host), flags);
    const Descriptor root(open_plainly(directory_, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (root.get() < 0) return -1;
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_IN_ROOT;
    const std::string wanted(on_host.empty() ? "/" : on_host);
    long fd = -1;
    // EAGAIN: something was renamed on the way, and the kernel cannot tell whether we are still inside.
    for (int attempt = 0; attempt < 8; ++attempt) {
        fd = ::syscall(SYS_openat2, root.get(), wanted.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    if (fd >= 0) return static_cast<int>(fd);
    const bool old_kernel = errno == ENOSYS || errno == EPERM;
    const bool kernel_link = (errno == EXDEV || errno == ELOOP) && is_proc(on_host);
    return old_kernel || kernel_link ? open_plainly(path(on_host), flags) : -1;
}

Result<int> HostRoot::open(std::string_view on_host) const {
    // O_NONBLOCK: a FIFO without a writer must not hold us before fstat tells what it is.
    Descriptor fd(open_below(on_host, O_RDONLY | O_NONBLOCK));
    if (fd.get() < 0) return cannot("cannot open", path(on_host), errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return cannot("cannot open", path(on_host), errno);
    if (S_ISDIR(status.st_mode)) return cannot("cannot open", path(on_host), EISDIR);
    if (!S_ISREG(status.st_mode)) {
        Error error{
            .doing = "cannot open", .subject = path(on_host), .why = "Not a regular file", .errno_value = EINVAL};
        return unexpected(std::move(error));
    }
    return fd.release();
}

Result<std::string> HostRoot::read(std::string_view on_host, std::size_t limit) const {
    auto opened = open(on_host);
    if (!opened) {
        opened.error().doing = "cannot read";
        return unexpected(std::move(opened.error()));
    }
    const Descriptor fd(*opened);
    std::string text;
    std::size_t used = 0;
    while (used < limit) {
        if (text.size() == used) text.resize(std::min(limit, std::max(kFirstReadBytes, 2 * used)));
        const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot("cannot read", path(on_host), errno);
        if (got == 0) break;
        used += static_cast<std::size_t>(got);
    }
    text.resize(used);
    return text;
}

Result<std::string> HostRoot::read_link(std::string_view on_host) const {
    std::string target(PATH_MAX, '\0');
    ssize_t got;
    if (is_live()) {
        got = ::readlink(path(on_host).c_str(), target.data(), target.size());
    } else {
        const Descriptor link(open_below(on_host, O_PATH | O_NOFOLLOW));
        if (link.get() < 0) return cannot("cannot read the link", path(on_host), errno);
        got = ::readlinkat(link.get(), "", target.data(), target.size());
        if (got < 0 && errno == ENOENT) errno = EINVAL;  // how readlinkat says that this is no link
    }
    if (got < 0) return cannot("cannot read the link", path(on_host), errno);
    target.resize(static_cast<std::size_t>(got));
    return target;
}

Result<FileNumbers> HostRoot::stat(std::string_view on_host) const {
    struct stat status {};
    if (is_live()) {
        if (::stat(path(on_host).c_str(), &status) != 0) return cannot("cannot look at", path(on_host), errno);
        return numbers_of(status);
    }
    const Descriptor fd(open_below(on_host, O_PATH));
    if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) return cannot("cannot look at", path(on_host), errno);
    return numbers_of(status);
}

Result<std::vector<std::string>> HostRoot::list(std::string_view on_host) const {
    Descriptor fd(open_below(on_host, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) return cannot("cannot list", path(on_host), errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), &::closedir);
    if (!directory) return cannot("cannot list", path(on_host), errno);
    fd.release();
    std::vector<std::string> names;
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr) {
            if (errno != 0 && names.empty()) return cannot("cannot list", path(on_host), errno);
            break;
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace hopscope::procmap
