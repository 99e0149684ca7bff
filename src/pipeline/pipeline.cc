#include "pipeline/pipeline.h"

#include <algorithm>
#include <map>
#include <vector>

#include "decode/grpc/grpc.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"
#include "pipeline/connection.h"

namespace hopscope::pipeline {

using decode::net::FlowRef;

struct Pipeline::State final : decode::net::TcpListener, Connection::Owner {
    explicit State(const Options& given)
        : options(given),
          protocols{given.tls_keys},
          builder(given.retention, given.observer),
          parser(builder.model().loss),
          tcp(*this, builder.model().loss, given.history) {
        if (given.may_hold_copies) parser.expect_copies();
    }

    // What the pipeline keeps for a connection, by slot.
    struct Entry {
        FlowId id = 0;
        std::unique_ptr<Connection> connection;
        std::unique_ptr<decode::grpc::DockerWatcher> docker;
        Endpoint first, second;
        Timestamp opened_at;
        std::uint64_t opened_frame = 0;
        std::uint16_t opened_file = 0;
        bool handshake_seen = false;
    };

    // A connection that comes as bytes with offsets, not as packets.
    struct StreamEntry {
        FlowRef flow;
        chain::FlowInfo info;
        std::pair<std::uint16_t, std::uint64_t> key;  // file and number there
        bool live = false;
        std::uint64_t next[2] = {0, 0};  // stream offset by direction
        bool ended[2] = {false, false};
    };

    // Passes on what the Docker watcher adds; a sink of its own so that its events do not come back to it.
    struct DockerSink final : EventSink {
        explicit DockerSink(State& owner) : state(owner) {}
        void on(const Event& event) override { state.tell(event); }
        State& state;
    };

    // TCP connections and byte streams share one table and one dense range of slots: even ones and odd ones.
    static std::uint32_t tcp_slot(FlowRef flow) { return 2 * flow.slot; }

    Entry& entry(std::uint32_t slot) {
        if (slot >= entries.size()) entries.resize(slot + 1);
        return entries[slot];
    }

    void enter(FlowId flow, std::uint32_t slot) {
        place.flow = flow;
        place.slot = slot;
        current = &entry(slot);
    }
    void enter(FlowRef flow) { enter(flow.id, tcp_slot(flow)); }

    void tell(const Event& event) {
        if (options.tap) options.tap->on(event, place);
        builder.on(event, place);
    }

    // --- events of the connection in hand
    void on(const Event& event) override {
        if (!current->docker) {
            if (const auto* request = std::get_if<HttpRequest>(&event);
                request && decode::grpc::is_docker_target(request->target))
                current->docker = std::make_unique<decode::grpc::DockerWatcher>();
        }
        if (current->docker) {
            DockerSink sink(*this);
            current->docker->on(event, sink);
        } else {
            tell(event);
        }
    }

    void recognised(Connection& connection, decode::stream::Protocol, bool flipped, bool late) override {
        const Entry& flow = *current;
        chain::FlowInfo info{.id = flow.id,
                             .slot = place.slot,
                             .client = flipped ? flow.second : flow.first,
                             .server = flipped ? flow.first : flow.second,
                             .file = flow.opened_file,
                             .handshake_seen = flow.handshake_seen};
        if (place.slot % 2 == 1) info = streams[place.slot / 2].info;  // who is the client was known before
        builder.flow(info);
        if (options.tap) options.tap->flow(info);
        // The connection began with its first packet, not with the bytes that made it known.
        const chain::Place now = place;
        place.at = flow.opened_at;
        place.frame = flow.opened_frame;
        place.file = flow.opened_file;
        tell(FlowOpened{.handshake_seen = connection.handshake_seen() && !late, .client_known = true});
        place = now;
    }

    // --- TCP
    void opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool handshake_seen) override {
        std::optional<bool> first_is_client;
        if (!handshake_seen && options.first_is_client) first_is_client = options.first_is_client(client, server);
        Entry& fresh = entry(tcp_slot(flow));
        fresh = Entry{.id = flow.id,
                      .connection = nullptr,
                      .docker = nullptr,
                      .first = client,
                      .second = server,
                      .opened_at = place.at,
                      .opened_frame = place.frame,
                      .opened_file = place.file,
                      .handshake_seen = handshake_seen};
        fresh.connection = std::make_unique<Connection>(handshake_seen, protocols, first_is_client);
    }
    void bytes(FlowRef flow, Direction direction, Bytes bytes) override {
        enter(flow);
        current->connection->bytes(direction, bytes, *this);
    }
    void gap(FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override {
        enter(flow);
        current->connection->gap(direction, offset, missing, *this);
    }
    void note(FlowRef flow, const NetNote& note) override {
        enter(flow);
        auto& facts = builder.model().capture;
        if (note.kind == NetNoteKind::retransmission || note.kind == NetNoteKind::different_data)
            ++facts.retransmissions;
        if (!current->connection->known()) return;
        NetNote turned = note;
        turned.direction = current->connection->turned(note.direction);
        tell(turned);
    }
    void closing(FlowRef flow, Direction direction, FinKind kind) override {
        enter(flow);
        current->connection->closing(direction, kind, *this);
    }
    void ended(FlowRef flow, bool capture_over) override {
        enter(flow);
        current->connection->ended(capture_over, *this);
        *current = Entry{};
    }

    // --- byte streams
    void on_stream(const StreamChunk& input) {
        const std::pair key{input.file, input.connection};
        auto known = stream_index.find(key);
        const bool is_new = known == stream_index.end();
        if (is_new && input.bytes.empty() && input.end) return;  // the end of one that is over, told again
        if (is_new) known = stream_index.emplace(key, free_stream()).first;
        const std::uint32_t index = known->second;
        if (is_new) {
            StreamEntry fresh;
            fresh.key = key;
            fresh.live = true;
            fresh.flow = {kFirstStreamFlow + streams_opened++, index};
            fresh.info = {.id = fresh.flow.id,
                          .slot = 2 * index + 1,
                          .file = input.file,
                          .handshake_seen = input.offset == 0,
                          .is_unix = true,
                          .unix_server = input.server,
                          .unix_client_inode = input.client_inode,
                          .client_pid = input.client_pid,
                          .server_pid = input.server_pid};
            // Where it begins later, the first offset seen is the beginning for us.
            fresh.next[0] = fresh.next[1] = 0;
            const FlowId id = fresh.flow.id;
            streams[index] = std::move(fresh);
            entry(2 * index + 1) = Entry{.id = id,
                                         .connection = std::make_unique<Connection>(input.offset == 0, protocols),
                                         .opened_at = input.at,
                                         .opened_frame = input.frame,
                                         .opened_file = input.file,
                                         .handshake_seen = input.offset == 0};
        }
        StreamEntry& stream = streams[index];
        enter(stream.flow.id, 2 * index + 1);
        if (knows_more(input, stream.info)) builder.peers(stream.info);
        std::uint64_t& next = stream.next[index_of(input.direction)];
        Bytes bytes = input.bytes;
        if (input.offset > next) {
            if (next > 0 || stream.info.handshake_seen) {
                builder.model().loss.add(LossPlace::reassembly, input.offset - next);
                current->connection->gap(input.direction, next, input.offset - next, *this);
            }
            next = input.offset;
        }
        const std::uint64_t repeated = next - input.offset;
        bytes = repeated >= bytes.size() ? Bytes{} : bytes.subspan(repeated);
        if (!bytes.empty()) current->connection->bytes(input.direction, bytes, *this);
        next += bytes.size();
        if (!input.end || stream.ended[index_of(input.direction)]) return;
        stream.ended[index_of(input.direction)] = true;
        current->connection->closing(input.direction, FinKind::fin, *this);
        if (stream.ended[0] && stream.ended[1]) end_stream(stream, false);
    }
    // Who accepted a connection is known when it has written; until then it is who listened.
    static bool knows_more(const StreamChunk& input, chain::FlowInfo& info) {
        const auto take = [](auto& into, const auto& from, const auto& nothing) {
            if (from == nothing || into == from) return false;
            into = from;
            return true;
        };
        bool more = take(info.client_pid, input.client_pid, 0U);
        more = take(info.server_pid, input.server_pid, 0U) || more;
        more = take(info.unix_client_inode, input.client_inode, std::uint64_t{0}) || more;
        more = take(info.unix_server.inode, input.server.inode, std::uint64_t{0}) || more;
        return take(info.unix_server.path, input.server.path, std::string()) || more;
    }
    void end_stream(StreamEntry& stream, bool capture_over) {
        if (!stream.live) return;
        enter(stream.flow.id, stream.info.slot);
        current->connection->ended(capture_over, *this);
        *current = Entry{};
        stream.live = false;
        stream_index.erase(stream.key);
        free_streams.push_back(stream.flow.slot);
    }
    // A slot: connections come and go for as long as a live run lasts.
    std::uint32_t free_stream() {
        if (free_streams.empty()) {
            streams.emplace_back();
            return static_cast<std::uint32_t>(streams.size() - 1);
        }
        const std::uint32_t slot = free_streams.back();
        free_streams.pop_back();
        return slot;
    }

    static constexpr FlowId kFirstStreamFlow = 0x80000000;  // TCP connections count from 0

    Options options;
    decode::Protocols protocols;
    std::map<std::pair<std::uint16_t, std::uint64_t>, std::uint32_t> stream_index;
    std::vector<StreamEntry> streams;
    std::vector<std::uint32_t> free_streams;  // slots of those that are over
    std::uint32_t streams_opened = 0;
    chain::Builder builder;
    decode::net::PacketParser parser;
    decode::net::TcpReassembler tcp;
    decode::net::TcpSegment segment;  // of the packet in hand; here so that it is not cleared for each
    std::vector<Entry> entries;
    Entry* current = nullptr;
    chain::Place place;
};

Pipeline::Pipeline(const Options& options) : state_(std::make_unique<State>(options)) {}
Pipeline::~Pipeline() = default;

void Pipeline::on(const Packet& packet) {
    State& s = *state_;
    chain::CaptureFacts& facts = s.builder.model().capture;
    ++facts.packets;
    facts.bytes += packet.wire_length;
    if (!facts.first) facts.first = packet.at;
    if (!facts.last || *facts.last < packet.at) facts.last = packet.at;
    s.place.at = packet.at;
    s.place.frame = packet.frame;
    s.place.file = packet.file;
    if (s.parser.parse(packet, s.segment)) s.tcp.on(s.segment, packet.at);
}

void Pipeline::on(const StreamChunk& input) {
    State& s = *state_;
    chain::CaptureFacts& facts = s.builder.model().capture;
    if (!facts.first) facts.first = input.at;
    if (!facts.last || *facts.last < input.at) facts.last = input.at;
    s.place.at = input.at;
    s.place.frame = input.frame;
    s.place.file = input.file;
    s.on_stream(input);
}

void Pipeline::tick(Timestamp now) {
    State& s = *state_;
    // Time as told by packets is ahead of the clock's while they come.
    if (const auto& last = s.builder.model().capture.last; !last || now <= *last || now <= s.place.at) return;
    s.place.at = now;
    s.tcp.advance(now);
}

void Pipeline::ended_unseen(const Endpoint& client, const Endpoint& server, Timestamp now) {
    State& s = *state_;
    s.place.at = std::max(s.place.at, now);
    s.tcp.give_up(client, server);
}

void Pipeline::lost(LossPlace place, std::uint64_t count) { state_->builder.model().loss.add(place, count); }

void Pipeline::expect_copies() { state_->parser.expect_copies(); }

void Pipeline::finish() {
    State& s = *state_;
    s.tcp.finish();
    for (State::StreamEntry& stream : s.streams) s.end_stream(stream, true);
    chain::CaptureFacts& facts = s.builder.model().capture;
    facts.tcp_connections = s.tcp.flows_opened();
    facts.duplicates = s.parser.copies_dropped();
    s.builder.finish(facts.last.value_or(Timestamp{}));
}

chain::Model& Pipeline::model() { return state_->builder.model(); }
chain::Builder& Pipeline::builder() { return state_->builder; }
const chain::Builder& Pipeline::builder() const { return state_->builder; }

}  // namespace hopscope::pipeline
