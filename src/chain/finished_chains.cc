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
    builder.join();
    due_ = tell_ready(builder.model(), &builder, &now, tell);
}

void FinishedChains::finish(Model& model, const Tell& tell) { tell_ready(model, nullptr, nullptr, tell); }

bool FinishedChains::tell_ready(Model& model, const Builder* builder, const Timestamp* now, const Tell& tell) {
    bool waiting = false;
    std::vector<const Session*> members;
    for (Chain& chain : model.chains) {
        members.clear();
        bool over = true, told = false;
        for (const std::uint32_t number : chain.sessions) {
            told = told || told_.contains(number);
            const auto at = std::lower_bound(model.sessions.begin(), model.sessions.end(), number, ByNumber{});
            if (at == model.sessions.end() || (*at)->number != number) continue;
            members.push_back(at->get());
            over = over && (*at)->over;
        }
        if (told || (now && !over)) continue;
        if (now && (*now - chain.end).ns < kSettleNs) {
            waiting = true;
            continue;
        }
        chain.number = ++number_;
        if (builder) builder->complete(chain);
        tell(chain, members);
        told_.insert(chain.sessions.begin(), chain.sessions.end());
    }
    // Those that are not kept any more cannot come up again; the oldest one that is kept may stay open for days.
    std::erase_if(told_, [&](std::uint32_t number) {
        return !std::binary_search(model.sessions.begin(), model.sessions.end(), number, ByNumber{});
    });
    return waiting;
}

}  // namespace hopscope::chain
