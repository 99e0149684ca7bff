// Frames and streams of a session: called for each of millions of frames, so nothing here allocates per frame.
#include <algorithm>

#include "chain/builder_state.h"
#include "chain/findings.h"
#include "chain/stream_book.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::uint16_t kSpdyData = 0, kSpdyGoaway = 7;  // draft 3 section 2.6
constexpr std::uint8_t kWsClose = 8;                     // RFC 6455 section 5.5.1

// A frame is over: did it carry payload of this stream?
void count_frame(Session& session, FlowState& flow, Direction direction, std::uint32_t id) {
    std::uint32_t& piece_of = flow.work->piece_of[index_of(direction)];
    if (piece_of == 0 || piece_of > session.streams.size()) return;
    Stream& stream = session.streams[piece_of - 1];
    if (stream.id == id) ++stream.frames;
    piece_of = 0;
}

std::uint64_t& way(ByteCounts& bytes, Direction direction) {
    return direction == Direction::to_server ? bytes.in : bytes.out;
}

// Payload, and the header that a message of this length has (RFC 6455 section 5.2); exact for messages of one frame.
std::uint64_t websocket_wire_bytes(const WsMessage& message) {
    const std::uint64_t length_bytes = message.length > 0xffff ? 8 : message.length > 125 ? 2 : 0;
    const std::uint64_t mask_bytes = message.direction == Direction::to_server ? 4 : 0;
    return message.length + message.frames * (2 + length_bytes + mask_bytes);
}

}  // namespace

Session* Builder::State::framed_session(FlowState* flow, const Place& place) {
    if (!flow || flow->foreign) return nullptr;
    if (!flow->current) join_late(*flow, place);
    return flow->current;
}

Stream* Builder::State::open_stream(Session& session, FlowState& flow, const StreamOpened& opened, const Place& place) {
    std::uint32_t at = IndexTable::kNone;
    if (keeper.room_for(sizeof(Stream))) at = add_stream(session, flow, opened, place.at);
    if (at == IndexTable::kNone) return nullptr;
    keeper.open_grew(sizeof(Stream));
    Stream& stream = session.streams[at];
    if (observer) observer->stream_opened(session, stream, place);
    return &stream;
}

Stream* Builder::State::stream_for(Session& session, FlowState& flow, std::uint32_t id, const Place& place) {
    if (const std::uint32_t at = find_stream(session, flow, id); at != IndexTable::kNone) return &session.streams[at];
    if (session.streams_dropped > 0) return nullptr;
    StreamOpened unseen;
    unseen.id = id;
    unseen.grade = Grade::inferred;
    return open_stream(session, flow, unseen, place);
}

void Builder::State::on(const SpdyFrame& event, const Place& place) {
    ++model.capture.spdy_frames;
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    if (session->proto == Proto::unknown) session->proto = Proto::spdy31;
    // In a tunnel the WebSocket messages around the frames are what is on the wire.
    if (session->proto == Proto::spdy31) way(session->framed, event.direction) += 8 + std::uint64_t{event.length};
    if (event.type == kSpdyData) {
        count_frame(*session, *flow, event.direction, event.stream);
    } else if (event.type == kSpdyGoaway && event.direction == Direction::to_server &&
               flow->work->client_goodbye_at.ns == 0) {
        flow->work->client_goodbye_at = place.at;
    }
}

void Builder::State::on(const WsMessage& event, const Place& place) {
    ++model.capture.ws_messages;
    FlowState* flow = flow_of(place);
    // Any web page may use WebSocket: a connection joined late is ours only once its channels were understood.
    if (!flow || !flow->current) return;
    Session& session = *flow->current;
    touch(session, place);
    if (session.state == SessionState::cut || session.proto == Proto::unknown) session.proto = Proto::websocket;
    way(session.framed, event.direction) += websocket_wire_bytes(event);
    if (event.opcode == kWsClose && event.direction == Direction::to_server && flow->work->client_goodbye_at.ns == 0)
        flow->work->client_goodbye_at = place.at;
    if (event.channel >= 0) count_frame(session, *flow, event.direction, static_cast<std::uint32_t>(event.channel));
}

void Builder::State::on(const StreamOpened& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    if (const std::uint32_t at = find_stream(*session, *flow, event.id); at != IndexTable::kNone) {
        // Payload can come before its announcement where the beginning is missing.
        if (session->streams[at].kind == StreamKind::unknown) name_stream(*session, session->streams[at], event);
    } else if (!open_stream(*session, *flow, event, place)) {
        ++session->streams_dropped;
        model.loss.add(LossPlace::limit_streams);
    }
    if (event.kind == StreamKind::resize && event.grade == Grade::decoded) session->tty = true;
    if (event.grade != Grade::decoded && !event.why.empty() &&
        session->evidence.size() < limits::kEvidencePerSessionMax)
        session->evidence.push_back({.grade = event.grade,
                                     .says = "stream " + std::to_string(event.id) + " is " +
                                             std::string(to_string(event.kind)) + ": " + display(event.why),
                                     .frame = place.frame,
                                     .source = {},
                                     .id = "stream"});
}

void Builder::State::on(const StreamNamed& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    Stream* stream = stream_for(*session, *flow, event.stream.id, place);
    if (!stream) return;
    name_stream(*session, *stream, event.stream);
    if (!event.stream.why.empty() && session->evidence.size() < limits::kEvidencePerSessionMax)
        session->evidence.push_back({.grade = event.stream.grade,
                                     .says = "stream " + std::to_string(stream->id) + " is " +
                                             std::string(to_string(stream->kind)) + ": " + display(event.stream.why),
                                     .frame = place.frame,
                                     .source = {},
                                     .id = "stream"});
}

void Builder::State::on(const StreamData& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    const bool out = event.direction == Direction::to_client;
    if (out) flow->work->last_out_at = place.at;
    Stream* stream = stream_for(*session, *flow, event.id, place);
    if (!stream) {
        (out ? session->bytes.out : session->bytes.in) += event.piece.size();
        return;
    }
    (out ? stream->bytes.out : stream->bytes.in) += event.piece.size();
    if (counts_for_session(stream->kind)) (out ? session->bytes.out : session->bytes.in) += event.piece.size();
    stream->last = place.at;
    flow->work->piece_of[index_of(event.direction)] = flow->hint + 1;
    if (observer) observer->stream_data(*session, *stream, event.direction, event.piece, place);
}

void Builder::State::on(const StreamClosed& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    const std::uint32_t at = find_stream(*session, *flow, event.id);
    if (at == IndexTable::kNone) return;
    Stream& stream = session->streams[at];
    stream.last = place.at;
    if (close_stream(stream, event.direction, event.kind) && observer) observer->stream_closed(*session, stream, place);
}

void Builder::State::on(const Resized& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    session->tty = true;
    const Resize resize{place.at, event.width, event.height};
    if (session->resizes.size() < limits::kResizesPerSessionMax && keeper.room_for(sizeof resize)) {
        session->resizes.push_back(resize);
        keeper.open_grew(sizeof resize);
    } else {
        model.loss.add(LossPlace::limit_memory);
    }
    Stream* stream = stream_for(*session, *flow, event.id, place);
    if (!stream) return;
    stream->last = place.at;
    if (observer) observer->resized(*session, *stream, resize, place);
}

void Builder::State::on(const ExitStatus& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session) return;
    touch(*session, place);
    session->outcome = event.success ? Session::Outcome::success : Session::Outcome::failure;
    session->exit_code = event.exit_code;
    session->status_reason = texts.get(event.reason);
    session->status_message = Untrusted(kept(event.message));
    // Only a command that was started has an exit code: whatever else is unknown, this was no attach.
    if (session->op == Op::unknown && event.exit_code && *event.exit_code != 0) session->op = Op::exec;
}

void Builder::State::on(const ForwardError& event, const Place& place) {
    FlowState* flow = flow_of(place);
    Session* session = framed_session(flow, place);
    if (!session || event.text.empty()) return;
    touch(*session, place);
    Stream* stream = stream_for(*session, *flow, event.id, place);
    if (stream && !stream->error && keeper.room_for(event.text.size()))
        stream->error = std::make_unique<Untrusted>(kept(event.text));
    FlowWork& work = *flow->work;
    const std::uint16_t port = stream && stream->has_port ? stream->port : std::uint16_t{0};
    if (work.first_error_at.ns == 0) {
        work.first_error_at = place.at;
        work.first_error_frame = place.frame;
        work.first_error_port = port;
    }
    if (work.refused_ports.size() >= limits::kRefusedPortsPerSessionMax ||
        std::find(work.refused_ports.begin(), work.refused_ports.end(), port) != work.refused_ports.end())
        return;
    work.refused_ports.push_back(port);
    findings.add(finding_port_refused(*session, stream, kept(event.text), place.frame, place.at));
}

}  // namespace hopscope::chain
