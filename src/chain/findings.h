// The sentences of the findings that sessions give rise to (codes: docs/ARCHITECTURE.md, "The JSON contract").
//
// Pure functions: what was seen in, a Finding out (or none). No sentence holds a secret; bytes from the wire are put in
// through the masks of chain/reveal.h only.
#pragma once

#include <optional>

#include "chain/cri_book.h"
#include "chain/flow_state.h"
#include "chain/model.h"

namespace hopscope::chain {

// How the connection of a session ended.
struct SessionEnd {
    const FlowState& flow;  // with its work
    bool capture_over = false;
    Timestamp at;              // when the end was known
    bool packets_cut = false;  // some packets of the capture are shorter than on the wire
};

// One per session, told when it ends.
std::optional<Finding> finding_bytes_missing(const Session& session, const SessionEnd& end);      // NET-01
std::optional<Finding> finding_loopback_disorder(const Session& session, const SessionEnd& end);  // NET-02
std::optional<Finding> finding_no_status(const Session& session, const SessionEnd& end);          // STR-01
std::optional<Finding> finding_no_streams(const Session& session, const SessionEnd& end);         // STR-02
std::optional<Finding> finding_client_gone(const Session& session, const SessionEnd& end);        // STR-03
std::optional<Finding> finding_others_ended(const Session& session, const SessionEnd& end);       // PF-02

// Told when it is seen.
Finding finding_begins_late(const Session& session);  // NET-03
Finding finding_port_refused(const Session& session, const Stream* stream, std::string_view text, std::uint64_t frame,
                             Timestamp at);  // PF-01
// The first half, told when the second attempt is seen: complete_repeated() adds what it was.
Finding finding_repeated(const Session& refused);  // UPG-01
void complete_repeated(Finding& finding, const Session& second);
Finding finding_upgrade_refused(const Session& session);  // UPG-02

// What is known about the token of a refused request.
struct TokenHistory {
    std::uint32_t used_before_by = 0;  // session; 0: not seen
    const CriCall* issued = nullptr;   // null: not seen
};
Finding finding_token_refused(const Session& session, const TokenHistory& history);  // TOK-01
// The kubelet had asked for a URL before it found that the request is no upgrade.
Finding finding_token_left_unused(const Session& session);                     // TOK-02
Finding finding_token_never_used(const CriCall& call, Timestamp capture_end);  // TOK-02

}  // namespace hopscope::chain
