// What a capture tells of the listeners.
#include <algorithm>
#include <map>

#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"

namespace hopscope::chain {
namespace {

bool role_fits(std::string_view role, ProcessRole owner) {
    if (role == kStreamingRole) return streaming_rule(owner) != nullptr;
    if (role == "kubelet-api") return owner == ProcessRole::kubelet;
    if (role == "apiserver") return owner == ProcessRole::apiserver;
    return false;
}

void add_fact(Listener& listener, const PortFact& fact) {
    if (fact.role.empty() || fact.role == "unknown") return;
    const bool fits_owner = listener.owner && role_fits(fact.role, listener.owner->role);
    Draft draft{.role = fact.role, .component = fits_owner ? std::string(to_string(listener.owner->role)) : ""};
    draft.proof.holder = holder_of(listener, fits_owner);
    const bool proven = fact.confidence == "certain";
    for (const Evidence& each : fact.evidence) {
        draft.evidence.push_back(each);
        if (each.id == "cri") draft.proof.cri = true;
    }
    // A refusal in a streaming server's words is behaviour; 101 is proof.
    draft.proof.traffic = proven && !draft.proof.cri;
    draft.proof.behaviour = proven || fact.confidence == "medium" || fact.confidence == "high";
    draft.short_why = "seen in traffic";
    add_draft(listener.drafts, std::move(draft));
}

}  // namespace

void draft_from_traffic(std::vector<Listener>& listeners, const Model& traffic) {
    // A capture does not know namespaces: it is taken for one of the host's. Equal listeners (SO_REUSEPORT) all get it.
    std::map<Endpoint, std::vector<Listener*>> exact;
    std::map<std::uint16_t, std::vector<Listener*>> any_address;
    for (Listener& listener : listeners) {
        if (listener.socket->transport != Transport::tcp || !listener.in_host_namespace) continue;
        const Endpoint& local = listener.socket->local;
        if (local.address.is_unspecified())
            any_address[local.port].push_back(&listener);
        else
            exact[local].push_back(&listener);
    }
    const auto of = [&](const Endpoint& server) -> const std::vector<Listener*>& {
        static const std::vector<Listener*> kNone;
        if (const auto found = exact.find(server); found != exact.end()) return found->second;
        const auto found = any_address.find(server.port);
        return found == any_address.end() ? kNone : found->second;
    };
    std::map<Listener*, std::uint64_t> sessions;
    for (const auto& session : traffic.sessions)
        if (session)
            for (Listener* listener : of(session->server)) ++sessions[listener];
    for (const PortFact& fact : traffic.ports)
        for (Listener* listener : of(fact.local)) {
            listener->seen += fact.seen;
            add_fact(*listener, fact);
        }
    // The facts count answers also of sessions that were let go; sessions count requests that were never answered.
    for (const auto& [listener, count] : sessions) listener->seen = std::max(listener->seen, count);
}

}  // namespace hopscope::chain
