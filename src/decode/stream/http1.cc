#include <algorithm>
#include <charconv>
#include <utility>

#include "core/limits.h"
#include "decode/stream/ascii.h"
#include "decode/stream/http1_decoder.h"
#include "decode/stream/raw_upgrade.h"
#include "decode/stream/spdy.h"
#include "decode/stream/upgraded.h"
#include "decode/stream/websocket.h"

namespace hopscope::decode::stream::http {
namespace {

std::optional<Carrier> carrier_of(std::string_view upgrade) {
    if (contains_ignoring_case(upgrade, "spdy/3.1")) return Carrier::spdy31;
    if (contains_ignoring_case(upgrade, "websocket")) return Carrier::websocket;
    if (equal_ignoring_case(trimmed(upgrade), "tcp")) return Carrier::raw;
    return std::nullopt;
}

std::string_view subprotocol_of(const Head& head, Carrier carrier) {
    if (carrier == Carrier::spdy31) return head.value("x-stream-protocol-version");
    if (carrier == Carrier::websocket) return head.value("sec-websocket-protocol");
    return {};
}

// Garbage is told by its first bytes; there is no need to wait for the end of its line.
bool may_be_start_line(Bytes unread, Direction direction) {
    const std::string_view text = as_text(unread);
    if (direction == Direction::to_client) return begins_response(text.substr(0, 13)) != Begins::no;
    constexpr std::size_t kMethodBytesMax = 32;
    for (std::size_t i = 0; i < std::min(text.size(), kMethodBytesMax); ++i) {
        const char c = text[i];
        if (c == ' ') return i > 0;
        if (c <= ' ' || c >= 0x7f || c == ':' || c == '/' || c == '"') return false;
    }
    return text.size() < kMethodBytesMax;
}

}  // namespace

Http1Decoder::Http1Decoder(Handover handover, bool late) : handover_(std::move(handover)) {
    if (!late) return;
    start_search(Direction::to_server, {.messages = true});
    start_search(Direction::to_client, {.messages = true});
}

std::size_t Http1Decoder::unread_bytes_max() const { return limits::kHeldBytesMax; }

Step Http1Decoder::broken(std::string_view code, std::string_view text, const Here& here) {
    here.sink.on(Problem{code, text, here.direction, here.offset, 0});
    return Step::broken(0);
}

Step Http1Decoder::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& s = side(direction);
    std::size_t at = 0;
    while (at < unread.size()) {
        const Here here{direction, offset + at, sink};
        const Bytes rest = unread.subspan(at);
        Step step;
        switch (s.state) {
            case State::head: step = message_head(s, rest, here); break;
            case State::waiting: break;
            case State::search: step = search(s, rest, here); break;
            case State::body: {
                std::size_t taken = 0;
                const Body::Result result = s.body.read(rest, taken, sink);
                if (result == Body::Result::over && body_over(s, direction)) {
                    at += taken;
                    continue;
                }
                if (result == Body::Result::wrong) {
                    s.body.end(sink);
                    step = broken("http.chunk", "the chunks of a body make no sense",
                                  {direction, offset + at + taken, sink});
                    step.taken = taken;
                } else if (taken > 0) {
                    step = Step::took(taken);
                }
                break;
            }
        }
        at += step.taken;
        if (step.kind == Step::Kind::took) {
            // The client's bytes that waited for this answer are older than what follows it.
            if (std::exchange(client_freed_, false)) return Step::took(at);
            continue;
        }
        if (step.kind == Step::Kind::more) break;
        step.taken = at;
        return step;
    }
    return at > 0 ? Step::took(at) : Step::more();
}

// The body in hand is over: what its direction does next. Always true, for use in conditions.
bool Http1Decoder::body_over(Side& s, Direction direction) {
    s.state = direction == Direction::to_server && ask_ ? State::waiting : State::head;
    s.searched = 0;
    return true;
}

Step Http1Decoder::message_head(Side& s, Bytes unread, const Here& here) {
    // Empty lines before a message are left over from sloppy senders (RFC 9112 section 2.2).
    if (s.searched == 0) {
        std::size_t empty = 0;
        while (empty < unread.size() && (unread[empty] == '\r' || unread[empty] == '\n')) ++empty;
        if (empty > 0) return Step::took(empty);
    }
    if (!may_be_start_line(unread, here.direction))
        return broken("http.start_line", "neither a request nor an answer of HTTP/1.1 begins here", here);
    const std::size_t size = find_head_end(unread, s.searched);
    if (size == 0 && unread.size() <= limits::kHttpHeadBytesMax) return Step::more();
    if (size == 0 || size > limits::kHttpHeadBytesMax) {
        return broken("http.head", "the head of a message is larger than is read", here);
    }
    s.searched = 0;
    Head head;
    std::string unfolded;
    const std::string_view text = as_text(unread.first(size));
    const bool good = here.direction == Direction::to_server ? parse_request(text, unfolded, head)
                                                             : parse_response(text, unfolded, head);
    if (!good) return broken("http.start_line", "neither a request nor an answer of HTTP/1.1 begins here", here);
    if (head.too_many || head.bad_lines)
        here.sink.on(
            Problem{"http.headers",
                    head.too_many ? "a message has more header lines than are read" : "a header line has no name",
                    here.direction, here.offset, 0});
    if (here.direction == Direction::to_client) return response(head, size, here);
    return request(head, here) ? Step::took(size) : Step::broken(size);
}

bool Http1Decoder::request(const Head& head, const Here& here) {
    const std::uint32_t exchange = next_exchange_++;
    here.sink.on(HttpRequest{exchange, head.method, head.target, head.version, head.fields});
    const auto body = body_of(head, nullptr, exchange, here);
    if (!body) return false;
    if (pending_.size() >= limits::kHttpPendingMax) {
        broken("http.pending", "more requests wait for an answer than are followed", here);
        return false;
    }
    pending_.push_back({exchange, head.method == "HEAD", head.method == "CONNECT"});
    note_ask(head, exchange, false);
    Side& s = side(Direction::to_server);
    s.state = State::body;
    s.body = *body;
    // A request without a body is over at once.
    std::size_t taken = 0;
    if (s.body.read({}, taken, here.sink) == Body::Result::over) body_over(s, Direction::to_server);
    return true;
}

void Http1Decoder::note_ask(const Head& head, std::uint32_t exchange, bool cut) {
    const std::optional<Carrier> carrier = carrier_of(head.value("upgrade"));
    const bool hijack = may_be_hijacked(head.method, head.target);
    const bool may_be = cut && purpose_of(head.target) != Purpose::unknown;
    if (!carrier && !hijack && !may_be) return;
    ask_ = std::make_unique<Ask>();
    ask_->exchange = exchange;
    ask_->target = head.target;
    ask_->carrier = carrier;
    ask_->get = head.method == "GET";
    ask_->hijack = hijack;
}

std::optional<Body> Http1Decoder::body_of(const Head& head, const Pending* answered, std::uint32_t exchange,
                                          const Here& here) {
    using Kind = Body::Kind;
    const auto body = [&](Kind kind, std::uint64_t length = 0) { return Body(kind, length, exchange, here.direction); };
    if (answered && (answered->head_method || head.status < 200 || head.status == 204 || head.status == 304))
        return body(Kind::none);
    if (const std::string_view coding = head.value("transfer-encoding");
        !coding.empty() && !equal_ignoring_case(coding, "identity")) {
        const std::string_view last = trimmed(coding.substr(coding.rfind(',') + 1));
        if (equal_ignoring_case(last, "chunked")) return body(Kind::chunked);
        if (answered) return body(Kind::until_close);
        broken("http.length", "a request's body has a coding whose end cannot be seen", here);
        return std::nullopt;
    }
    std::optional<std::uint64_t> length;
    for (const Header& header : head.fields) {
        if (!equal_ignoring_case(header.name, "content-length")) continue;
        // "5, 5" and two equal fields are allowed (RFC 9112 section 6.3).
        std::string_view list = header.value;
        do {
            const std::size_t comma = list.find(',');
            const std::string_view digits = trimmed(list.substr(0, comma));
            std::uint64_t value = 0;
            const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
            if (error != std::errc{} || stop != digits.data() + digits.size() || (length && *length != value)) {
                broken("http.length", "the Content-Length of a message makes no sense", here);
                return std::nullopt;
            }
            length = value;
            list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        } while (!list.empty());
    }
    if (length) return body(Kind::length, *length);
    return body(answered ? Kind::until_close : Kind::none);
}

// The request that the answer in hand belongs to.
Http1Decoder::Pending Http1Decoder::answered(bool final) {
    if (pair_with_newest_ && pending_.size() > 1) pending_.erase(pending_.begin(), pending_.end() - 1);
    pair_with_newest_ = false;
    if (pending_.empty()) return {next_exchange_++, false, false};
    const Pending first = pending_.front();
    if (final) pending_.pop_front();
    return first;
}

Step Http1Decoder::response(const Head& head, std::size_t head_bytes, const Here& here) {
    const bool final = head.status >= 200 || head.status == 101;
    const Pending request = answered(final);
    here.sink.on(HttpResponse{request.exchange, head.status, head.reason, head.version, head.fields});
    if (!final) return Step::took(head_bytes);
    const bool asked = ask_ && ask_->exchange == request.exchange;
    const bool hijacked = asked && ask_->hijack && head.status == 200 &&
                          contains_ignoring_case(head.value("content-type"), "application/vnd.docker.");
    if (head.status == 101 || hijacked) {
        here.sink.on(HttpEnd{request.exchange, here.direction, 0, true});
        return upgrade(head, request.exchange, head_bytes, here);
    }
    if (asked) not_upgraded();
    if (request.connect && head.status < 300) {
        broken("http.tunnel", "a CONNECT tunnel begins: what it carries is not decoded", here);
        return Step::broken(head_bytes);
    }
    const auto body = body_of(head, &request, request.exchange, here);
    if (!body) return Step::broken(head_bytes);
    Side& s = side(Direction::to_client);
    s.state = State::body;
    s.body = *body;
    std::size_t taken = 0;
    if (s.body.read({}, taken, here.sink) == Body::Result::over) body_over(s, Direction::to_client);
    return Step::took(head_bytes);
}

// The upgrade was refused: what the client has sent since goes on as HTTP.
void Http1Decoder::not_upgraded() {
    ask_.reset();
    Side& client = side(Direction::to_server);
    if (client.state != State::waiting) return;
    client.state = State::head;
    client.searched = 0;
    client_freed_ = true;
    if (client.holed) start_search(Direction::to_server, {.messages = true});
}

Step Http1Decoder::upgrade(const Head& head, std::uint32_t exchange, std::size_t head_bytes, const Here& here) {
    std::optional<Carrier> carrier = carrier_of(head.value("upgrade"));
    const bool asked = ask_ && ask_->exchange == exchange;
    if (!head.has("upgrade") && asked) carrier = ask_->carrier;
    if (head.status == 200) carrier = Carrier::raw;
    if (!carrier && asked && !head.has("upgrade")) {
        // Neither side's head says what it is: the bytes do.
        ask_->accepted = true;
        lose(Direction::to_server, here.sink);
        lose(Direction::to_client, here.sink);
        return Step::took(head_bytes);
    }
    if (!carrier) {
        broken("http.upgrade", "the connection was upgraded to a protocol that is not decoded", here);
        return Step::broken(head_bytes);
    }
    if (!asked) {
        // The request was not captured, or asked for something else.
        ask_ = std::make_unique<Ask>();
        ask_->exchange = exchange;
    }
    const std::string_view subprotocol = subprotocol_of(head, *carrier);
    return hand_over(head_bytes, *carrier, subprotocol, head.value("content-type"), here.sink);
}

// What the upgrade has led to goes on after `taken` bytes. A side that searches has lost its beginning.
Step Http1Decoder::hand_over(std::size_t taken, Carrier carrier, std::string_view subprotocol,
                             std::string_view content_type, EventSink& sink) {
    std::array<bool, 2> cut = {side(Direction::to_server).holed, false};
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
        Side& s = side(direction);
        if (s.state != State::search) continue;
        cut[index_of(direction)] = true;
        give_up_until(s, direction, s.search_next, sink);
    }
    sink.on(Upgraded{ask_->exchange, carrier, subprotocol});
    return Step::become(taken, carried(carrier, subprotocol, content_type, cut));
}

std::unique_ptr<Decoder> Http1Decoder::carried(Carrier carrier, std::string_view subprotocol,
                                               std::string_view content_type, std::array<bool, 2> cut) {
    if (carrier == Carrier::raw) return make_raw_upgrade(handover_, content_type);
    if (carrier == Carrier::spdy31)
        return std::make_unique<spdy::SpdyDecoder>(
            spdy::Start{.subprotocol = subprotocol, .purpose = purpose_of(ask_->target), .cut = cut});
    return std::make_unique<ws::WebSocketDecoder>(
        ws::Start{.subprotocol = subprotocol, .target = ask_->target, .cut = cut});
}

void Http1Decoder::start_search(Direction direction, AfterHole::Possible possible) {
    Side& s = side(direction);
    s.state = State::search;
    s.searched = 0;
    s.holed = false;
    s.search_told = false;
    s.after = std::make_unique<AfterHole>(direction, possible);
}

// Bytes of `direction` are missing, and with them the place where the next message begins.
void Http1Decoder::lose(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    if (s.state == State::search) give_up_until(s, direction, s.search_next, sink);
    if (s.state == State::waiting) client_freed_ = true;
    AfterHole::Possible possible;
    if (ask_) {
        possible.spdy = ask_->carrier ? *ask_->carrier == Carrier::spdy31 : !ask_->hijack;
        possible.websocket = ask_->carrier ? *ask_->carrier == Carrier::websocket : ask_->get;
        if (ask_->accepted) return start_search(direction, possible);
    }
    possible.messages = true;
    if (direction == Direction::to_client) {
        pair_with_newest_ = true;
        return start_search(direction, possible);
    }
    if (!ask_) return start_search(direction, possible);
    s.state = State::waiting;
    s.holed = true;
}

Step Http1Decoder::search(Side& s, Bytes unread, const Here& here) {
    const AfterHole::Result result = s.after->search(here.offset, unread);
    s.search_end = here.offset + unread.size();
    s.search_next = here.offset + result.skip;
    switch (result.found) {
        case AfterHole::Found::nothing: return result.skip > 0 ? Step::took(result.skip) : Step::more();
        case AfterHole::Found::message:
            give_up_until(s, here.direction, s.search_next, here.sink);
            s.state = State::head;
            s.after.reset();
            // Zero bytes taken is no progress to the Road, but to this decoder it is.
            if (result.skip > 0) return Step::took(result.skip);
            return message_head(s, unread, here);
        case AfterHole::Found::spdy: return hand_over(result.skip, Carrier::spdy31, ask_->subprotocol, {}, here.sink);
        case AfterHole::Found::websocket:
            return hand_over(result.skip, Carrier::websocket, ask_->subprotocol, {}, here.sink);
    }
    return Step::more();
}

// The search is over, or lost its bytes: tells what lies between its beginning and `until`.
void Http1Decoder::give_up_until(Side& s, Direction direction, std::uint64_t until, EventSink& sink) {
    const std::uint64_t origin = s.after->origin();
    if (std::exchange(s.search_told, true) || origin == UINT64_MAX || until <= origin) return;
    sink.on(Problem{"http.resync", "passed over until something begins that can be read", direction, origin,
                    until - origin});
}

void Http1Decoder::cut_off(Direction direction, std::uint64_t, Bytes unread, EventSink& sink) {
    if (side(direction).state != State::head) return;
    Head head;
    std::string unfolded;
    const std::string_view text = as_text(unread);
    if (direction == Direction::to_server) {
        if (!parse_request(text, unfolded, head) || pending_.size() >= limits::kHttpPendingMax) return;
        const std::uint32_t exchange = next_exchange_++;
        sink.on(HttpRequest{exchange, head.method, head.target, head.version, head.fields});
        sink.on(HttpEnd{exchange, direction, 0, false});
        pending_.push_back({exchange, head.method == "HEAD", head.method == "CONNECT"});
        note_ask(head, exchange, true);
        return;
    }
    if (!parse_response(text, unfolded, head)) return;
    const bool final = head.status >= 200 || head.status == 101;
    const Pending request = answered(final);
    sink.on(HttpResponse{request.exchange, head.status, head.reason, head.version, head.fields});
    if (!final) return;
    sink.on(HttpEnd{request.exchange, direction, 0, false});
    const bool asked = ask_ && ask_->exchange == request.exchange;
    if (head.status != 101) {
        if (asked) not_upgraded();
        return;
    }
    if (!asked) {
        ask_ = std::make_unique<Ask>();
        ask_->exchange = request.exchange;
    }
    const auto carrier = carrier_of(head.value("upgrade"));
    ask_->accepted = true;
    if (carrier) {
        ask_->carrier = carrier;
        ask_->subprotocol = subprotocol_of(head, *carrier);
    }
    lose(Direction::to_server, sink);
}

bool Http1Decoder::gap(Direction direction, std::uint64_t, std::uint64_t missing, std::size_t unread_lost,
                       EventSink& sink) {
    Side& s = side(direction);
    switch (s.state) {
        case State::body: {
            std::size_t taken = 0;
            if (!s.body.gap(missing, unread_lost, sink)) break;
            if (s.body.read({}, taken, sink) == Body::Result::over) body_over(s, direction);
            return true;
        }
        case State::search: give_up_until(s, direction, s.search_end, sink); break;
        case State::head:
        case State::waiting: break;
    }
    lose(direction, sink);
    return true;
}

void Http1Decoder::end(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    if (s.state == State::body) {
        s.body.end(sink);
        body_over(s, direction);
    }
    if (s.state == State::search) give_up_until(s, direction, s.search_end, sink);
}

}  // namespace hopscope::decode::stream::http

namespace hopscope::decode::stream {

std::unique_ptr<Decoder> make_http1(Handover handover) {
    return std::make_unique<http::Http1Decoder>(std::move(handover), false);
}
std::unique_ptr<Decoder> make_http1_late(Handover handover) {
    return std::make_unique<http::Http1Decoder>(std::move(handover), true);
}

}  // namespace hopscope::decode::stream
