// What the builder tells while it happens: for NDJSON, extract, the live view.
#pragma once

#include "chain/model.h"

namespace hopscope::chain {

// Where in the input the present event stands.
struct Place {
    FlowId flow = 0;
    std::uint32_t slot = 0;  // small dense number of the flow, reused after FlowEnded: an index for tables
    Timestamp at;
    std::uint64_t frame = 0;
    std::uint16_t file = 0;
};

// Live: one thing that happened to a process of a session. Borrowed for the call.
struct ProcessStep {
    bool exit = false;
    bool already = false;  // it ran before hopscope looked; `at`: when it was looked at
    Timestamp at;
    const RanProcess* process = nullptr;
    std::uint32_t parent_pid = 0;  // of the one that made it; 0: it is the session's process itself
    std::uint32_t depth = 0;       // 0: the session's process
};

// References are valid during the call. All methods do nothing by default.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void session_opened(const Session&, const Place&) {}
    virtual void stream_opened(const Session&, const Stream&, const Place&) {}
    virtual void stream_data(const Session&, const Stream&, Direction, Bytes, const Place&) {}
    // Both directions are over, or it was reset; streams that are open when their session ends are not told.
    virtual void stream_closed(const Session&, const Stream&, const Place&) {}
    virtual void resized(const Session&, const Stream&, const Resize&, const Place&) {}
    // The session is over and complete as it will ever be (also told for open ones when the capture ends).
    virtual void session_ended(const Session&, const Place&) {}
    virtual void finding(const Finding&) {}
};

}  // namespace hopscope::chain
