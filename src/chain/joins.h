// How sessions are joined: each kind of evidence is a function of its own that unites what it can prove.
//
// They run from the strongest to the weakest; what a weaker one would join against a stronger one is not joined.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chain/model.h"

namespace hopscope::chain {

// The sessions of a run, and which of them belong to one action (union-find).
class JoinBoard {
public:
    explicit JoinBoard(const Model& model);

    [[nodiscard]] std::size_t size() const { return sessions_.size(); }
    [[nodiscard]] const Session& session(std::size_t node) const { return *sessions_[node]; }
    [[nodiscard]] std::size_t group(std::size_t node) const;
    // `a` is the outer or earlier one. Both get the evidence.
    void unite(std::size_t a, std::size_t b, const Evidence& evidence);
    void add_evidence(std::size_t node, Evidence evidence);
    // `evidence` says what might have belonged to `node`'s action and why it was not taken.
    void add_candidate(std::size_t node, Evidence evidence);

    struct Note {
        std::size_t node = 0;
        Evidence evidence;
    };
    [[nodiscard]] const std::vector<Note>& evidence() const { return evidence_; }
    [[nodiscard]] const std::vector<Note>& candidates() const { return candidates_; }
    // Positions of all sessions, by start.
    [[nodiscard]] const std::vector<std::size_t>& by_start() const { return by_start_; }

private:
    std::vector<const Session*> sessions_;
    std::vector<std::size_t> by_start_;
    mutable std::vector<std::size_t> parent_;
    std::vector<Note> evidence_, candidates_;
};

// Who belongs together now. Two lists for all groups: most have one member.
class JoinGroups {
public:
    // Members stand in the order of `order` (positions, each once).
    JoinGroups(const JoinBoard& board, std::span<const std::size_t> order);
    // … of their positions.
    explicit JoinGroups(const JoinBoard& board);

    // The members of the group that `node` stands for; empty where it stands for none (JoinBoard::group).
    [[nodiscard]] std::span<const std::size_t> of(std::size_t node) const {
        return std::span(members_).subspan(begin_[node], begin_[node + 1] - begin_[node]);
    }

private:
    std::vector<std::size_t> begin_, members_;
};

// The header Kubectl-Session is the same (joins_headers.cc).
void join_by_kubectl_session(JoinBoard& board);
// A refused attempt and its repetition with another protocol; the execs of one kubectl cp (joins_attempts.cc).
void join_attempts(JoinBoard& board);
// A request that was made while the outer one waited for its answer, and agrees with it in everything
// (joins_containment.cc).
void join_by_containment(JoinBoard& board);

}  // namespace hopscope::chain
