// Files as a process sees them: through /proc/PID/root where that can be followed, else through the host's root (never
// for a process in a container, whose paths mean other files there). Only regular files of bounded size are read, and
// of one process's files and directories together no more than limits.h says ("settings of components"): who may write
// one of them may name many. What is left out for that is told to the draft.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/process.h"
#include "procmap/config/draft.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// A file or directory that a configuration depends on, and what it was when it was looked at.
struct FileSeen {
    std::string on_host;  // for HostRoot
    bool there = false;
    FileNumbers numbers;
};
// True if it is still what it was.
bool unchanged(const HostRoot& root, const FileSeen& seen);

class ProcessFiles {
public:
    // Borrows all three. `seen` may be nullptr.
    ProcessFiles(const HostRoot& root, const Process& process, std::vector<FileSeen>* seen);

    // The file's text. A failure is told to `draft` unless the file is only optional and is not there.
    std::optional<std::string> read(std::string_view path, Draft& draft, bool optional);
    // Full paths of the files in `directory` whose names end in `suffix`, sorted.
    std::vector<std::string> with_suffix(std::string_view directory, std::string_view suffix, Draft& draft);
    // Full paths that match a pattern with '*' and '?' in its last part; the pattern itself where it has none.
    std::vector<std::string> matching(const std::string& pattern, Draft& draft);
    // `path`, or relative to the process's working directory.
    [[nodiscard]] std::string absolute(std::string_view path) const;

private:
    [[nodiscard]] std::string on_host(std::string_view path) const;
    void note(const std::string& on_host, const Result<FileNumbers>& numbers);
    std::vector<std::string> names_in(std::string_view directory, Draft& draft);

    const HostRoot& root_;
    const Process& process_;
    std::vector<FileSeen>* seen_;
    std::string prefix_;  // "/proc/PID/root", or empty
    bool reachable_ = true;
    std::set<std::string> noted_;
    std::size_t files_read_ = 0, bytes_read_ = 0, listings_ = 0, names_ = 0;
};

}  // namespace hopscope::procmap
