// Live: which user actions are over and were not told yet.
//
// A chain is told once, when all its sessions have been over for a while: the hops of one action end within
// milliseconds of each other, and what belongs to it but comes later is not told any more. It keeps no chain, only the
// numbers of sessions that were told and may still be kept by the builder.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "chain/builder.h"
#include "chain/model.h"

namespace hopscope::chain {

class FinishedChains {
public:
    // `sessions`: those of the chain that are still kept.
    using Tell = std::function<void(const Chain& chain, std::span<const Session* const> sessions)>;

    // A session has ended since the last look().
    void session_ended() { due_ = true; }
    // Joins what is there (only if something may have become ready, and at most twice a second) and tells what is ready
    // by `now`.
    void look(Builder& builder, Timestamp now, const Tell& tell);
    // After Builder::finish(): everything that was not told.
    void finish(Model& model, const Tell& tell);

    // Sessions that were told and are still kept.
    [[nodiscard]] std::size_t remembered() const { return told_.size(); }

private:
    // `builder`: completes those that are told; null: they are.
    void tell_ready(Model& model, const Builder* builder, const Tell& tell);
    // One of them.
    [[nodiscard]] bool was_told(std::span<const Session* const> members) const;
    [[nodiscard]] bool was_told(std::uint32_t session) const;

    std::vector<std::uint32_t> told_;  // sorted
    std::uint32_t number_ = 0;         // of the last chain told
    bool due_ = false;
    Timestamp looked_at_;
};

}  // namespace hopscope::chain
