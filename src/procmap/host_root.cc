#include "procmap/host_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

#include "core/descriptor.h"
#include "procmap/open_in_root.h"

namespace hopscope::procmap {
namespace {

constexpr std::size_t kFirstReadBytes = 4096;  // most files of /proc and most settings fit

Unexpected<Error> cannot(const char* doing, std::string subject, int error) {
    // strerror: "Invalid cross-device link"
    const char* const why =
        error == EXDEV ? "A link on its way leads to what only one process sees" : std::strerror(error);
    return unexpected(Error{.doing = doing, .subject = std::move(subject), .why = why, .errno_value = error});
}

bool take(std::string_view& text, std::string_view head) {
    if (!text.starts_with(head)) return false;
    text.remove_prefix(head.size());
    return true;
}

bool take_number(std::string_view& text) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(end);
    return end != 0;
}

// "/proc/7/exe" → "exe"; empty: it is not of a process.
std::string_view in_process(std::string_view on_host) {
    if (!take(on_host, "/proc/")) return {};
    if (!take_number(on_host) && !take(on_host, "thread-self") && !take(on_host, "self")) return {};
    return take(on_host, "/") ? on_host : std::string_view();
}

// How many bytes of "/proc/7/root/etc/x" are the process's root; 0: it does not lie below one.
std::size_t length_of_process_root(std::string_view on_host) {
    const std::string_view rest = in_process(on_host);
    constexpr std::string_view kRoot = "root";
    return rest.starts_with("root/") ? on_host.size() - rest.size() + kRoot.size() : 0;
}

bool is_kernel_link(std::string_view on_host) {
    std::string_view rest = in_process(on_host);
    if (rest == "exe" || rest == "root" || rest == "cwd") return true;
    if (take(rest, "ns/")) return !rest.empty() && rest.find('/') == std::string_view::npos;
    return take(rest, "fd/") && take_number(rest) && rest.empty();
}

int open_plainly(const std::string& path, int flags, int directory = AT_FDCWD) {
    int fd;
    do fd = ::openat(directory, path.c_str(), flags);
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
    if (const std::size_t length = length_of_process_root(on_host); length != 0) {
        const Descriptor top(open_below(on_host.substr(0, length), O_PATH | O_DIRECTORY));
        return top.ok() ? open_in_root(top.get(), on_host.substr(length), flags) : -1;
    }
    if (is_live()) return open_plainly(path(on_host), flags);
    const Descriptor top(open_top());
    if (!top.ok()) return -1;
    const int fd = open_in_root(top.get(), on_host, flags);
    if (fd >= 0 || errno != EXDEV || !is_kernel_link(on_host)) return fd;
    const Descriptor proc(open_proc());
    if (!proc.ok()) {
        errno = EXDEV;
        return -1;
    }
    return open_plainly(std::string(on_host.substr(std::strlen("/proc/"))), flags, proc.get());
}

int HostRoot::open_top() const { return open_plainly(directory_, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int HostRoot::open_proc() const {
    const Descriptor top(open_top());
    Descriptor proc(top.ok() ? open_in_root(top.get(), "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1);
    return proc.ok() && is_procfs(proc.get()) ? proc.release() : -1;
}

bool HostRoot::has_real_proc() const { return is_live() || Descriptor(open_proc()).ok(); }

Result<int> HostRoot::open_directory(std::string_view on_host) const {
    const int fd = open_below(on_host, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return cannot("cannot open", path(on_host), errno);
    return fd;
}

Result<int> HostRoot::open(std::string_view on_host) const {
    // A device is not opened to see that it is one where somebody in a container may have put it this moment; for what
    // lies elsewhere one look fewer is taken. O_NONBLOCK: a FIFO without a writer must not hold us before fstat.
    const bool look_first = length_of_process_root(on_host) != 0;
    Descriptor fd(open_below(on_host, look_first ? O_PATH : O_RDONLY | O_NONBLOCK));
    struct stat status {};
    if (!fd.ok() || ::fstat(fd.get(), &status) != 0) return cannot("cannot open", path(on_host), errno);
    if (S_ISDIR(status.st_mode)) return cannot("cannot open", path(on_host), EISDIR);
    if (!S_ISREG(status.st_mode)) {
        Error error{
            .doing = "cannot open", .subject = path(on_host), .why = "Not a regular file", .errno_value = EINVAL};
        return unexpected(std::move(error));
    }
    if (!look_first) return fd.release();
    const int readable = open_plainly("/proc/self/fd/" + std::to_string(fd.get()), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (readable < 0) return cannot("cannot open", path(on_host), errno);
    return readable;
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
    if (is_live() && length_of_process_root(on_host) == 0) {
        got = ::readlink(path(on_host).c_str(), target.data(), target.size());
    } else {
        const Descriptor link(open_below(on_host, O_PATH | O_NOFOLLOW));
        if (!link.ok()) return cannot("cannot read the link", path(on_host), errno);
        got = ::readlinkat(link.get(), "", target.data(), target.size());
        if (got < 0 && errno == ENOENT) errno = EINVAL;  // how readlinkat says that this is no link
    }
    if (got < 0) return cannot("cannot read the link", path(on_host), errno);
    target.resize(static_cast<std::size_t>(got));
    return target;
}

Result<FileNumbers> HostRoot::stat(std::string_view on_host) const {
    struct stat status {};
    if (is_live() && length_of_process_root(on_host) == 0) {
        if (::stat(path(on_host).c_str(), &status) != 0) return cannot("cannot look at", path(on_host), errno);
        return numbers_of(status);
    }
    const Descriptor fd(open_below(on_host, O_PATH));
    if (!fd.ok() || ::fstat(fd.get(), &status) != 0) return cannot("cannot look at", path(on_host), errno);
    return numbers_of(status);
}

Result<std::vector<std::string>> HostRoot::list(std::string_view on_host, std::size_t limit) const {
    Descriptor fd(open_below(on_host, O_RDONLY | O_DIRECTORY));
    if (!fd.ok()) return cannot("cannot list", path(on_host), errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), &::closedir);
    if (!directory) return cannot("cannot list", path(on_host), errno);
    fd.release();
    std::vector<std::string> names;
    while (names.size() < limit) {
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
