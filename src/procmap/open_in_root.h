// Opens a file below a directory as a process sees it whose root that directory is: symbolic links with absolute
// targets start again there, and ".." does not lead out of it. For trees and for /proc/PID/root, whose links somebody
// else made.
//
// By openat2(2) with RESOLVE_IN_ROOT (Linux 5.6); where the kernel is older or a seccomp filter forbids it, part by
// part. Links that only the kernel can follow (/proc/PID/exe) are not followed: they lead anywhere. errno is EXDEV
// then.
#pragma once

#include <string_view>

namespace hopscope::procmap {

// A descriptor that the caller closes; -1 and errno. `root` is a descriptor of a directory (O_PATH will do); `flags` as
// of open(2), never O_CREAT.
int open_in_root(int root, std::string_view path, int flags);

// The same without openat2.
int walk_in_root(int root, std::string_view path, int flags);

// Whether an open descriptor lies on a proc file system: its links were made by the kernel, not by whoever made a tree.
bool is_procfs(int fd);

}  // namespace hopscope::procmap
