#include "decode/stream/websocket.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"

namespace hopscope::decode::stream::ws {
namespace {

constexpr std::size_t kPieceBytes = 4096;  // unmasked at once, on the stack

enum ProblemBit : std::uint8_t { kReserved = 1, kMask = 2 };

}  // namespace

WebSocketDecoder::WebSocketDecoder(const Start& start) : channels_(start.subprotocol, start.target, start.late) {
    for (const Direction direction : {Direction::to_server, Direction::to_client})
        if (start.late || start.cut[index_of(direction)]) start_hunt(side(direction), direction);
}

std::size_t WebSocketDecoder::unread_bytes_max() const { return limits::kHuntBytesMax + 64; }

Step WebSocketDecoder::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    std::size_t at = 0;
    while (at < unread.size()) {
        const Bytes rest = unread.subspan(at);
        const Here here{direction, offset + at, sink};
        switch (s.state) {
            case State::head: {
                bool broken = false;
                const std::size_t taken = frame(s, rest, here, broken);
                if (broken) return Step::broken(at);
                if (taken == 0 && s.state == State::head) return at > 0 ? Step::took(at) : Step::more();
                at += taken;
                break;
            }
            case State::payload:
            case State::skip: {
                const std::size_t size = std::min<std::uint64_t>(s.left, rest.size());
                if (s.state == State::payload) payload(s, rest.first(size), here);
                s.left -= size;
                s.phase += size;
                at += size;
                if (s.left == 0) finish_frame(s, {direction, offset + at, sink});
                break;
            }
            case State::hunt: {
                const Hunt::Result result = s.hunt->search(here.offset, rest);
                s.hunt_end = here.offset + rest.size();
                at += result.skip;
                if (!result.found) return at > 0 ? Step::took(at) : Step::more();
                tell_given_up(s, direction, offset + at, sink);
                s.state = State::head;
                s.hunt.reset();
                break;
            }
        }
    }
    return at > 0 ? Step::took(at) : Step::more();
}

void WebSocketDecoder::problem_once(std::uint8_t bit, std::string_view code, std::string_view text, const Here& here) {
    if ((problems_told_ & bit) != 0) return;
    problems_told_ |= bit;
    here.sink.on(Problem{code, text, here.direction, here.offset, 0});
}

void WebSocketDecoder::check(const FrameHead& head, const Here& here) {
    if (head.reserved != 0)
        problem_once(kReserved, "ws.reserved",
                     "a frame has reserved bits: compression and other extensions are not undone", here);
    if (head.masked != (here.direction == Direction::to_server))
        problem_once(kMask, "ws.mask", "frames must be masked by the client and only by it", here);
}

std::size_t WebSocketDecoder::frame(Side& s, Bytes unread, const Here& here, bool& broken) {
    // Where the boundary was found by searching, a frame that Kubernetes would not send means that it was the wrong
    // one.
    const Look look = s.sure ? Look() : Sight(here.direction == Direction::to_server).look(unread);
    if (look.kind == Look::Kind::more_needed) return 0;
    if (!s.sure && look.kind == Look::Kind::nothing) {
        here.sink.on(
            Problem{"ws.resync", "what follows is no frame that Kubernetes sends", here.direction, here.offset, 0});
        channels_.lost(here.direction, 0, here.sink);
        start_hunt(s, here.direction);
        return 0;
    }
    const FrameHead head = read_head(unread);
    if (head.bytes == 0) return 0;
    if (head.length >> 63 != 0) {
        here.sink.on(Problem{"ws.length", "a frame claims an impossible length", here.direction, here.offset, 0});
        broken = true;
        return 0;
    }
    if (head.control() && head.length <= limits::kWsControlBytesMax) {
        if (unread.size() < head.bytes + head.length) return 0;
        check(head, here);
        control(head, unread.subspan(head.bytes, head.length), here);
        return head.bytes + head.length;
    }
    check(head, here);
    s.left = head.length;
    s.phase = 0;
    s.key = head.key;
    s.masked = head.masked;
    s.fin = head.fin;
    if (head.control()) {
        here.sink.on(Problem{"ws.control", "a control frame is longer than 125 bytes", here.direction, here.offset, 0});
        s.state = State::skip;
    } else {
        s.state = State::payload;
        begin_data(s, head, here);
    }
    if (s.left == 0) finish_frame(s, {here.direction, here.offset + head.bytes, here.sink});
    return head.bytes;
}

void WebSocketDecoder::control(const FrameHead& head, Bytes payload, const Here& here) {
    if (head.opcode > kPong)
        here.sink.on(Problem{"ws.opcode", "a frame has an unknown opcode", here.direction, here.offset, 0});
    if (!head.fin) here.sink.on(Problem{"ws.control", "a control frame is fragmented", here.direction, here.offset, 0});
    WsMessage told{.direction = here.direction, .opcode = head.opcode, .length = head.length};
    if (head.opcode == kClose && payload.size() >= 2) {
        std::array<std::uint8_t, 2> code{};
        unmask(payload.first(2), head.key, 0, code.data());  // without a mask the key is zero
        told.close_code = read_be16(code.data());
    }
    here.sink.on(told);
    if (head.opcode == kClose) channels_.closing(here.direction, here.sink);
}

void WebSocketDecoder::begin_data(Side& s, const FrameHead& head, const Here& here) {
    const auto problem = [&](std::string_view code, std::string_view text) {
        here.sink.on(Problem{code, text, here.direction, here.offset, 0});
    };
    if (head.opcode != kContinuation || !s.open) {
        const bool headless = head.opcode == kContinuation;
        if (headless && s.sure) problem("ws.fragment", "a message goes on that has not begun");
        if (!headless && s.open) {
            problem("ws.fragment", "a message begins before the last one is over");
            channels_.end(here.direction, here.sink);
        }
        if (head.opcode > kBinary) problem("ws.opcode", "a frame has an unknown opcode");
        s.open = true;
        s.opcode = head.opcode;
        s.frames = 0;
        s.message_bytes = 0;
        s.compressed = head.reserved != 0 || head.opcode > kBinary;
        if (headless)
            channels_.begin_headless(here.direction, here.offset);
        else
            channels_.begin(here.direction, head.opcode == kText, head.length, here.offset);
    }
    ++s.frames;
    s.message_bytes += head.length;
}

void WebSocketDecoder::payload(Side& s, Bytes piece, const Here& here) {
    if (s.compressed) return;
    if (!s.masked) {
        channels_.piece(here.direction, piece, here.sink);
        return;
    }
    std::array<std::uint8_t, kPieceBytes> plain;
    for (std::size_t at = 0; at < piece.size();) {
        const std::size_t size = std::min(kPieceBytes, piece.size() - at);
        unmask(piece.subspan(at, size), s.key, s.phase + at, plain.data());
        channels_.piece(here.direction, Bytes(plain).first(size), here.sink);
        at += size;
    }
}

void WebSocketDecoder::finish_frame(Side& s, const Here& here) {
    const bool data = s.state == State::payload;
    s.state = State::head;
    if (!data || !s.fin) return;
    s.open = false;
    tell_message(s, here.direction, here.sink);
    channels_.end(here.direction, here.sink);
}

void WebSocketDecoder::tell_message(const Side& s, Direction direction, EventSink& sink) {
    sink.on(WsMessage{.direction = direction,
                      .opcode = s.opcode,
                      .length = s.message_bytes,
                      .frames = s.frames,
                      .channel = channels_.channel(direction)});
}

void WebSocketDecoder::start_hunt(Side& s, Direction direction) {
    s.state = State::hunt;
    s.sure = false;
    s.open = false;
    s.hunt = std::make_unique<Hunt>(Sight(direction == Direction::to_server), kHuntBits, kOriginBits);
}

void WebSocketDecoder::tell_given_up(const Side& s, Direction direction, std::uint64_t until, EventSink& sink) {
    if (!s.hunt->begun() || until == s.hunt->origin()) return;
    sink.on(Problem{"ws.resync", "passed over until a frame begins", direction, s.hunt->origin(),
                    until - s.hunt->origin()});
}

void WebSocketDecoder::cut_off(Direction direction, std::uint64_t, Bytes unread, EventSink&) {
    Side& s = side(direction);
    const FrameHead head = s.state == State::head ? read_head(unread) : FrameHead{};
    s.cut_frame_left = head.bytes == 0 ? 0 : head.bytes + head.length - unread.size();
}

bool WebSocketDecoder::gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t,
                           EventSink& sink) {
    Side& s = side(direction);
    const std::uint64_t cut_frame_left = std::exchange(s.cut_frame_left, 0);
    if (s.state == State::hunt) {
        tell_given_up(s, direction, s.hunt_end, sink);
        channels_.lost(direction, missing, sink);
        start_hunt(s, direction);
        return true;
    }
    if (s.state == State::head && missing <= cut_frame_left) {
        s.state = State::skip;
        s.left = cut_frame_left;
    }
    if (s.state == State::head || missing > s.left) {
        channels_.lost(direction, missing, sink);
        start_hunt(s, direction);
        return true;
    }
    if (s.state == State::payload && !s.compressed) channels_.hole(direction, missing, sink);
    s.left -= missing;
    s.phase += missing;
    if (s.left == 0) finish_frame(s, {direction, offset + missing, sink});
    return true;
}

void WebSocketDecoder::end(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    if (s.state == State::hunt) tell_given_up(s, direction, s.hunt_end, sink);
    channels_.ended(direction, sink);
}

}  // namespace hopscope::decode::stream::ws

namespace hopscope::decode::stream {

std::unique_ptr<Decoder> make_websocket(std::string_view subprotocol, std::string_view target) {
    return std::make_unique<ws::WebSocketDecoder>(ws::Start{.subprotocol = subprotocol, .target = target});
}

std::unique_ptr<Decoder> make_websocket_late() {
    return std::make_unique<ws::WebSocketDecoder>(ws::Start{.late = true});
}

}  // namespace hopscope::decode::stream
