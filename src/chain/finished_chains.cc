#include "chain/finished_chains.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace hopscope::chain {
namespace {

constexpr std::int64_t kSettleNs = 2 * kNanosecondsPerSecond;
// All that is kept is joined anew at each look.
constexpr std::int64_t kPauseNs = kNanosecondsPerSecond / 2;

struct ByNumber {
    using Kept = std::unique_ptr<Session>;
    bool operator()(const Kept& session, std::uint32_t number) const { return session->number < number; }
    bool operator()(std::uint32_t number, const Kept& session) const { return number < session->number; }
};

}  // namespace

void FinishedChains::look(Builder& builder, Timestamp now, const Tell& tell) {
    if (!due_ || (looked_at_.ns != 0 && now >= looked_at_ && (now - looked_at_).ns < kPauseNs)) return;
    looked_at_ = now;
    due_ = false;
    // Of the many that are kept, few have become ready since the last look: only those are written down.
    builder.join([&](std::span<const Session* const> members) {
        if (was_told(members)) return false;
        Timestamp end;
        for (const Session* member : members) {
            if (!member->over) return false;
            end = std::max(end, member->end);
        }
        const bool settled = (now - end).ns >= kSettleNs;
        due_ = due_ || !settled;
        return settled;
    });
    tell_ready(builder.model(), &builder, tell);
}

void FinishedChains::finish(Model& model, const Tell& tell) { tell_ready(model, nullptr, tell); }

bool FinishedChains::was_told(std::span<const Session* const> members) const {
    return std::any_of(members.begin(), members.end(), [&](const Session* member) { return was_told(member->number); });
}

bool FinishedChains::was_told(std::uint32_t session) const {
    return std::binary_search(told_.begin(), told_.end(), session);
}

void FinishedChains::tell_ready(Model& model, const Builder* builder, const Tell& tell) {
    std::vector<std::uint32_t> fresh;
    std::vector<const Session*> members;
    for (Chain& chain : model.chains) {
        members.clear();
        for (const std::uint32_t number : chain.sessions) {
            const auto at = std::lower_bound(model.sessions.begin(), model.sessions.end(), number, ByNumber{});
            if (at != model.sessions.end() && (*at)->number == number) members.push_back(at->get());
        }
        if (was_told(members)) continue;
        chain.number = ++number_;
        if (builder) builder->complete(chain);
        tell(chain, members);
        fresh.insert(fresh.end(), chain.sessions.begin(), chain.sessions.end());
    }
    // Those that are not kept any more cannot come up again; the oldest one that is kept may stay open for days.
    std::erase_if(told_, [&](std::uint32_t number) {
        return !std::binary_search(model.sessions.begin(), model.sessions.end(), number, ByNumber{});
    });
    std::sort(fresh.begin(), fresh.end());
    const auto middle = static_cast<std::ptrdiff_t>(told_.size());
    told_.insert(told_.end(), fresh.begin(), fresh.end());
    std::inplace_merge(told_.begin(), told_.begin() + middle, told_.end());
}

}  // namespace hopscope::chain
