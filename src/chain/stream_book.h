// The streams of one session: finds them by id and counts their bytes, without allocating per frame.
#pragma once

#include "chain/flow_state.h"
#include "chain/model.h"

namespace hopscope::chain {

// Position in session.streams, or IndexTable::kNone.
std::uint32_t find_stream(const Session& session, FlowState& flow, std::uint32_t id);
// Adds a stream; kNone when there is no room for another.
std::uint32_t add_stream(Session& session, FlowState& flow, const StreamOpened& opened, Timestamp at);
// Takes over what was learned about a stream that is known already.
void name_stream(Session& session, Stream& stream, const StreamOpened& opened);
// stdin, stdout, stderr and data count as bytes of the session.
bool counts_for_session(StreamKind kind);
// Returns true when the stream has just come to its end.
bool close_stream(Stream& stream, Direction direction, CloseKind kind);

}  // namespace hopscope::chain
