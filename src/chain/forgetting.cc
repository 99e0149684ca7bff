// What a run without an end forgets: streaming tokens and the CRI calls that issued them.
//
// A token may be used for a minute after it was issued (k8s.io/kubelet/pkg/cri/streaming, cacheTTL), a session may last
// for days: the call of a session that is kept stays with it (CriBook::keep).
#include "chain/builder_state.h"
#include "chain/findings.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::int64_t kTokenLifeNs = 60 * kNanosecondsPerSecond;
// A token that was issued so shortly before the end may still have been on its way.
constexpr std::int64_t kTokenUseGraceNs = 5 * kNanosecondsPerSecond;

}  // namespace

void Builder::State::make_room(Timestamp now) {
    const auto is_old = [&](Timestamp first) { return (now - first).ns > forget_after_ns; };
    while (const TokenFacts* oldest = tokens.oldest()) {
        if (!tokens.is_full() && !is_old(oldest->first)) break;
        forget_oldest_token(now);
    }
    while (!cri.calls().empty() && (cri.is_full() || is_old(cri.calls().front().answered))) forget_oldest_call(now);
    cri.keep_only([&](std::uint32_t session) { return kept_session(session) != nullptr; });
}

void Builder::State::forget_oldest_token(Timestamp now) {
    const TokenFacts& facts = *tokens.oldest();
    if (facts.last_session == 0 && (now - facts.first).ns < kTokenLifeNs) model.loss.add(LossPlace::limit_memory);
    if (const CriCall* call = cri.call_of(tokens.oldest_number())) {
        if (kept_session(facts.last_session))
            cri.keep(*call, facts.last_session);
        else
            tell_if_unused(*call);
    }
    tokens.forget_oldest();
}

void Builder::State::forget_oldest_call(Timestamp now) {
    const CriCall& call = cri.calls().front();
    // Without facts the token went first, and the rest with it.
    if (const TokenFacts* facts = tokens.facts(call.token)) {
        if (facts->last_session == 0 && (now - call.answered).ns < kTokenLifeNs)
            model.loss.add(LossPlace::limit_memory);
        if (kept_session(facts->last_session))
            cri.keep(call, facts->last_session);
        else
            tell_if_unused(call);
    }
    cri.forget_oldest();
}

void Builder::State::tell_if_unused(const CriCall& call) {
    const TokenFacts* facts = tokens.facts(call.token);
    if (!facts || facts->last_session != 0 || !call.streaming) return;
    // Only a capture that shows the streaming port, from before the call until well after it, can say "never".
    for (std::size_t file = 0; file < files.size(); ++file) {
        const FileSpan& span = files[file];
        if (!span.seen || call.answered < span.first || (span.last - call.answered).ns < kTokenUseGraceNs) continue;
        if (!ports.was_captured(*call.streaming, static_cast<std::uint16_t>(file))) continue;
        findings.add(finding_token_never_used(call, span.last));
        break;
    }
}

void Builder::State::find_unused_tokens() {
    for (const CriCall& call : cri.calls()) tell_if_unused(call);
}

}  // namespace hopscope::chain
