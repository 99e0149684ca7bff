#include "chain/port_book.h"

#include <algorithm>

#include "chain/url.h"
#include "chain/verdict_proof.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr char kLow[] = "low";
constexpr char kUnknownRole[] = "unknown";

const char* role_of(HopKind hop) {
    switch (hop) {
        case HopKind::apiserver: return "apiserver";
        case HopKind::kubelet: return "kubelet-api";
        case HopKind::runtime: return "cri-streaming-server";
        case HopKind::unknown:
        case HopKind::cri:
        case HopKind::shim:
        case HopKind::process: return nullptr;
    }
    return nullptr;
}

const char* paths_of(HopKind hop) {
    if (hop == HopKind::runtime) return "/exec, /attach or /portforward with a token";
    return hop == HopKind::kubelet ? "/exec, /attach or /portForward with a pod"
                                   : "the exec, attach or portforward of a pod";
}

// A refusal in words that only a streaming server or its proxy says (k8s.io/kubelet/pkg/cri/streaming).
bool is_telling_refusal(const Session& session) {
    const std::string& words = session.refusal.raw();
    if (session.status == 405) return words.starts_with("405: Method Not Allowed");
    return words.starts_with("unable to upgrade") || words.starts_with("Upgrade request required") ||
           words.starts_with("query parameter \"port\" is required");
}

// The route exists, the token does not: a path that is no route is answered in other words.
bool is_unknown_token(const Session& session) {
    return session.hop == HopKind::runtime && session.status == 404 && session.refusal == "404 page not found";
}

}  // namespace

void PortBook::saw(PortFact& fact, Timestamp& last_of_kind, Timestamp at) {
    if (at.ns == 0) return;
    if (fact.first_seen.ns == 0 || at < fact.first_seen) fact.first_seen = at;
    last_of_kind = std::max(last_of_kind, at);
}

PortBook::Server* PortBook::server_of(const Endpoint& endpoint, const char* role) {
    if (const auto found = servers_.find(endpoint); found != servers_.end()) return &found->second;
    if (endpoint.port == 0 || servers_.size() >= limits::kPortFactsMax) return nullptr;
    Server& server = servers_[endpoint];
    server.fact = model_.ports.size();
    PortFact& fact = model_.ports.emplace_back();
    fact.local = endpoint;
    fact.role = role;
    fact.confidence = kLow;
    return &server;
}

void PortBook::answered(const Session& session) {
    const char* role = role_of(session.hop);
    if (!role) return;
    const bool accepted = session.status == 101;
    const bool telling = is_telling_refusal(session);
    // Any server may answer such a path somehow: that alone does not tell its role. Its port was captured, though.
    Server* server = server_of(session.server, accepted || telling || is_unknown_token(session) ? role : kUnknownRole);
    if (!server) return;
    if (std::find(server->files.begin(), server->files.end(), session.file) == server->files.end() &&
        server->files.size() < limits::kPortFactFilesMax)
        server->files.push_back(session.file);
    PortFact& fact = model_.ports[server->fact];
    ++fact.seen;
    saw(fact, accepted ? fact.last_accepted : fact.last_refused, session.answered);
    const char* confidence = accepted ? "certain" : telling ? "medium" : kLow;
    if (sure_named(confidence) > sure_named(fact.confidence) ||
        (fact.role == kUnknownRole && is_unknown_token(session))) {
        fact.confidence = confidence;
        fact.role = role;
    }
    if (accepted) ++server->accepted;
    if (!accepted && server->traffic_evidence != SIZE_MAX) return;
    std::string says =
        accepted
            ? "101 was answered " +
                  (server->accepted == 1 ? std::string("once") : std::to_string(server->accepted) + " times") + " to "
            : std::to_string(session.status) + " was answered to ";
    says += paths_of(session.hop);
    if (server->traffic_evidence == SIZE_MAX) {
        server->traffic_evidence = fact.evidence.size();
        fact.evidence.push_back(
            {.grade = Grade::decoded, .says = {}, .frame = session.answer_frame, .source = {}, .id = "traffic"});
    } else if (server->accepted == 1) {
        fact.evidence[server->traffic_evidence].frame =
            session.answer_frame;  // the first that says more than a refusal
    }
    fact.evidence[server->traffic_evidence].says = std::move(says);
}

void PortBook::named_by_cri(const CriCall& call, const std::string& runtime_name) {
    if (!call.streaming || call.streaming->address.is_unspecified()) return;
    Server* server = server_of(*call.streaming, role_of(HopKind::runtime));
    if (!server) return;
    PortFact& fact = model_.ports[server->fact];
    fact.role = role_of(HopKind::runtime);
    fact.confidence = "certain";
    saw(fact, fact.last_named, call.answered);
    if (fact.component.empty()) fact.component = runtime_name;
    if (server->by_cri) return;
    server->by_cri = true;
    fact.evidence.push_back({.grade = Grade::decoded,
                             .says = "the runtime's CRI answer names this server in a streaming URL",
                             .frame = call.answered_frame,
                             .source = {},
                             .id = "cri"});
}

bool PortBook::was_captured(const Endpoint& server, std::uint16_t file) const {
    const auto found = servers_.find(server);
    if (found == servers_.end()) return false;
    const auto& files = found->second.files;
    return std::find(files.begin(), files.end(), file) != files.end();
}

}  // namespace hopscope::chain
