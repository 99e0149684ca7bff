// Plays one or more TCP connections to the reassembler, segment by segment, and logs what it tells.
//
//     TcpTalk talk;
//     talk.handshake().client(0, "hello").server_acks(5);
//     EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80 handshake", "> hello"));
//
// Places in the stream are offsets from its first byte; sequence numbers are made from them. Bytes that follow each
// other in one direction are one line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "decode/net/tcp.h"

namespace hopscope::net_test {

using decode::net::FlowRef;
using decode::net::TcpSegment;

// All payload that was sent, as a capture file holds it; only the last `kept` bytes can be looked at again.
class Tape final : public History {
public:
    std::uint64_t append(std::string_view text) {
        bytes_.emplace_back(text);
        starts_.push_back(size_ + 1);
        size_ += text.size();
        return starts_.back();
    }
    Bytes recent(std::uint64_t position, std::size_t size) const override {
        if (position + kept <= size_) return {};
        for (std::size_t i = starts_.size(); i-- > 0;)
            if (starts_[i] <= position) {
                const std::size_t at = position - starts_[i];
                if (at + size > bytes_[i].size()) return {};
                return as_bytes(bytes_[i]).subspan(at, size);
            }
        return {};
    }
    std::uint64_t kept = UINT64_MAX / 2;

private:
    std::vector<std::string> bytes_;
    std::vector<std::uint64_t> starts_;
    std::uint64_t size_ = 0;
};

inline std::string_view name_of(NetNoteKind kind) {
    switch (kind) {
        case NetNoteKind::retransmission: return "retransmission";
        case NetNoteKind::different_data: return "different_data";
        case NetNoteKind::reordering: return "reordering";
        case NetNoteKind::zero_window: return "zero_window";
        case NetNoteKind::keep_alive: return "keep_alive";
        case NetNoteKind::out_of_window: return "out_of_window";
    }
    return "?";
}

// Checks the listener's contract while it logs.
class TcpLog final : public decode::net::TcpListener {
public:
    struct Side {
        std::string bytes;  // with '?' for every byte of a gap (of less than 1 MiB)
        std::uint64_t offset = 0;
        std::uint64_t missing = 0;
        int gaps = 0;
    };
    struct Connection {
        Side sides[2];
        std::map<NetNoteKind, int> notes;
        bool ended = false;
    };

    void opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool handshake_seen) override {
        if (slots[flow.slot] != 0) violations.push_back("slot used twice");
        if (flow.id <= last_id) violations.push_back("ids do not grow");
        last_id = flow.id;
        largest_slot = std::max(largest_slot, flow.slot);
        slots[flow.slot] = flow.id;
        client_ports[flow.id] = client.port;
        line(flow, "open " + to_string(client) + " > " + to_string(server) + (handshake_seen ? " handshake" : ""));
    }
    void bytes(FlowRef flow, Direction direction, Bytes bytes) override {
        if (bytes.empty()) violations.push_back("empty bytes");
        Connection& c = check(flow);
        c.sides[index_of(direction)].bytes += as_text(bytes);
        c.sides[index_of(direction)].offset += bytes.size();
        if (quiet) return;
        const std::string head = prefix(flow) + arrow(direction) + " ";
        if (last_was_bytes && !lines.empty() && lines.back().starts_with(head)) {
            lines.back() += as_text(bytes);
        } else {
            lines.push_back(head + std::string(as_text(bytes)));
        }
        last_was_bytes = true;
    }
    void gap(FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override {
        Side& side = check(flow).sides[index_of(direction)];
        if (offset != side.offset) violations.push_back("gap at the wrong place");
        if (missing == 0) violations.push_back("empty gap");
        if (missing < 1 << 20) side.bytes.append(missing, '?');
        side.missing += missing;
        side.offset += missing;
        ++side.gaps;
        line(flow,
             std::string("gap ") + arrow(direction) + " at " + std::to_string(offset) + " " + std::to_string(missing));
    }
    void note(FlowRef flow, const NetNote& note) override {
        ++check(flow).notes[note.kind];
        line(flow, "note " + arrow(note.direction) + " " + std::string(name_of(note.kind)) + " at " +
                       std::to_string(note.offset) + " " + std::to_string(note.bytes));
    }
    void closing(FlowRef flow, Direction direction, FinKind kind) override {
        check(flow);
        line(flow, (kind == FinKind::fin ? "fin " : "rst ") + arrow(direction));
    }
    void ended(FlowRef flow, bool capture_over) override {
        check(flow).ended = true;
        slots[flow.slot] = 0;
        line(flow, capture_over ? "end capture-over" : "end");
    }

    std::vector<std::string> lines;
    std::map<FlowId, Connection> connections;
    std::map<FlowId, std::uint16_t> client_ports;
    std::vector<std::string> violations;  // must stay empty
    bool number_flows = false;            // lines begin with "#2 "
    bool quiet = false;                   // no lines
    std::uint32_t largest_slot = 0;

private:
    static std::string arrow(Direction direction) { return direction == Direction::to_server ? ">" : "<"; }
    std::string prefix(FlowRef flow) const { return number_flows ? "#" + std::to_string(flow.id) + " " : ""; }
    void line(FlowRef flow, std::string text) {
        last_was_bytes = false;
        if (!quiet) lines.push_back(prefix(flow) + std::move(text));
    }
    Connection& check(FlowRef flow) {
        if (slots[flow.slot] != flow.id) violations.push_back("a call for a flow that is not open");
        Connection& connection = connections[flow.id];
        if (connection.ended) violations.push_back("a call after ended()");
        return connection;
    }

    std::map<std::uint32_t, FlowId> slots;
    FlowId last_id = 0;
    bool last_was_bytes = false;
};

struct Extra {
    bool fin = false, syn = false, rst = false, ack = true;
    std::uint32_t cut = 0;  // bytes at the end that the snaplen cut off
    std::optional<std::uint16_t> window;
    bool on_tape = true;  // the bytes can be looked at again
};

class TcpTalk {
public:
    explicit TcpTalk(bool with_history = true) : tcp_(log_, loss, with_history ? &tape : nullptr) {}

    // --- one direction at a place of its stream; place -1 is the SYN
    TcpTalk& client(std::int64_t place, std::string_view text, const Extra& extra = {}) {
        return send(0, place, text, extra);
    }
    TcpTalk& server(std::int64_t place, std::string_view text, const Extra& extra = {}) {
        return send(1, place, text, extra);
    }
    TcpTalk& client_fin(std::int64_t place, std::string_view text = "") { return client(place, text, {.fin = true}); }
    TcpTalk& server_fin(std::int64_t place, std::string_view text = "") { return server(place, text, {.fin = true}); }
    // Bare acknowledgements of all before `place` in the other direction.
    TcpTalk& client_acks(std::int64_t place) { return acks(0, place); }
    TcpTalk& server_acks(std::int64_t place) { return acks(1, place); }
    TcpTalk& handshake() {
        client(-1, "", {.syn = true, .ack = false});
        acked[0] = 0;
        server(-1, "", {.syn = true});
        acked[1] = 0;
        return client(0, "");
    }
    TcpTalk& after(double seconds) {
        at.ns += static_cast<std::int64_t>(seconds * 1e9);
        return *this;
    }
    TcpTalk& finish() {
        tcp_.finish();
        return *this;
    }
    TcpTalk& advance() {
        tcp_.advance(at);
        return *this;
    }

    TcpTalk& send(int side, std::int64_t place, std::string_view text, const Extra& extra) {
        TcpSegment segment;
        segment.source = side == 0 ? client_at : server_at;
        segment.destination = side == 0 ? server_at : client_at;
        segment.sequence = isn[side] + 1 + static_cast<std::uint32_t>(place);
        segment.acknowledgement = extra.ack ? isn[1 - side] + 1 + static_cast<std::uint32_t>(acked[1 - side]) : 0;
        segment.flags = {.fin = extra.fin, .syn = extra.syn, .rst = extra.rst, .ack = extra.ack};
        segment.window = extra.window.value_or(extra.rst ? std::uint16_t{0} : std::uint16_t{512});
        segment.payload_wire_bytes = static_cast<std::uint32_t>(text.size());
        const std::uint64_t position = tape.append(text);
        segment.payload = as_bytes(text.substr(0, text.size() - extra.cut));
        segment.position = extra.on_tape && !text.empty() ? position : 0;
        const std::int64_t end =
            place + static_cast<std::int64_t>(text.size()) + (extra.fin ? 1 : 0) + (extra.syn ? 1 : 0);
        if (!extra.rst) sent[side] = std::max(sent[side], end);
        tcp_.on(segment, at);
        at.ns += 1000;
        return *this;
    }
    TcpTalk& raw(const TcpSegment& segment) {
        tcp_.on(segment, at);
        return *this;
    }

    const std::vector<std::string>& log() const { return log_.lines; }
    // What was logged since this was last asked.
    std::vector<std::string> news() {
        std::vector<std::string> fresh(log_.lines.begin() + static_cast<std::ptrdiff_t>(seen_), log_.lines.end());
        seen_ = log_.lines.size();
        return fresh;
    }
    TcpLog& listener() { return log_; }
    TcpLog::Side& stream(Direction direction, FlowId flow = 1) {
        return log_.connections[flow].sides[index_of(direction)];
    }
    std::uint64_t flows() const { return tcp_.flows_opened(); }

    Endpoint client_at{*IpAddress::parse("10.0.0.1"), 40000};
    Endpoint server_at{*IpAddress::parse("10.0.0.2"), 80};
    std::uint32_t isn[2] = {1000, 5000};
    std::int64_t acked[2] = {0, 0};  // of each direction, by its receiver
    std::int64_t sent[2] = {0, 0};
    Timestamp at{1'000'000'000'000};
    LossCounters loss;
    Tape tape;

private:
    TcpTalk& acks(int side, std::int64_t place) {
        acked[1 - side] = place;
        return send(side, sent[side], "", {});
    }

    TcpLog log_;
    decode::net::TcpReassembler tcp_;
    std::size_t seen_ = 0;
};

}  // namespace hopscope::net_test
