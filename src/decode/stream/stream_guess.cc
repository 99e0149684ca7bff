#include "decode/stream/stream_guess.h"

#include "core/limits.h"
#include "decode/stream/status_text.h"

namespace hopscope::decode::stream {
namespace {

constexpr std::string_view kWhyFirst = "exec and attach open the error stream first";
constexpr std::string_view kWhyStatus = "it is the first stream and the server sent a Status on it";
constexpr std::string_view kWhyClientWrites = "only the client writes to it, and stdin comes before stdout";
constexpr std::string_view kWhyServerWrites = "the server writes to it, and stdout comes before stderr";
constexpr std::string_view kWhyStderr = "the server writes to it, and stdout was opened before it";
constexpr std::string_view kWhySize = "the client sent a terminal size on it";
constexpr std::string_view kWhyData = "payload of a forwarded connection travels on it";
constexpr std::string_view kWhyForwardError = "the server sent the error text of a port-forward on it";
constexpr std::string_view kWhyErrorBefore =
    "the client closed its side at once, and the next stream carries the payload";

// How the server's texts on the error stream of a forwarded connection begin (kubelet and runtimes).
constexpr std::string_view kForwardErrorTexts[] = {"error forwarding port ",
                                                   "(conn=", "error processing stream for request "};

enum class Match { no, not_yet, yes };
Match begins_forward_error(std::string_view text) {
    Match best = Match::no;
    for (const std::string_view known : kForwardErrorTexts) {
        if (text.starts_with(known)) return Match::yes;
        if (known.starts_with(text)) best = Match::not_yet;
    }
    return best;
}

}  // namespace

void StreamGuess::learn(Purpose purpose, EventSink& sink) {
    if (purpose_ != Purpose::unknown || purpose == Purpose::unknown) return;
    purpose_ = purpose;
    if (purpose == Purpose::remote_command) {
        deduce_exec(sink);
        return;
    }
    if (streams_.talk() == ErrorTalk::unknown) streams_.set_talk(ErrorTalk::forward);
    for (Streams::Stream& stream : streams_.all()) {
        if (stream.kind != StreamKind::unknown || stream.gone) continue;
        if (stream.client_data) {
            name_data(stream, kWhyData, sink);
        } else if (stream.server_data) {
            look_for_forward_error(stream, streams_.keep(stream, Direction::to_client, {}, 0).text, sink);
        }
    }
}

void StreamGuess::data(Streams::Stream& stream, Direction direction, Bytes piece, std::uint64_t offset,
                       EventSink& sink) {
    if (stream.kind != StreamKind::unknown) {
        if (purpose_ == Purpose::remote_command) deduce_exec(sink);
        return;
    }
    // Kept before anything is concluded: whatever names the stream, its text is then understood from its beginning.
    const std::size_t kept_max = stream.id == 1 ? limits::kStatusBytesMax : limits::kResizeBytesMax;
    const Streams::Kept kept = streams_.keep(stream, direction, piece, kept_max);
    if (stream.client_data && stream.server_data) learn(Purpose::port_forward, sink);
    if (purpose_ == Purpose::remote_command) deduce_exec(sink);
    const auto unnamed = [&] { return stream.kind == StreamKind::unknown; };
    if (direction == Direction::to_server) {
        if (unnamed() && purpose_ == Purpose::port_forward) name_data(stream, kWhyData, sink);
        if (unnamed() && stream.id > 3) look_for_size(stream, kept, sink);
    } else {
        if (unnamed() && purpose_ != Purpose::port_forward && stream.id == 1) look_for_status(stream, kept, sink);
        if (unnamed() && purpose_ != Purpose::remote_command) look_for_forward_error(stream, kept.text, sink);
    }
    if (Streams::listens(stream)) streams_.data(stream, direction, piece.subspan(kept.taken), offset, sink);
}

void StreamGuess::look_for_status(Streams::Stream& stream, const Streams::Kept& kept, EventSink& sink) {
    if (!kept.json_object.starts_with('{') || !parse_status(kept.json_object)) return;
    if (streams_.talk() == ErrorTalk::unknown) streams_.set_talk(ErrorTalk::json);
    streams_.name(stream, StreamKind::error, kWhyStatus, sink);
    learn(Purpose::remote_command, sink);
}

void StreamGuess::look_for_size(Streams::Stream& stream, const Streams::Kept& kept, EventSink& sink) {
    if (!kept.json_object.starts_with("{\"Width\":") || !parse_terminal_size(kept.json_object)) return;
    streams_.name(stream, StreamKind::resize, kWhySize, sink);
    learn(Purpose::remote_command, sink);
}

void StreamGuess::look_for_forward_error(Streams::Stream& stream, std::string_view text, EventSink& sink) {
    const Match match = begins_forward_error(text);
    if (match == Match::yes) {
        if (streams_.talk() == ErrorTalk::unknown) streams_.set_talk(ErrorTalk::forward);
        streams_.name(stream, StreamKind::error, kWhyForwardError, sink);
        learn(Purpose::port_forward, sink);
    } else if (match == Match::no && purpose_ == Purpose::port_forward) {
        name_data(stream, kWhyData, sink);
    }
}

void StreamGuess::name_data(Streams::Stream& stream, std::string_view why, EventSink& sink) {
    streams_.name(stream, StreamKind::data, why, sink);
    deduce_error_before(stream.id, sink);
}

void StreamGuess::closed(EventSink& sink) {
    if (purpose_ == Purpose::remote_command) deduce_exec(sink);
}

void StreamGuess::deduce_exec(EventSink& sink) {
    const auto unnamed = [&](std::uint32_t id) {
        Streams::Stream* stream = streams_.find(id);
        return stream && stream->kind == StreamKind::unknown ? stream : nullptr;
    };
    const auto kind = [&](std::uint32_t id) {
        const Streams::Stream* stream = streams_.find(id);
        return stream ? stream->kind : StreamKind::unknown;
    };
    const auto server_writes = [](const Streams::Stream& stream) { return stream.server_data || stream.server_fin; };
    if (Streams::Stream* first = unnamed(1)) streams_.name(*first, StreamKind::error, kWhyFirst, sink);
    if (Streams::Stream* stream = unnamed(3)) {
        if (stream->client_data || stream->client_fin) {
            streams_.name(*stream, StreamKind::in, kWhyClientWrites, sink);
        } else if (server_writes(*stream)) {
            streams_.name(*stream, StreamKind::out, kWhyServerWrites, sink);
        }
    }
    if (Streams::Stream* stream = unnamed(5); stream && server_writes(*stream)) {
        if (kind(3) == StreamKind::in)
            streams_.name(*stream, StreamKind::out, kWhyServerWrites, sink);
        else if (kind(3) == StreamKind::out)
            streams_.name(*stream, StreamKind::err, kWhyStderr, sink);
    }
    if (Streams::Stream* stream = unnamed(7); stream && server_writes(*stream) && kind(3) == StreamKind::in)
        streams_.name(*stream, StreamKind::err, kWhyStderr, sink);
}

void StreamGuess::deduce_error_before(std::uint32_t data_stream, EventSink& sink) {
    if (data_stream < 2) return;
    Streams::Stream* before = streams_.find(data_stream - 2);
    if (!before || before->kind != StreamKind::unknown || !before->opening_seen || !before->closed_at_once) return;
    if (!before->client_data && !before->server_data) streams_.name(*before, StreamKind::error, kWhyErrorBefore, sink);
}

}  // namespace hopscope::decode::stream
