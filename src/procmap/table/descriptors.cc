#include "procmap/table/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "core/limits.h"
#include "procmap/kernel_numbers.h"
#include "procmap/table/numbered_entries.h"
#include "procmap/table/proc_path.h"

namespace hopscope::procmap {
namespace {

// One descriptor: a socket is appended. errno of the link; 0: it was read.
int take_descriptor(int directory, const char* name, std::uint32_t fd, std::vector<HeldSocket>& out) {
    std::array<char, 32> target;  // a longer one is no socket
    const ssize_t size = ::readlinkat(directory, name, target.data(), target.size());
    if (size < 0) return errno;
    const std::uint64_t inode = socket_inode({target.data(), static_cast<std::size_t>(size)});
    if (inode != 0) out.push_back({inode, fd});
    return 0;
}

bool is_refused(int error) { return error == EACCES || error == EPERM; }

DirectoryFacts told(const struct stat& status) {
    return {.inode = status.st_ino,
            .changed_ns = std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec,
            .owner = status.st_uid,
            .open = static_cast<std::uint64_t>(status.st_size)};
}

// Links are not followed: of the kernel's none is one, in a tree they could lead to another root's processes.
DirectoryFacts look_at(int proc, const ProcPath& path) {
    struct stat status {};
    return ::fstatat(proc, path.text(), &status, AT_SYMLINK_NOFOLLOW) == 0 ? told(status) : DirectoryFacts();
}

}  // namespace

Walk DescriptorWalk::of(int proc, std::uint32_t pid, std::vector<HeldSocket>& out, DirectoryFacts& directory) {
    out.clear();
    const int opened = ::openat(proc, ProcPath(pid, "fd").text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (opened < 0) {
        const bool denied = is_refused(errno);
        directory = look_at_descriptors(proc, pid);
        return denied ? Walk::denied : Walk::gone;
    }
    struct stat status {};
    directory = ::fstat(opened, &status) == 0 ? told(status) : DirectoryFacts();
    const std::uint64_t count = is_real_proc_ ? directory.open : 0;
    Walk walk = Walk::none;
    if (count != 0 && count == numbers_.size()) walk = read_at_known_numbers(opened, out);
    if (walk == Walk::none) walk = list(opened, count, out);
    ::close(opened);
    return walk;
}

// Walk::none: it has others, nothing was taken.
Walk DescriptorWalk::read_at_known_numbers(int directory, std::vector<HeldSocket>& out) {
    out.reserve(numbers_.size());
    for (const std::uint32_t number : numbers_) {
        std::array<char, 12> name;
        *std::to_chars(name.data(), name.data() + name.size() - 1, number).ptr = '\0';
        const int error = take_descriptor(directory, name.data(), number, out);
        if (error == 0) continue;
        out.clear();
        return is_refused(error) ? Walk::denied : Walk::none;
    }
    return Walk::whole;  // as many as it has, and all of them open
}

Walk DescriptorWalk::list(int directory, std::uint64_t count, std::vector<HeldSocket>& out) {
    numbers_.clear();
    bool refused = false;
    const int error = each_numbered_entry(directory, [&](std::uint32_t number, const char* name) {
        numbers_.push_back(number);
        refused = is_refused(take_descriptor(directory, name, number, out));
        // All that were counted: the call that would say so again is spared. One opened meanwhile changes the count.
        const bool was_last = count != 0 && numbers_.size() == count;
        return !refused && !was_last && numbers_.size() < limits::kDescriptorsPerProcessMax;
    });
    if (refused || is_refused(error)) return Walk::denied;
    if (error != 0) return Walk::gone;
    const auto before = [](const HeldSocket& a, const HeldSocket& b) { return a.fd < b.fd; };
    if (!std::is_sorted(out.begin(), out.end(), before)) std::sort(out.begin(), out.end(), before);  // no real /proc
    return Walk::whole;
}

DirectoryFacts look_at_process(int proc, std::uint32_t pid) { return look_at(proc, ProcPath(pid, "")); }

DirectoryFacts look_at_descriptors(int proc, std::uint32_t pid) { return look_at(proc, ProcPath(pid, "fd")); }

}  // namespace hopscope::procmap
