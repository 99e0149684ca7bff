// SPDY control frames: streams opened, reset, given up; header blocks read exactly or by guessing.
#include "core/limits.h"
#include "decode/stream/spdy.h"

namespace hopscope::decode::stream::spdy {
namespace {

constexpr std::uint8_t kFlagUnidirectional = 0x02;
constexpr std::string_view kWhyNotCaptured = "its opening was not captured";
constexpr std::string_view kWhyNeverOpened = "a frame came for it although nobody had opened it";
constexpr std::string_view kWhyUnreadable = "its header block depends on earlier ones that were not captured";
constexpr std::string_view kWhyBadBlock = "its header block makes no sense";

Direction opener_of(std::uint32_t id) { return id % 2 == 1 ? Direction::to_server : Direction::to_client; }

}  // namespace

void SpdyDecoder::tell_frame(const Side& s, std::uint32_t stream, std::uint32_t status, bool headers_known,
                             const Here& here) {
    here.sink.on(SpdyFrame{.direction = here.direction,
                           .type = s.frame.type,
                           .flags = s.frame.flags,
                           .stream = stream,
                           .length = s.frame.length,
                           .status = status,
                           .headers_known = headers_known});
}

void SpdyDecoder::control(Side& s, Bytes body, bool whole, const Here& here) {
    const auto number = [&](std::size_t at) { return body.size() >= at + 4 ? read_be32(body.data() + at) : 0; };
    switch (s.frame.type) {
        case kSynStream: syn_stream(s, body, whole, here); return;
        case kSynReply:
        case kHeaders: syn_reply(s, body, whole, here); return;
        case kRstStream:
            tell_frame(s, number(0) & kStreamIdMask, number(4), true, here);
            rst_stream(body, here);
            return;
        case kGoaway:
            tell_frame(s, 0, number(4), true, here);
            streams_.close_all(here.direction, CloseKind::goaway, number(4), here.sink);
            return;
        default:  // PING: its id; WINDOW_UPDATE: the stream
            tell_frame(s, number(0) & kStreamIdMask, 0, true, here);
            return;
    }
}

std::optional<StreamHeaders> SpdyDecoder::read_block(Side& s, Bytes block, bool whole, const Here& here) {
    const bool was_lost = s.headers.lost();
    const auto plain = whole ? s.headers.inflate(block) : s.headers.inflate_cut(block);
    const auto problem = [&](std::string_view code, std::string_view text) {
        here.sink.on(Problem{code, text, here.direction, here.offset, 0});
    };
    if (!plain) {
        if (whole && !was_lost) problem("spdy.inflate", "a header block cannot be inflated; later ones depend on it");
        return std::nullopt;
    }
    const auto headers = parse_headers(*plain);
    if (!headers || headers->irregular) problem("spdy.headers", "a header block is not what Kubernetes sends");
    return headers;
}

void SpdyDecoder::syn_stream(Side& s, Bytes body, bool whole, const Here& here) {
    if (body.size() < 4) {
        // One stream was opened, and not even its number is known.
        s.headers.lose();
        s.doubt = true;
        tell_frame(s, 0, 0, false, here);
        return;
    }
    const std::uint32_t id = read_be32(body.data()) & kStreamIdMask;
    const Bytes block = body.size() > kSynStreamFixedBytes ? body.subspan(kSynStreamFixedBytes) : Bytes();
    if (id == 0 || opener_of(id) != here.direction)
        here.sink.on(Problem{"spdy.stream_id", "a stream is opened with a number that is not its sender's",
                             here.direction, here.offset, 0});

    // A client numbers its streams without a hole, so a hole in the numbers is one in the header blocks.
    const bool in_order = id == s.next_id && !s.headers_frames;
    if (s.doubt && !in_order) s.headers.lose();
    if (s.headers.lost() && begins_stream(block)) {
        s.headers.restart();
        header_guess_.reset();
        s.missed_blocks = 0;
    }
    s.doubt = false;

    const bool inflates = !s.headers.lost();
    StreamOpened opened{.id = id};
    const auto headers = read_block(s, block, whole, here);
    const bool known = headers.has_value();
    if (known) {
        opened.kind = headers->kind;
        opened.port = headers->port;
        opened.request_id = headers->request_id;
        if (here.direction == Direction::to_server) last_said_ = Said{opened.kind, opened.port, opened.request_id};
    } else if (inflates && whole) {
        opened.grade = Grade::inferred;
        opened.why = kWhyBadBlock;
        if (s.headers.lost()) ++s.missed_blocks;
    } else {
        opened = opened_by_guess(s, id, block, whole);
    }
    if (id >= s.next_id) s.next_id = id + 2;

    Streams::Stream* stream = streams_.open(opened, here.sink);
    if (stream) {
        stream->opening_seen = true;
        const bool one_way = (s.frame.flags & kFlagUnidirectional) != 0;
        if (one_way && here.direction == Direction::to_server) stream->server_done = true;
        if (one_way && here.direction == Direction::to_client) stream->client_done = true;
    } else if (!too_many_told_) {
        too_many_told_ = true;
        here.sink.on(
            Problem{"spdy.streams", "more streams are open than are followed", here.direction, here.offset, 0});
    }
    tell_frame(s, id, 0, known, here);
    if ((s.frame.flags & kFlagFin) != 0) {
        if (stream)
            streams_.close(*stream, here.direction, CloseKind::fin, 0, here.sink);
        else
            here.sink.on(StreamClosed{id, here.direction, CloseKind::fin, 0});
    }
    s.just_opened = id;
    if (guess_ && header_guess_) guess_->learn(header_guess_->purpose(), here.sink);
}

StreamOpened SpdyDecoder::opened_by_guess(Side& s, std::uint32_t id, Bytes block, bool whole) {
    StreamOpened opened{.id = id,
                        .kind = StreamKind::unknown,
                        .grade = Grade::inferred,
                        .port = {},
                        .request_id = {},
                        .why = kWhyUnreadable};
    allow_guessing();
    const std::uint32_t jumped = id > s.next_id ? (id - s.next_id) / 2 : 0;
    const std::uint32_t missed = jumped + s.missed_blocks;
    if (!whole || opener_of(id) != Direction::to_server) {
        s.missed_blocks = missed + 1;
        return opened;
    }
    if (!header_guess_)
        header_guess_ = std::make_unique<HeaderGuess>(s.headers.history(), last_said_, guess_->purpose());
    s.missed_blocks = 0;
    if (const auto reading = header_guess_->read(missed, block)) {
        opened.kind = reading->said.kind;
        opened.port = reading->said.port;
        opened.request_id = reading->said.request_id;
        opened.why = reading->why;
    }
    return opened;
}

void SpdyDecoder::syn_reply(Side& s, Bytes body, bool whole, const Here& here) {
    if (body.size() < 4) {
        s.headers.lose();
        tell_frame(s, 0, 0, false, here);
        return;
    }
    const std::uint32_t id = read_be32(body.data()) & kStreamIdMask;
    const Bytes block = body.subspan(kSynReplyFixedBytes);
    if (s.frame.type == kHeaders) s.headers_frames = true;
    if (s.doubt) s.headers.lose();  // nothing tells whether blocks were missed
    if (s.headers.lost() && begins_stream(block)) s.headers.restart();
    s.doubt = false;
    const bool known = read_block(s, block, whole, here).has_value();
    tell_frame(s, id, 0, known, here);
    if ((s.frame.flags & kFlagFin) == 0) return;
    if (Streams::Stream* stream = known_or_opened(id, here))
        streams_.close(*stream, here.direction, CloseKind::fin, 0, here.sink);
}

void SpdyDecoder::rst_stream(Bytes body, const Here& here) {
    if (body.size() < 4) return;
    const std::uint32_t id = read_be32(body.data()) & kStreamIdMask;
    const std::uint32_t status = body.size() >= 8 ? read_be32(body.data() + 4) : 0;
    if (Streams::Stream* stream = known_or_opened(id, here)) {
        streams_.close(*stream, here.direction, CloseKind::reset, status, here.sink);
    } else {
        here.sink.on(StreamClosed{id, here.direction, CloseKind::reset, status});
    }
}

Streams::Stream* SpdyDecoder::known_or_opened(std::uint32_t id, const Here& here) {
    if (Streams::Stream* stream = streams_.find(id)) return stream;
    // With nothing missed a smaller number was opened, closed and forgotten.
    if (!guess_ && id < side(opener_of(id)).next_id) return nullptr;
    const StreamOpened opened{.id = id,
                              .kind = StreamKind::unknown,
                              .grade = Grade::inferred,
                              .port = {},
                              .request_id = {},
                              .why = guess_ ? kWhyNotCaptured : kWhyNeverOpened};
    Streams::Stream* stream = streams_.open(opened, here.sink);
    if (!stream && !too_many_told_) {
        too_many_told_ = true;
        here.sink.on(
            Problem{"spdy.streams", "more streams are open than are followed", here.direction, here.offset, 0});
    }
    return stream;
}

}  // namespace hopscope::decode::stream::spdy
