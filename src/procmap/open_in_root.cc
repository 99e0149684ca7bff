#include "procmap/open_in_root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/limits.h"

namespace hopscope::procmap {
namespace {

constexpr int kAttemptsMax = 8;
// Those links in a proc file system's own directory that are a path; others below it only look like one.
constexpr std::array<std::string_view, 4> kPlainLinksOfProc{"self", "thread-self", "mounts", "net"};
constexpr ino_t kTopOfProcInode = 1;  // PROC_ROOT_INO, include/linux/proc_fs.h

int openat_uninterrupted(int directory, const char* path, int flags) {
    int fd;
    do fd = ::openat(directory, path, flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int fail(int error) {
    errno = error;
    return -1;
}

long openat2_in_root(int root, const char* path, int flags) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_IN_ROOT;
    long fd = -1;
    // EAGAIN: something was renamed on the way, and the kernel cannot tell whether we are still inside.
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
        fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return fd;
}

// Asked once and of a directory that is always there: a file system that answers EPERM must not choose the way.
bool kernel_opens_in_root() {
    static const bool does = [] {
        const Descriptor top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        const Descriptor again(static_cast<int>(openat2_in_root(top.get(), "/", O_PATH | O_CLOEXEC)));
        return again.ok();
    }();
    return does;
}

// The walk: where it is, and what is left of the path.
class PartWalk {
public:
    PartWalk(int root, std::string_view path) : root_(root), rest_(path) {}

    int open(int flags) {
        while (true) {
            const std::string part = next();
            if (part.empty()) return openat_uninterrupted(here(), ".", flags);
            if (part == ".") continue;
            if (part == "..") {
                if (!above_.empty()) above_.pop_back();
                continue;
            }
            const bool last = rest_.find_first_not_of('/') == std::string::npos;
            Descriptor entry(openat_uninterrupted(here(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
            struct stat status {};
            if (!entry.ok() || ::fstat(entry.get(), &status) != 0) return -1;
            if (S_ISLNK(status.st_mode) && !(last && rest_.empty() && (flags & O_NOFOLLOW) != 0)) {
                if (!follow(entry.get(), part)) return -1;
                continue;
            }
            if (!last) {
                if (!S_ISDIR(status.st_mode)) return fail(ENOTDIR);
                if (above_.size() >= limits::kPathDepthMax) return fail(ENAMETOOLONG);
                above_.emplace_back(std::make_unique<Descriptor>(entry.release()));
                continue;
            }
            // Was it changed to a link in the meantime, this fails.
            return openat_uninterrupted(here(), part.c_str(), flags | O_NOFOLLOW | (rest_.empty() ? 0 : O_DIRECTORY));
        }
    }

private:
    [[nodiscard]] int here() const { return above_.empty() ? root_ : above_.back()->get(); }
    // Empty: there is no more.
    std::string next() {
        const std::size_t begin = std::min(rest_.find_first_not_of('/'), rest_.size());
        const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
        std::string part = rest_.substr(begin, end - begin);
        rest_.erase(0, end);
        return part;
    }
    [[nodiscard]] bool is_plain_link_of_proc(std::string_view name) const {
        struct stat status {};
        return ::fstat(here(), &status) == 0 && status.st_ino == kTopOfProcInode &&
               std::find(kPlainLinksOfProc.begin(), kPlainLinksOfProc.end(), name) != kPlainLinksOfProc.end();
    }
    bool follow(int link, std::string_view name) {
        if (is_procfs(link) && !is_plain_link_of_proc(name)) return fail(EXDEV) == 0;
        std::array<char, PATH_MAX> target;
        const ssize_t got = ::readlinkat(link, "", target.data(), target.size());
        if (got < 0) return false;
        if (got == 0) return fail(ENOENT) == 0;
        if (++links_ > limits::kSymbolicLinksMax) return fail(ELOOP) == 0;
        rest_.insert(0, target.data(), static_cast<std::size_t>(got));
        if (rest_.size() > PATH_MAX) return fail(ENAMETOOLONG) == 0;
        if (target[0] == '/') above_.clear();
        return true;
    }

    int root_;
    std::string rest_;
    std::vector<std::unique_ptr<Descriptor>> above_;  // the directories from the root to where it is
    int links_ = 0;
};

}  // namespace

bool is_procfs(int fd) {
    struct statfs where {};
    return ::fstatfs(fd, &where) == 0 && where.f_type == PROC_SUPER_MAGIC;
}

int walk_in_root(int root, std::string_view path, int flags) { return PartWalk(root, path).open(flags); }

int open_in_root(int root, std::string_view path, int flags) {
    if (!kernel_opens_in_root()) return walk_in_root(root, path, flags);
    return static_cast<int>(openat2_in_root(root, path.empty() ? "/" : std::string(path).c_str(), flags));
}

}  // namespace hopscope::procmap
