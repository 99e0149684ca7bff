#include "decode/grpc/http2.h"

#include <algorithm>

#include "core/limits.h"
#include "decode/grpc/grpc.h"

namespace hopscope::decode::grpc {
namespace {

constexpr std::uint16_t kSettingsHeaderTableSize = 1;  // RFC 9113 section 6.5.2
constexpr std::size_t kUnacknowledgedSettingsMax = 16;

bool holds_header_block(std::uint8_t type) {
    return type == frame_type::headers || type == frame_type::push_promise || type == frame_type::continuation;
}

}  // namespace

std::unique_ptr<Decoder> make_http2(bool late) { return std::make_unique<Http2>(late); }

Http2::Http2(bool late)
    // In order of Direction: client, server.
    : sides_{Side(State::preface, late), Side(late ? State::seek : State::frame, late)} {}

std::size_t Http2::unread_bytes_max() const {
    return std::max(kBoundaryBytesMax, kFrameHeaderBytes + limits::kHttp2FrameBytesMax);
}

Step Http2::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    std::size_t taken = 0;
    while (taken < unread.size()) {
        const State before = side(direction).state;
        const std::size_t n = advance(direction, offset + taken, unread.subspan(taken), sink);
        if (n == 0 && side(direction).state == before) break;
        taken += n;
    }
    return taken > 0 ? Step::took(taken) : Step::more();
}

std::size_t Http2::advance(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    switch (s.state) {
        case State::preface: return take_preface(direction, offset, unread, sink);
        case State::seek: {
            const Boundary boundary = find_boundary(unread);
            if (boundary.found) s.state = State::frame;
            return boundary.skip;
        }
        case State::frame: return take_frame(direction, offset, unread, sink);
        case State::data: return take_data(direction, unread, sink);
        case State::skip: {
            const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(s.left, unread.size()));
            s.left -= n;
            if (s.left == 0) s.state = State::frame;
            return n;
        }
    }
    return 0;
}

std::size_t Http2::take_preface(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    const std::size_t compare = std::min(unread.size(), kPreface.size());
    if (as_text(unread.first(compare)) == kPreface.substr(0, compare)) {
        if (compare < kPreface.size()) return 0;
        s.state = State::frame;
        return kPreface.size();
    }
    if (s.headers.late()) {
        s.state = State::seek;
    } else {
        fault(direction, offset, "the client does not begin with the connection preface", sink);
    }
    return 0;
}

void Http2::fault(Direction direction, std::uint64_t offset, std::string_view text, EventSink& sink) {
    sink.on(Problem{"http2.frame", text, direction, offset, 0});
    lose_place(direction);
}

void Http2::lose_place(Direction direction) {
    Side& s = side(direction);
    s.state = State::seek;
    s.left = s.padding = 0;
    s.block = {};
    s.block_stream = 0;
    s.headers.lost();
    exchanges_.lost(direction);
}

// --- frames

std::size_t Http2::take_frame(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    if (unread.size() < kFrameHeaderBytes) return 0;
    const FrameHeader frame = read_frame_header(unread.data());
    std::string_view wrong = fault_of(frame);
    const bool goes_on = frame.type == frame_type::continuation && frame.stream == s.block_stream;
    if (s.block_stream != 0 && !goes_on) wrong = "a header block is not continued";
    if (s.block_stream == 0 && frame.type == frame_type::continuation) wrong = "CONTINUATION without a header block";
    if (!wrong.empty()) {
        fault(direction, offset, wrong, sink);
        // Not here: look behind it.
        return 1;
    }
    s.frame = frame;
    s.frame_at = offset;
    if (frame.type == frame_type::data) return begin_data(direction, offset, unread, sink);
    if (frame.length > limits::kHttp2FrameBytesMax || frame.type > frame_type::continuation) {
        if (holds_header_block(frame.type)) skip_block(direction, frame, sink);
        s.left = frame.length;
        if (s.left > 0) s.state = State::skip;
        return kFrameHeaderBytes;
    }
    if (unread.size() < kFrameHeaderBytes + frame.length) return 0;
    whole_frame(direction, frame, unread.subspan(kFrameHeaderBytes, frame.length), sink);
    return kFrameHeaderBytes + frame.length;
}

std::size_t Http2::begin_data(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    std::size_t taken = kFrameHeaderBytes;
    s.left = s.frame.length;
    s.padding = 0;
    if (s.frame.has(frame_flag::padded)) {
        if (unread.size() < kFrameHeaderBytes + 1 && s.frame.length > 0) return 0;
        if (s.frame.length == 0 || unread[kFrameHeaderBytes] >= s.frame.length) {
            fault(direction, offset, "DATA has more padding than payload", sink);
            return 1;
        }
        s.padding = unread[kFrameHeaderBytes];
        s.left -= s.padding + 1;
        ++taken;
    }
    s.state = State::data;
    exchanges_.data_begin({direction, offset}, s.frame.stream, s.left, sink);
    if (s.left == 0) end_data(direction, sink);
    return taken;
}

std::size_t Http2::take_data(Direction direction, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(s.left, unread.size()));
    s.left -= n;
    exchanges_.data({direction, s.frame_at}, unread.first(n), sink);
    if (s.left == 0) end_data(direction, sink);
    return n;
}

void Http2::end_data(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    exchanges_.data_end({direction, s.frame_at}, s.frame.has(frame_flag::end_stream), sink);
    s.left = s.padding;
    s.padding = 0;
    s.state = s.left > 0 ? State::skip : State::frame;
}

void Http2::whole_frame(Direction direction, const FrameHeader& frame, Bytes payload, EventSink& sink) {
    switch (frame.type) {
        case frame_type::headers:
        case frame_type::push_promise: header_frame(direction, frame, payload, sink); return;
        case frame_type::continuation: continue_block(direction, frame, payload, sink); return;
        case frame_type::rst_stream: exchanges_.reset(frame.stream, read_be32(payload.data()), sink); return;
        case frame_type::settings: settings(direction, frame, payload); return;
        case frame_type::goaway: exchanges_.goaway(direction, read_be32(payload.data()) & 0x7fffffff, sink); return;
        default: return;  // PRIORITY, PING, WINDOW_UPDATE say nothing about the streams
    }
}

void Http2::settings(Direction direction, const FrameHeader& frame, Bytes payload) {
    if (frame.has(frame_flag::ack)) {
        Side& own = side(direction);
        if (own.announced.empty()) return;
        const std::int64_t size = own.announced.front();
        own.announced.erase(own.announced.begin());
        if (size >= 0) own.headers.table_limit(static_cast<std::uint32_t>(size));
        return;
    }
    std::int64_t size = -1;
    for (; payload.size() >= 6; payload = payload.subspan(6))
        if (read_be16(payload.data()) == kSettingsHeaderTableSize) size = read_be32(payload.data() + 2);
    // What one side announces binds the other side's encoder, from its acknowledgement on.
    std::vector<std::int64_t>& announced = side(opposite(direction)).announced;
    if (announced.size() >= kUnacknowledgedSettingsMax) announced.erase(announced.begin());
    announced.push_back(size);
}

// --- header blocks

void Http2::header_frame(Direction direction, const FrameHeader& frame, Bytes payload, EventSink& sink) {
    Side& s = side(direction);
    std::size_t front = 0, padding = 0;
    if (frame.has(frame_flag::padded)) {
        padding = payload.empty() ? 0 : payload[0];
        front = 1;
    }
    std::uint32_t promised = 0;
    const std::size_t fixed = frame.type == frame_type::push_promise ? 4 : frame.has(frame_flag::priority) ? 5 : 0;
    if (front + fixed + padding > payload.size()) {
        fault(direction, s.frame_at, "a header frame is shorter than its fields", sink);
        return;
    }
    if (frame.type == frame_type::push_promise) promised = read_be32(payload.data() + front) & 0x7fffffff;
    const Bytes fragment = payload.subspan(front + fixed, payload.size() - front - fixed - padding);
    s.block_stream = frame.stream;
    s.promised_stream = promised;
    s.block_ends_stream = frame.type == frame_type::headers && frame.has(frame_flag::end_stream);
    s.block_too_large = false;
    if (frame.has(frame_flag::end_headers)) {
        read_block(direction, fragment, sink);
    } else {
        s.block.assign(fragment.begin(), fragment.end());
    }
}

// A frame of a header block that is too large: the stream goes on without it.
void Http2::skip_block(Direction direction, const FrameHeader& frame, EventSink& sink) {
    Side& s = side(direction);
    if (frame.type != frame_type::continuation) {
        s.block_stream = frame.stream;
        s.promised_stream = 0;
        s.block_ends_stream = frame.type == frame_type::headers && frame.has(frame_flag::end_stream);
        s.block_too_large = false;
    }
    too_large(direction, frame.length, sink);
    if (frame.has(frame_flag::end_headers)) read_block(direction, {}, sink);
}

void Http2::too_large(Direction direction, std::uint64_t bytes, EventSink& sink) {
    Side& s = side(direction);
    if (s.block_too_large) return;
    sink.on(Problem{"http2.headers", "a header block is larger than can be held", direction, s.frame_at, bytes});
    s.block_too_large = true;
    s.block = {};
    s.headers.lost();
}

void Http2::continue_block(Direction direction, const FrameHeader& frame, Bytes fragment, EventSink& sink) {
    Side& s = side(direction);
    if (s.block.size() + fragment.size() > limits::kHttp2HeaderBlockBytesMax)
        too_large(direction, s.block.size() + fragment.size(), sink);
    if (!s.block_too_large) s.block.insert(s.block.end(), fragment.begin(), fragment.end());
    if (!frame.has(frame_flag::end_headers)) return;
    read_block(direction, s.block, sink);
    s.block = {};
}

void Http2::read_block(Direction direction, Bytes block, EventSink& sink) {
    Side& s = side(direction);
    const std::uint32_t stream = s.block_stream;
    s.block_stream = 0;
    if (s.block_too_large) {
        fields_.clear();
        fields_.add_unknown();
    } else if (!s.headers.read(block, fields_)) {
        sink.on(Problem{"http2.hpack",
                        "a header block cannot be decompressed; header fields of this side may be missing from here on",
                        direction, s.frame_at, block.size()});
    }
    const FramePlace place{direction, s.frame_at};
    if (s.promised_stream != 0) {
        exchanges_.promise(place, s.promised_stream, fields_, sink);
    } else {
        exchanges_.headers(place, stream, fields_, s.block_ends_stream, sink);
    }
}

// --- what was not captured, and the end

bool Http2::gap(Direction direction, std::uint64_t, std::uint64_t missing, std::size_t unread_lost, EventSink& sink) {
    Side& s = side(direction);
    const std::uint64_t lost = missing + unread_lost;
    // Inside one frame's payload the place of the next frame is still known, and no header block is lost.
    if (s.state == State::data && lost <= std::uint64_t{s.left} + s.padding) {
        const std::uint64_t of_payload = std::min<std::uint64_t>(lost, s.left);
        exchanges_.data_hole(direction, of_payload);
        s.left -= static_cast<std::uint32_t>(of_payload);
        s.padding -= static_cast<std::uint32_t>(lost - of_payload);
        if (s.left == 0) end_data(direction, sink);
        return true;
    }
    if (s.state == State::skip && lost <= s.left) {
        s.left -= static_cast<std::uint32_t>(lost);
        if (s.left == 0) s.state = State::frame;
        return true;
    }
    lose_place(direction);
    return true;
}

void Http2::end(Direction direction, EventSink& sink) { exchanges_.ended(direction, sink); }

}  // namespace hopscope::decode::grpc
