#include "procmap/table/reader.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/own_capabilities.h"
#include "procmap/table/namespaces.h"
#include "procmap/table/process_book.h"
#include "procmap/table/socket_index.h"
#include "procmap/table/text_doubts.h"

namespace hopscope::procmap {
namespace {

// A descriptor that was passed to another process, or closed and replaced by another one, is seen at the latest after
// so many reads.
constexpr std::uint64_t kReadsPerFullWalk = 10;

Timestamp now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return {std::int64_t{time.tv_sec} * kNanosecondsPerSecond + time.tv_nsec};
}

// When the node was booted, as its clock now counts back; of a tree that is not the live node what /proc/stat says.
Timestamp boot_time(const HostRoot& root) {
    if (root.is_live()) {
        timespec up{};
        ::clock_gettime(CLOCK_BOOTTIME, &up);
        return {now().ns - (std::int64_t{up.tv_sec} * kNanosecondsPerSecond + up.tv_nsec)};
    }
    const auto stat = root.read("/proc/stat", limits::kNetTextBytesMax);
    constexpr std::string_view kKey = "\nbtime ";
    const std::size_t at = stat ? stat->find(kKey) : std::string::npos;
    if (at == std::string::npos) return {};
    std::int64_t seconds = 0;
    std::from_chars(stat->data() + at + kKey.size(), stat->data() + stat->size(), seconds);
    constexpr std::int64_t kSecondsMax = INT64_MAX / kNanosecondsPerSecond / 2;
    return {seconds > 0 && seconds < kSecondsMax ? seconds * kNanosecondsPerSecond : 0};
}

std::string count_of(std::uint64_t part, std::uint64_t all, const char* what) {
    return std::to_string(part) + " of " + std::to_string(all) + " " + what;
}

// "1 process", "2 processes"
std::string counted(std::uint64_t count, const char* what, const char* plural = "s") {
    return std::to_string(count) + " " + what + (count == 1 ? "" : plural);
}

// " (systemd[1], sshd[812] and 3 more)": which processes those are, but not the whole list of a node.
template <typename Wanted>
std::string named_few(const std::vector<KnownProcess>& processes, Wanted wanted) {
    constexpr std::size_t kNamed = 3;
    std::string names;
    std::size_t found = 0;
    for (const KnownProcess& known : processes) {
        if (!wanted(known) || ++found > kNamed) continue;
        const Process& process = known.facts.process;
        names += (found == 1 ? "" : ", ") + display(process.comm) + "[" + std::to_string(process.id.pid) + "]";
    }
    if (found > kNamed) names += " and " + std::to_string(found - kNamed) + " more";
    return found == 0 ? "" : " (" + names + ")";
}

bool keeps_descriptors(const KnownProcess& known) { return known.walk == Walk::denied; }

bool keeps_namespace(const KnownProcess& known) {
    return !known.facts.is_kernel_thread && known.facts.process.net_namespace == 0 && known.facts.namespace_denied;
}

std::string refusing(const std::vector<KnownProcess>& processes, std::uint64_t count) {
    return counted(count, "process", "es") + named_few(processes, keeps_descriptors) +
           (count == 1 ? " refuses" : " refuse") + " all the same: a security module or another user namespace";
}

// What the scanner knows of a socket and the kernel's other answer does not, and who holds it.
void complete(Socket& socket, const Socket& scanned, bool is_text) {
    if (is_text && is_unix(socket.transport) && is_unix(scanned.transport)) {  // a text can be made up
        socket.state = scanned.state;
        socket.unix_local.path = scanned.unix_local.path;
    }
    if (socket.unix_local.path.empty()) socket.unix_local.path = scanned.unix_local.path;
    if (socket.unix_peer_inode == 0) socket.unix_peer_inode = scanned.unix_peer_inode;
    if (socket.file_inode == 0) {
        socket.file_device = scanned.file_device;
        socket.file_inode = scanned.file_inode;
    }
    std::vector<SocketOwner>& owners = socket.owners;
    owners.insert(owners.end(), scanned.owners.begin(), scanned.owners.end());
    std::sort(owners.begin(), owners.end());
    owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
}

}  // namespace

struct TableReader::State {
    explicit State(ReaderOptions given) : options(std::move(given)), book(options.root) {}

    ReaderOptions options;
    bool tcp_elsewhere = true;
    ProcessBook book;
    std::uint64_t reads = 0;
    Timestamp booted;  // as the first read saw it: the start of a process does not change when the clock is set
    // Sockets of which a walk over everything found no owner: sockets of the kernel, or of processes that we may not
    // look into. They are no reason to walk again.
    std::unordered_set<std::uint64_t> ownerless;

    Result<SocketTable> read();
    // Of this read: namespaces whose sockets were asked for; the sockets that are known so far.
    std::set<std::uint64_t> entered;
    SocketIndex by_inode;
    std::size_t own_sockets = 0;  // of our own namespace: the first ones
    std::uint64_t own = 0;

    void read_own(NamespaceSockets& out);
    void read_others(NamespaceSockets& out);
    void read_foreign_root(NamespaceSockets& out);
    void read_all(bool everything, NamespaceSockets& out);
    std::map<std::uint64_t, NetNamespace> namespaces_of_processes(std::uint64_t& unknown);
    bool misses_owner(const std::vector<Socket>& sockets) const;
    void remember_ownerless(const std::vector<Socket>& sockets);
    void give_owners(std::vector<Socket>& sockets);
    void owners_by_scan(std::vector<Socket>& scanned, std::vector<Socket>& sockets, bool is_text);
    void take_processes(SocketTable& table);
    void prove_by_sockets(SocketTable& table);
    void tell_limits(SocketTable& table, const NamespaceSockets& spaces, bool scanned);
};

std::map<std::uint64_t, NetNamespace> TableReader::State::namespaces_of_processes(std::uint64_t& unknown) {
    std::map<std::uint64_t, NetNamespace> spaces;
    unknown = 0;
    for (const KnownProcess& known : book.processes()) {
        if (known.facts.is_kernel_thread) continue;
        const Process& process = known.facts.process;
        if (process.net_namespace == 0 && options.root.is_live()) {
            unknown += keeps_namespace(known) ? 1 : 0;
            continue;
        }
        if (spaces.size() >= limits::kNetNamespacesMax && !spaces.contains(process.net_namespace)) continue;
        NetNamespace& space = spaces[process.net_namespace];
        space.inode = process.net_namespace;
        if (space.pids.size() < limits::kNetNamespacePidsMax) space.pids.push_back(process.id.pid);
    }
    return spaces;
}

void TableReader::State::read_own(NamespaceSockets& out) {
    own = own_net_namespace();
    entered = {own};
    read_own_namespace(options.root, own, options.netlink, {.udp = options.udp}, out);
    own_sockets = out.sockets.size();
    by_inode.clear();
    by_inode.add_from(out.sockets);
}

void TableReader::State::read_others(NamespaceSockets& out) {
    book.settle_namespaces(own, by_inode, own_sockets);
    if (!options.all_net_namespaces) return;
    std::vector<NetNamespace> others;
    for (auto& [inode, space] : namespaces_of_processes(out.processes_elsewhere))
        if (entered.insert(inode).second) others.push_back(std::move(space));
    read_other_namespaces(options.root, others, options.netlink, {.tcp = tcp_elsewhere, .udp = options.udp}, out);
    by_inode.add_from(out.sockets);
}

void TableReader::State::read_foreign_root(NamespaceSockets& out) {
    std::uint64_t unknown = 0;
    std::map<std::uint64_t, NetNamespace> spaces = namespaces_of_processes(unknown);
    // The namespace of the first process is the node's own.
    const std::uint64_t first = book.processes().empty() ? 0 : book.processes().front().facts.process.net_namespace;
    if (spaces.empty()) spaces[first];
    for (const auto& [inode, space] : spaces)
        if (options.all_net_namespaces || inode == first)
            read_text_namespace(options.root, space, inode == first, {.udp = options.udp}, out);
    by_inode.clear();
    by_inode.add_from(out.sockets);
}

// In order of pids and descriptors, as the book has them. The sockets of one process lie anywhere in memory: all are
// looked up before the first is written to, so that the processor fetches them together.
void TableReader::State::give_owners(std::vector<Socket>& sockets) {
    for (Socket& socket : sockets) socket.owners.clear();
    std::vector<std::pair<Socket*, std::uint32_t>> found;
    for (const KnownProcess& known : book.processes()) {
        found.clear();
        for (const HeldSocket& held : known.held)
            by_inode.each(held.inode, [&](std::size_t position) {
                found.emplace_back(&sockets[position], held.fd);
                __builtin_prefetch(&sockets[position].owners, 1);
            });
        for (const auto& [socket, fd] : found) socket->owners.push_back({known.facts.process.id, fd});
    }
}

bool TableReader::State::misses_owner(const std::vector<Socket>& sockets) const {
    return std::any_of(sockets.begin(), sockets.end(), [&](const Socket& socket) {
        return socket.owners.empty() && socket.inode != 0 && !ownerless.contains(socket.inode);
    });
}

void TableReader::State::remember_ownerless(const std::vector<Socket>& sockets) {
    ownerless.clear();
    for (const Socket& socket : sockets)
        if (socket.owners.empty() && socket.inode != 0) ownerless.insert(socket.inode);
}

// Sockets first, then the descriptors: what was open at the first look and still is has its owner. Which namespaces
// there are shows in the descriptors, so those of the others come last.
void TableReader::State::read_all(bool everything, NamespaceSockets& out) {
    if (options.root.is_live())
        read_own(out);
    else
        read_foreign_root(out);
    const auto look = [&](bool all) {
        book.walk(all);
        if (options.root.is_live()) read_others(out);
        give_owners(out.sockets);
    };
    everything = everything || !options.root.is_live();
    look(everything);
    if (!everything && misses_owner(out.sockets)) {
        book.recount();
        look(false);
        everything = misses_owner(out.sockets);
        if (everything) look(true);
    }
    if (everything) remember_ownerless(out.sockets);
}

void TableReader::State::owners_by_scan(std::vector<Socket>& scanned, std::vector<Socket>& sockets, bool is_text) {
    std::unordered_map<std::uint32_t, ProcessId> ids;
    for (const KnownProcess& known : book.processes()) ids.emplace(known.facts.process.id.pid, known.facts.process.id);
    for (Socket& socket : scanned) {
        if (socket.inode == 0) continue;
        std::erase_if(socket.owners, [&](SocketOwner& owner) {
            const auto found = ids.find(owner.process.pid);
            if (found != ids.end()) owner.process = found->second;
            return found == ids.end();
        });
        const bool known =
            by_inode.each(socket.inode, [&](std::size_t position) { complete(sockets[position], socket, is_text); });
        // Else opened since, or of a namespace that we cannot enter.
        if (known || (!options.udp && socket.transport == Transport::udp) || sockets.size() >= limits::kSocketsMax)
            continue;
        std::sort(socket.owners.begin(), socket.owners.end());
        sockets.push_back(std::move(socket));
        by_inode.add_from(sockets);
    }
}

void TableReader::State::take_processes(SocketTable& table) {
    if (booted.ns == 0) booted = boot_time(options.root);
    table.booted = booted;
    // Ticks of user space, a hundredth of a second: what they count is cut down to that.
    const std::int64_t tick_ns = kNanosecondsPerSecond / ::sysconf(_SC_CLK_TCK);
    const std::int64_t begin_ns = booted.ns / tick_ns * tick_ns;
    table.processes.reserve(book.processes().size());
    for (const KnownProcess& known : book.processes()) {
        Process& process = table.processes.emplace_back(known.facts.process);
        const std::uint64_t ticks = process.id.start_ticks;
        if (booted.ns != 0 && ticks != 0 && ticks < static_cast<std::uint64_t>((INT64_MAX - begin_ns) / tick_ns))
            process.started = {begin_ns + static_cast<std::int64_t>(ticks) * tick_ns};
    }
}

// Sockets at the places where a role has them are further proof of it.
void TableReader::State::prove_by_sockets(SocketTable& table) {
    std::map<std::uint32_t, std::vector<std::string>> paths;  // of the processes that have a role
    for (const Process& process : table.processes)
        if (is_component(process.role)) paths.try_emplace(process.id.pid);
    if (paths.empty()) return;
    for (const Socket& socket : table.sockets)
        if (is_unix(socket.transport) && socket.state == SocketState::listen && !socket.unix_local.path.empty())
            for (const SocketOwner& owner : socket.owners) {
                const auto known = paths.find(owner.process.pid);
                if (known != paths.end() &&
                    !std::count(known->second.begin(), known->second.end(), socket.unix_local.path))
                    known->second.push_back(socket.unix_local.path);
            }
    for (Process& process : table.processes)
        if (const auto found = paths.find(process.id.pid); found != paths.end() && !found->second.empty())
            add_socket_proof(process, found->second);
}

void TableReader::State::tell_limits(SocketTable& table, const NamespaceSockets& spaces, bool scanned) {
    std::uint64_t with_inode = 0;
    for (const Socket& socket : table.sockets) {
        if (socket.inode == 0) continue;
        ++with_inode;
        if (socket.owners.empty()) ++table.owners_unknown;
    }
    const auto denied =
        static_cast<std::uint64_t>(std::count_if(book.processes().begin(), book.processes().end(), keeps_descriptors));
    const std::uint64_t ours = effective_capabilities();
    const std::string lacks = missing_to_list_descriptors(ours);
    if (table.owners_unknown > 0) {
        const std::string sentence =
            "cannot name the owner of " + count_of(table.owners_unknown, with_inode, "sockets: ");
        if (denied > 0 && !scanned)
            table.limits.push_back(sentence + (lacks.empty() ? refusing(book.processes(), denied) : "need " + lacks));
        else
            table.limits.push_back(
                sentence + "they belong to the kernel, to a process of another pid namespace, or are on their way");
    } else if (denied > 0 && !scanned) {
        table.limits.push_back("some sockets may have further owners: " +
                               (lacks.empty() ? refusing(book.processes(), denied)
                                              : "the descriptors of " + counted(denied, "process", "es") +
                                                    " cannot be read, need " + lacks));
    }
    if (spaces.not_entered > 0)
        table.limits.push_back("cannot enter " + counted(spaces.not_entered, "network namespace") +
                               ", peers of unix sockets there are unknown: need CAP_SYS_ADMIN");
    if (spaces.not_read > 0)
        table.limits.push_back("the sockets of " + counted(spaces.not_read, "network namespace") +
                               " cannot be read: need CAP_SYS_ADMIN");
    if (spaces.processes_elsewhere > 0)
        table.limits.push_back(
            "cannot tell the network namespace of " + counted(spaces.processes_elsewhere, "process", "es") +
            named_few(book.processes(), keeps_namespace) + ", and the sockets there are not seen: " +
            ((ours & capability_bit(CAP_SYS_PTRACE)) != 0 ? "refused all the same" : "need CAP_SYS_PTRACE"));
    if (spaces.peers_unknown && spaces.not_entered == 0)
        table.limits.emplace_back(
            "the peers of unix sockets are unknown: /proc/net/unix does not tell them, the kernel module unix_diag "
            "would");
    if (spaces.not_believed > 0)
        table.limits.push_back(counted(spaces.not_believed, "line") + " of /proc/net/unix contradicted others and " +
                               (spaces.not_believed == 1 ? "was" : "were") +
                               " not believed: the name of a socket may hold a line end and more");
    if (book.is_cut())
        table.limits.push_back("only the first " + std::to_string(limits::kProcessesMax) + " processes were looked at");
    const auto unread =
        static_cast<std::uint64_t>(std::count_if(book.processes().begin(), book.processes().end(),
                                                 [](const KnownProcess& known) { return known.facts.program_unread; }));
    if (unread > 0)
        table.limits.push_back("the programs of " + counted(unread, "process", "es") +
                               " were not searched for what they are: others took all of " +
                               std::to_string(limits::kProgramScanBytesPerLook) + " bytes");
    if (table.sockets.size() >= limits::kSocketsMax)
        table.limits.push_back("only the first " + std::to_string(limits::kSocketsMax) + " sockets were taken");
    for (const std::string& sentence : spaces.limits) table.limits.push_back(sentence);
}

Result<SocketTable> TableReader::State::read() {
    const bool everything = reads % kReadsPerFullWalk == 0;
    SocketTable table;
    table.at = now();
    std::vector<Socket> scanned;
    bool use_scan = options.scanner != nullptr && options.root.is_live();
    if (use_scan) {
        auto result = options.scanner->scan();
        use_scan = result.has_value();
        if (use_scan)
            scanned = std::move(*result);
        else
            table.limits.push_back("the kernel's socket iterator failed (" + result.error().why +
                                   "): descriptors are read from /proc instead");
    }
    Status listed = book.refresh(everything);
    NamespaceSockets spaces;
    if (use_scan) {
        read_own(spaces);
        read_others(spaces);
    } else {
        read_all(everything, spaces);
    }
    if (!listed) {
        if (spaces.sockets.empty() && scanned.empty()) return unexpected(std::move(listed.error()));
        table.limits.push_back("no process can be named: cannot list /proc (" + listed.error().why + ")");
    }
    table.sockets = std::move(spaces.sockets);
    if (use_scan) owners_by_scan(scanned, table.sockets, spaces.peers_unknown);
    if (spaces.peers_unknown)
        spaces.not_believed +=
            take_back_contradicted(table.sockets) + take_back_other_protocols(options.root, table.sockets);
    take_processes(table);
    prove_by_sockets(table);
    table.method = use_scan                                   ? "iter/task_file + sock_diag"
                   : spaces.used_netlink && !spaces.used_text ? "sock_diag + /proc/*/fd"
                   : spaces.used_netlink                      ? "sock_diag and /proc/net + /proc/*/fd"
                                                              : "/proc/net + /proc/*/fd";
    tell_limits(table, spaces, use_scan);
    ++reads;
    return table;
}

TableReader::TableReader(ReaderOptions options) : state_(std::make_unique<State>(std::move(options))) {}
TableReader::~TableReader() = default;

Result<SocketTable> TableReader::read() { return state_->read(); }

void TableReader::leave_out_tcp_elsewhere() { state_->tcp_elsewhere = false; }

}  // namespace hopscope::procmap
