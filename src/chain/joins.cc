#include "chain/joins.h"

#include <algorithm>
#include <numeric>

namespace hopscope::chain {

JoinBoard::JoinBoard(const Model& model) {
    sessions_.reserve(model.sessions.size());
    for (const auto& session : model.sessions) sessions_.push_back(session.get());
    parent_.resize(sessions_.size());
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    by_start_ = parent_;
    std::stable_sort(by_start_.begin(), by_start_.end(),
                     [&](std::size_t a, std::size_t b) { return sessions_[a]->start < sessions_[b]->start; });
}

std::size_t JoinBoard::group(std::size_t node) const {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];  // halves the way for the next time
    return node;
}

JoinGroups::JoinGroups(const JoinBoard& board, std::span<const std::size_t> order)
    : begin_(board.size() + 1), members_(board.size()) {
    for (const std::size_t node : order) ++begin_[board.group(node) + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
    for (const std::size_t node : order) members_[next[board.group(node)]++] = node;
}

JoinGroups::JoinGroups(const JoinBoard& board)
    : JoinGroups(board, [&] {
          std::vector<std::size_t> order(board.size());
          std::iota(order.begin(), order.end(), std::size_t{0});
          return order;
      }()) {}

void JoinBoard::unite(std::size_t a, std::size_t b, const Evidence& evidence) {
    const std::size_t x = group(a), y = group(b);
    // The earlier session stands for the group.
    if (x != y) parent_[std::max(x, y)] = std::min(x, y);
    add_evidence(a, evidence);
    add_evidence(b, evidence);
}

void JoinBoard::add_evidence(std::size_t node, Evidence evidence) { evidence_.push_back({node, std::move(evidence)}); }

void JoinBoard::add_candidate(std::size_t node, Evidence evidence) {
    candidates_.push_back({node, std::move(evidence)});
}

}  // namespace hopscope::chain
