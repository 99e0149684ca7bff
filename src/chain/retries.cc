#include "chain/retries.h"

#include "chain/findings.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// kubectl repeats within milliseconds. The invocation's own id allows for a slow node, likeness alone does not.
constexpr std::int64_t kSameClientNs = 3 * kNanosecondsPerSecond;

}  // namespace

AttemptKey attempt_key(const Session& session) {
    return {.op = session.op,
            .hop = session.hop,
            .proto = session.proto,
            .client = session.client.address,
            .server = session.server,
            .kubectl_session = session.kubectl_session,
            .user_agent = session.user_agent,
            .target = session.target,
            .forwarded_for = session.forwarded_for,
            .start = session.start};
}

bool is_second_attempt(const AttemptKey& second, const AttemptKey& first) {
    if (second.op != first.op || second.hop != first.hop || second.server != first.server ||
        second.proto == first.proto || second.proto == Proto::http11 || second.proto == Proto::unknown ||
        second.client != first.client || second.kubectl_session != first.kubectl_session)
        return false;
    // Each attempt at the runtime has a token, and so a path, of its own.
    if (second.hop != HopKind::runtime && second.target != first.target) return false;
    const std::int64_t later = (second.start - first.start).ns;
    if (!first.kubectl_session.empty()) return later >= 0 && later <= kSecondAttemptWithinNs;
    return later >= 0 && later <= kSameClientNs && second.user_agent == first.user_agent &&
           second.forwarded_for == first.forwarded_for;
}

void Retries::refused(const Session& session) {
    if (waiting_.size() >= limits::kRefusalsWaitingMax) {
        findings_.add(std::move(waiting_.front().warning));
        waiting_.pop_front();
    }
    waiting_.push_back({.key = attempt_key(session),
                        .warning = finding_upgrade_refused(session),
                        .repeated = finding_repeated(session)});
}

void Retries::requested(const Session& session) {
    passed(session.start);
    if (waiting_.empty()) return;
    const AttemptKey second = attempt_key(session);
    for (auto first = waiting_.begin(); first != waiting_.end(); ++first) {
        if (!is_second_attempt(second, first->key)) continue;
        Finding finding = std::move(first->repeated);
        waiting_.erase(first);
        complete_repeated(finding, session);
        findings_.add(std::move(finding));
        return;
    }
}

void Retries::passed(Timestamp now) {
    while (!waiting_.empty() && (now - waiting_.front().key.start).ns > kSecondAttemptWithinNs) {
        findings_.add(std::move(waiting_.front().warning));
        waiting_.pop_front();
    }
}

void Retries::finish() {
    for (Waiting& each : waiting_) findings_.add(std::move(each.warning));
    waiting_.clear();
}

}  // namespace hopscope::chain
