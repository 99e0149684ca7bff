#include "chain/finished_chains.h"

#include <algorithm>
#include <vector>

namespace hopscope::chain {
namespace {

constexpr std::int64_t kSettleNs = 2 * kNanosecondsPerSecond;

}  // namespace

void FinishedChains::look(Builder& builder, Timestamp now, const Tell& tell) {
    if (!due_) return;
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
            const auto at =
                std::lower_bound(model.sessions.begin(), model.sessions.end(), number,
                                 [](const auto& session, std::uint32_t key) { return session->number < key; });
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
    // Sessions before the oldest one that is kept cannot come up again.
    if (model.sessions.empty())
        told_.clear();
    else
        told_.erase(told_.begin(), told_.lower_bound(model.sessions.front()->number));
    return waiting;
}

}  // namespace hopscope::chain
