#include "decode/stream/http_body.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"
#include "decode/stream/ascii.h"

namespace hopscope::decode::stream::http {

void Body::tell_end(bool complete, EventSink& sink) {
    sink.on(HttpEnd{exchange_, direction_, seen_, complete && !holed_});
    kind_ = Kind::none;
}

Body::Result Body::read(Bytes unread, std::size_t& taken, EventSink& sink) {
    taken = 0;
    for (;;) {
        if (kind_ == Kind::none || (kind_ == Kind::length && left_ == 0)) {
            tell_end(true, sink);
            return Result::over;
        }
        const Bytes rest = unread.subspan(taken);
        if (rest.empty()) return Result::more;
        if (phase_ != Phase::payload) {
            std::size_t line_bytes = 0;
            const Result result = line(rest, line_bytes);
            taken += line_bytes;
            if (result != Result::more || line_bytes == 0) return result;
            continue;
        }
        std::size_t size = rest.size();
        if (kind_ != Kind::until_close) size = std::min<std::uint64_t>(left_, size);
        sink.on(HttpBody{exchange_, direction_, rest.first(size)});
        seen_ += size;
        taken += size;
        if (kind_ == Kind::until_close) continue;
        left_ -= size;
        if (kind_ == Kind::chunked && left_ == 0) phase_ = Phase::after_chunk;
    }
}

// One line of the chunk framing: a size, the end of a chunk, or a trailer field.
Body::Result Body::line(Bytes unread, std::size_t& taken) {
    const std::string_view text = as_text(unread);
    const std::size_t end = text.substr(0, limits::kHttpChunkLineBytesMax).find('\n');
    if (end == std::string_view::npos)
        return text.size() < limits::kHttpChunkLineBytesMax ? Result::more : Result::wrong;
    std::string_view content = text.substr(0, end);
    if (content.ends_with('\r')) content.remove_suffix(1);
    switch (phase_) {
        case Phase::after_chunk:
            if (!content.empty()) return Result::wrong;
            phase_ = Phase::size_line;
            break;
        case Phase::size_line: {
            const std::string_view digits = trimmed(content.substr(0, content.find(';')));
            const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
            if (error != std::errc{} || stop != digits.data() + digits.size()) return Result::wrong;
            phase_ = left_ == 0 ? Phase::trailer : Phase::payload;
            break;
        }
        case Phase::trailer:
            if (content.empty()) {
                kind_ = Kind::none;  // read() tells the end
            } else {
                trailer_bytes_ += static_cast<std::uint32_t>(end);
                if (trailer_bytes_ > limits::kHttpHeadBytesMax) return Result::wrong;
            }
            break;
        case Phase::payload: break;
    }
    taken = end + 1;
    return Result::more;
}

bool Body::gap(std::uint64_t missing, std::size_t unread_lost, EventSink& sink) {
    holed_ = true;
    if (kind_ == Kind::until_close) return true;
    const bool inside = phase_ == Phase::payload && unread_lost == 0 && missing <= left_ && kind_ != Kind::none;
    if (!inside) {
        tell_end(false, sink);
        return false;
    }
    left_ -= missing;
    if (kind_ == Kind::chunked && left_ == 0) phase_ = Phase::after_chunk;
    return true;
}

void Body::end(EventSink& sink) { tell_end(kind_ == Kind::until_close, sink); }

}  // namespace hopscope::decode::stream::http
