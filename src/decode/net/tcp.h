// TCP reassembly (RFC 9293): segments in, ordered bytes out, holes declared.
//
// Out of order, retransmission (overlapping ones too: the first bytes stay, differences are reported; compared through
// History within limits::kCompareBytes), zero-window and keep-alive probes, FIN, RST, port reuse on one 4-tuple, start
// in the middle, wrap of sequence numbers, snaplen cuts. In-order payload is passed on without a copy. A hole is
// declared when the receiver has acknowledged the missing bytes and further segments came or time passed
// (limits::kHoleSegments, kHoleSeconds), when the limits are reached, or when the connection ends; with its exact size
// and place. Time is capture time. The rest of a segment that the snaplen cut is declared at once when it is its turn.
// Without a SYN a direction begins with its first segment: nothing before it is missing, only unknown.
//
// Memory: one cache line per connection and 16 bytes of index; more only while something waits (limits: --- TCP).
// It does not check checksums, and follows neither window sizes nor SACK. A connection to itself (both endpoints equal)
// is one direction.
#pragma once

#include <cstdint>
#include <memory>

#include "core/event.h"
#include "core/loss.h"
#include "core/packet.h"
#include "decode/net/packet_parser.h"

namespace hopscope::decode::net {

// Names one connection: `id` is never reused; `slot` is small and dense, reused after ended(), an index for the
// listener's own table.
struct FlowRef {
    FlowId id = 0;
    std::uint32_t slot = 0;
};

class TcpListener {
public:
    virtual ~TcpListener() = default;
    // `client` sent the SYN. Without a SYN seen `handshake_seen` is false, and `client` is only the sender of the first
    // packet: who is who must be found in the content.
    virtual void opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool handshake_seen) = 0;
    // Next bytes of a direction (as seen from opened()'s client), in order, borrowed for the call.
    virtual void bytes(FlowRef flow, Direction direction, Bytes bytes) = 0;
    virtual void gap(FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) = 0;
    virtual void note(FlowRef flow, const NetNote& note) = 0;
    // FIN (after the last byte of its direction was handed over) or RST (at once; sent by `direction`'s sender).
    virtual void closing(FlowRef flow, Direction direction, FinKind kind) = 0;
    // Last call for this flow: both directions are closed, or it was reset, evicted, or the capture is over.
    virtual void ended(FlowRef flow, bool capture_over) = 0;
};

class TcpReassembler {
public:
    // Both borrowed; `history` may be null (then retransmitted bytes are not compared, which is counted).
    TcpReassembler(TcpListener& listener, LossCounters& loss, const History* history);
    ~TcpReassembler();

    void on(const TcpSegment& segment, Timestamp at);
    // No packet came, but time goes on (live): what waits only for time is done. Never needed for capture files.
    void advance(Timestamp now);
    // Live: the system says that this connection is over, though its end was not captured. What waits is handed over,
    // then it ends. False: no such connection (any more).
    bool give_up(const Endpoint& one, const Endpoint& other);
    // The capture is over: holes are declared, waiting bytes handed over, every flow ended, in order of FlowId.
    void finish();
    [[nodiscard]] std::uint64_t flows_opened() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::decode::net
