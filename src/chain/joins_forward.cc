#include "chain/joins_forward.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>
#include <utility>

#include "chain/join_words.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// A runtime dials as soon as both streams of a forwarded connection are there; a node under load needs a while.
constexpr std::int64_t kDialWithinNs = 5 * kNanosecondsPerSecond;
// Packets and connections are stamped by two clocks that are set against each other, within microseconds if nothing
// comes between.
constexpr std::int64_t kClockSlackNs = 1'000'000;

// Between the kernel's word that a connection is open and the time of its first packet.
constexpr std::int64_t kSameWithinNs = 2 * kNanosecondsPerSecond;

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

// The youngest with these addresses.
ForwardBook::Dial* ForwardBook::find(const Key& key) {
    const auto known = by_key_.find(key);
    return known != by_key_.end() && known->second >= forgotten_ ? &dials_[known->second - forgotten_] : nullptr;
}

ForwardBook::Dial& ForwardBook::add(const Key& key) {
    if (dials_.size() >= limits::kForwardDialsMax) {
        const Dial& oldest = dials_.front();
        const auto at = by_key_.find({oldest.net_namespace, oldest.client, oldest.server});
        if (at != by_key_.end() && at->second == forgotten_) by_key_.erase(at);
        dials_.pop_front();
        ++forgotten_;
    }
    by_key_[key] = forgotten_ + dials_.size();
    Dial& fresh = dials_.emplace_back();
    std::tie(fresh.net_namespace, fresh.client, fresh.server) = key;
    return fresh;
}

void ForwardBook::on(const SocketLife& life) {
    kernel_tells_ = true;
    const bool opened = life.kind == SocketLife::Kind::opened, closed = life.kind == SocketLife::Kind::closed;
    if ((!opened && !closed) || !is_by_runtime(life)) return;
    const Key key{life.net_namespace, life.client, life.server};
    Dial* dial = find(key);
    // Packets may have told it before; else the ports are used again.
    const auto by_packets = [&](const Dial& each) {
        return each.from.pid == 0 && std::abs((life.at - each.opened).ns) < kSameWithinNs;
    };
    if (dial && dial->closed && opened) dial = nullptr;
    if (dial && dial->from.pid == 0 && opened && !by_packets(*dial)) dial = nullptr;
    if (!dial) {
        if (closed) return;  // its opening is not remembered
        dial = &add(key);
        dial->opened = life.at;
    }
    if (opened) {
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

void ForwardBook::on(const ForwardLeg& leg) {
    const auto is_it = [&](const Dial& dial) {
        if (dial.leg) return dial.leg->opened == leg.opened;
        const Timestamp end = dial.closed.value_or(leg.opened);
        return (leg.opened - dial.opened).ns > -kSameWithinNs && (leg.opened - end).ns < kSameWithinNs;
    };
    Dial* dial = find({leg.net_namespace, leg.client, leg.server});
    if (dial && !is_it(*dial)) dial = nullptr;
    if (!leg.handshake_seen) {
        // The server's packet may have been the first that was seen.
        Dial* turned = find({leg.net_namespace, leg.server, leg.client});
        if (turned && is_it(*turned) && (!dial || turned->from.pid != 0)) {
            if (dial) dial->leg.reset();
            dial = turned;
        }
    }
    if (!dial) {
        dial = &add({leg.net_namespace, leg.client, leg.server});
        dial->opened = leg.opened;
    }
    dial->leg = leg;
    if (dial->client == leg.client) return;
    std::swap(dial->leg->client, dial->leg->server);
    std::swap(dial->leg->bytes.in, dial->leg->bytes.out);
}

void ForwardBook::no_packets(std::uint64_t net_namespace, std::string why) {
    if (captures_.size() >= limits::kForwardContainersMax) captures_.clear();
    captures_[net_namespace] = {.from = {}, .why = std::move(why)};
}

void ForwardBook::packets_from(std::uint64_t net_namespace, Timestamp at) {
    if (captures_.size() >= limits::kForwardContainersMax) captures_.clear();
    captures_[net_namespace] = {.from = at, .why = {}};
}

std::optional<Timestamp> ForwardBook::Dial::ended() const {
    if (closed || !leg || !leg->over) return closed;
    return leg->last;
}

std::optional<ByteCounts> ForwardBook::Dial::carried() const {
    if (bytes || !leg || !leg->handshake_seen || !leg->end_seen) return bytes;
    return leg->bytes;
}

ForwardBook::Dial ForwardBook::Dial::turned_to(std::uint16_t server_port) const {
    Dial turned = *this;
    if (from.pid != 0 || !leg || leg->handshake_seen || server.port == server_port || client.port != server_port)
        return turned;
    std::swap(turned.client, turned.server);
    std::swap(turned.leg->client, turned.leg->server);
    std::swap(turned.leg->bytes.in, turned.leg->bytes.out);
    return turned;
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
        const bool own = is_member(chain, *session);
        if (!own && (session->start > chain.end || session->end < chain.start)) continue;
        const std::uint64_t network = namespace_of(*session);
        for (const Stream& stream : session->streams) {
            if (stream.kind != StreamKind::data || !stream.has_port || stream.error) continue;
            if (found.size() >= limits::kForwardStreamsMax) return found;
            const bool known = session->ends && session->ends->to;
            found.push_back({session.get(), &stream, known ? session->ends->to->pid : 0, network, own});
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
            const Dial& told = dials_[at->second];
            if (told.from.pid == 0 && !told.leg) continue;  // its packets are another's
            if (told.server.port != n.stream->port && told.client.port != n.stream->port) continue;
            const Dial d = told.turned_to(n.stream->port);
            if (d.server.port != n.stream->port) continue;
            // Where the kernel tells who connects, a connection without an owner is not the runtime's.
            if (d.from.pid == 0 ? kernel_tells_ : n.runtime_pid == 0 || d.from.pid != n.runtime_pid) continue;
            if (n.net_namespace != 0 && d.net_namespace != n.net_namespace) continue;
            const auto ended = d.ended();
            if (ended && *ended < n.stream->start) continue;  // over before the stream began
            // What the client sent may not all have reached the pod, nor what the pod sent the client; never more.
            const auto bytes = d.carried();
            if (bytes && (bytes->in > n.stream->bytes.in || bytes->out < n.stream->bytes.out)) continue;
            const bool same = bytes && bytes->in == n.stream->bytes.in && bytes->out == n.stream->bytes.out;
            found.push_back({.need = need, .dial = at->second, .same_bytes = same, .owned = d.from.pid != 0});
            ++taken;
        }
    }
    return found;
}

// Every connection that a runtime made to a forwarded port is some stream's: one that fits a single stream is its, and
// then no other fits that stream. Equal byte counts are better than "nothing speaks against it". One that only packets
// tell may be anybody's: it must be the only one that fits.
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
        if (beaten(of_dial[mine.dial], true) || beaten(of_need[mine.need], !mine.owned)) continue;
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

// What was captured of it, or why nothing was.
void ForwardBook::add_packets(Hop& hop, const Dial& dial) const {
    if (dial.leg) {
        const ForwardLeg& leg = *dial.leg;
        hop.packets = leg.packets;
        std::string says = std::to_string(leg.packets) + (leg.packets == 1 ? " packet" : " packets") +
                           " of it captured in the pod's network: ";
        if (leg.handshake_seen)
            says += std::to_string(leg.bytes.in) + " bytes in, " + std::to_string(leg.bytes.out) + " out" +
                    (leg.end_seen ? ""
                     : leg.over   ? " until it was reset"
                                  : ", its end was not seen");
        else
            says += "its beginning came before the capture there";
        if (leg.missing_bytes > 0)
            says += "; " + std::to_string(leg.missing_bytes) + " of them in packets that were not captured";
        hop.evidence.push_back(said(leg.handshake_seen && leg.missing_bytes == 0 ? Grade::decoded : Grade::seen,
                                    std::move(says), "packets"));
        hop.evidence.back().frame = leg.first_frame;
        return;
    }
    const auto known = captures_.find(dial.net_namespace);
    if (known == captures_.end()) return;
    std::string why = known->second.why;
    if (why.empty()) {
        const auto ended = dial.ended();
        why = known->second.from > dial.opened
                  ? "it began " + milliseconds(known->second.from - dial.opened) + " before the capture there did"
                  : "none came";
        if (ended && *ended < known->second.from)
            why = "it was over " + milliseconds(known->second.from - *ended) + " before the capture there began";
    }
    hop.evidence.push_back(said(Grade::seen, "no packet of it captured in the pod's network: " + why, "packets"));
}

Hop ForwardBook::hop_of(const Need& need, const Dial& dial, bool same_bytes) const {
    const std::string stream = "stream " + std::to_string(need.stream->id);
    Hop hop;
    hop.kind = HopKind::process;
    // Without the sandbox and without an owner it is only the one connection that fits.
    const bool owned = dial.from.pid != 0;
    hop.grade = owned || need.net_namespace != 0 ? Grade::seen : Grade::inferred;
    hop.client = dial.client;
    hop.server = dial.server;
    if (owned) hop.from = dial.from;
    hop.to = dial.to;
    hop.proto = "tcp";
    hop.start = dial.opened;
    if (const auto ended = dial.ended()) hop.took = *ended - dial.opened;
    if (const auto bytes = dial.carried()) hop.bytes = *bytes;
    hop.net_namespace = dial.net_namespace;
    hop.stream = need.stream->id;
    const std::string where =
        (owned ? who(dial.from) + " made the connection" : std::string("the connection was made")) +
        " in network namespace " + std::to_string(dial.net_namespace);
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
    add_packets(hop, dial);
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
        const Dial dial = dials_[pair.dial].turned_to(need.stream->port);
        if (pair.joined && hops < limits::kForwardHopsMax) {
            chain.hops.push_back(hop_of(need, dial, pair.same_bytes));
            ++hops;
        }
        if (!pair.alive || chain.candidates.size() >= limits::kBookCandidatesMax) continue;
        chain.candidates.push_back(said(
            Grade::inferred,
            (dial.from.pid != 0 ? who(dial.from) : std::string("somebody")) + " connected from " +
                to_string(dial.client) + " to port " + std::to_string(dial.server.port) + " " +
                milliseconds(dial.opened - need.stream->start) + " after stream " + std::to_string(need.stream->id) +
                " of " + need.session->id() + " was opened; it fits others as well",
            "forward"));
    }
}

}  // namespace hopscope::chain
