#include "cli/live_late.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "chain/find_session.h"
#include "chain/join_words.h"
#include "core/limits.h"
#include "procmap/names/execs.h"

namespace hopscope::cli {
namespace {

// A node has some dozens of sessions at once. Beyond it none is known to be the only one.
constexpr std::size_t kConnectionsMax = 256;
// Containers of a full node (250 pods of some containers), and their execs.
constexpr std::size_t kProcessesMax = 2048;
// As much as the kernel side reads of a program that is started (bpf/).
constexpr std::size_t kArgumentBytes = 512;
// Below all execs together; a container may be full of processes, and of each the arguments are read.
constexpr std::size_t kBelowMax = 8192;
constexpr std::size_t kPidDigitsMax = 16;
constexpr std::int64_t kPauseNs = kNanosecondsPerSecond / 4;
// As long as a chain waits before it is told.
constexpr std::int64_t kSettleNs = 2 * kNanosecondsPerSecond;

// Which of the holders is a process of this role; null: none.
const Process* holder(const procmap::HeldStreams& held, const SocketTable& table, ProcessRole role) {
    for (const SocketOwner& owner : held.holders) {
        const Process* process = find_process(table, owner.process.pid);
        if (process && process->role == role) return process;
    }
    return nullptr;
}

std::vector<Untrusted> arguments_of(const procmap::HostRoot& root, std::uint32_t pid) {
    std::vector<Untrusted> words;
    const Result<std::string> read = root.read("/proc/" + std::to_string(pid) + "/cmdline", kArgumentBytes);
    std::string_view rest = read ? std::string_view(*read) : std::string_view();
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\0'), rest.size());
        words.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return words;
}

// The shim's folder is that of a container of the pod; the others' stand beside it.
std::optional<std::uint32_t> pid_in_bundle(const procmap::HostRoot& root, const Process& shim,
                                           const procmap::HeldStreams& held) {
    const Result<std::string> own = root.read_link("/proc/" + std::to_string(shim.id.pid) + "/cwd");
    const std::size_t slash = own ? own->rfind('/') : std::string::npos;
    if (slash == std::string::npos) return std::nullopt;
    const bool main = held.exec_id == held.container_id;
    const Result<std::string> text = root.read(
        own->substr(0, slash + 1) + held.container_id + "/" + (main ? "init" : held.exec_id) + ".pid", kPidDigitsMax);
    std::uint32_t pid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc() || pid == 0)
        return std::nullopt;
    return pid;
}

// What runs in containers, and who made it.
class Containers {
public:
    explicit Containers(const SocketTable& table) {
        for (const Process& each : table.processes) {
            if (!each.container_id.empty()) children_[each.parent_pid].push_back(&each);
        }
    }
    // In the container, by their start: of what a shim has started the first is the main process.
    [[nodiscard]] std::vector<const Process*> of(std::uint32_t parent_pid, const Untrusted& container_id) const {
        const auto all = children_.find(parent_pid);
        if (all == children_.end()) return {};
        std::vector<const Process*> found;
        std::ranges::copy_if(all->second, std::back_inserter(found),
                             [&](const Process* each) { return each->container_id == container_id; });
        std::ranges::sort(found, [](const Process* x, const Process* y) {
            return std::tie(x->id.start_ticks, x->id.pid) < std::tie(y->id.start_ticks, y->id.pid);
        });
        return found;
    }

private:
    std::unordered_map<std::uint32_t, std::vector<const Process*>> children_;
};

// The process and what runs below it in the same container, parents before their children; `room`: for so many more.
std::vector<chain::RunningProcess> tree_of(const procmap::HostRoot& root, const Containers& containers,
                                           const Process& first, std::size_t& room) {
    std::vector<chain::RunningProcess> tree;
    std::vector<std::pair<const Process*, std::uint32_t>> row{{&first, 0}};  // and the place of its parent
    for (std::uint32_t place = 0; place < row.size(); ++place) {
        const Process& process = *row[place].first;
        chain::RunningProcess& running = tree.emplace_back();
        running.id = process.id;
        running.parent_pid = process.parent_pid;
        running.ran.parent = row[place].second;
        running.ran.process = {.pid = process.id.pid, .comm = process.comm, .exe = process.exe};
        running.ran.command = arguments_of(root, process.id.pid);
        running.ran.start = process.started;
        for (const Process* child : containers.of(process.id.pid, first.container_id)) {
            if (row.size() >= limits::kBookRanPerProgramMax || room == 0) break;
            --room;
            row.emplace_back(child, place);
        }
    }
    return tree;
}

}  // namespace

void LateSessions::add_connections(const SocketTable& table) {
    std::set<std::pair<std::uint32_t, std::uint16_t>> listening;  // containerd, port
    const auto each_of_containerd = [&](SocketState state, const auto& take) {
        for (const Socket& socket : table.sockets) {
            if (socket.transport != Transport::tcp || socket.state != state) continue;
            for (const SocketOwner& owner : socket.owners) {
                const Process* process = find_process(table, owner.process.pid);
                if (process && process->role == ProcessRole::containerd) take(socket, process->id.pid);
            }
        }
    };
    each_of_containerd(SocketState::listen,
                       [&](const Socket& socket, std::uint32_t pid) { listening.emplace(pid, socket.local.port); });
    each_of_containerd(SocketState::established, [&](const Socket& socket, std::uint32_t pid) {
        if (!listening.contains({pid, socket.local.port})) return;
        if (book_.connections().size() >= kConnectionsMax) return book_.not_all();
        book_.add(chain::LateConnection{.client = socket.remote, .server = socket.local, .runtime_pid = pid});
    });
}

void LateSessions::add_processes(const procmap::HostRoot& root, const SocketTable& table, chain::ProcessBook& book) {
    std::vector<procmap::HeldStreams> all = procmap::held_streams(root, table);
    if (all.size() >= limits::kRunningExecsMax) book_.not_all();
    struct Running {
        chain::LateProcess late;
        const Process* process = nullptr;
        const Process* shim = nullptr;
    };
    std::vector<Running> found;
    struct Mains {
        std::size_t all = 0, with_input = 0;
    };
    std::unordered_map<std::uint32_t, Mains> mains_of;  // by runtime
    for (const procmap::HeldStreams& held : all) {
        const Process* runtime = holder(held, table, ProcessRole::containerd);
        if (!runtime) continue;
        if (found.size() >= kProcessesMax) {
            book_.not_all();
            break;
        }
        Running& running = found.emplace_back();
        running.late.runtime_pid = runtime->id.pid;
        running.late.container_id = held.container_id;
        running.late.input = held.input;
        running.shim = holder(held, table, ProcessRole::containerd_shim);
        if (held.exec_id != held.container_id) {
            running.late.exec_id = held.exec_id;
        } else {
            Mains& mains = mains_of[runtime->id.pid];
            ++mains.all;
            mains.with_input += held.input ? 1 : 0;
        }
    }
    const Containers containers(table);
    for (Running& running : found) {
        chain::LateProcess& late = running.late;
        // Of a main process among many nobody asks.
        const bool main = late.exec_id.empty();
        const Mains& mains = mains_of[late.runtime_pid];
        if (!running.shim || (main && mains.all > 1 && (!late.input || mains.with_input > 1))) continue;
        const auto pid = pid_in_bundle(root, *running.shim,
                                       {late.container_id, main ? late.container_id : late.exec_id, late.input, {}});
        const Process* process = pid ? find_process(table, *pid) : nullptr;
        if (process && process->container_id == late.container_id) {
            running.process = process;
            late.pid_by = main ? "its number stands in the shim's folder as the container's main process"
                               : "its number stands in the shim's folder under the exec's id";
            continue;
        }
        const auto execs = static_cast<std::size_t>(std::ranges::count_if(found, [&](const Running& each) {
            return each.late.container_id == late.container_id && !each.late.exec_id.empty();
        }));
        const std::vector<const Process*> children = containers.of(running.shim->id.pid, Untrusted(late.container_id));
        if (main ? children.empty() : execs != 1 || children.size() != 2) continue;
        running.process = children[main ? 0 : 1];
        late.pid_by = main ? "it is the first that the shim started in the container"
                           : "beside the main process it is the only one that the shim started in the container";
    }
    // The book has them by their start.
    std::ranges::stable_sort(found, [](const Running& a, const Running& b) {
        return (a.process ? a.process->started : Timestamp{}) < (b.process ? b.process->started : Timestamp{});
    });
    std::size_t room = kBelowMax;
    for (Running& running : found) {
        if (running.process) {
            const chain::Process shim{
                .pid = running.shim->id.pid, .comm = running.shim->comm, .exe = running.shim->exe};
            running.late.pid = running.process->id.pid;
            running.late.root = book.ran_already(running.late.container_id, shim,
                                                 tree_of(root, containers, *running.process, room), table.at);
        }
        book_.add(std::move(running.late));
    }
}

void LateSessions::begin(const procmap::HostRoot& root, const SocketTable& table, chain::ProcessBook& book, bool ends) {
    ends_ = ends;
    add_connections(table);
    if (!book_.empty()) add_processes(root, table, book);
}

std::optional<bool> LateSessions::first_is_client(const Endpoint& first, const Endpoint& second) const {
    for (const chain::LateConnection& each : book_.connections()) {
        if (each.client == first && each.server == second) return true;
        if (each.client == second && each.server == first) return false;
    }
    return std::nullopt;
}

void LateSessions::opened(const chain::Session& session, chain::Builder& builder) {
    if (session.state != chain::SessionState::cut || !book_.joined(session)) return;
    late_.push_back({.session = session.number, .match = {}, .over = false});
    builder.know_late(session.number, {});
}

bool LateSessions::waits_for(std::uint32_t session) const {
    return std::ranges::any_of(late_, [&](const Late& each) { return each.session == session && !each.match.whole(); });
}

void LateSessions::look(const chain::Session& session, chain::Builder& builder, const chain::ProcessBook& book,
                        chain::SessionProcesses& processes) {
    const auto late = std::ranges::find(late_, session.number, &Late::session);
    if (late == late_.end() || late->match.whole()) return;
    const std::vector<std::unique_ptr<chain::Session>>& all = builder.model().sessions;
    late->match =
        book_.match(session, book, ends_, [&](std::uint32_t number) { return chain::find_session(all, number); });
    const chain::LateMatch& match = late->match;
    if (match.op == chain::Op::unknown) return;
    builder.know_late(
        session.number,
        {.op = match.op, .container_id = match.container_id, .says = match.whole() ? match.says : std::string()});
    if (!match.whole()) return;
    if (const auto& root = book_.process(match.processes.front()).root) processes.joined_late(session.number, *root);
}

void LateSessions::look_at_all(chain::Builder& builder, const chain::ProcessBook& book,
                               chain::SessionProcesses& processes, Timestamp now) {
    if (late_.empty() || (now >= looked_at_ && (now - looked_at_).ns < kPauseNs)) return;
    looked_at_ = now;
    for (Late& each : late_) {
        if (each.over || each.match.whole()) continue;
        const chain::Session* session = chain::find_session(builder.model().sessions, each.session);
        each.over = !session || (session->over && (now - session->end).ns > kSettleNs);
        if (!each.over) look(*session, builder, book, processes);
    }
}

bool LateSessions::complete(chain::Chain& chain, std::span<const std::unique_ptr<chain::Session>> all,
                            const chain::ProcessBook& book) const {
    const auto late = std::ranges::find_if(late_, [&](const Late& each) {
        return std::ranges::find(chain.sessions, each.session) != chain.sessions.end();
    });
    if (late == late_.end()) return false;
    const chain::Session* session = chain::find_session(all, late->session);
    const chain::LateMatch& match = late->match;
    if (!session || match.op == chain::Op::unknown) return true;
    if (match.whole()) {
        const chain::LateProcess& process = book_.process(match.processes.front());
        if (process.root)
            book.complete_late(
                chain, *session, *process.root, process.pid,
                {chain::said(Grade::seen, match.says, "streams"), chain::said(Grade::seen, process.pid_by, "pid")});
        return true;
    }
    for (const std::size_t place : match.processes) {
        if (chain.candidates.size() >= limits::kBookCandidatesMax) break;
        const chain::LateProcess& process = book_.process(place);
        chain.candidates.push_back(chain::said(
            Grade::inferred,
            "exec " + process.exec_id.substr(0, 12) + " in container " + process.container_id.substr(0, 12) +
                (process.pid != 0 ? ", pid " + std::to_string(process.pid) + "," : "") +
                " ran when hopscope began to look, and so did " + std::to_string(match.processes.size() - 1) +
                " more that it could be",
            "process"));
    }
    return true;
}

}  // namespace hopscope::cli
