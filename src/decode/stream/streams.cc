#include "decode/stream/streams.h"

#include <algorithm>
#include <string>

#include "core/limits.h"
#include "decode/stream/status_text.h"

namespace hopscope::decode::stream {

// What was said so far on an error or resize stream, or on one that may be such a stream.
struct Streams::Text {
    std::string bytes;
    JsonObjects json;
    std::size_t object_end = 0;  // where the first JSON object ended; 0: not yet
    Direction direction{};       // whose words they are (streams of unknown kind)
    bool holed = false;          // bytes of it are missing: never told
    bool too_long = false;       // beyond limits::kStatusBytesMax: the rest was dropped
};

namespace {

constexpr std::uint32_t kGoneKept = 16;  // closed streams remembered at least, so that their stragglers open nothing

}  // namespace

ErrorTalk error_talk(std::string_view subprotocol, Purpose purpose) {
    if (purpose == Purpose::port_forward || subprotocol.find("portforward") != std::string_view::npos)
        return ErrorTalk::forward;
    if (subprotocol.starts_with("v4.") || subprotocol.starts_with("v5.")) return ErrorTalk::json;
    if (subprotocol.starts_with("v2.") || subprotocol.starts_with("v3.")) return ErrorTalk::text;
    if (subprotocol == "channel.k8s.io" || subprotocol == "base64.channel.k8s.io") return ErrorTalk::text_v1;
    return ErrorTalk::unknown;
}

Streams::Streams(ErrorTalk talk) : talk_(talk) {}
Streams::~Streams() = default;

Streams::Stream* Streams::find(std::uint32_t id) {
    if (last_found_ < streams_.size() && streams_[last_found_].id == id) return &streams_[last_found_];
    const auto at = std::lower_bound(streams_.begin(), streams_.end(), id,
                                     [](const Stream& stream, std::uint32_t wanted) { return stream.id < wanted; });
    if (at == streams_.end() || at->id != id) return nullptr;
    last_found_ = static_cast<std::size_t>(at - streams_.begin());
    return &*at;
}

Streams::Stream* Streams::open(const StreamOpened& opened, EventSink& sink) {
    sink.on(opened);
    if (gone_ > kGoneKept && gone_ > streams_.size() / 2) forget_gone();
    if (streams_.size() - gone_ >= limits::kStreamsPerConnectionMax) return nullptr;
    Stream fresh;
    fresh.id = opened.id;
    fresh.kind = opened.kind;
    fresh.has_port = opened.port.has_value();
    fresh.port = opened.port.value_or(0);
    fresh.has_request_id = opened.request_id.has_value();
    fresh.request_id = opened.request_id.value_or(0);
    auto at = streams_.end();
    if (!streams_.empty() && streams_.back().id >= opened.id)
        at = std::lower_bound(streams_.begin(), streams_.end(), opened.id,
                              [](const Stream& stream, std::uint32_t id) { return stream.id < id; });
    if (at != streams_.end() && at->id == opened.id) {
        // Opened twice: the later opening counts.
        if (at->gone) --gone_;
        *at = std::move(fresh);
        return &*at;
    }
    return &*streams_.insert(at, std::move(fresh));
}

void Streams::forget_gone() {
    std::erase_if(streams_, [](const Stream& stream) { return stream.gone; });
    gone_ = 0;
    last_found_ = 0;
}

void Streams::name(Stream& stream, StreamKind kind, std::string_view why, EventSink& sink) {
    stream.kind = kind;
    StreamOpened named{
        .id = stream.id, .kind = kind, .grade = Grade::inferred, .port = {}, .request_id = {}, .why = why};
    if (stream.has_port) named.port = stream.port;
    if (stream.has_request_id) named.request_id = stream.request_id;
    sink.on(StreamNamed{named});
    const std::unique_ptr<Text> before = std::move(stream.text);
    if (before && !before->holed) data(stream, before->direction, as_bytes(before->bytes), 0, sink);
}

void Streams::data(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink) {
    if (stream.kind == StreamKind::error && direction == Direction::to_client)
        error_text(stream, direction, piece, offset, sink);
    else if (stream.kind == StreamKind::resize && direction == Direction::to_server)
        resize_text(stream, direction, piece, offset, sink);
}

Streams::Kept Streams::keep(Stream& stream, Direction direction, Bytes piece, std::size_t bytes_max) {
    if (!stream.text) {
        stream.text = std::make_unique<Text>();
        stream.text->direction = direction;
    }
    Text& text = *stream.text;
    if (text.holed || text.direction != direction) return {};
    Kept kept;
    for (const std::uint8_t byte : piece) {
        if (text.bytes.size() >= bytes_max) break;
        text.bytes += static_cast<char>(byte);
        ++kept.taken;
        if (text.object_end == 0 && text.json.next(text.bytes.back()) == JsonObjects::Place::last) {
            text.object_end = text.bytes.size();
            kept.json_object = std::string_view(text.bytes).substr(0, text.object_end);
        }
    }
    kept.text = text.bytes;
    if (!kept.json_object.empty()) kept.json_object = kept.text.substr(0, text.object_end);
    return kept;
}

void Streams::error_text(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink) {
    if (stream.told || piece.empty()) return;
    const auto tell = [&](const StatusText& status) {
        stream.told = true;
        sink.on(ExitStatus{.id = stream.id,
                           .plain_text = false,
                           .success = status.success,
                           .exit_code = status.exit_code,
                           .reason = status.reason,
                           .message = status.message});
    };
    // It mostly comes in one piece.
    if (talk_ == ErrorTalk::json && !stream.text && piece.size() < limits::kStatusBytesMax) {
        if (const auto usual = usual_status(as_text(piece))) return tell(*usual);
    }
    if (!stream.text) stream.text = std::make_unique<Text>();
    Text& text = *stream.text;
    if (text.holed) return;
    for (const std::uint8_t byte : piece) {
        const char c = static_cast<char>(byte);
        if (text.bytes.size() >= limits::kStatusBytesMax) {
            if (!text.too_long)
                sink.on(
                    Problem{"stream.text", "the text of an error stream is longer than is kept", direction, offset, 0});
            text.too_long = true;
            return;
        }
        text.bytes += c;
        if (talk_ == ErrorTalk::unknown && c > ' ') {
            // Which protocol was chosen is not known: the first character tells.
            talk_ = c == '{' ? ErrorTalk::json : stream.has_port ? ErrorTalk::forward : ErrorTalk::text;
        }
        if (talk_ != ErrorTalk::json || text.object_end != 0) continue;
        if (text.json.next(c) != JsonObjects::Place::last) continue;
        text.object_end = text.bytes.size();
        const auto status = parse_status(std::string_view(text.bytes).substr(text.bytes.find('{')));
        if (!status) continue;  // told as plain text when the stream ends
        tell(*status);
        stream.text.reset();
        return;
    }
}

void Streams::resize_text(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink) {
    if (!stream.text) stream.text = std::make_unique<Text>();
    Text& text = *stream.text;
    for (const std::uint8_t byte : piece) {
        const char c = static_cast<char>(byte);
        const JsonObjects::Place place = text.json.next(c);
        if (place == JsonObjects::Place::between) continue;
        if (text.bytes.size() < limits::kResizeBytesMax) text.bytes += c;
        if (place != JsonObjects::Place::last) continue;
        const auto size = parse_terminal_size(text.bytes);
        if (size) {
            sink.on(Resized{stream.id, size->width, size->height});
        } else if (!text.holed && !stream.wrong) {
            stream.wrong = true;
            sink.on(
                Problem{"stream.resize", "a message on the resize stream is no terminal size", direction, offset, 0});
        }
        text.holed = false;
        text.bytes.clear();
    }
    // Between two objects nothing needs to be kept.
    if (!text.json.inside() && !text.holed) stream.text.reset();
}

void Streams::hole(Stream& stream, Direction direction) {
    const bool concerns = stream.kind == StreamKind::unknown ||
                          (stream.kind == StreamKind::error && direction == Direction::to_client) ||
                          (stream.kind == StreamKind::resize && direction == Direction::to_server);
    if (!concerns || stream.told) return;
    stream.text = std::make_unique<Text>();
    stream.text->holed = true;
}

void Streams::finish_text(Stream& stream, EventSink& sink) {
    if (stream.kind != StreamKind::error || stream.told) return;
    stream.told = true;
    const std::unique_ptr<Text> text = std::move(stream.text);
    if (text && text->holed) return;
    const std::string_view said = text ? std::string_view(text->bytes) : std::string_view();
    if (talk_ == ErrorTalk::forward) {
        if (!said.empty()) sink.on(ForwardError{stream.id, said});
        return;
    }
    if (talk_ == ErrorTalk::json && said.starts_with('{')) {
        sink.on(Problem{"stream.status", "the status on the error stream is not whole", Direction::to_client, 0, 0});
        return;
    }
    // Silence means success only where the protocol says so, and only if the command's output ended in order: a server
    // that goes away closes everything, too.
    if (said.empty() && (talk_ != ErrorTalk::text || !output_ended_)) return;
    ExitStatus status;
    status.id = stream.id;
    status.plain_text = true;
    status.success = said.empty();
    status.message = said;
    sink.on(status);
}

void Streams::close(Stream& stream, Direction direction, CloseKind kind, std::uint32_t status, EventSink& sink) {
    sink.on(StreamClosed{stream.id, direction, kind, status});
    const bool whole = kind == CloseKind::reset;
    if (kind == CloseKind::fin) {
        if (direction == Direction::to_server) stream.client_fin = true;
        if (direction == Direction::to_client) stream.server_fin = true;
        if (stream.server_fin && (stream.kind == StreamKind::out || stream.kind == StreamKind::err))
            output_ended_ = true;
    }
    if (whole || direction == Direction::to_server) stream.client_done = true;
    if (whole || direction == Direction::to_client) {
        stream.server_done = true;
        finish_text(stream, sink);
    }
    if (stream.client_done && stream.server_done && !stream.gone) {
        stream.gone = true;
        stream.text.reset();
        ++gone_;
    }
}

void Streams::close_all(Direction direction, CloseKind kind, std::uint32_t status, EventSink& sink) {
    for (Stream& stream : streams_) {
        if (!stream.gone && !stream.done(direction)) close(stream, direction, kind, status, sink);
    }
}

void Streams::server_ended(EventSink& sink) {
    for (Stream& stream : streams_) {
        if (!stream.gone) finish_text(stream, sink);
    }
}

}  // namespace hopscope::decode::stream
