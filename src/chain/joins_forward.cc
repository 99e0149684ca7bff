#include "chain/joins_forward.h"

#include <algorithm>
#include <string_view>

#include "chain/join_words.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// A runtime dials as soon as both streams of a forwarded connection are there; a node under load needs a while.
constexpr std::int64_t kDialWithinNs = 5 * kNanosecondsPerSecond;
// Packets and connections are stamped by two clocks that are set against each other, within microseconds if nothing
// comes between.
constexpr std::int64_t kClockSlackNs = 1'000'000;

constexpr std::string_view kRuntimeNames[] = {"containerd", "crio", "dockerd", "cri-dockerd"};

bool is_member(const Chain& chain, const Session& session) {
    return std::find(chain.sessions.begin(), chain.sessions.end(), session.number) != chain.sessions.end();
}

}  // namespace

void ForwardBook::know(const hopscope::Process& process) {
    switch (process.role) {
        case ProcessRole::containerd:
        case ProcessRole::dockerd:
        case ProcessRole::cri_dockerd:
        case ProcessRole::crio:
            if (runtimes_.size() >= limits::kForwardRuntimesMax) runtimes_.clear();
            runtimes_.insert(process.id.pid);
            return;
        default: break;
    }
    if (process.container_id.empty()) return;
    const std::string& container = process.container_id.raw();  // raw-ok: a key, never shown
    if (process.net_namespace != 0) {
        if (container_networks_.size() >= limits::kForwardContainersMax) container_networks_.clear();
        container_networks_[container] = process.net_namespace;
    }
    if (in_containers_.size() >= limits::kForwardContainersMax) in_containers_.clear();
    InContainer& known = in_containers_[process.id.pid];
    if (known.container_id != container) known = {container, process.pod_uid.raw()};  // raw-ok: compared only
}

bool ForwardBook::is_runtime(const ProcessId& id, const Untrusted& comm) const {
    if (runtimes_.contains(id.pid)) return true;
    // One that was started after the last look at the processes. Whether it is the session's is asked in the end.
    return std::any_of(std::begin(kRuntimeNames), std::end(kRuntimeNames),
                       [&](std::string_view name) { return comm == name; });
}

void ForwardBook::on(const SocketLife& life) {
    const bool opened = life.kind == SocketLife::Kind::opened, closed = life.kind == SocketLife::Kind::closed;
    if ((!opened && !closed) || life.client_owner.pid == 0 || !is_runtime(life.client_owner, life.client_comm)) return;
    const Key key{life.net_namespace, life.client, life.server};
    Dial* dial = nullptr;
    if (const auto known = by_key_.find(key); known != by_key_.end() && known->second >= forgotten_) {
        Dial& last = dials_[known->second - forgotten_];
        if (!last.closed) dial = &last;  // else the ports are used again
    }
    if (!dial) {
        if (closed) return;  // its opening is not remembered
        if (dials_.size() >= limits::kForwardDialsMax) {
            const Dial& oldest = dials_.front();
            const auto at = by_key_.find({oldest.net_namespace, oldest.client, oldest.server});
            if (at != by_key_.end() && at->second == forgotten_) by_key_.erase(at);
            dials_.pop_front();
            ++forgotten_;
        }
        by_key_[key] = forgotten_ + dials_.size();
        dial = &dials_.emplace_back();
        dial->client = life.client;
        dial->server = life.server;
        dial->net_namespace = life.net_namespace;
        dial->from = Process{.pid = life.client_owner.pid, .comm = life.client_comm, .exe = {}};
        dial->opened = life.at;
    }
    if (life.server_owner.pid != 0)
        dial->to = Process{.pid = life.server_owner.pid, .comm = life.server_comm, .exe = {}};
    if (!closed) return;
    dial->closed = life.at;
    if (life.client_sent_bytes && life.server_sent_bytes)
        dial->bytes = ByteCounts{.in = *life.client_sent_bytes, .out = *life.server_sent_bytes};
}

std::uint64_t ForwardBook::namespace_of(const Session& session) const {
    for (const Untrusted* id : {&session.container.sandbox_id, &session.container.id}) {
        if (id->empty()) continue;
        const auto known = container_networks_.find(id->raw());  // raw-ok: a key, never shown
        if (known != container_networks_.end()) return known->second;
    }
    return 0;
}

std::vector<ForwardBook::Need> ForwardBook::needs(const Chain& chain,
                                                  std::span<const std::unique_ptr<Session>> all) const {
    std::vector<Need> found;
    for (const auto& session : all) {
        // The connection that the runtime answers; what it refused it did not forward.
        if (session->op != Op::portforward || session->hop != HopKind::runtime || session->status != 101) continue;
        if (!session->ends || !session->ends->to) continue;
        const bool own = is_member(chain, *session);
        if (!own && (session->start > chain.end || session->end < chain.start)) continue;
        const std::uint64_t network = namespace_of(*session);
        for (const Stream& stream : session->streams) {
            if (stream.kind != StreamKind::data || !stream.has_port || stream.error) continue;
            if (found.size() >= limits::kForwardStreamsMax) return found;
            found.push_back({session.get(), &stream, session->ends->to->pid, network, own});
        }
    }
    return found;
}

std::vector<ForwardBook::Pair> ForwardBook::pairs(const std::vector<Need>& needs) const {
    std::vector<std::pair<std::int64_t, std::size_t>> by_time;
    for (std::size_t dial = 0; dial < dials_.size(); ++dial) by_time.emplace_back(dials_[dial].opened.ns, dial);
    std::sort(by_time.begin(), by_time.end());
    std::vector<Pair> found;
    for (std::size_t need = 0; need < needs.size(); ++need) {
        const Need& n = needs[need];
        const std::int64_t from = n.stream->start.ns - kClockSlackNs;
        std::int64_t to = n.stream->start.ns + kDialWithinNs;
        if (n.session->over) to = std::min(to, n.session->end.ns + kClockSlackNs);
        if (n.stream->state == Stream::State::closed) to = std::min(to, n.stream->last.ns + kClockSlackNs);
        std::size_t taken = 0;
        for (auto at = std::lower_bound(by_time.begin(), by_time.end(), std::pair{from, std::size_t{0}});
             at != by_time.end() && at->first <= to && taken < limits::kChainCandidatesMax; ++at) {
            const Dial& d = dials_[at->second];
            if (d.from.pid != n.runtime_pid || d.server.port != n.stream->port) continue;
            if (n.net_namespace != 0 && d.net_namespace != n.net_namespace) continue;
            if (d.closed && *d.closed < n.stream->start) continue;  // over before the stream began
            // What the client sent may not all have reached the pod, nor what the pod sent the client; never more.
            if (d.bytes && (d.bytes->in > n.stream->bytes.in || d.bytes->out < n.stream->bytes.out)) continue;
            const bool same = d.bytes && d.bytes->in == n.stream->bytes.in && d.bytes->out == n.stream->bytes.out;
            found.push_back({need, at->second, same, true, false});
            ++taken;
        }
    }
    return found;
}

// Every connection that a runtime made to a forwarded port is some stream's: one that fits a single stream is its, and
// then no other fits that stream. Equal byte counts are better than "nothing speaks against it".
void ForwardBook::settle(std::vector<Pair>& pairs) {
    std::unordered_map<std::size_t, std::vector<std::size_t>> of_dial, of_need;
    std::deque<std::size_t> waiting;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        of_dial[pairs[i].dial].push_back(i);
        of_need[pairs[i].need].push_back(i);
        waiting.push_back(i);
    }
    while (!waiting.empty()) {
        Pair& mine = pairs[waiting.front()];
        waiting.pop_front();
        if (!mine.alive) continue;
        const auto beaten = [&](const std::vector<std::size_t>& rivals, bool also_by_equal) {
            return std::any_of(rivals.begin(), rivals.end(), [&](std::size_t i) {
                const Pair& other = pairs[i];
                if (!other.alive || &other == &mine) return false;
                return also_by_equal ? other.same_bytes >= mine.same_bytes : other.same_bytes > mine.same_bytes;
            });
        };
        if (beaten(of_dial[mine.dial], true) || beaten(of_need[mine.need], false)) continue;
        mine.joined = true;
        for (const auto* rivals : {&of_dial[mine.dial], &of_need[mine.need]}) {
            for (const std::size_t rival : *rivals) {
                if (!pairs[rival].alive) continue;
                pairs[rival].alive = false;
                // What loses an end frees the choice of its other end.
                for (const auto* neighbours : {&of_dial[pairs[rival].dial], &of_need[pairs[rival].need]})
                    waiting.insert(waiting.end(), neighbours->begin(), neighbours->end());
            }
        }
    }
}

Hop ForwardBook::hop_of(const Need& need, const Dial& dial, bool same_bytes) const {
    const std::string stream = "stream " + std::to_string(need.stream->id);
    Hop hop;
    hop.kind = HopKind::process;
    hop.grade = Grade::seen;
    hop.client = dial.client;
    hop.server = dial.server;
    hop.from = dial.from;
    hop.to = dial.to;
    hop.proto = "tcp";
    hop.start = dial.opened;
    if (dial.closed) hop.took = *dial.closed - dial.opened;
    if (dial.bytes) hop.bytes = *dial.bytes;
    hop.net_namespace = dial.net_namespace;
    hop.stream = need.stream->id;
    const std::string where =
        who(dial.from) + " made the connection in network namespace " + std::to_string(dial.net_namespace);
    if (need.net_namespace != 0)
        hop.evidence.push_back(said(Grade::decoded, where + ", the sandbox's", "netns"));
    else
        hop.evidence.push_back(said(Grade::inferred, where + "; which the sandbox's is could not be read", "netns"));
    hop.evidence.push_back(said(Grade::decoded,
                                "port " + std::to_string(dial.server.port) + " is the one that " + stream + " asks for",
                                "port"));
    hop.evidence.push_back(
        said(Grade::seen, "opened " + milliseconds(dial.opened - need.stream->start) + " after " + stream, "start"));
    if (same_bytes)
        hop.evidence.push_back(
            said(Grade::decoded, "carried as many bytes as " + stream + " in both directions", "bytes"));
    if (!dial.to) return hop;
    const auto inside = in_containers_.find(dial.to->pid);
    if (inside == in_containers_.end()) return hop;
    hop.evidence.push_back(
        said(Grade::decoded, who(*dial.to) + " is in container " + display(inside->second.container_id.substr(0, 12)),
             "cgroup"));
    return hop;
}

void ForwardBook::complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const {
    if (chain.op != Op::portforward || dials_.empty()) return;
    const std::vector<Need> streams = needs(chain, all);
    std::vector<Pair> found = pairs(streams);
    settle(found);
    std::size_t hops = 0;
    for (const Pair& pair : found) {
        const Need& need = streams[pair.need];
        if (!need.own) continue;
        const Dial& dial = dials_[pair.dial];
        if (pair.joined && hops < limits::kForwardHopsMax) {
            chain.hops.push_back(hop_of(need, dial, pair.same_bytes));
            ++hops;
        }
        if (!pair.alive || chain.candidates.size() >= limits::kBookCandidatesMax) continue;
        chain.candidates.push_back(said(Grade::inferred,
                                        who(dial.from) + " connected from " + to_string(dial.client) + " to port " +
                                            std::to_string(dial.server.port) + " " +
                                            milliseconds(dial.opened - need.stream->start) + " after stream " +
                                            std::to_string(need.stream->id) + " of " + need.session->id() +
                                            " was opened; it fits others as well",
                                        "forward"));
    }
}

}  // namespace hopscope::chain
