// gRPC messages in the DATA frames of one direction of one stream: a 5-byte prefix, then the body (gRPC over HTTP/2,
// "Length-Prefixed-Message"). A message that lies in one piece is handed on without a copy.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/bytes.h"

namespace hopscope::decode::grpc {

// Memory of the messages that a connection holds incomplete.
struct MessageMemory {
    std::size_t used = 0;
};

struct GrpcMessage {
    bool compressed = false;
    std::uint32_t length = 0;  // of the body, as it stood in the prefix
    // The body, borrowed. `whole` false: it was not wanted, is too large, or bytes of it are missing; then it is empty.
    Bytes body;
    bool whole = false;
    bool too_large = false;
};

class MessageReader {
public:
    // Called for every message; returns nothing. A plain interface, so that no std::function is made per piece.
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void on_message(const GrpcMessage& message) = 0;
    };

    // This direction's headers were seen: what follows begins with a message.
    void start();
    // A DATA frame of `bytes` (without padding) begins.
    void frame(std::uint32_t bytes);
    // The next piece of that frame's payload. `keep`: bodies are wanted.
    void take(Bytes piece, bool keep, MessageMemory& memory, Listener& listener);
    // `missing` bytes inside the present frame's payload were never captured.
    void hole(std::uint64_t missing, MessageMemory& memory);
    // The place within the messages is unknown: found again at a DATA frame that holds exactly one message.
    void lost(MessageMemory& memory);
    // Frees what is held and forgets everything.
    void reset(MessageMemory& memory);

private:
    void begin_body(bool keep);
    void end_body(Bytes body, MessageMemory& memory, Listener& listener);
    void hold(Bytes piece, MessageMemory& memory);
    void drop_held(MessageMemory& memory);

    static constexpr std::size_t kPrefixBytes = 5;

    std::vector<std::uint8_t> held_;  // the body so far
    std::array<std::uint8_t, kPrefixBytes> prefix_{};
    std::uint8_t prefix_have_ = 0;
    bool in_step_ = false;  // the place within the messages is known
    bool wanted_ = false;   // the present body is kept
    bool too_large_ = false;
    std::uint32_t body_left_ = 0;
    std::uint32_t frame_bytes_ = 0;  // of the present frame
    std::uint32_t frame_left_ = 0;
};

}  // namespace hopscope::decode::grpc
