// SPDY framing: heads, payload, holes, finding the boundary again.
#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "decode/stream/spdy.h"

namespace hopscope::decode::stream::spdy {

SpdyDecoder::SpdyDecoder(const Start& start)
    : streams_(error_talk(start.subprotocol, start.purpose)), purpose_(start.purpose) {
    side(Direction::to_server).next_id = 1;
    side(Direction::to_client).next_id = 2;
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
        if (!start.late && !start.cut[index_of(direction)]) continue;
        start_hunt(side(direction));
        side(direction).headers.lose();
    }
}

std::size_t SpdyDecoder::unread_bytes_max() const {
    return std::max(limits::kHuntBytesMax, limits::kSpdyHeaderBlockBytesMax) + 64;
}

Step SpdyDecoder::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    std::size_t at = 0;
    const auto here = [&] { return Here{direction, offset + at, sink}; };
    while (at < unread.size()) {
        const Bytes rest = unread.subspan(at);
        switch (s.state) {
            case State::head: {
                if (s.head_bytes == 0 && rest.size() >= kHeaderBytes) {
                    at += kHeaderBytes;
                    begin_frame(s, read_head(rest.data()), here());
                    break;
                }
                const std::size_t size = std::min<std::size_t>(kHeaderBytes - s.head_bytes, rest.size());
                std::memcpy(s.head.data() + s.head_bytes, rest.data(), size);
                s.head_bytes = static_cast<std::uint8_t>(s.head_bytes + size);
                at += size;
                if (s.head_bytes < kHeaderBytes) break;
                s.head_bytes = 0;
                begin_frame(s, read_head(s.head.data()), here());
                break;
            }
            case State::payload: {
                const std::size_t size = std::min<std::size_t>(s.left, rest.size());
                payload(s, rest.first(size), here());
                s.left -= static_cast<std::uint32_t>(size);
                at += size;
                if (s.left == 0) finish_frame(s, here());
                break;
            }
            case State::control: {
                if (rest.size() < s.left) return at > 0 ? Step::took(at) : Step::more();
                s.state = State::head;
                control(s, rest.first(s.left), true, here());
                at += s.left;
                break;
            }
            case State::skip: {
                const std::size_t size = std::min<std::size_t>(s.left, rest.size());
                s.left -= static_cast<std::uint32_t>(size);
                at += size;
                if (s.left == 0) finish_frame(s, here());
                break;
            }
            case State::hunt: {
                at += hunt(s, rest, here());
                if (s.state == State::hunt) return at > 0 ? Step::took(at) : Step::more();
                break;
            }
        }
    }
    return at > 0 ? Step::took(at) : Step::more();
}

void SpdyDecoder::begin_frame(Side& s, const FrameHead& head, const Here& here) {
    s.frame = head;
    s.frame_offset = here.offset - kHeaderBytes;
    s.left = head.length;
    s.told = false;
    if (head.control) {
        begin_control(s, here);
    } else {
        begin_data(s, here);
    }
}

void SpdyDecoder::begin_data(Side& s, const Here& here) {
    const FrameHead& head = s.frame;
    // Where the boundary was found by searching, a head that Kubernetes would not send means that it was the wrong one.
    const bool odd_one = head.stream == 0 || (head.flags & ~kFlagFin) != 0;
    if (!s.sure && (odd_one || head.stream > kLikelyStreamIdMax)) return lost_the_way(s, here);
    s.state = State::payload;
    if (odd_one)
        here.sink.on(Problem{"spdy.stream_id",
                             head.stream == 0 ? "a DATA frame belongs to stream 0" : "a DATA frame has unknown flags",
                             here.direction, s.frame_offset, 0});
    if (head.stream == 0) {
        s.state = State::skip;
    } else if (Streams::Stream* stream = known_or_opened(head.stream, here)) {
        if (here.direction == Direction::to_server) {
            stream->client_data = stream->client_data || head.length > 0;
            if (s.just_opened == head.stream && head.length == 0 && head.flags == kFlagFin)
                stream->closed_at_once = true;
        } else {
            stream->server_data = stream->server_data || head.length > 0;
        }
    }
    s.just_opened = 0;
    if (s.left == 0) finish_frame(s, here);
}

void SpdyDecoder::begin_control(Side& s, const Here& here) {
    const FrameHead& head = s.frame;
    const auto problem = [&](std::string_view code, std::string_view text) {
        here.sink.on(Problem{code, text, here.direction, s.frame_offset, 0});
    };
    const bool known =
        head.version == kVersion && head.type >= kSynStream && head.type <= kWindowUpdate && head.type != kNoop;
    if (!known && !s.sure) return lost_the_way(s, here);
    if (head.type != kPing) s.just_opened = 0;

    s.state = State::skip;
    const auto read_whole = [&](std::size_t fixed_bytes) {
        if (head.length < fixed_bytes) {
            problem("spdy.length", "a control frame is too short for its type");
        } else if (head.length > fixed_bytes + limits::kSpdyHeaderBlockBytesMax) {
            problem("spdy.length", "a header block is larger than is read");
        } else {
            s.state = State::control;
            return;
        }
        s.headers.lose();
    };
    const auto exactly = [&](std::uint32_t bytes) {
        if (head.length == bytes) {
            s.state = State::control;
        } else {
            problem("spdy.length", "a control frame does not have the length of its type");
        }
    };
    if (head.version != kVersion) {
        problem("spdy.version", "a control frame of another version than SPDY/3");
    } else {
        switch (head.type) {
            case kSynStream: read_whole(kSynStreamFixedBytes); break;
            case kSynReply: read_whole(kSynReplyFixedBytes); break;
            case kHeaders: read_whole(kSynReplyFixedBytes); break;
            case kRstStream: exactly(8); break;
            case kPing: exactly(4); break;
            case kGoaway: exactly(8); break;
            case kWindowUpdate: exactly(8); break;
            case kSettings:
                if (head.length < 4 || (head.length - 4) % 8 != 0)
                    problem("spdy.length", "a SETTINGS frame has no whole number of entries");
                break;
            default: problem("spdy.type", "a control frame of unknown type"); break;
        }
    }
    if (s.left == 0) finish_frame(s, here);
}

void SpdyDecoder::payload(Side& s, Bytes piece, const Here& here) {
    const std::uint32_t id = s.frame.stream;
    here.sink.on(StreamData{id, here.direction, piece});
    Streams::Stream* stream = streams_.find(id);
    if (!stream || stream->gone) return;
    if (Streams::listens(*stream))
        streams_.data(*stream, here.direction, piece, s.frame_offset, here.sink);
    else if (guess_)
        guess_->data(*stream, here.direction, piece, s.frame_offset, here.sink);
}

// The last byte of a DATA frame, or of one that was passed over, was seen or counted.
void SpdyDecoder::finish_frame(Side& s, const Here& here) {
    const bool data = !s.frame.control && s.frame.stream != 0;
    s.state = State::head;
    if (!s.told) tell_frame(s, s.frame.stream, 0, true, here);
    if (!data || (s.frame.flags & kFlagFin) == 0) return;
    if (Streams::Stream* stream = streams_.find(s.frame.stream)) {
        streams_.close(*stream, here.direction, CloseKind::fin, 0, here.sink);
        if (guess_) guess_->closed(here.sink);
    } else {
        here.sink.on(StreamClosed{s.frame.stream, here.direction, CloseKind::fin, 0});
    }
}

void SpdyDecoder::start_hunt(Side& s) {
    allow_guessing();
    s.state = State::hunt;
    s.sure = false;
    s.doubt = true;
    s.head_bytes = 0;
    s.just_opened = 0;
    s.hunt = std::make_unique<Hunt>(Sight(), kHuntBits, kOriginBits);
}

// The boundary that was found by searching was none.
void SpdyDecoder::lost_the_way(Side& s, const Here& here) {
    here.sink.on(Problem{"spdy.resync", "what follows is no frame that Kubernetes sends", here.direction,
                         s.frame_offset, kHeaderBytes});
    start_hunt(s);
}

std::size_t SpdyDecoder::hunt(Side& s, Bytes unread, const Here& here) {
    const Hunt::Result result = s.hunt->search(here.offset, unread);
    s.hunt_end = here.offset + unread.size();
    if (!result.found) return result.skip;
    tell_given_up(s, here.direction, here.offset + result.skip, here.sink);
    s.state = State::head;
    s.hunt.reset();
    return result.skip;
}

void SpdyDecoder::tell_given_up(const Side& s, Direction direction, std::uint64_t until, EventSink& sink) {
    if (!s.hunt->begun() || until == s.hunt->origin()) return;
    sink.on(Problem{"spdy.resync", "passed over until a frame begins", direction, s.hunt->origin(),
                    until - s.hunt->origin()});
}

void SpdyDecoder::allow_guessing() {
    if (!guess_) guess_ = std::make_unique<StreamGuess>(streams_, purpose_);
}

void SpdyDecoder::cut_off(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    if (s.state != State::control) return;
    allow_guessing();
    s.told = true;
    control(s, unread, false, {direction, offset, sink});
}

bool SpdyDecoder::gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
                      EventSink& sink) {
    Side& s = side(direction);
    allow_guessing();
    const Here after{direction, offset + missing, sink};
    switch (s.state) {
        case State::hunt:
            tell_given_up(s, direction, s.hunt_end, sink);
            start_hunt(s);
            return true;
        case State::head: start_hunt(s); return true;
        case State::control:
            if (unread_lost == 0) control(s, {}, false, {direction, offset, sink});
            s.told = true;
            s.left -= static_cast<std::uint32_t>(unread_lost);
            s.state = State::skip;
            break;
        case State::payload:
            if (Streams::Stream* stream = streams_.find(s.frame.stream)) streams_.hole(*stream, direction);
            break;
        case State::skip: break;
    }
    if (missing <= s.left) {
        // The frame's length is known: its end is where it would have been.
        s.left -= static_cast<std::uint32_t>(missing);
        if (s.left == 0) finish_frame(s, after);
        return true;
    }
    s.told = true;  // its end was not seen, but its head was: a FIN counts
    s.left = 0;
    finish_frame(s, after);
    start_hunt(s);
    return true;
}

void SpdyDecoder::end(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    if (s.state == State::hunt) tell_given_up(s, direction, s.hunt_end, sink);
    if (direction == Direction::to_client) streams_.server_ended(sink);
}

}  // namespace hopscope::decode::stream::spdy
