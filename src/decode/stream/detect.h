// What does this connection speak, and who is the client? Told from content, never from port numbers.
#pragma once

#include <memory>

#include "decode/decoder.h"

namespace hopscope::decode::stream {

enum class Protocol : std::uint8_t {
    undecided,  // more bytes are needed
    unknown,    // nothing that hopscope decodes
    http1,
    spdy,       // without its HTTP upgrade: the capture began later
    websocket,  // likewise
    tls,
    http2,  // connection preface, or joined late
    ttrpc,  // a request of a client, or joined late
};

struct Verdict {
    Protocol protocol = Protocol::undecided;
    bool first_is_client = true;  // the side given first sent as client
    bool late = false;            // the connection's beginning is not here
};

// `first` and `second`: what the two sides have sent so far (either may be empty), from the first byte captured.
// `at_start`: the handshake was seen, so these are the first bytes of the connection.
// After limits::kUndecidedBytesMax per side (limits::kHuntBytesMax where a frame boundary is in sight), or `over` (no
// more bytes will come), the verdict is never `undecided`.
Verdict detect(Bytes first, Bytes second, bool at_start, bool over);

}  // namespace hopscope::decode::stream
