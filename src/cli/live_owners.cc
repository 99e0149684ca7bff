#include "cli/live_owners.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/limits.h"
#include "pipeline/live_runner.h"
#include "procmap/bpf/clock.h"
#include "procmap/own_addresses.h"
#include "procmap/socket_files.h"

namespace hopscope::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kKubeletPort = 10250;
// Shares of a core: reading the table when nobody waits for it, and the kernel tells what begins or not; when a session
// waits for it; searching descriptors.
constexpr int kWatchedShare = 1000, kIdleShare = 300, kBusyShare = 20, kSearchShare = 20;
constexpr auto kReadPauseMin = 250ms, kReadPauseIdle = 1000ms, kReadPauseMax = 20'000ms, kAllowanceMax = 50ms;
constexpr int kTriesMax = 3;
// An end that the kernel told is in our hands when its packets have been read; silence that is worth a question.
constexpr auto kPacketsBehind = 1000ms, kAskPause = 1000ms;
constexpr std::int64_t kSilentNs = 5'000'000'000;
constexpr std::size_t kAskedMax = 64;  // sessions at once, some microseconds each
constexpr std::size_t kStrangersMax = 1024;

// Which have ends of sessions in their hands.
bool holds_sessions(ProcessRole role) {
    switch (role) {
        case ProcessRole::kubelet:
        case ProcessRole::containerd:
        case ProcessRole::dockerd:
        case ProcessRole::cri_dockerd:
        case ProcessRole::crio: return true;
        case ProcessRole::unknown:
        case ProcessRole::containerd_shim:
        case ProcessRole::docker_proxy:
        case ProcessRole::conmon:
        case ProcessRole::runc:
        case ProcessRole::kube_proxy:
        case ProcessRole::etcd:
        case ProcessRole::apiserver:
        case ProcessRole::controller_manager:
        case ProcessRole::scheduler:
        case ProcessRole::in_container: return false;
    }
    return false;
}

}  // namespace

LiveOwners::LiveOwners(const std::string& host_root)
    : root_(host_root),
      lives_book_([this](const SocketLife& life) { on(life); }),
      reader_({.root = root_, .udp = false}),
      exact_(root_) {}

void LiveOwners::start(bool all_net_namespaces) {
    if (!all_net_namespaces) {
        if (const auto own = procmap::HostRoot().stat("/proc/self/ns/net")) net_namespace_ = own->inode;
    }
    read_table();
    // What is open elsewhere now is known for when it ends; from now on the kernel tells.
    if (!all_net_namespaces) reader_.leave_out_tcp_elsewhere();
    procmap::Survey survey({.root = root_, .udp = false}, {});
    if (auto node = survey.take()) containers_ = std::move(node->containers);
}

Status LiveOwners::watch(Also also) {
    also_ = std::move(also);
    // Ticks and packets ask for the signs, too.
    auto opened = procmap::SocketWatcher::open(limits::kLifeRingBytes, limits::kLifeRingBytes / 4);
    if (!opened) return unexpected(opened.error());
    watcher_ = std::move(*opened);
    lives_book_.seed(table_.sockets, table_.at, [&](const ProcessId& id) {
        const Process* known = find_process(table_, id.pid);
        return known ? known->comm : Untrusted();
    });
    return Done{};
}

std::optional<chain::Process> LiveOwners::process(const ProcessId& id, const Untrusted& comm) {
    if (id.pid == 0) return std::nullopt;
    // Called otherwise now than when the table was read: it has run another program since (a shell that became its
    // command).
    if (auto known = process(id); known && (comm.empty() || known->comm == comm)) return known;
    if (strangers_.size() >= kStrangersMax) strangers_.clear();
    chain::Process& stranger = strangers_[{id.pid, id.start_ticks}];
    if (stranger.pid == id.pid && stranger.comm == comm) return stranger;
    stranger = {.pid = id.pid, .comm = comm, .exe = {}, .start = {}};
    if (const auto exe = root_.read_link("/proc/" + std::to_string(id.pid) + "/exe")) stranger.exe = Untrusted(*exe);
    return stranger;
}

void LiveOwners::on(const SocketLife& life) {
    if (also_) also_(life);
    if (net_namespace_ != 0 && life.net_namespace != net_namespace_) return;
    const Pair pair{life.client, life.server};
    if (life.kind == SocketLife::Kind::closed && over_.size() < limits::kLiveLivesMax)
        over_.push_back({pair, Clock::now()});
    listener_new_ = listener_new_ || life.kind == SocketLife::Kind::listen;
    if (life.kind != SocketLife::Kind::opened) return;
    const auto [known, fresh] = lives_.try_emplace(pair);
    known->second = {process(life.client_owner, life.client_comm), process(life.server_owner, life.server_comm)};
    lives_changed_ = true;
    if (!fresh) return;
    lives_order_.push_back(pair);
    if (lives_order_.size() <= limits::kLiveLivesMax) return;
    lives_.erase(lives_order_.front());
    lives_order_.pop_front();
}

void LiveOwners::take_signs(chain::Builder& builder) {
    if (!watcher_) return;
    watcher_->drain([this](const procmap::SocketSign& sign) { lives_book_.on(sign); });
    lives_book_.tick(pipeline::wall_clock());
    if (std::exchange(lives_changed_, false)) name_waiting(builder);
}

std::vector<std::pair<Endpoint, Endpoint>> LiveOwners::over(const chain::Model& model, Timestamp now) {
    std::vector<Pair> ready;
    const auto clock = Clock::now();
    while (!over_.empty() && clock - over_.front().told_at >= kPacketsBehind) {
        ready.push_back(over_.front().pair);
        over_.pop_front();
    }
    if (net_namespace_ == 0 || clock - asked_at_ < kAskPause) return ready;
    asked_at_ = clock;
    std::size_t asked = 0;
    for (const auto& session : model.sessions) {
        if (session->over || (now - session->end).ns < kSilentNs || asked == kAskedMax) continue;
        // Only where both ends must be ours: a connection that is passed through is in nobody's table here.
        if (!session->client.address.is_loopback() || !session->server.address.is_loopback()) continue;
        ++asked;
        if (exact_.socket(session->client, session->server) == 0 &&
            exact_.socket(session->server, session->client) == 0)
            ready.emplace_back(session->client, session->server);
    }
    return ready;
}

std::uint64_t LiveOwners::newly_lost() {
    const std::uint64_t lost = watcher_ ? watcher_->lost() : 0;
    return lost - std::exchange(told_lost_, lost);
}

void LiveOwners::read_table() {
    // Time of the processor: to be kept waiting by others, as while a runtime starts, is no reason to look less often.
    const std::int64_t begin_ns = procmap::clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    auto table = reader_.read();
    read_at_ = Clock::now();
    read_cost_ = std::chrono::nanoseconds(procmap::clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_ns);
    trouble_.clear();
    if (!table) {
        trouble_.push_back("processes: " + table.error().why);
        return;
    }
    table_ = std::move(*table);
    strangers_.clear();
    own_addresses_ = procmap::own_addresses();
    index_table();
    note_runtime_sockets();
}

void LiveOwners::note_runtime_sockets() {
    runtime_sockets_.clear();
    for (const procmap::UsualSocket& usual : procmap::usual_sockets()) runtime_sockets_.emplace(usual.path, 0);
    for (const Socket& socket : table_.sockets) {
        if (socket.state != SocketState::listen || socket.unix_local.path.empty()) continue;
        const bool ours = std::any_of(socket.owners.begin(), socket.owners.end(), [&](const SocketOwner& owner) {
            return std::find(components_.begin(), components_.end(), owner.process) != components_.end();
        });
        if (ours && runtime_sockets_.size() < limits::kSocketFilesMax)
            runtime_sockets_.emplace(socket.unix_local.path, 0);
    }
    for (auto& [path, inode] : runtime_sockets_) {
        const auto found = root_.stat(path);
        inode = found ? found->inode : 0;
    }
}

bool LiveOwners::runtime_sockets_changed() {
    const auto now = Clock::now();
    if (now - runtimes_at_ < kReadPauseIdle) return false;
    runtimes_at_ = now;
    return std::any_of(runtime_sockets_.begin(), runtime_sockets_.end(), [&](const auto& known) {
        const auto found = root_.stat(known.first);
        return (found ? found->inode : 0) != known.second;
    });
}

void LiveOwners::index_table() {
    components_.clear();
    for (const Process& each : table_.processes) {
        if (holds_sessions(each.role)) components_.push_back(each.id);
    }
    listeners_.clear();
    connections_.clear();
    for (std::uint32_t i = 0; i < table_.sockets.size(); ++i) {
        const Socket& socket = table_.sockets[i];
        if (socket.transport != Transport::tcp) continue;
        (socket.state == SocketState::listen ? listeners_ : connections_).push_back(i);
    }
    std::sort(connections_.begin(), connections_.end(), [&](std::uint32_t a, std::uint32_t b) {
        const Socket &left = table_.sockets[a], &right = table_.sockets[b];
        return std::tie(left.local, left.remote) < std::tie(right.local, right.remote);
    });
}

std::optional<chain::Process> LiveOwners::process(const ProcessId& id) const {
    const Process* known = find_process(table_, id.pid);
    if (!known || (id.start_ticks != 0 && known->id.start_ticks != 0 && known->id != id)) return std::nullopt;
    return chain::Process{.pid = id.pid, .comm = known->comm, .exe = known->exe, .start = known->started};
}

std::optional<chain::Process> LiveOwners::in_table(const Endpoint& local, const Endpoint& remote,
                                                   std::uint64_t inode) const {
    const auto at = std::lower_bound(connections_.begin(), connections_.end(), std::tie(local, remote),
                                     [&](std::uint32_t position, const auto& key) {
                                         const Socket& socket = table_.sockets[position];
                                         return std::tie(socket.local, socket.remote) < key;
                                     });
    if (at == connections_.end()) return std::nullopt;
    const Socket& socket = table_.sockets[*at];
    // The same addresses may have been used by an earlier connection, or in another namespace.
    if (socket.local != local || socket.remote != remote || (inode != 0 && socket.inode != inode) ||
        socket.owners.empty())
        return std::nullopt;
    return process(socket.owners.front().process);
}

bool LiveOwners::is_address_of(const IpAddress& address, std::uint64_t net_namespace) const {
    const auto in = [&](std::uint64_t where) { return net_namespace == 0 || where == 0 || where == net_namespace; };
    if (address.is_loopback()) return in(net_namespace_);
    if (in(net_namespace_) && std::binary_search(own_addresses_.begin(), own_addresses_.end(), address)) return true;
    return std::any_of(connections_.begin(), connections_.end(), [&](std::uint32_t position) {
        const Socket& socket = table_.sockets[position];
        return socket.local.address == address && in(socket.net_namespace);
    });
}

std::optional<chain::Process> LiveOwners::listener(const Endpoint& server) const {
    std::optional<ProcessId> owner;
    for (const std::uint32_t position : listeners_) {
        const Socket& socket = table_.sockets[position];
        if (socket.local.port != server.port) continue;
        // One on all addresses has a connection only where the address is its own, not another machine's.
        const bool on_all = socket.local.address.is_unspecified() && !(socket.v6_only && server.address.is_v4());
        if (socket.local.address != server.address && !(on_all && is_address_of(server.address, socket.net_namespace)))
            continue;
        for (const SocketOwner& each : socket.owners) {
            if (owner && *owner != each.process) return std::nullopt;  // several: not to be told apart
            owner = each.process;
        }
    }
    return owner ? process(*owner) : std::nullopt;
}

std::optional<chain::Process> LiveOwners::holder(std::uint64_t inode) {
    const auto now = Clock::now();
    allowance_ = std::min<Clock::duration>(kAllowanceMax, allowance_ + (now - allowance_at_) / kSearchShare);
    allowance_at_ = now;
    if (inode == 0 || allowance_ <= Clock::duration::zero()) return std::nullopt;
    const auto owner = exact_.holder(inode, components_);
    allowance_ -= Clock::now() - now;
    return owner ? process(owner->process) : std::nullopt;
}

void LiveOwners::look(Waiting& waiting) {
    if (const auto told = lives_.find({waiting.client, waiting.server}); told != lives_.end()) {
        if (told->second.from) waiting.ends.from = told->second.from;
        if (told->second.to) waiting.ends.to = told->second.to;
        if (waiting.ends.from && waiting.ends.to) return;
    }
    const auto one = [&](std::optional<chain::Process>& end, const Endpoint& local, const Endpoint& remote,
                         std::uint64_t& inode) {
        if (end) return;
        if (inode == 0) inode = exact_.socket(local, remote);
        end = in_table(local, remote, inode);
        if (!end) end = holder(inode);
    };
    one(waiting.ends.from, waiting.client, waiting.server, waiting.client_inode);
    one(waiting.ends.to, waiting.server, waiting.client, waiting.server_inode);
    if (!waiting.ends.to) waiting.ends.to = listener(waiting.server);
}

chain::Ends LiveOwners::ends_of(const chain::Session& session) {
    Waiting waiting{.session = session.number, .client = session.client, .server = session.server, .ends = {}};
    look(waiting);
    chain::Ends ends = waiting.ends;
    if ((!ends.from || !ends.to) && waiting_.size() < limits::kLiveWaitingMax) waiting_.push_back(std::move(waiting));
    return ends;
}

void LiveOwners::forget(std::uint32_t session) {
    std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.session == session; });
}

void LiveOwners::name_waiting(chain::Builder& builder) {
    for (Waiting& waiting : waiting_) {
        look(waiting);
        if (waiting.ends.from || waiting.ends.to) builder.name_ends(waiting.session, waiting.ends);
    }
    std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.ends.from && waiting.ends.to; });
}

bool LiveOwners::refresh(chain::Builder& builder) {
    const auto since = Clock::now() - read_at_;
    const bool wanted = !waiting_.empty() || listener_new_;
    const int share = wanted ? kBusyShare : watcher_ ? kWatchedShare : kIdleShare;
    const auto pause =
        std::clamp<Clock::duration>(read_cost_ * share, wanted ? kReadPauseMin : kReadPauseIdle, kReadPauseMax);
    if (since < pause) {
        // The kernel tells of new listeners on TCP; a runtime without any is known by its socket.
        listener_new_ = listener_new_ || (watcher_ && runtime_sockets_changed());
        return false;
    }
    listener_new_ = false;
    read_table();
    for (Waiting& waiting : waiting_) ++waiting.tries;
    name_waiting(builder);
    std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.tries >= kTriesMax; });
    return true;
}

void LiveOwners::name_containers(chain::Builder& builder) const {
    for (const ContainerNames& names : containers_) builder.name_container(names);
}

void LiveOwners::name(chain::Chain& chain) const {
    const auto known = std::find_if(containers_.begin(), containers_.end(),
                                    [&](const ContainerNames& names) { return chain.container.id == names.id; });
    if (known == containers_.end()) return;
    if (chain.container.name.empty()) chain.container.name = known->name;
    if (chain.container.runtime.empty()) chain.container.runtime = known->runtime;
    if (chain.k8s.pod.empty()) chain.k8s = {known->namespace_, known->pod, known->name, known->pod_uid};
}

std::vector<std::uint16_t> LiveOwners::component_ports() const {
    std::vector<std::uint16_t> ports;
    for (const std::uint32_t position : listeners_) {
        const Socket& socket = table_.sockets[position];
        const bool ours = std::any_of(socket.owners.begin(), socket.owners.end(), [&](const SocketOwner& owner) {
            return std::find(components_.begin(), components_.end(), owner.process) != components_.end();
        });
        if (ours) ports.push_back(socket.local.port);
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    return ports;
}

std::vector<IpAddress> LiveOwners::kubelet_addresses() const {
    std::vector<IpAddress> addresses;
    for (const std::uint32_t position : listeners_) {
        const Socket& socket = table_.sockets[position];
        if (socket.local.port == kKubeletPort) addresses.push_back(socket.local.address);
    }
    return addresses;
}

std::vector<std::string> LiveOwners::limits() const {
    std::vector<std::string> all = trouble_;
    all.insert(all.end(), table_.limits.begin(), table_.limits.end());
    return all;
}

}  // namespace hopscope::cli
