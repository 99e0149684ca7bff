// The parts of TcpReassembler, for its own files only: tcp.cc (connections come and go), tcp_control.cc (SYN, ACK, FIN,
// RST), tcp_stream.cc (bytes and holes).
#pragma once

#include <deque>
#include <vector>

#include "decode/net/closed_marks.h"
#include "decode/net/flow.h"
#include "decode/net/flow_index.h"
#include "decode/net/recent_segments.h"
#include "decode/net/tcp.h"
#include "decode/net/waiting.h"

namespace hopscope::decode::net {

struct TcpReassembler::State {
    State(TcpListener& its_listener, LossCounters& its_loss, const History* history)
        : listener(its_listener), loss(its_loss), recent(history) {}

    // Payload of a segment while it is trimmed.
    struct Arrival {
        std::uint32_t sequence = 0;
        Bytes payload;
        std::uint32_t wire = 0;  // bytes on the wire, payload.size() of them captured
        std::uint64_t position = 0;
        bool fin = false;

        void drop_front(std::uint32_t bytes);
    };
    enum class Ending { closed, reset, replaced, capture_over };

    // --- tcp.cc
    void on(const TcpSegment& segment, Timestamp at);
    void open(const FlowKey& key, const TcpSegment& segment);
    void end(std::uint32_t slot, Ending how);
    void evict_longest_idle();
    void do_what_is_due();
    void finish();
    // All of a segment that is no plain one. False: it belongs to a new connection with the same endpoints.
    bool process(std::uint32_t slot, std::size_t d, const TcpSegment& segment, std::int32_t silent_ticks);

    // --- tcp_control.cc
    enum class Syn { same, ignored, fresh };
    Syn take_syn(std::uint32_t slot, std::size_t d, const TcpSegment& segment, std::int32_t silent_ticks);
    // `d` is the direction that is acknowledged.
    void take_ack(std::uint32_t slot, std::size_t d, std::uint32_t acknowledgement);
    void take_window(std::uint32_t slot, std::size_t d, const TcpSegment& segment);
    void take_rst(std::uint32_t slot, std::size_t d, const TcpSegment& segment);
    void take_fin(std::uint32_t slot, std::size_t d, std::uint64_t offset);
    void tell_fin(std::uint32_t slot, std::size_t d);
    void start_at(std::uint32_t slot, std::size_t d, std::uint32_t sequence);
    // Ends the flow if both sides have closed and know it of each other.
    void end_if_over(std::uint32_t slot);

    // --- tcp_stream.cc
    bool take_bytes(std::uint32_t slot, std::size_t d, Arrival arrival);
    bool begin_late(std::uint32_t slot, std::size_t d, const Arrival& arrival);
    static void expect_at(Half& half, std::uint32_t sequence);
    bool hold(std::uint32_t slot, std::size_t d, const Arrival& arrival);
    void settle_start(std::uint32_t slot, std::size_t d);
    void take_new(std::uint32_t slot, std::size_t d, std::uint64_t offset, Arrival arrival);
    void take_repeated(std::uint32_t slot, std::size_t d, std::int64_t offset, Bytes captured, std::uint32_t bytes);
    void take_in_order(std::uint32_t slot, std::size_t d, const Arrival& arrival);
    void store(std::uint32_t slot, std::size_t d, std::uint64_t offset, const Arrival& arrival);
    void make_room(std::uint32_t slot, std::size_t d, std::size_t bytes);
    void give_up_first_hole(std::uint32_t slot, std::size_t d);
    void drain(std::uint32_t slot, std::size_t d);
    void declare(std::uint32_t slot, std::size_t d, std::uint64_t until);
    void declare_ripe(std::uint32_t slot, std::size_t d);
    // Everything that waits is handed over, with the holes before it declared; a FIN that waits is told.
    void flush(std::uint32_t slot, std::size_t d);
    // After a segment: holes that are ripe are declared, memory for waiting is given back.
    void settle(std::uint32_t slot);

    // --- small helpers
    void remember(const TcpSegment& segment, bool source_is_low, std::uint32_t slot) {
        last_slot = slot;
        last_source = segment.source;
        last_destination = segment.destination;
        last_source_is_low = source_is_low;
    }
    FlowRef ref(std::uint32_t slot) { return {flows[slot].id, slot}; }
    static Direction direction(std::size_t d) { return static_cast<Direction>(d); }
    static std::uint64_t owner(const Flow& flow, std::size_t d) { return std::uint64_t{flow.id} << 1 | d; }
    WaitingHalf* waiting_half(Flow& flow, std::size_t d) {
        return flow.waiting == 0 ? nullptr : &waiting.at(flow.waiting).halves[d];
    }
    void note(std::uint32_t slot, std::size_t d, NetNoteKind kind, std::uint64_t offset, std::uint64_t bytes) {
        listener.note(ref(slot), {direction(d), kind, offset, static_cast<std::uint32_t>(bytes)});
    }
    // Bytes that the receiver has acknowledged beyond what was seen. One alone is a FIN that was not captured.
    static std::uint32_t acknowledged_unseen(const Flow& flow, std::size_t d);
    void queue_deadline(std::uint32_t slot, bool for_end);

    struct Deadline {
        std::uint32_t slot = 0;
        FlowId id = 0;
        Tick due = 0;
        bool for_end = false;
    };
    struct Candidate {
        std::uint32_t slot = 0;
        FlowId id = 0;
        Tick last = 0;
    };

    TcpListener& listener;
    LossCounters& loss;
    HashSecrets secrets{this};
    FlowStore flows;
    FlowIndex index;
    // The connection of the last segment, and its ends as that segment had them.
    std::uint32_t last_slot = FlowIndex::kNone;
    Endpoint last_source, last_destination;
    bool last_source_is_low = false;
    Tick now = 0;
    Tick next_due = 0;
    FlowId last_id = 0;
    std::uint64_t opened = 0;
    RecentSegments recent;
    WaitingPool waiting;
    ClosedMarks closed;
    std::deque<Deadline> deadlines;    // all are due the same time after they came in: the first is due first
    std::vector<Candidate> to_evict;   // the longest idle last
    std::vector<Pieces::Range> fresh;  // of the last insert, kept for its memory
};

}  // namespace hopscope::decode::net
