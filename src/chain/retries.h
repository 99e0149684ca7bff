// Waits for the second attempt: kubectl asks for a WebSocket first and, refused, at once for SPDY.
//
// A refused upgrade that is repeated with another protocol is normal (UPG-01); one that is not is worth a warning
// (UPG-02).
#pragma once

#include <deque>

#include "chain/finding_book.h"
#include "chain/model.h"

namespace hopscope::chain {

// What two attempts of one client have in common.
struct AttemptKey {
    Op op = Op::unknown;
    HopKind hop = HopKind::unknown;
    Proto proto = Proto::unknown;
    IpAddress client;
    Endpoint server;
    Untrusted kubectl_session, user_agent, target;
    std::vector<Untrusted> forwarded_for;
    Timestamp start;
};
AttemptKey attempt_key(const Session& session);
// `second` repeats `first` with another protocol: same kubectl run and path, or the same client within seconds.
bool is_second_attempt(const AttemptKey& second, const AttemptKey& first);
// No second attempt is looked for later than this after the first.
inline constexpr std::int64_t kSecondAttemptWithinNs = 10 * kNanosecondsPerSecond;

// Bounded: limits::kRefusalsWaitingMax.
class Retries {
public:
    explicit Retries(FindingBook& findings) : findings_(findings) {}

    // `session` asked for an upgrade and was refused.
    void refused(const Session& session);
    // A request was seen: it may be the second attempt of one that waits.
    void requested(const Session& session);
    // Warns of those that were not repeated in time.
    void passed(Timestamp now);
    void finish();

private:
    struct Waiting {
        AttemptKey key;
        Finding warning, repeated;  // one of them is told
    };

    FindingBook& findings_;
    std::deque<Waiting> waiting_;  // oldest first
};

}  // namespace hopscope::chain
