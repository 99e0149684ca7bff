// The node's files, seen from a root directory that is an argument: "/" on the node, "/host" in a container, a fake
// tree in tests. Everything that procmap reads of the host goes through here.
//
// Read-only. Bounded: no file is read beyond the limit given. Paths are absolute on the host ("/proc/1/stat").
//
// Under another root a symbolic link with an absolute target leads to that place below the root, and ".." does not lead
// out of it (open_in_root.h). What lies below /proc/PID/root is seen as that process sees it, on the node itself too.
// Links that only the kernel can follow (/host/proc/1/exe) are followed by the kernel where DIR/proc is the real one.
// Only regular files are read: to open a device may already do something, a FIFO may wait for ever.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hopscope::procmap {

struct FileNumbers {
    std::uint64_t device = 0, inode = 0;
    bool is_socket = false, is_fifo = false, is_directory = false, is_regular = false;
    std::uint64_t size_bytes = 0;
    std::int64_t modified_ns = 0;
    std::uint32_t mode = 0, user_id = 0, group_id = 0;  // mode: the twelve bits of permissions
};

class HostRoot {
public:
    explicit HostRoot(std::string directory = "/");

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] bool is_live() const;                              // "/" : the running node itself
    [[nodiscard]] std::string path(std::string_view on_host) const;  // what to open(2)
    // At most `limit` bytes (a longer file is cut there). errno_value of the error tells ENOENT from EACCES.
    [[nodiscard]] Result<std::string> read(std::string_view on_host, std::size_t limit = 1024 * 1024) const;
    [[nodiscard]] Result<std::string> read_link(std::string_view on_host) const;
    [[nodiscard]] Result<FileNumbers> stat(std::string_view on_host) const;
    // Names in a directory, sorted, without "." and ".."; at most `limit` of them, in which case it says nothing of
    // which.
    [[nodiscard]] Result<std::vector<std::string>> list(std::string_view on_host, std::size_t limit = SIZE_MAX) const;
    // For reading in pieces: a descriptor of the regular file, which the caller closes.
    [[nodiscard]] Result<int> open(std::string_view on_host) const;
    // For listing it, and for names below it: a descriptor which the caller closes.
    [[nodiscard]] Result<int> open_directory(std::string_view on_host) const;
    // Is its /proc a running kernel's ("/", or the host's root mounted somewhere), not files that somebody wrote?
    [[nodiscard]] bool has_real_proc() const;

private:
    // All three: -1 and errno.
    [[nodiscard]] int open_top() const;
    [[nodiscard]] int open_below(std::string_view on_host, int flags) const;
    [[nodiscard]] int open_proc() const;  // of another root, if it is real

    std::string directory_;  // no slash at the end; empty for "/"
};

}  // namespace hopscope::procmap
