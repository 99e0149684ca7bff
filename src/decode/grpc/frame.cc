#include "decode/grpc/frame.h"

#include <algorithm>

namespace hopscope::decode::grpc {
namespace {

constexpr std::uint32_t kDefaultFrameBytesMax = 16384;
constexpr std::uint32_t kFirstHeadersBytesMax = 4096;
constexpr std::size_t kGrpcPrefixBytes = 5;

// Enough to believe a boundary: three ordinary frames in a row, or fewer of which one could hardly be chance.
constexpr int kPointsToBelieve = 3;
constexpr int kUndecided = -1;

bool flags_within(const FrameHeader& frame, unsigned allowed) { return (frame.flags & ~allowed) == 0; }
bool of_client_stream(const FrameHeader& frame) { return frame.stream % 2 == 1; }

// A DATA frame that holds exactly one gRPC message says so in four more bytes.
int points_of_data(const FrameHeader& frame, Bytes at) {
    if (!flags_within(frame, frame_flag::end_stream | frame_flag::padded) || !of_client_stream(frame)) return 0;
    if (frame.length == 0) return frame.has(frame_flag::end_stream) ? 1 : 0;
    if (frame.length < kGrpcPrefixBytes) return 1;
    if (at.size() < kFrameHeaderBytes + kGrpcPrefixBytes) return kUndecided;
    const std::uint8_t* prefix = at.data() + kFrameHeaderBytes;
    const bool one_message = prefix[0] <= 1 && read_be32(prefix + 1) == frame.length - kGrpcPrefixBytes;
    return one_message ? 2 : 1;
}

// 0: no frame begins here. `at` holds the frame header at least.
int points_of(const FrameHeader& frame, Bytes at) {
    if ((at[5] & 0x80) != 0 || frame.length > kDefaultFrameBytesMax) return 0;
    switch (frame.type) {
        case frame_type::data: return points_of_data(frame, at);
        case frame_type::headers: return flags_within(frame, 0x2d) && of_client_stream(frame) && frame.length > 0;
        case frame_type::priority: return frame.flags == 0 && frame.length == 5 && of_client_stream(frame);
        case frame_type::rst_stream: return frame.flags == 0 && frame.length == 4 && of_client_stream(frame);
        case frame_type::settings:
            if (frame.stream != 0 || !flags_within(frame, frame_flag::ack)) return 0;
            return frame.has(frame_flag::ack) ? frame.length == 0 : frame.length % 6 == 0 && frame.length <= 60;
        case frame_type::ping: return frame.stream == 0 && frame.length == 8 && flags_within(frame, 1) ? 2 : 0;
        case frame_type::goaway: return frame.stream == 0 && frame.length >= 8 && frame.flags == 0;
        case frame_type::window_update:
            return frame.flags == 0 && frame.length == 4 && (frame.stream == 0 || of_client_stream(frame));
        case frame_type::continuation: return flags_within(frame, frame_flag::end_headers) && of_client_stream(frame);
        default: return 0;
    }
}

// The first frame of a row must be one that is worth waiting for: bytes that only look like the header of a large frame
// would hold up everything behind them. Joining one frame later costs little.
bool may_come_first(const FrameHeader& frame, int points) {
    if (frame.type == frame_type::data) return points > 1 || frame.length == 0;
    if (frame.type == frame_type::headers)
        return frame.has(frame_flag::end_headers) && frame.length <= kFirstHeadersBytesMax;
    return true;
}

// 1: a boundary, 0: none, kUndecided.
int judge(Bytes unread) {
    int points = 0;
    std::uint32_t block_of = 0;  // the stream whose header block must go on
    while (true) {
        if (unread.size() < kFrameHeaderBytes) return kUndecided;
        const FrameHeader frame = read_frame_header(unread.data());
        // A header block whose beginning is missing cannot be read: the boundary after it will do.
        if ((frame.type == frame_type::continuation) != (block_of != 0)) return 0;
        if (block_of != 0 && frame.stream != block_of) return 0;
        const int worth = points_of(frame, unread);
        if (worth <= 0 || (points == 0 && !may_come_first(frame, worth))) return std::min(worth, 0);
        points += worth;
        if (points >= kPointsToBelieve) return 1;
        const bool block = frame.type == frame_type::headers || frame.type == frame_type::continuation;
        block_of = block && !frame.has(frame_flag::end_headers) ? frame.stream : 0;
        if (unread.size() < kFrameHeaderBytes + frame.length) return kUndecided;
        unread = unread.subspan(kFrameHeaderBytes + frame.length);
    }
}

}  // namespace

FrameHeader read_frame_header(const std::uint8_t* p) {
    return {read_be24(p), p[3], p[4], read_be32(p + 5) & 0x7fffffff};
}

std::string_view fault_of(const FrameHeader& frame) {
    const bool on_stream = frame.stream != 0;
    switch (frame.type) {
        case frame_type::data:
        case frame_type::headers:
        case frame_type::push_promise:
        case frame_type::continuation: return on_stream ? "" : "a frame that needs a stream is on stream 0";
        case frame_type::priority:
            if (!on_stream) return "PRIORITY is on stream 0";
            return frame.length == 5 ? "" : "PRIORITY is not 5 bytes long";
        case frame_type::rst_stream:
            if (!on_stream) return "RST_STREAM is on stream 0";
            return frame.length == 4 ? "" : "RST_STREAM is not 4 bytes long";
        case frame_type::settings:
            if (on_stream) return "SETTINGS is on a stream";
            if (frame.has(frame_flag::ack) && frame.length != 0) return "SETTINGS with ACK has a payload";
            return frame.length % 6 == 0 ? "" : "SETTINGS is not a multiple of 6 bytes long";
        case frame_type::ping:
            if (on_stream) return "PING is on a stream";
            return frame.length == 8 ? "" : "PING is not 8 bytes long";
        case frame_type::goaway:
            if (on_stream) return "GOAWAY is on a stream";
            return frame.length >= 8 ? "" : "GOAWAY is shorter than 8 bytes";
        case frame_type::window_update: return frame.length == 4 ? "" : "WINDOW_UPDATE is not 4 bytes long";
        default: return "";
    }
}

Boundary find_boundary(Bytes unread) {
    for (std::size_t at = 0; at < unread.size(); ++at) {
        const int verdict = judge(unread.subspan(at));
        if (verdict != 0) return {at, verdict > 0};
    }
    return {unread.size(), false};
}

}  // namespace hopscope::decode::grpc
