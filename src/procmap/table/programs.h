// What the executables of the node's processes are; each is read once, and again only when the file changed.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>

#include "procmap/host_root.h"
#include "procmap/table/process_facts.h"
#include "procmap/table/roles.h"

namespace hopscope::procmap {

// In a tree that is not the live node, /proc/PID/exe may be a link to (or be) a text file instead of a program: what
// `go version -m` prints, or the line "conmon version 2.1.6".
class Programs {
public:
    explicit Programs(const HostRoot& root) : root_(&root) {}

    // Begins a look at all processes: as much may be searched in programs again.
    void begin_look();
    // Fills role, proof, doubt and version of the process; its arguments have been read unless it is dull. Where the
    // look's measure of searching was used up before, it sets `program_unread`: to be judged again by the next look.
    void judge(ProcessFacts& facts);
    // Its executable was looked at before and is of no component, and it is not named like one: judge() will not open
    // it and needs no arguments.
    [[nodiscard]] bool is_dull(const ProcessFacts& facts) const;

private:
    struct FileKey {
        std::uint64_t device = 0, inode = 0, size_bytes = 0;
        std::int64_t modified_ns = 0, changed_ns = 0;
        auto operator<=>(const FileKey&) const = default;
    };
    const Program* look(const std::string& path, bool search_texts, int& error);

    const HostRoot* root_;
    std::map<FileKey, Program> known_;
    std::uint64_t search_bytes_ = 0;  // that may still be searched in this look
    Program unfinished_;              // the last one that could not be searched
    // Path and container of programs that are nobody of interest: not even opened again. A path may stand for another
    // file in a mount namespace without container; a component there is found if it is named like one.
    std::unordered_set<std::string> dull_;
};

}  // namespace hopscope::procmap
