// A proxy makes its request inwards while the outer request waits for its answer: the inner connection begins inside
// the outer one and agrees with it in everything that both say. Time alone proves nothing; where
// several fit equally well none is taken, and they are listed.
#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>

#include "chain/joins.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// A translating API server answers its client before it dials inwards.
constexpr std::int64_t kDialsLaterNs = 2 * kNanosecondsPerSecond;

bool differ(const Untrusted& a, const Untrusted& b) { return !a.empty() && !b.empty() && a != b; }

// WebSocket outside, SPDY inside: a new request was made, the client's headers may be gone.
bool is_translated(const Session& outer, const Session& inner) { return outer.proto != inner.proto; }

bool within(const Session& outer, const Session& inner) {
    if (inner.start < outer.start || inner.start > outer.end) return false;
    if (outer.answered.ns == 0 || inner.start <= outer.answered) return true;
    return is_translated(outer, inner) && (inner.start - outer.answered).ns <= kDialsLaterNs;
}

// A plain proxy appends the address of its peer; further proxies between the two may have added theirs.
bool forwarded_agrees(const Session& outer, const Session& inner) {
    if (is_translated(outer, inner) || inner.forwarded_for.empty()) return true;
    const std::size_t known = outer.forwarded_for.size();
    return inner.forwarded_for.size() > known &&
           std::equal(outer.forwarded_for.begin(), outer.forwarded_for.end(), inner.forwarded_for.begin()) &&
           inner.forwarded_for[known] == to_string(outer.client.address);
}

bool answers_agree(const Session& outer, const Session& inner) {
    const bool outer_refused = outer.state == SessionState::refused,
               inner_refused = inner.state == SessionState::refused;
    if (outer_refused) return inner_refused && outer.status == inner.status;
    return !inner_refused || is_translated(outer, inner);
}

bool whole(const Session& session) { return session.complete && session.state != SessionState::open; }

bool results_agree(const Session& outer, const Session& inner) {
    if (outer.exit_code && inner.exit_code && *outer.exit_code != *inner.exit_code) return false;
    if (outer.tty && inner.tty && *outer.tty != *inner.tty) return false;
    if (outer.outcome == Session::Outcome::none || inner.outcome == Session::Outcome::none) return true;
    if (outer.outcome != inner.outcome) return false;
    // With a status on both sides everything was passed on before: then the counts are final.
    return !whole(outer) || !whole(inner) || (outer.bytes.in == inner.bytes.in && outer.bytes.out == inner.bytes.out);
}

bool fits(const Session& outer, const Session& inner) {
    if (outer.op != inner.op || !within(outer, inner)) return false;
    if (differ(outer.kubectl_session, inner.kubectl_session)) return false;
    if (outer.kubectl_session.empty() && !inner.kubectl_session.empty()) return false;  // nobody adds this header
    if (differ(outer.k8s.namespace_, inner.k8s.namespace_) || differ(outer.k8s.pod, inner.k8s.pod) ||
        differ(outer.k8s.container, inner.k8s.container) || differ(outer.k8s.uid, inner.k8s.uid))
        return false;
    if (!outer.command.empty() && !inner.command.empty() && outer.command != inner.command) return false;
    if (!is_translated(outer, inner) && differ(outer.user_agent, inner.user_agent)) return false;
    if (differ(outer.kubectl_command, inner.kubectl_command)) return false;
    return forwarded_agrees(outer, inner) && answers_agree(outer, inner) && results_agree(outer, inner);
}

// How much more than "nothing speaks against it" there is.
int agreement(const Session& outer, const Session& inner) {
    int points = 0;
    if (outer.bytes.in + outer.bytes.out > 0 && outer.bytes.in == inner.bytes.in && outer.bytes.out == inner.bytes.out)
        ++points;
    if (outer.exit_code && inner.exit_code) ++points;
    if (!outer.command.empty() && !inner.command.empty()) ++points;
    if (!outer.resizes.empty() && outer.resizes.size() == inner.resizes.size() &&
        std::equal(outer.resizes.begin(), outer.resizes.end(), inner.resizes.begin(),
                   [](const Resize& a, const Resize& b) { return a.width == b.width && a.height == b.height; }))
        ++points;
    return points;
}

struct Candidate {
    std::size_t outer = 0, inner = 0;
    int points = 0;
    bool alive = true;
};

// Something stronger has told already which outer request this one belongs to, or which inner one.
bool has_outer(const JoinBoard& board, std::span<const std::size_t> group, const Session& inner, HopKind hop) {
    return std::any_of(group.begin(), group.end(), [&](std::size_t node) {
        const Session& other = board.session(node);
        return other.hop == hop && within(other, inner);
    });
}
bool has_inner(const JoinBoard& board, std::span<const std::size_t> group, const Session& outer) {
    return std::any_of(group.begin(), group.end(), [&](std::size_t node) {
        const Session& other = board.session(node);
        return other.hop > outer.hop && within(outer, other);
    });
}

// All pairs of an outer and an inner hop that fit, a bounded number for each outer connection.
std::vector<Candidate> find_candidates(const JoinBoard& board, HopKind outer_hop, HopKind inner_hop) {
    const auto seen = [&](HopKind hop) {
        return std::any_of(board.by_start().begin(), board.by_start().end(),
                           [&](std::size_t node) { return board.session(node).hop == hop; });
    };
    if (!seen(outer_hop) || !seen(inner_hop)) return {};  // a node shows one of them, mostly
    const JoinGroups members(board);
    std::vector<std::size_t> inners;  // by start
    for (const std::size_t node : board.by_start()) {
        const Session& session = board.session(node);
        if (session.hop == inner_hop && session.state != SessionState::cut &&
            !has_outer(board, members.of(board.group(node)), session, outer_hop))
            inners.push_back(node);
    }
    std::vector<Candidate> candidates;
    if (inners.empty()) return candidates;
    for (const std::size_t node : board.by_start()) {
        const Session& outer = board.session(node);
        if (outer.hop != outer_hop || outer.state == SessionState::cut ||
            has_inner(board, members.of(board.group(node)), outer))
            continue;
        auto at = std::lower_bound(inners.begin(), inners.end(), outer.start, [&](std::size_t inner, Timestamp start) {
            return board.session(inner).start < start;
        });
        const Timestamp last = outer.answered.ns == 0 ? outer.end : outer.answered + Duration{kDialsLaterNs};
        for (std::size_t looked_at = 0; at != inners.end() && looked_at < limits::kChainCandidatesMax;
             ++at, ++looked_at) {
            const Session& inner = board.session(*at);
            if (inner.start > last) break;
            if (fits(outer, inner)) candidates.push_back({node, *at, agreement(outer, inner)});
        }
    }
    return candidates;
}

// Settles the pairs that are the only, or the only best, choice of both their ends.
class Matching {
public:
    explicit Matching(std::vector<Candidate> candidates) : all_(std::move(candidates)) {
        for (std::size_t i = 0; i < all_.size(); ++i) {
            by_outer_[all_[i].outer].push_back(i);
            by_inner_[all_[i].inner].push_back(i);
            waiting_.push_back(i);
        }
    }

    // `settle` is called for each pair that is taken.
    template <typename Settle>
    void run(Settle settle) {
        while (!waiting_.empty()) {
            const std::size_t i = waiting_.front();
            waiting_.pop_front();
            if (!all_[i].alive || !is_best(by_outer_[all_[i].outer], i) || !is_best(by_inner_[all_[i].inner], i))
                continue;
            settle(all_[i]);
            all_[i].alive = false;
            drop_rivals(by_outer_[all_[i].outer]);
            drop_rivals(by_inner_[all_[i].inner]);
        }
    }
    [[nodiscard]] const std::vector<Candidate>& all() const { return all_; }

private:
    [[nodiscard]] bool is_best(const std::vector<std::size_t>& rivals, std::size_t mine) const {
        return std::none_of(rivals.begin(), rivals.end(), [&](std::size_t other) {
            return other != mine && all_[other].alive && all_[other].points >= all_[mine].points;
        });
    }
    // What loses an end frees the choice of its other end.
    void drop_rivals(const std::vector<std::size_t>& rivals) {
        for (const std::size_t rival : rivals) {
            if (!all_[rival].alive) continue;
            all_[rival].alive = false;
            for (const auto* neighbours : {&by_outer_[all_[rival].outer], &by_inner_[all_[rival].inner]})
                waiting_.insert(waiting_.end(), neighbours->begin(), neighbours->end());
        }
    }

    std::vector<Candidate> all_;
    std::unordered_map<std::size_t, std::vector<std::size_t>> by_outer_, by_inner_;
    std::deque<std::size_t> waiting_;
};

std::string agreement_words(const Session& outer, const Session& inner) {
    std::string words = "it was asked for while " + outer.id() + " waited for its answer";
    if (is_translated(outer, inner)) words = "it was asked for right after " + outer.id() + ", with another protocol";
    words += "; the kind of request";
    if (!outer.command.empty() && !inner.command.empty()) words += ", the command";
    if (outer.bytes.in + outer.bytes.out > 0 && outer.bytes.in == inner.bytes.in && outer.bytes.out == inner.bytes.out)
        words += ", the byte counts";
    if (outer.exit_code && inner.exit_code) words += ", the exit code";
    return words + " and everything else agree";
}

void join_hops(JoinBoard& board, HopKind outer_hop, HopKind inner_hop) {
    Matching matching(find_candidates(board, outer_hop, inner_hop));
    matching.run([&](const Candidate& pair) {
        const Session &outer = board.session(pair.outer), &inner = board.session(pair.inner);
        board.unite(pair.outer, pair.inner,
                    {.grade = Grade::inferred,
                     .says = agreement_words(outer, inner),
                     .frame = inner.first_frame,
                     .source = {},
                     .id = "containment"});
    });
    for (const Candidate& left : matching.all()) {
        if (!left.alive) continue;
        const Session& inner = board.session(left.inner);
        board.add_candidate(left.outer, {.grade = Grade::inferred,
                                         .says = inner.id() + " fits, too, and nothing tells it from others that do",
                                         .frame = inner.first_frame,
                                         .source = {},
                                         .id = "containment"});
    }
}

}  // namespace

void join_by_containment(JoinBoard& board) {
    join_hops(board, HopKind::apiserver, HopKind::kubelet);
    join_hops(board, HopKind::kubelet, HopKind::runtime);
    // Where the kubelet's hop is encrypted, or was not captured.
    join_hops(board, HopKind::apiserver, HopKind::runtime);
}

}  // namespace hopscope::chain
