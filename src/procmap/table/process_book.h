// The processes of the node, kept from one look to the next.
//
// A process is the same as before when the kernel shows the same inode for /proc/PID, or for /proc/PID/fd (they are
// bound to that very process, not to its number). What may change during its life (arguments and name by exec, cgroup)
// is read again for processes that are young or whose number of open descriptors changed, and for all when refresh() is
// told so.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "core/result.h"
#include "procmap/table/descriptors.h"
#include "procmap/table/process_facts.h"
#include "procmap/table/programs.h"
#include "procmap/table/socket_index.h"

namespace hopscope::procmap {

struct KnownProcess {
    ProcessFacts facts;
    DirectoryFacts directory;            // of the process itself; only asked of those without sockets
    DirectoryFacts descriptors;          // at the last walk
    std::uint64_t descriptors_open = 0;  // at this look, where it was asked
    std::uint64_t walked_round = 0;      // the look at which `held` was read
    Walk walk = Walk::none;
    std::vector<HeldSocket> held;
};

class ProcessBook {
public:
    explicit ProcessBook(const HostRoot& root);
    ~ProcessBook();
    ProcessBook(const ProcessBook&) = delete;
    ProcessBook& operator=(const ProcessBook&) = delete;

    Status refresh(bool everything);
    // Descriptors of the processes whose number of descriptors changed. `everything`: of all not walked in this look.
    void walk(bool everything);
    // Network namespaces that are not known yet. A process whose sockets are all among the first `own_sockets` of
    // `sockets`, which are those of our own namespace `own`, is taken to be in it: the link of its namespace costs as
    // much as the rest of its /proc files by half. Wrong of one that went elsewhere and holds no socket there.
    // Processes of containers and of the node's parts are always asked.
    void settle_namespaces(std::uint64_t own, const SocketIndex& sockets, std::size_t own_sockets);
    // Asks the number of descriptors of processes without sockets too: somewhere a socket was opened.
    void recount();

    [[nodiscard]] std::vector<KnownProcess>& processes() { return processes_; }  // by pid
    [[nodiscard]] int proc() const { return proc_; }
    [[nodiscard]] bool is_cut() const { return cut_; }  // there were more than limits::kProcessesMax

private:
    // What forks of one program share: whoever moves a process to another container begins a session for it.
    struct Family {
        std::uint32_t parent = 0, session = 0;
        MemoryPlaces places;
        Untrusted comm;
        auto operator<=>(const Family&) const = default;
    };
    struct Home {
        Untrusted exe, cgroup, container_id, pod_uid;
        bool is_monitor = false;
    };

    [[nodiscard]] bool is_settled(const KnownProcess& known) const;
    [[nodiscard]] std::uint64_t namespace_of(std::uint32_t pid, std::string_view kind, bool* denied = nullptr) const;
    void ask_namespace(ProcessFacts& facts);
    void take_home(ProcessFacts& facts);
    bool read_facts(std::uint32_t pid, ProcessFacts& out);
    bool keep_unchanged(KnownProcess& before, std::vector<KnownProcess>& out);
    void take_pid(std::uint32_t pid, KnownProcess* before, bool everything, std::vector<KnownProcess>& out);

    const HostRoot* root_;
    Programs programs_;
    DescriptorWalk descriptors_;
    int proc_ = -1;
    bool is_real_proc_ = false;     // the kernel's; else a tree's files
    bool forks_are_known_ = false;  // by their places in memory
    bool cut_ = false;
    std::uint64_t round_ = 0;
    std::uint64_t young_since_ticks_ = 0;
    std::vector<KnownProcess> processes_;
    std::map<Family, Home> homes_;  // of this look
};

}  // namespace hopscope::procmap
