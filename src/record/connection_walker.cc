// The walkers behind ConnectionWalker: one per direction, sharing what the HTTP exchange decided.
#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <memory>
#include <optional>

#include "core/limits.h"
#include "record/docker_masker.h"
#include "record/gathered.h"
#include "record/http2_walker.h"
#include "record/http_head_masker.h"
#include "record/mask_plan.h"
#include "record/status_masker.h"
#include "record/ttrpc_walker.h"

namespace hopscope::record {
namespace {

// The first bytes of a connection whose handshake was not seen: "GET /…". Nothing: more of them are needed.
std::optional<bool> begins_like_request(std::string_view text) {
    constexpr std::size_t kMethodBytesMax = 8;
    const std::size_t letters = static_cast<std::size_t>(
        std::find_if_not(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; }) - text.begin());
    if (letters > kMethodBytesMax) return false;
    if (letters == text.size()) return std::nullopt;
    if (letters == 0 || text[letters] != ' ') return false;
    return letters + 1 == text.size() ? std::nullopt : std::optional(text[letters + 1] == '/');
}

constexpr std::string_view kHttp2Begin = "PRI * HTTP/2.0";

// The first bytes of an HTTP/2 connection: the client's preface, or the server's SETTINGS.
bool begins_http2(Bytes bytes, Direction direction) {
    if (direction == Direction::to_server) return as_text(bytes).starts_with(kHttp2Begin);
    if (bytes.size() < decode::grpc::kFrameHeaderBytes) return false;
    const decode::grpc::FrameHeader frame = decode::grpc::read_frame_header(bytes.data());
    return frame.type == decode::grpc::frame_type::settings && frame.flags == 0 && frame.stream == 0 &&
           frame.length <= 120 && frame.length % 6 == 0;
}

}  // namespace

// docker: the streams of an exec or attach of the Docker API, one within another. plain: content and
// nothing else, as a terminal's.
enum class Carried { http, spdy, websocket, tls, docker, plain, opaque };

struct ConnectionWalker::State {
    // One direction on its way through its framing.
    struct Side {
        MaskPlan plan;
        Carried carried = Carried::http;
        bool started = false;
        std::string pending;           // bytes of a head or frame header that is not whole yet
        std::uint64_t pending_at = 0;  // stream offset of pending[0]
        std::uint64_t skip = 0;        // content bytes to overwrite before the next structure
        bool skip_keeps = false;       // … or to keep
        bool chunked = false;          // the skip is a chunk
        bool until_close = false;
        bool docker_body = false;       // the body in hand is one of the Docker API that is read
        Gathered body;                  // what there is of it
        std::uint64_t body_length = 0;  // not chunked: of it
        // WebSocket
        std::uint8_t key[4] = {};
        std::uint64_t key_origin = 0;
        bool ws_masked = false;
        bool message_keeps = false;  // channel of the running message is harmless
        bool message_open = false;
        // SPDY: the stream of the DATA frame in hand
        std::uint32_t stream = 0;
        StreamKind kind = StreamKind::unknown;
    };
    State(KindOf kind, Pseudonyms& names, MaskCounts& counted)
        : kind_of(std::move(kind)), pseudonyms(names), counts(counted) {}

    Side& side(Direction d) { return sides[index_of(d)]; }

    // --- HTTP/1.1

    void head(Direction direction, std::uint64_t at, std::string_view text) {
        Side& s = side(direction);
        const auto head = mask_http_head(s.plan, at, text, direction, pseudonyms, counts);
        if (!head) {
            for (Side& each : sides) {
                each.carried = Carried::opaque;
                each.skip = 0;
            }
            return;
        }
        s.chunked = head->chunked;
        s.skip = head->chunked ? 0 : head->length.value_or(0);
        s.skip_keeps = false;
        s.body.clear();
        s.body_length = s.skip;
        if (direction == Direction::to_server) {
            target_path = head->path;
            s.docker_body = head->docker_bodies;
            upgrade_wanted = head->upgrade;
            if (unanswered.size() < 64) unanswered.push_back({head->is_head, head->docker_bodies});
            return;
        }
        const bool to_head = !unanswered.empty() && unanswered.front().is_head;
        s.docker_body = !unanswered.empty() && unanswered.front().docker_bodies;
        const int status = head->status;
        if ((status >= 200 || status == 101) && !unanswered.empty()) unanswered.pop_front();
        if (status == 101) return upgraded(*head);
        if (status >= 200) upgrade_wanted = false;
        if (to_head || status < 200 || status == 204 || status == 304) {
            s.skip = 0;
            s.chunked = false;
        } else if (!head->chunked && !head->length) {
            s.until_close = true;
        }
    }

    void upgraded(const HttpHead& head) {
        const Carried next = head.carrier.find("spdy") != std::string::npos        ? Carried::spdy
                             : head.carrier.find("websocket") != std::string::npos ? Carried::websocket
                             : head.carrier == "tcp"                               ? Carried::docker
                                                                                   : Carried::opaque;
        base64 = head.subprotocol.find("base64") != std::string::npos;
        if (base64) statuses.base64();
        tunnel = head.subprotocol.find("SPDY/3.1") != std::string::npos;
        portforward =
            target_path.find("ortforward") != std::string::npos || target_path.find("ortForward") != std::string::npos;
        for (Side& each : sides) {
            each.carried = next;
            each.skip = 0;
            each.chunked = false;
        }
        upgrade_wanted = false;
    }

    // Takes what it can of `s.pending`; true when something moved.
    bool step_http(Direction direction) {
        Side& s = side(direction);
        if (s.until_close) {
            consume(s, s.pending.size());
            return false;
        }
        if (direction == Direction::to_server && upgrade_wanted) return false;  // the answer decides what this is
        if (s.chunked) {
            const std::size_t newline = s.pending.find('\n');
            if (newline == std::string::npos) {
                if (s.pending.size() > 1024) s.carried = Carried::opaque;
                return false;
            }
            if (newline <= 1) {  // the end of a chunk, or of the trailers
                s.plan.keep(s.pending_at, s.pending_at + newline + 1);
                consume(s, newline + 1);
                if (last_chunk[index_of(direction)]) {
                    s.chunked = false;
                    last_chunk[index_of(direction)] = false;
                }
                return true;
            }
            std::uint64_t size = 0;
            std::from_chars(s.pending.data(), s.pending.data() + newline, size, 16);
            if (!last_chunk[index_of(direction)]) s.plan.keep(s.pending_at, s.pending_at + newline + 1);
            consume(s, newline + 1);
            s.skip = size;
            s.skip_keeps = false;
            if (size == 0) {
                last_chunk[index_of(direction)] = true;
                settle_body(s);
            }
            return true;
        }
        std::size_t end = s.pending.find("\r\n\r\n");
        if (end == std::string::npos) {
            if (s.pending.size() > limits::kHttpHeadBytesMax) s.carried = Carried::opaque;
            return false;
        }
        end += 4;
        const std::string text = s.pending.substr(0, end);
        const std::uint64_t at = s.pending_at;
        consume(s, end);
        head(direction, at, text);
        return true;
    }

    // --- SPDY/3.1

    // `offsets` gives the stream offset of each pending byte where they are not contiguous (tunnel); here they are.
    bool step_spdy(Direction direction) {
        Side& s = side(direction);
        if (s.pending.size() < 8) return false;
        const auto* p = reinterpret_cast<const std::uint8_t*>(s.pending.data());
        const std::uint32_t length = read_be24(p + 5);
        const bool control = (p[0] & 0x80) != 0;
        if (control && (p[0] != 0x80 || p[1] != 3 || p[2] != 0 || p[3] > 10)) {
            s.carried = Carried::opaque;
            return true;
        }
        const std::uint32_t stream = read_be32(p) & 0x7fffffff;  // of a DATA frame
        s.plan.keep(s.pending_at, s.pending_at + 8);
        consume(s, 8);
        s.skip = length;
        s.skip_keeps = control;
        if (!control) {
            s.stream = stream;
            s.kind = kind_of(s.stream);
            s.skip_keeps = s.kind == StreamKind::resize;
            if (length > 0 && !s.skip_keeps) {
                ++counts.payload_frames;
                counts.payload_bytes += length;
            }
        }
        return true;
    }

    // --- WebSocket

    bool step_websocket(Direction direction) {
        Side& s = side(direction);
        if (s.pending.size() < 2) return false;
        const auto* p = reinterpret_cast<const std::uint8_t*>(s.pending.data());
        std::size_t header = 2;
        std::uint64_t length = p[1] & 0x7f;
        if (length == 126) header += 2;
        if (length == 127) header += 8;
        s.ws_masked = (p[1] & 0x80) != 0;
        const std::size_t key_at = header;
        if (s.ws_masked) header += 4;
        if (s.pending.size() < header) return false;
        if (length == 126) length = read_be16(p + 2);
        if (length == 127) length = read_be64(p + 2);
        const std::uint8_t opcode = p[0] & 0x0f;
        const bool begins = opcode == 1 || opcode == 2;
        const bool control = opcode >= 8;
        // The channel byte comes first in a message, so it must be here before the payload can be judged.
        const bool has_channel = begins && !tunnel && length > 0;
        if (has_channel && s.pending.size() < header + 1) return false;
        if (s.ws_masked) std::copy_n(p + key_at, 4, s.key);
        std::size_t kept = header + (has_channel ? 1 : 0);
        if (has_channel) {
            const std::uint8_t raw = static_cast<std::uint8_t>(p[header] ^ (s.ws_masked ? s.key[0] : 0));
            const int channel = base64 ? raw - '0' : raw;
            s.message_keeps = !portforward && channel == 4;
            s.kind = !portforward && channel == 3 ? StreamKind::error : StreamKind::unknown;
            if (s.kind == StreamKind::error) ++messages;
            if (portforward && !base64 && direction == Direction::to_client && is_port_message(channel)) {
                // The server's first message on a channel begins with the port, which is no secret.
                const std::size_t port = std::min<std::uint64_t>(length - 1, 2);
                if (s.pending.size() < kept + port) return false;
                ports_told |= std::uint64_t{1} << channel;
                kept += port;
            }
        } else if (begins) {
            s.message_keeps = false;
            s.kind = StreamKind::unknown;
        }
        s.plan.keep(s.pending_at, s.pending_at + kept);
        s.key_origin = s.pending_at + header;
        consume(s, kept);
        s.skip = header + length - kept;
        s.skip_keeps = control || s.message_keeps;
        s.stream = messages;
        if (!s.skip_keeps && s.skip > 0) {
            ++counts.payload_frames;
            counts.payload_bytes += s.skip;
        }
        return true;
    }

    [[nodiscard]] bool is_port_message(int channel) const {
        return channel >= 0 && channel < 64 && (ports_told >> channel & 1) == 0;
    }

    // --- TLS: record headers, hellos and alerts stay, encrypted content goes

    bool step_tls(Direction direction) {
        Side& s = side(direction);
        if (s.pending.size() < 5) return false;
        const auto* p = reinterpret_cast<const std::uint8_t*>(s.pending.data());
        if (p[0] < 20 || p[0] > 24 || p[1] != 3) {
            s.carried = Carried::opaque;
            return true;
        }
        s.plan.keep(s.pending_at, s.pending_at + 5);
        s.skip = read_be16(p + 3);
        s.skip_keeps = p[0] != 23;
        consume(s, 5);
        return true;
    }

    // --- streams of the Docker API: from the client plain input; from the server frames (type, three zeros, size) or a
    // terminal's output

    static bool is_docker_mark(const std::uint8_t* p) { return p[0] <= 3 && p[1] == 0 && p[2] == 0 && p[3] == 0; }

    bool step_docker(Direction direction) {
        constexpr std::size_t kMarkBytes = 4, kHeadBytes = 8;
        Side& s = side(direction);
        if (direction == Direction::to_server) {
            s.carried = Carried::plain;
            return true;
        }
        const auto* p = reinterpret_cast<const std::uint8_t*>(s.pending.data());
        if (s.pending.size() < kMarkBytes) {
            if (p[0] <= 3) return false;
            s.carried = Carried::plain;
            return true;
        }
        if (!is_docker_mark(p)) {
            s.carried = Carried::plain;
            return true;
        }
        if (s.pending.size() < kHeadBytes) return false;
        s.plan.keep(s.pending_at, s.pending_at + kHeadBytes);
        s.skip = read_be32(p + kMarkBytes);
        s.skip_keeps = false;
        ++counts.payload_frames;
        counts.payload_bytes += s.skip;
        consume(s, kHeadBytes);
        return true;
    }

    void settle_body(Side& s) {
        if (!s.docker_body) return;
        s.docker_body = false;
        std::string masked = s.body.text;
        mask_docker_body(masked, pseudonyms, counts);
        s.body.apply(s.plan, masked);
        s.body.clear();
    }

    void gather_body(Side& s, std::uint64_t at, std::string_view bytes) {
        if (s.body.text.size() + bytes.size() > limits::kBodyBytesMax) {  // stays overwritten
            s.docker_body = false;
            s.body.clear();
            return;
        }
        s.body.add(at, bytes);
        if (!s.chunked && s.body.text.size() == s.body_length) settle_body(s);
    }

    // --- the common road

    void consume(Side& s, std::size_t n) {
        s.pending.erase(0, n);
        s.pending_at += n;
    }

    void content(Side& s, std::uint64_t at, std::string_view bytes) {
        const std::uint64_t end = at + bytes.size();
        if (s.skip_keeps) {
            s.plan.keep(at, end);
        } else if (s.docker_body && s.carried == Carried::http) {
            gather_body(s, at, bytes);
        } else if (s.kind == StreamKind::error && !s.ws_masked && s.carried != Carried::http &&
                   &s == &side(Direction::to_client)) {  // a client has no Status to tell
            statuses.add(s.stream, at, bytes);
        } else if (s.carried == Carried::websocket && s.ws_masked) {
            MaskPlan::MaskedSpan span{at, end, {}, s.key_origin};
            std::copy_n(s.key, 4, span.key);
            s.plan.masked(span);
        }
    }

    void run(Direction direction) {
        Side& s = side(direction);
        while (!s.pending.empty()) {
            if (s.carried == Carried::opaque || s.carried == Carried::plain) {
                consume(s, s.pending.size());
                return;
            }
            if (s.skip > 0) {
                const std::size_t n = std::min<std::uint64_t>(s.skip, s.pending.size());
                content(s, s.pending_at, std::string_view(s.pending).substr(0, n));
                s.skip -= n;
                consume(s, n);
                continue;
            }
            bool moved = false;
            switch (s.carried) {
                case Carried::http: moved = step_http(direction); break;
                case Carried::spdy: moved = step_spdy(direction); break;
                case Carried::websocket: moved = step_websocket(direction); break;
                case Carried::tls: moved = step_tls(direction); break;
                case Carried::docker: moved = step_docker(direction); break;
                case Carried::plain:
                case Carried::opaque: break;
            }
            if (!moved && s.carried != Carried::opaque) return;
        }
    }

    // More bytes are needed to tell what this begins.
    [[nodiscard]] bool is_undecided(std::string_view text, Direction direction) const {
        if (direction == Direction::to_client)
            return (text[0] == 0 && text.size() < decode::grpc::TtrpcHeader::kBytes) || !begins_like_request(text);
        return (text.size() < kHttp2Begin.size() && kHttp2Begin.starts_with(text)) ||
               (late && !begins_like_request(text)) ||
               decode::grpc::begins_ttrpc_request(as_bytes(text)) == decode::grpc::TtrpcStart::maybe;
    }

    void choose(Bytes begin, Direction direction) {
        chosen = true;
        const std::array plans{&sides[0].plan, &sides[1].plan};
        if (begins_ttrpc(begin, direction))
            ttrpc = std::make_unique<TtrpcWalker>(plans, pseudonyms, counts);
        else if (begins_http2(begin, direction))
            http2 = std::make_unique<Http2Walker>(plans, pseudonyms, counts, false);
        else if (late && !begins_like_request(as_text(begin)).value_or(false))
            http2 = std::make_unique<Http2Walker>(plans, pseudonyms, counts, true);
    }

    void feed(Direction direction, std::uint64_t offset, Bytes bytes) {
        if (chosen) return pass(direction, offset, bytes);
        Opening& opening = openings[index_of(direction)];
        if (opening.text.empty()) opening.at = offset;
        opening.text += as_text(bytes);
        if (is_undecided(opening.text, direction)) return;
        choose(as_bytes(opening.text), direction);
        for (const Direction each : {direction, opposite(direction)}) {
            const Opening begun = std::move(openings[index_of(each)]);
            openings[index_of(each)] = {};
            if (!begun.text.empty()) pass(each, begun.at, as_bytes(begun.text));
        }
    }

    void pass(Direction direction, std::uint64_t offset, Bytes bytes) {
        if (ttrpc) return ttrpc->bytes(direction, offset, bytes);
        if (http2) return http2->bytes(direction, offset, bytes);
        if (!sides[0].started && !sides[1].started && direction == Direction::to_client &&
            begins_like_request(as_text(bytes)).value_or(false))
            swapped = true;
        if (swapped) direction = opposite(direction);
        Side& s = side(direction);
        if (!s.started) {
            s.started = true;
            if (bytes[0] == 22 && bytes.size() > 1 && bytes[1] == 3) s.carried = Carried::tls;
        }
        // Long content passes by without being gathered.
        if (s.pending.empty() && s.skip > 0) {
            const std::size_t n = std::min<std::uint64_t>(s.skip, bytes.size());
            content(s, offset, as_text(bytes.first(n)));
            s.skip -= n;
            offset += n;
            bytes = bytes.subspan(n);
        }
        if (bytes.empty() || s.carried == Carried::opaque || s.carried == Carried::plain) return;
        if (s.pending.empty()) s.pending_at = offset;
        s.pending += as_text(bytes);
        if (s.pending.size() > limits::kHeldBytesMax && s.carried == Carried::http && upgrade_wanted)
            s.carried = Carried::opaque;
        run(direction);
        run(opposite(direction));
    }

    KindOf kind_of;
    Pseudonyms& pseudonyms;
    MaskCounts& counts;
    std::array<Side, 2> sides;
    std::array<bool, 2> last_chunk{};
    struct Asked {
        bool is_head = false, docker_bodies = false;
    };
    std::deque<Asked> unanswered;  // requests
    std::string target_path;       // of the last request
    StatusMasker statuses{side(Direction::to_client).plan};
    std::uint32_t messages = 0;    // on the error channel of a WebSocket
    std::uint64_t ports_told = 0;  // channels whose port was told, a bit each
    bool upgrade_wanted = false, base64 = false, tunnel = false, portforward = false;
    bool swapped = false;  // what we were told is the client is the server
    bool late = false;
    bool chosen = false;  // it is known what this speaks
    // The first bytes of each direction, until then.
    struct Opening {
        std::string text;
        std::uint64_t at = 0;
    };
    std::array<Opening, 2> openings;
    std::unique_ptr<Http2Walker> http2;  // instead of all the rest
    std::unique_ptr<TtrpcWalker> ttrpc;  // the same
};

ConnectionWalker::ConnectionWalker(KindOf kind_of, Pseudonyms& pseudonyms, MaskCounts& counts)
    : state_(std::make_unique<State>(std::move(kind_of), pseudonyms, counts)) {}
ConnectionWalker::~ConnectionWalker() = default;
ConnectionWalker::ConnectionWalker(ConnectionWalker&&) noexcept = default;

void ConnectionWalker::bytes(Direction direction, std::uint64_t offset, Bytes bytes) {
    if (!bytes.empty()) state_->feed(direction, offset, bytes);
}

void ConnectionWalker::joined_late() { state_->late = true; }

void ConnectionWalker::gap(Direction told) {
    const Direction direction = state_->swapped ? opposite(told) : told;
    state_->chosen = true;  // the beginning is incomplete: it stays overwritten
    if (state_->http2) return state_->http2->gap(direction);
    if (state_->ttrpc) return state_->ttrpc->gap(direction);
    for (State::Side& side : state_->sides) {
        if (&side == &state_->side(direction) || side.carried == Carried::http) {
            side.carried = Carried::opaque;
            side.pending.clear();
        }
    }
    ++state_->counts.connections_not_understood;
}

void ConnectionWalker::end() {
    state_->statuses.settle();
    for (const State::Side& side : state_->sides) {
        if (side.carried == Carried::opaque) {
            ++state_->counts.connections_not_understood;
            return;
        }
    }
}

MaskPlan& ConnectionWalker::plan(Direction direction) {
    return state_->side(state_->swapped ? opposite(direction) : direction).plan;
}

}  // namespace hopscope::record
