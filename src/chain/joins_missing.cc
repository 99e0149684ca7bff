#include "chain/joins_missing.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

bool has(const Chain& chain, HopKind kind) {
    return std::any_of(chain.hops.begin(), chain.hops.end(), [&](const Hop& hop) { return hop.kind == kind; });
}

std::vector<const Session*> members_of(const Chain& chain, std::span<const std::unique_ptr<Session>> all) {
    std::vector<const Session*> members;
    for (const auto& session : all) {
        if (std::find(chain.sessions.begin(), chain.sessions.end(), session->number) != chain.sessions.end())
            members.push_back(session.get());
    }
    return members;
}

// The one nearest to the runtime that was granted; null: all were refused.
const Session* innermost(const std::vector<const Session*>& members) {
    const Session* best = nullptr;
    for (const Session* session : members) {
        if (session->state != SessionState::refused && (!best || best->hop < session->hop)) best = session;
    }
    return best;
}

std::string_view end_of(HopKind kind, bool client) {
    switch (kind) {
        case HopKind::apiserver: return client ? "kubectl" : "the API server";
        case HopKind::kubelet: return client ? "the API server" : "the kubelet";
        case HopKind::cri:
        case HopKind::runtime: return client ? "the kubelet" : "the runtime";
        case HopKind::shim: return client ? "the runtime" : "the shim";
        case HopKind::process: return client ? "its starter" : "the process";
        case HopKind::unknown: break;
    }
    return client ? "the client" : "the server";
}

class Missing {
public:
    explicit Missing(Chain& chain) : chain_(chain) {}
    void add(HopKind kind, std::string says) {
        if (chain_.missing.size() < limits::kMissingMax) chain_.missing.push_back({kind, std::move(says)});
    }

private:
    Chain& chain_;
};

// What is not there may be among it.
std::string lost_beside(const Sight& sight) {
    if (sight.pieces_lost == 0) return {};
    return "; " + std::to_string(sight.pieces_lost) +
           " pieces of the runtimes' sockets were lost, for want of room in the ring";
}

void tell_forwards(const Chain& chain, const Session& session, const Sight& sight, Missing& missing) {
    for (const Stream& stream : session.streams) {
        if (stream.kind != StreamKind::data || !stream.has_port || stream.error) continue;
        const bool found = std::any_of(chain.hops.begin(), chain.hops.end(), [&](const Hop& hop) {
            return hop.kind == HopKind::process && hop.stream == stream.id;
        });
        if (found) continue;
        missing.add(HopKind::process, "the runtime's connection to port " + std::to_string(stream.port) +
                                          " for stream " + std::to_string(stream.id) + ": " +
                                          (!sight.connections.empty()  ? sight.connections
                                           : !chain.candidates.empty() ? "several could be it"
                                                                       : "none was seen"));
    }
}

void tell_hops(const Chain& chain, const Session& session, const Sight& sight, Missing& missing) {
    // Docker's own API stands behind no other hop when its client is the user's.
    const bool by_docker = session.hop == HopKind::shim && !has(chain, HopKind::runtime);
    if (!by_docker && session.hop != HopKind::runtime && !has(chain, HopKind::runtime))
        missing.add(HopKind::runtime, "the connection to the runtime's streaming server: none was seen that fits");
    if (!by_docker && !has(chain, HopKind::cri)) {
        std::string why = "no call was seen that issued the token";
        if (!sight.calls.empty()) why = sight.calls;
        if (session.state == SessionState::cut)
            why = "it was made before the capture began";
        else
            why += lost_beside(sight);
        missing.add(HopKind::cri, "the call that asked the runtime for it: " + why);
    }
    if (session.op == Op::portforward) return tell_forwards(chain, session, sight, missing);
    if (session.op != Op::exec || has(chain, HopKind::process)) return;
    std::string why = "none was seen to start";
    if (!chain.candidates.empty())
        why = "several could be it";
    else if (session.state == SessionState::cut)
        why = "it was started before the capture began";
    else if (!sight.processes.empty())
        why = sight.processes;
    missing.add(HopKind::process, "the process in the container: " + why);
}

void tell_ends(const Chain& chain, const Sight& sight, Missing& missing) {
    for (const Hop& hop : chain.hops) {
        // Of the others' ends the one is on another machine.
        if (hop.kind != HopKind::cri && hop.kind != HopKind::runtime && hop.kind != HopKind::shim) continue;
        const std::string why = sight.connections.empty() ? "it could not be told"
                                                          : "it was gone before it was asked for; " + sight.connections;
        if (!hop.from) missing.add(hop.kind, "the process of " + std::string(end_of(hop.kind, true)) + ": " + why);
        if (!hop.to) missing.add(hop.kind, "the process of " + std::string(end_of(hop.kind, false)) + ": " + why);
    }
}

void tell_bytes(const std::vector<const Session*>& members, Missing& missing) {
    for (const Session* session : members) {
        if (session->state == SessionState::refused || session->complete) continue;
        std::string says = session->id() + ": ";
        if (session->state == SessionState::cut)
            says += "its beginning, it was joined late";
        else if (session->gaps > 0)
            says += std::to_string(session->missing_bytes) + " bytes, in " + std::to_string(session->gaps) +
                    (session->gaps == 1 ? " gap" : " gaps");
        else if (session->state == SessionState::open)
            says += "its end";
        else
            says += "some of its bytes";
        missing.add(session->hop, std::move(says));
    }
}

}  // namespace

void tell_missing(Chain& chain, std::span<const std::unique_ptr<Session>> all, const Sight& sight) {
    chain.missing.clear();
    Missing missing(chain);
    const std::vector<const Session*> members = members_of(chain, all);
    if (const Session* session = innermost(members)) tell_hops(chain, *session, sight, missing);
    tell_ends(chain, sight, missing);
    tell_bytes(members, missing);
    chain.complete = chain.missing.empty();
}

}  // namespace hopscope::chain
