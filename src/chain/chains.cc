#include "chain/chains.h"

#include <algorithm>
#include <unordered_map>

#include "chain/evidence.h"
#include "chain/joins.h"
#include "chain/joins_tls.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

void fill(Untrusted& into, const Untrusted& from) {
    if (into.empty()) into = from;
}

Hop hop_of(const Session& session) {
    Hop hop;
    hop.kind = session.hop;
    hop.grade = session.grade;
    hop.session = session.number;
    hop.client = session.client;
    hop.server = session.server;
    if (session.unix_socket) hop.unix_socket = *session.unix_socket;
    hop.proto = session.hop == HopKind::shim ? "docker" : to_string(session.proto);
    hop.start = session.start;
    if (session.answered.ns != 0) hop.took = session.answered - session.start;
    hop.bytes = session.bytes;
    if (session.ends) {
        hop.from = session.ends->from;
        hop.to = session.ends->to;
    }
    const std::vector<Evidence> evidence = evidence_of(session);
    if (!evidence.empty()) hop.evidence.push_back(evidence.front());
    return hop;
}

Hop hop_of(const CriCall& call) {
    Hop hop = hop_over(call.connection, HopKind::cri, "grpc");
    hop.start = call.request_seen ? call.asked : call.answered;
    if (call.request_seen) hop.took = call.answered - call.asked;
    hop.bytes = {call.request_bytes, call.answer_bytes};
    hop.evidence.push_back({.grade = Grade::decoded,
                            .says = "token t" + std::to_string(call.token) + " is in the CRI answer and in the URL",
                            .frame = call.answered_frame,
                            .source = {},
                            .id = "token"});
    return hop;
}

Hop hop_of(const SealedJoin& join) {
    const SealedConnection& sealed = *join.connection;
    Hop hop;
    hop.kind = HopKind::kubelet;
    hop.grade = Grade::seen;
    hop.client = sealed.client;
    hop.server = sealed.server;
    hop.proto = "tls";
    hop.start = sealed.opened;
    hop.took = join.took;
    hop.bytes = {sealed.side[index_of(Direction::to_server)].bytes, sealed.side[index_of(Direction::to_client)].bytes};
    hop.evidence = join.evidence;
    return hop;
}

// One entry per connection: of several requests on one connection the granted one stands for it.
// Returns its position.
std::size_t add_hop(Chain& chain, const Session& session, std::unordered_map<FlowId, std::size_t>& hop_of_flow) {
    const auto [known, fresh] = hop_of_flow.emplace(session.flow, chain.hops.size());
    if (fresh) {
        chain.hops.push_back(hop_of(session));
    } else if (session.status == 101) {
        chain.hops[known->second] = hop_of(session);
    }
    return known->second;
}

void describe(Chain& chain, const Session& session) {
    if (chain.op == Op::unknown) chain.op = session.op;
    fill(chain.k8s.namespace_, session.k8s.namespace_);
    fill(chain.k8s.pod, session.k8s.pod);
    fill(chain.k8s.container, session.k8s.container);
    fill(chain.k8s.uid, session.k8s.uid);
    fill(chain.container.id, session.container.id);
    fill(chain.container.name, session.container.name);
    fill(chain.container.sandbox_id, session.container.sandbox_id);
    if (chain.container.runtime.empty()) chain.container.runtime = session.container.runtime;
    if (chain.command.empty()) chain.command = session.command;
    fill(chain.kubectl_session, session.kubectl_session);
    fill(chain.kubectl_command, session.kubectl_command);
    fill(chain.user_agent, session.user_agent);
    chain.start = chain.sessions.size() == 1 ? session.start : std::min(chain.start, session.start);
    chain.end = std::max(chain.end, session.end);
}

// An attempt shows on every hop that it reached: those of the outermost hop are the user's.
void sum_up_attempts(Chain& chain, const std::vector<const Session*>& members) {
    HopKind outermost = HopKind::process;
    for (const Session* session : members) {
        if (session->state == SessionState::refused) outermost = std::min(outermost, session->hop);
    }
    for (const Session* session : members) {
        if (session->state == SessionState::refused && session->hop == outermost)
            chain.attempts.push_back({session->proto, session->status});
    }
}

// The last command's: kubectl cp runs several. The hops of one exec say the same; one of them may have missed it.
void take_exit_code(Chain& chain, const std::vector<const Session*>& members) {
    Timestamp latest;
    for (const Session* session : members) {
        if (!session->exit_code || session->end < latest) continue;
        chain.exit_code = session->exit_code;
        latest = session->end;
    }
}

void tell_contradictions(Chain& chain, const std::vector<const Session*>& members) {
    const auto tell = [&](const Session& session, const char* what) {
        chain.contradictions.push_back({.grade = Grade::decoded,
                                        .says = session.id() + what,
                                        .frame = session.first_frame,
                                        .source = {},
                                        .id = {}});
    };
    for (const Session* session : members) {
        if (!session->k8s.pod.empty() && !chain.k8s.pod.empty() && session->k8s.pod != chain.k8s.pod)
            tell(*session, " names another pod");
        if (session->op != Op::unknown && session->op != chain.op) tell(*session, " asks for something else");
    }
}

// `hop_positions` tells for each member which hop of the chain it is.
Chain make_chain(const std::vector<const Session*>& members, CriBook& cri, std::vector<std::size_t>& hop_positions) {
    Chain chain;
    std::unordered_map<FlowId, std::size_t> hop_of_flow;
    for (const Session* session : members) {
        chain.sessions.push_back(session->number);
        describe(chain, *session);
        hop_positions.push_back(add_hop(chain, *session, hop_of_flow));
        if (!session->token) continue;
        if (const CriCall* call = cri.call_of(session->token->number)) {
            chain.hops.push_back(hop_of(*call));
            fill(chain.container.id, call->container_id);
        }
    }
    sum_up_attempts(chain, members);
    take_exit_code(chain, members);
    tell_contradictions(chain, members);
    return chain;
}

void sort_hops(Chain& chain) {
    std::stable_sort(chain.hops.begin(), chain.hops.end(),
                     [](const Hop& a, const Hop& b) { return a.kind != b.kind ? a.kind < b.kind : a.start < b.start; });
}

void add_once(std::vector<Evidence>& list, const Evidence& evidence) {
    const bool told = std::any_of(list.begin(), list.end(), [&](const Evidence& e) { return e.says == evidence.says; });
    if (!told && list.size() < limits::kEvidencePerSessionMax) list.push_back(evidence);
}

bool is_worth_a_chain(const std::vector<const Session*>& members, CriBook& cri, bool of_single_sessions) {
    if (members.size() > 1) return true;
    const Session& only = *members.front();
    if (of_single_sessions && only.hop != HopKind::unknown && only.op != Op::unknown) return true;
    return !only.kubectl_session.empty() || (only.token && cri.call_of(only.token->number) != nullptr);
}

}  // namespace

void join_chains(Model& model, CriBook& cri, const TlsBook& tls, bool of_single_sessions, const ChainWanted& wanted) {
    JoinBoard board(model);
    join_by_kubectl_session(board);
    join_attempts(board);
    join_by_containment(board);

    const JoinGroups groups(board);
    struct Seat {
        std::size_t chain = SIZE_MAX, hop = 0;
    };
    std::vector<Seat> seats(board.size());  // by node
    const SealedJoins sealed = join_sealed(board, tls);
    std::vector<bool> has_sealed(board.size());  // by group
    for (const SealedJoin& join : sealed.joins) has_sealed[board.group(join.node)] = true;
    std::vector<const Session*> members;
    for (std::size_t first = 0; first < board.size(); ++first) {
        const std::span<const std::size_t> group = groups.of(first);
        if (group.empty()) continue;
        members.clear();
        for (const std::size_t node : group) members.push_back(&board.session(node));
        if (!(is_worth_a_chain(members, cri, of_single_sessions) || has_sealed[first]) || (wanted && !wanted(members)))
            continue;
        std::vector<std::size_t> hop_positions;
        Chain& chain = model.chains.emplace_back(make_chain(members, cri, hop_positions));
        chain.number = static_cast<std::uint32_t>(model.chains.size());
        for (std::size_t i = 0; i < group.size(); ++i) seats[group[i]] = {model.chains.size() - 1, hop_positions[i]};
    }
    for (const auto& [node, evidence] : board.evidence()) {
        const Seat seat = seats[node];
        if (seat.chain != SIZE_MAX) add_once(model.chains[seat.chain].hops[seat.hop].evidence, evidence);
    }
    for (const SealedJoin& join : sealed.joins) {
        if (seats[join.node].chain != SIZE_MAX) model.chains[seats[join.node].chain].hops.push_back(hop_of(join));
    }
    for (const auto& [node, evidence] : sealed.candidates) {
        if (seats[node].chain != SIZE_MAX) add_once(model.chains[seats[node].chain].candidates, evidence);
    }
    for (const auto& [node, evidence] : board.candidates()) {
        if (seats[node].chain != SIZE_MAX) add_once(model.chains[seats[node].chain].candidates, evidence);
    }
    for (Chain& chain : model.chains) sort_hops(chain);
}

}  // namespace hopscope::chain
