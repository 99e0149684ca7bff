#include "procmap/table/process_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/limits.h"
#include "procmap/kernel_numbers.h"
#include "procmap/open_in_root.h"
#include "procmap/table/numbered_entries.h"
#include "procmap/table/proc_path.h"

namespace hopscope::procmap {
namespace {

constexpr std::uint64_t kYoungSeconds = 10;  // a process that was forked to run another program has done it by then

bool is_link(int proc, std::uint32_t pid) {
    struct stat status {};
    return ::fstatat(proc, ProcPath(pid, "").text(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

// Ticks since boot, as field 22 of /proc/PID/stat counts them, so long ago.
std::uint64_t ticks_ago(std::uint64_t seconds) {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto up = static_cast<std::uint64_t>(now.tv_sec);
    return up <= seconds ? 0 : (up - seconds) * static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessBook::ProcessBook(const HostRoot& root) : root_(&root), programs_(root), descriptors_(root.is_live()) {
    const auto randomize = root.read("/proc/sys/kernel/randomize_va_space", 16);
    forks_are_known_ = root.is_live() && randomize && !randomize->starts_with('0');
}

ProcessBook::~ProcessBook() {
    if (proc_ >= 0) ::close(proc_);
}

Status ProcessBook::refresh(bool everything) {
    const auto cannot_read_proc = [this](const char* doing, int error) {
        return Error{.doing = doing,
                     .subject = root_->path("/proc"),
                     .why = std::strerror(error),
                     .errno_value = error,
                     .hint = "--host-root DIR, where DIR/proc is the host's /proc",
                     .code = "NOD-02"};
    };
    if (proc_ < 0) {
        const auto opened = root_->open_directory("/proc");
        if (!opened) return unexpected(cannot_read_proc("cannot open", opened.error().errno_value));
        proc_ = *opened;
        is_real_proc_ = is_procfs(proc_);
    }
    std::vector<std::uint32_t> pids;
    ::lseek(proc_, 0, SEEK_SET);
    const int error = each_numbered_entry(proc_, [&](std::uint32_t pid, const char*) {
        if (pid != 0) pids.push_back(pid);
        return true;
    });
    if (error != 0 && pids.empty()) return unexpected(cannot_read_proc("cannot list", error));
    // A tree's /proc/5 that is a link to the node's own /proc/1.
    if (!is_real_proc_) std::erase_if(pids, [this](std::uint32_t pid) { return is_link(proc_, pid); });
    std::sort(pids.begin(), pids.end());
    cut_ = pids.size() > limits::kProcessesMax;
    if (cut_) pids.resize(limits::kProcessesMax);
    ++round_;
    homes_.clear();
    programs_.begin_look();
    young_since_ticks_ = ticks_ago(kYoungSeconds);
    std::vector<KnownProcess> now;
    now.reserve(pids.size());
    auto before = processes_.begin();
    for (const std::uint32_t pid : pids) {
        while (before != processes_.end() && before->facts.process.id.pid < pid) ++before;
        const bool known = before != processes_.end() && before->facts.process.id.pid == pid;
        take_pid(pid, known ? &*before : nullptr, everything || !root_->is_live(), now);
    }
    processes_ = std::move(now);
    return Done{};
}

std::uint64_t ProcessBook::namespace_of(std::uint32_t pid, std::string_view kind, bool* denied) const {
    const std::string file = "ns/" + std::string(kind);
    if (is_real_proc_) return read_namespace(proc_, pid, file, denied);
    const auto link = root_->read_link("/proc/" + std::to_string(pid) + "/" + file);  // "ns" could be a link itself
    return link ? namespace_inode(*link, kind) : 0;
}

void ProcessBook::ask_namespace(ProcessFacts& facts) {
    facts.namespace_asked = true;
    facts.process.net_namespace = namespace_of(facts.process.id.pid, "net", &facts.namespace_denied);
}

bool ProcessBook::is_settled(const KnownProcess& known) const {
    const ProcessFacts& facts = known.facts;
    if (facts.is_kernel_thread || facts.namespace_asked) return true;
    return facts.process.net_namespace != 0 && known.walked_round != round_;  // the same sockets as before
}

void ProcessBook::settle_namespaces(std::uint64_t own, const SocketIndex& sockets, std::size_t own_sockets) {
    for (KnownProcess& known : processes_) {
        ProcessFacts& facts = known.facts;
        if (is_settled(known)) continue;
        const bool all_ours =
            !known.held.empty() && std::all_of(known.held.begin(), known.held.end(), [&](const HeldSocket& socket) {
                return sockets.any(socket.inode, [&](std::size_t position) { return position < own_sockets; });
            });
        if (all_ours)
            facts.process.net_namespace = own;
        else
            ask_namespace(facts);
    }
}

void ProcessBook::take_home(ProcessFacts& facts) {
    Process& process = facts.process;
    // The first process takes in the orphans of everybody.
    const bool is_known_fork =
        forks_are_known_ && process.parent_pid > 1 && facts.session != 0 && facts.places != MemoryPlaces();
    if (is_known_fork) {
        const auto found = homes_.find({process.parent_pid, facts.session, facts.places, process.comm});
        if (found != homes_.end()) {
            const Home& home = found->second;
            process.exe = home.exe;
            process.cgroup = home.cgroup;
            process.container_id = home.container_id;
            process.pod_uid = home.pod_uid;
            facts.is_monitor = home.is_monitor;
            return;
        }
    }
    read_executable(proc_, facts);
    read_container(proc_, facts);
    if (is_known_fork && !process.exe.empty() && !process.cgroup.empty())  // else it has ended: the next one is asked
        homes_.insert({{process.parent_pid, facts.session, facts.places, process.comm},
                       {process.exe, process.cgroup, process.container_id, process.pod_uid, facts.is_monitor}});
}

bool ProcessBook::read_facts(std::uint32_t pid, ProcessFacts& out) {
    if (!read_process(proc_, pid, out)) return false;
    if (!out.is_kernel_thread) take_home(out);
    if (!out.is_kernel_thread && !programs_.is_dull(out)) read_arguments(proc_, out);
    programs_.judge(out);
    if (out.process.role == ProcessRole::unknown && out.process.role_doubt.empty() && root_->is_live()) return true;
    ask_namespace(out);
    out.process.pid_namespace = namespace_of(pid, "pid");
    return true;
}

// A process with sockets whose directory of descriptors is as it was: nothing else of it is asked.
bool ProcessBook::keep_unchanged(KnownProcess& before, std::vector<KnownProcess>& out) {
    if (before.held.empty() || before.facts.process.id.start_ticks >= young_since_ticks_) return false;
    if (!(look_at_descriptors(proc_, before.facts.process.id.pid) == before.descriptors)) return false;
    before.descriptors_open = before.descriptors.open;
    out.push_back(std::move(before));
    return true;
}

void ProcessBook::take_pid(std::uint32_t pid, KnownProcess* before, bool everything, std::vector<KnownProcess>& out) {
    everything = everything || (before != nullptr && before->facts.program_unread);
    if (before != nullptr && !everything && keep_unchanged(*before, out)) return;
    KnownProcess next;
    if (before != nullptr && before->held.empty()) {
        next.directory = look_at_process(proc_, pid);  // before its facts: they are of this process, or of a later one
        if (next.directory.inode == 0) return;
        if (!everything && before->directory == next.directory &&
            before->facts.process.id.start_ticks < young_since_ticks_) {
            out.push_back(std::move(*before));
            return;
        }
    }
    if (!read_facts(pid, next.facts)) return;
    if (before != nullptr && before->facts.process.id == next.facts.process.id) {
        next.held = std::move(before->held);
        next.walk = before->walk;
        next.walked_round = before->walked_round;
        const DirectoryFacts now = look_at_descriptors(proc_, pid);
        next.descriptors = now;  // the number is that of the walk, for walk() to compare
        next.descriptors.open = before->descriptors.open;
        next.descriptors_open = now.open;
    }
    out.push_back(std::move(next));
}

void ProcessBook::recount() {
    for (KnownProcess& process : processes_)
        if (!process.facts.is_kernel_thread && process.held.empty() && process.walked_round != round_)
            process.descriptors_open = look_at_descriptors(proc_, process.facts.process.id.pid).open;
}

void ProcessBook::walk(bool everything) {
    for (KnownProcess& process : processes_) {
        if (process.facts.is_kernel_thread || process.walked_round == round_) continue;
        const bool changed = process.walk == Walk::none || process.descriptors_open != process.descriptors.open;
        if (!everything && !changed) continue;
        const std::uint32_t pid = process.facts.process.id.pid;
        process.walk = descriptors_.of(proc_, pid, process.held, process.descriptors);
        process.descriptors_open = process.descriptors.open;
        process.walked_round = round_;
    }
}

}  // namespace hopscope::procmap
