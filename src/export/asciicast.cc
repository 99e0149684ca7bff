#include "export/asciicast.h"

#include <algorithm>

#include "export/human.h"

namespace hopscope::exports {

using chain::Secret;

std::size_t incomplete_tail(std::string_view text) {
    // Look back for the first byte of the last character: at most three bytes.
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xc0) == 0x80) continue;  // a continuation byte
        const std::size_t needs = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
        return byte <= 0xf4 && needs > back ? back : 0;
    }
    return 0;
}

CastHeader cast_header(const chain::Session& session, const chain::Reveal& reveal) {
    CastHeader header;
    header.start = session.start;
    if (!session.resizes.empty()) {
        header.width = session.resizes.front().width;
        header.height = session.resizes.front().height;
        header.size_known = true;
    }
    header.title = op_name(session.op);
    const std::string pod = pod_name(session.k8s, Glyphs::unicode);
    header.title += " " + (pod.empty() ? to_string(session.server) : pod);
    if (reveal.shows(Secret::command) && !session.command.empty())
        header.command = chain::shown_command(session.command, reveal);
    return header;
}

CastWriter::CastWriter(Output& out, const CastHeader& header, const chain::Reveal& reveal)
    : out_(out), header_(header), reveal_(reveal), last_(header.start) {
    if (header_.size_known) write_header();
}

void CastWriter::write_header() {
    header_written_ = true;
    JsonWriter json(out_);
    json.begin_object();
    json.number("version", 2);
    json.number("width", header_.width);
    json.number("height", header_.height);
    if (header_.start.ns > 0) json.number("timestamp", header_.start.ns / kNanosecondsPerSecond);
    json.text_if("title", header_.title);
    json.text_if("command", header_.command);
    json.end_object();
    out_.append('\n');
}

void CastWriter::write_events() {
    if (!header_written_) write_header();
    out_.append(events_);
    events_.clear();
}

void CastWriter::event(char code, std::string_view text, Timestamp at) {
    last_ = std::max(last_, at);  // players want times that never go back
    constexpr std::int64_t kMicrosecond = 1000;
    const std::int64_t since = (last_ - header_.start).ns / kMicrosecond * kMicrosecond;
    char seconds[24];
    events_ += '[';
    events_.append(seconds, write_seconds(seconds, {since}));
    events_ += ",\"";
    events_ += code;
    events_ += "\",";
    append_json_string(events_, text);  // what is no UTF-8 becomes U+FFFD here
    events_ += "]\n";
    const bool waited = events_.size() >= kCastHeldBytes || since >= kCastHeldSeconds * kNanosecondsPerSecond;
    if (header_written_ || waited) write_events();
}

CastWriter::Waiting& CastWriter::waiting_of(StreamKind kind) {
    return waiting_[kind == StreamKind::in ? 0 : kind == StreamKind::out ? 1 : 2];
}

void CastWriter::data(StreamKind kind, Bytes piece, Timestamp at) {
    if (piece.empty() || (kind != StreamKind::in && kind != StreamKind::out && kind != StreamKind::err)) return;
    if (kind == StreamKind::in && !reveal_.shows(Secret::in)) {
        left_out_stdin_ = true;
        return;
    }
    if (kind == StreamKind::err && !err_begun_) {
        err_begun_ = true;
        marker("stderr begins", at);
    }
    Waiting& waiting = waiting_of(kind);
    text_.assign(waiting.bytes.data(), waiting.size);
    text_ += as_text(piece);
    waiting.size = incomplete_tail(text_);
    std::copy(text_.end() - static_cast<std::ptrdiff_t>(waiting.size), text_.end(), waiting.bytes.begin());
    text_.resize(text_.size() - waiting.size);
    if (text_.empty()) return;
    if (kind != StreamKind::in) ++output_events_;
    event(kind == StreamKind::in ? 'i' : 'o', text_, at);
}

void CastWriter::resize(std::uint16_t width, std::uint16_t height, Timestamp at) {
    if (!header_written_) {
        header_.width = width;
        header_.height = height;
        header_.size_known = true;
        write_header();
    }
    event('r', std::to_string(width) + "x" + std::to_string(height), at);
}

void CastWriter::marker(std::string_view label, Timestamp at) { event('m', label, at); }

void CastWriter::finish(const chain::Session& session) {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        Waiting& waiting = waiting_[i];
        if (waiting.size != 0) event(i == 0 ? 'i' : 'o', {waiting.bytes.data(), waiting.size}, session.end);
        waiting.size = 0;
    }
    std::string label = outcome(session);
    const std::string& message = session.status_message.raw();  // raw-ok: masked and made printable
    if (session.outcome == chain::Session::Outcome::failure && !message.empty())
        label += ": " + chain::shown_status_text(message, reveal_);
    marker(label, session.end);
    write_events();
}

}  // namespace hopscope::exports
