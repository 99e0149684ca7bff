#include "procmap/names/http2_client.h"

#include <algorithm>
#include <cstring>

namespace hopscope::procmap::http2 {
namespace {

using namespace decode::grpc;

constexpr std::uint32_t kFrameBytesMax = 16384;       // RFC 9113 section 4.2: what we allow by not saying otherwise
constexpr std::uint32_t kDefaultWindowBytes = 65535;  // section 6.9.2
constexpr std::uint16_t kInitialWindowSize = 4, kEnablePush = 2;

void add_number(std::string& out, std::uint32_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

void add_frame(std::string& out, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
               std::string_view payload) {
    add_number(out, static_cast<std::uint32_t>(payload.size()), 3);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    add_number(out, stream, 4);
    out += payload;
}

// Names and values are ours and shorter than 127 bytes: the length fits the first byte.
void add_field(std::string& block, std::string_view name, std::string_view value) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
}

}  // namespace

std::string greeting(std::uint32_t window_bytes) {
    std::string out(kPreface), settings, window;
    add_number(settings, kEnablePush, 2);
    add_number(settings, 0, 4);
    add_number(settings, kInitialWindowSize, 2);
    add_number(settings, window_bytes, 4);
    add_frame(out, frame_type::settings, 0, 0, settings);
    add_number(window, window_bytes - kDefaultWindowBytes, 4);
    add_frame(out, frame_type::window_update, 0, 0, window);
    return out;
}

std::string empty_call(std::uint32_t stream, std::string_view path, std::int64_t timeout_ms) {
    std::string block, out;
    add_field(block, ":method", "POST");
    add_field(block, ":scheme", "http");
    add_field(block, ":path", path);
    add_field(block, ":authority", "localhost");
    add_field(block, "content-type", "application/grpc");
    add_field(block, "te", "trailers");
    add_field(block, "user-agent", "hopscope/" HOPSCOPE_VERSION);
    add_field(block, "grpc-timeout", std::to_string(timeout_ms) + "m");
    add_frame(out, frame_type::headers, frame_flag::end_headers, stream, block);
    add_frame(out, frame_type::data, frame_flag::end_stream, stream, std::string_view("\0\0\0\0\0", 5));
    return out;
}

void ServerFrames::frame_done(std::string& replies) {
    const std::string_view payload = as_text(Bytes(payload_));
    if (frame_.type == frame_type::settings && !frame_.has(frame_flag::ack))
        add_frame(replies, frame_type::settings, frame_flag::ack, 0, {});
    if (frame_.type == frame_type::ping && !frame_.has(frame_flag::ack))
        add_frame(replies, frame_type::ping, frame_flag::ack, 0, payload);
    if (frame_.type == frame_type::goaway) {
        going_away_ = true;
        last_stream_ = read_be32(payload_.data()) & 0x7fffffff;
    }
}

bool ServerFrames::feed(Bytes bytes, std::string& replies) {
    while (!bytes.empty()) {
        if (header_have_ < header_.size()) {
            const std::size_t some = std::min(header_.size() - header_have_, bytes.size());
            std::memcpy(header_.data() + header_have_, bytes.data(), some);
            header_have_ += some;
            bytes = bytes.subspan(some);
            if (header_have_ < header_.size()) return true;
            frame_ = read_frame_header(header_.data());
            if (frame_.length > kFrameBytesMax || !fault_of(frame_).empty()) return false;
            if (first_ && frame_.type != frame_type::settings) return false;  // RFC 9113 section 3.4
            first_ = false;
            taken_ = 0;
            payload_.fill(0);
        }
        const std::size_t some = std::min<std::size_t>(frame_.length - taken_, bytes.size());
        if (taken_ < kPayloadKept && some > 0)
            std::memcpy(payload_.data() + taken_, bytes.data(), std::min(some, kPayloadKept - taken_));
        taken_ += static_cast<std::uint32_t>(some);
        bytes = bytes.subspan(some);
        if (taken_ < frame_.length) return true;
        header_have_ = 0;
        frame_done(replies);
    }
    return true;
}

}  // namespace hopscope::procmap::http2
