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

// Process::started is exact to a clock tick, a hundredth of a second, and the clock is corrected by more than that.
constexpr Duration kStartSlack{kNanosecondsPerSecond};
// What is said to be of 1970 has no date: such a file counts from its own beginning.
constexpr Timestamp kFirstDate{365LL * 86'400 * kNanosecondsPerSecond};

// Which traffic on a listener's port can be its own: none from before its owner was started.
class Times {
public:
    explicit Times(const Listener& listener) : listener_(&listener) {}

    // The time of something seen; where it cannot be judged it is taken for the listener's.
    bool is_own(Timestamp at) {
        dated_ = dated_ || at >= kFirstDate;
        const bool before = is_before_owner(*listener_, at);
        any_own_ = any_own_ || !before;
        if (before) last_before_ = std::max(last_before_, at);
        return !before;
    }

    // What is to be said of it.
    [[nodiscard]] std::optional<Evidence> words() const {
        const hopscope::Process* owner = listener_->owner;
        const Timestamp started = owner ? owner->started : Timestamp{};
        const std::string who = owner ? name_of(*owner) : "its owner";
        if (last_before_.ns != 0)
            return note(std::string(any_own_ ? "part of " : "") + "the file's traffic on this port is from before " +
                        who + " started (" + date(started) + "), the last of that on " + date(last_before_) +
                        ": it is no evidence");
        if (!any_own_) return std::nullopt;
        if (!dated_)
            return note("the file does not say when its traffic on this port was: it is taken for traffic of " + who);
        if (started.ns == 0)
            return note("when " + who +
                        " was started is not known: the file's traffic on this port is taken for its own");
        return std::nullopt;
    }

private:
    static Evidence note(std::string says) { return evidence(Grade::inferred, "traffic", std::move(says)); }
    static std::string date(Timestamp at) { return rfc3339(at).substr(0, 19) + "Z"; }

    const Listener* listener_;
    Timestamp last_before_;
    bool any_own_ = false, dated_ = false;
};

// Where a connection to this node can end. Of a tree nothing is known: then every address may be its own.
class OwnAddresses {
public:
    explicit OwnAddresses(const Node& node) : known_(!node.addresses.empty()), all_(node.addresses) {
        for (const Socket& socket : node.table.sockets)
            if (known_ && socket.net_namespace == node.host_net_namespace) all_.push_back(socket.local.address);
        std::sort(all_.begin(), all_.end());
    }
    [[nodiscard]] bool may_have(const IpAddress& address) const {
        return !known_ || address.is_loopback() || std::binary_search(all_.begin(), all_.end(), address);
    }

private:
    bool known_;
    std::vector<IpAddress> all_;
};

// What of a fact is the listener's own.
struct Own {
    bool accepted = false, refused = false, named = false;
};
Own own_part(const PortFact& fact, Times& times) {
    if (fact.first_seen.ns == 0) {
        times.is_own({});
        return {.accepted = true, .refused = true, .named = true};
    }
    const auto is_own = [&](Timestamp last) { return last.ns != 0 && times.is_own(last); };
    const Own own{
        .accepted = is_own(fact.last_accepted), .refused = is_own(fact.last_refused), .named = is_own(fact.last_named)};
    times.is_own(fact.first_seen);  // older than what is said of the last: then that is said, too
    return own;
}

void add_fact(Listener& listener, const PortFact& fact, const Own& own) {
    if (fact.role.empty() || fact.role == "unknown") return;
    const bool fits_owner = listener.owner && role_fits(fact.role, listener.owner->role);
    Draft draft{.role = fact.role, .component = fits_owner ? std::string(to_string(listener.owner->role)) : ""};
    draft.proof.holder = holder_of(listener, fits_owner);
    const bool proven = fact.confidence == "certain" && (own.accepted || own.named);
    if (fact.confidence == "certain" && !proven)
        return;  // what proves it is older; whether a refusal tells is not kept
    const bool undated = fact.first_seen.ns == 0;
    const bool by_answer = undated || fact.last_accepted.ns != 0;  // else the evidence tells of refusals
    for (const Evidence& each : fact.evidence) {
        if (each.id == "cri" ? !own.named : by_answer ? !own.accepted : !own.refused) continue;
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

bool is_before_owner(const Listener& listener, Timestamp at) {
    const Timestamp started = listener.owner ? listener.owner->started : Timestamp{};
    return started.ns != 0 && at >= kFirstDate && at + kStartSlack < started;
}

void draft_from_traffic(std::vector<Listener>& listeners, const Model& traffic, const Node& node) {
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
    std::map<Listener*, Endpoint> elsewhere;  // traffic of their port that ended at another machine
    const OwnAddresses own_addresses(node);
    const auto of = [&](const Endpoint& server) -> std::vector<Listener*> {
        if (const auto found = exact.find(server); found != exact.end()) return found->second;
        std::vector<Listener*> reached;
        const auto found = any_address.find(server.port);
        if (found == any_address.end()) return reached;
        for (Listener* listener : found->second) {
            if (listener->socket->v6_only && server.address.is_v4()) continue;
            if (own_addresses.may_have(server.address))
                reached.push_back(listener);
            else
                elsewhere.try_emplace(listener, server);
        }
        return reached;
    };
    struct Seen {
        Times times;
        std::uint64_t sessions = 0, answers = 0;
    };
    std::map<Listener*, Seen> all;
    const auto seen_of = [&](Listener* listener) -> Seen& {
        return all.try_emplace(listener, Seen{.times = Times(*listener)}).first->second;
    };
    for (const auto& session : traffic.sessions)
        if (session)
            for (Listener* listener : of(session->server)) {
                Seen& seen = seen_of(listener);
                if (seen.times.is_own(std::max(session->start, session->answered))) ++seen.sessions;
            }
    for (const PortFact& fact : traffic.ports)
        for (Listener* listener : of(fact.local)) {
            Seen& seen = seen_of(listener);
            const Own own = own_part(fact, seen.times);
            if (!own.accepted && !own.refused && !own.named) continue;
            // How many of the answers came since the owner was started is not counted: then the sessions are.
            if (seen.times.is_own(fact.first_seen)) seen.answers += fact.seen;
            add_fact(*listener, fact, own);
        }
    // The facts count answers also of sessions that were let go; sessions count requests that were never answered.
    for (const auto& [listener, seen] : all) {
        listener->seen = std::max(seen.sessions, seen.answers);
        if (auto words = seen.times.words()) listener->traffic_notes.push_back(std::move(*words));
    }
    for (const auto& [listener, server] : elsewhere)
        listener->traffic_notes.push_back(evidence(Grade::inferred, "traffic",
                                                   "the file has traffic of this port at " + to_string(server.address) +
                                                       ", which is no address of this node: it is no evidence"));
}

}  // namespace hopscope::chain
