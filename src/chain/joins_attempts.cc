// Several requests of one hop that are one action of the user: a repeated attempt, and the execs of kubectl cp.
#include <algorithm>
#include <deque>

#include "chain/joins.h"
#include "chain/retries.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// kubectl cp looks whether the target is a directory (test -d) and then runs tar: one exec after the other.
constexpr std::int64_t kCopyStepNs = 5 * kNanosecondsPerSecond;

bool is_next_copy_step(const Session& next, const Session& before) {
    return next.op == Op::exec && before.op == Op::exec && next.hop == before.hop && next.hop != HopKind::runtime &&
           next.kubectl_command == "kubectl cp" && before.kubectl_command == "kubectl cp" &&
           next.kubectl_session.empty() && before.kubectl_session.empty() && next.server == before.server &&
           next.client.address == before.client.address && next.user_agent == before.user_agent &&
           next.forwarded_for == before.forwarded_for && next.k8s.namespace_ == before.k8s.namespace_ &&
           next.k8s.pod == before.k8s.pod && next.k8s.container == before.k8s.container;
}

void join_copy_steps(JoinBoard& board) {
    const auto& order = board.by_start();
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Session& before = board.session(order[i]);
        if (before.kubectl_command != "kubectl cp" || !before.kubectl_session.empty()) continue;
        std::size_t looked_at = 0;
        for (std::size_t j = i + 1; j < order.size() && looked_at < limits::kChainCandidatesMax; ++j, ++looked_at) {
            const Session& next = board.session(order[j]);
            const std::int64_t pause = (next.start - before.end).ns;
            if (pause > kCopyStepNs) break;
            if (!is_next_copy_step(next, before)) continue;
            // Steps that overlap are two copies at once, whose steps cannot be told apart by their headers.
            if (pause < 0 && before.state != SessionState::refused && next.command != before.command) break;
            board.unite(order[i], order[j],
                        {.grade = Grade::inferred,
                         .says = "kubectl cp runs several execs in the same container, one right after the other",
                         .frame = next.first_frame,
                         .source = {},
                         .id = "kubectl-cp"});
            break;
        }
    }
}

}  // namespace

void join_attempts(JoinBoard& board) {
    struct Pending {
        std::size_t node = 0;
        AttemptKey key;
    };
    std::deque<Pending> pending;  // refused, not repeated yet
    for (const std::size_t node : board.by_start()) {
        const Session& session = board.session(node);
        if (session.state == SessionState::cut || session.proto == Proto::http11 || session.proto == Proto::unknown)
            continue;
        while (!pending.empty() && (session.start - pending.front().key.start).ns > kSecondAttemptWithinNs)
            pending.pop_front();
        if (pending.empty() && session.state != SessionState::refused) continue;
        const AttemptKey key = attempt_key(session);
        const auto fits = [&](const Pending& first) { return is_second_attempt(key, first.key); };
        const auto first = std::find_if(pending.begin(), pending.end(), fits);
        const bool several = first != pending.end() && std::find_if(first + 1, pending.end(), fits) != pending.end();
        if (first != pending.end() && (!several || !key.kubectl_session.empty())) {
            board.unite(first->node, node,
                        {.grade = Grade::inferred,
                         .says = "the same client repeated the refused request with another protocol",
                         .frame = session.first_frame,
                         .source = {},
                         .id = "attempt"});
            pending.erase(first);
        } else if (several) {
            board.add_candidate(node, {.grade = Grade::inferred,
                                       .says = "it repeats one of several refused requests that look alike (" +
                                               board.session(first->node).id() + " is one)",
                                       .frame = session.first_frame,
                                       .source = {},
                                       .id = "attempt"});
        }
        if (session.state != SessionState::refused) continue;
        if (pending.size() >= limits::kChainCandidatesMax) pending.pop_front();
        pending.push_back({node, key});
    }
    join_copy_steps(board);
}

}  // namespace hopscope::chain
