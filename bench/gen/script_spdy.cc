// exec and port-forward over SPDY/3.1.
#include <cstring>

#include "script.h"

namespace hopscope::gen {
namespace {

constexpr std::uint8_t kStdin = 1, kTty = 2;  // bits of an exec's variant
constexpr std::uint32_t kFramesPerPair = 64;  // port-forward: then the local client connects again
constexpr std::uint32_t kTurnsPerPing = 256;
constexpr std::size_t kForwardVariants = 12;
constexpr std::array<int, 4> kForwardedPorts = {80, 8080, 5432, 9090};
constexpr std::uint32_t kCancel = 5;
enum Frame : std::uint16_t { kRstStream = 3, kPing = 6, kGoaway = 7 };
enum Place : std::size_t { kIn, kOut, kErr };

// The streams an exec opens, in the client's fixed order.
std::vector<const char*> exec_stream_names(std::uint8_t variant) {
    std::vector<const char*> names = {"error"};
    if ((variant & kStdin) != 0) names.push_back("stdin");
    names.push_back("stdout");
    names.push_back((variant & kTty) != 0 ? "resize" : "stderr");
    return names;
}

// Block n of a port-forward: streams come in pairs; Go writes the three headers in any order.
Pairs forward_pairs(std::size_t variant, std::uint32_t n) {
    static constexpr std::array<std::array<std::size_t, 3>, 6> kOrders = {
        {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
    const Pairs plain = {{"streamtype", n % 2 == 0 ? "error" : "data"},
                         {"port", std::to_string(kForwardedPorts[variant % kForwardedPorts.size()])},
                         {"requestid", std::to_string(n / 2)}};
    const auto& order = kOrders[(n * 7 + variant) % kOrders.size()];
    return {plain[order[0]], plain[order[1]], plain[order[2]]};
}

void be32(std::uint8_t* at, std::uint32_t value) {
    value = __builtin_bswap32(value);
    std::memcpy(at, &value, sizeof value);
}
// The first eight bytes of a control frame.
void control_head(std::uint8_t* at, std::uint16_t type, std::uint32_t length) {
    be32(at, 0x80030000U | type);
    be32(at + 4, length);
}

}  // namespace

Script::Script(const Options& options, Random& random, const Content& content, Tcp& tcp, Truth& truth,
               std::FILE* sessions)
    : options_(options),
      random_(random),
      content_(content),
      tcp_(tcp),
      truth_(truth),
      sessions_(sessions),
      reply_blocks_([](std::uint32_t) { return Pairs{}; }),
      opaque_(random, true) {
    for (std::uint8_t variant = 0; variant < 4; ++variant) {
        exec_blocks_.emplace_back([variant](std::uint32_t n) {
            return Pairs{{"streamtype", exec_stream_names(variant).at(n)}};
        });
    }
    for (std::size_t variant = 0; variant < kForwardVariants; ++variant)
        forward_blocks_.emplace_back([variant](std::uint32_t n) { return forward_pairs(variant, n); });
}

void Script::fields(Conn& conn, Side from, Span frame, std::span<const std::uint8_t> sizes) {
    if (!options_.split) {
        tcp_.put(conn.tcp, from, frame);
        return;
    }
    for (const std::uint8_t size : sizes) {
        tcp_.put(conn.tcp, from, frame.first(size));
        frame = frame.subspan(size);
    }
    if (!frame.empty()) tcp_.put(conn.tcp, from, frame);
}

void Script::spdy_upgrade(Conn& conn) {
    const bool exec = conn.kind == Kind::exec;
    conn.variant =
        static_cast<std::uint8_t>(exec ? random_.below(4) & random_.below(4) : random_.below(kForwardVariants));
    if (exec && (conn.variant & kTty) != 0) conn.variant |= kStdin;
    const std::string name = token();
    start_record(conn, exec ? "exec" : "portforward", "spdy/3.1", exec ? "v4.channel.k8s.io" : "portforward.k8s.io",
                 name);
    std::string request = std::string("POST ") + (exec ? "/exec/" : "/portforward/") + name + " HTTP/1.1\r\n" +
                          session_headers() + "Content-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
    request += exec
                   ? "X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n"
                     "X-Stream-Protocol-Version: v2.channel.k8s.io\r\nX-Stream-Protocol-Version: channel.k8s.io\r\n\r\n"
                   : "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n";
    text(conn, kClient, request);
    text(conn, kServer,
         std::string("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                     "X-Stream-Protocol-Version: ") +
             (exec ? "v4.channel.k8s.io" : "portforward.k8s.io") + "\r\n\r\n");
    ++truth_.http_requests;
    ++truth_.http_responses;
}

// Opens the next stream: SYN_STREAM, and the reply that the client waits for.
void Script::syn_stream(Conn& conn, Span block) {
    const std::uint32_t id = 2 * conn.opened + 1;
    std::array<std::uint8_t, 256> frame{};
    control_head(frame.data(), 1, static_cast<std::uint32_t>(10 + block.size()));
    be32(frame.data() + 8, id);
    std::memcpy(frame.data() + 18, block.data(), block.size());
    static constexpr std::uint8_t kSynFields[] = {2, 2, 4, 4, 4, 1, 1};
    fields(conn, kClient, {frame.data(), 18 + block.size()}, kSynFields);
    const Span empty = reply_blocks_.block(conn.opened);
    control_head(frame.data(), 2, static_cast<std::uint32_t>(4 + empty.size()));
    be32(frame.data() + 8, id);
    std::memcpy(frame.data() + 12, empty.data(), empty.size());
    static constexpr std::uint8_t kReplyFields[] = {2, 2, 4, 4};
    fields(conn, kServer, {frame.data(), 12 + empty.size()}, kReplyFields);
    ++conn.opened;
    ++truth_.syn_stream;
    ++truth_.syn_reply;
}

// RST_STREAM and GOAWAY carry two words, PING one.
void Script::spdy_words(Conn& conn, Side from, std::uint16_t type, std::uint32_t first, std::uint32_t second) {
    std::array<std::uint8_t, 16> frame{};
    const std::size_t size = type == kPing ? 12 : 16;
    control_head(frame.data(), type, static_cast<std::uint32_t>(size - 8));
    be32(frame.data() + 8, first);
    be32(frame.data() + 12, second);
    static constexpr std::uint8_t kFields[] = {2, 2, 4, 4};
    fields(conn, from, {frame.data(), size}, kFields);
    ++(type == kRstStream ? truth_.rst_stream : (type == kPing ? truth_.ping : truth_.goaway));
}

void Script::ping(Conn& conn) {
    if (conn.turns % kTurnsPerPing != 0) return;
    const std::uint32_t id = 2 * conn.pings++ + 1;
    spdy_words(conn, kClient, kPing, id, 0);
    spdy_words(conn, kServer, kPing, id, 0);
}

void Script::data_head(Conn& conn, Side from, std::uint32_t stream, std::uint8_t flags, std::uint32_t size) {
    std::array<std::uint8_t, 8> head{};
    be32(head.data(), stream);
    be32(head.data() + 4, std::uint32_t{flags} << 24 | size);
    const Span all(head);
    if (options_.split) {
        tcp_.put(conn.tcp, from, all.first(4));
        tcp_.put(conn.tcp, from, all.subspan(4));
    } else {
        tcp_.put(conn.tcp, from, all, size == 0);
    }
    ++truth_.data;
}

void Script::data_frame(Conn& conn, Side from, std::uint32_t stream, std::size_t place, std::uint32_t size) {
    data_head(conn, from, stream, 0, size);
    payload(conn, from, stream, place, size);
    conn.left -= size;
}

// A frame whose text does not count as payload: Status, terminal sizes.
void Script::data_text(Conn& conn, Side from, std::uint32_t stream, std::string_view words) {
    data_head(conn, from, stream, 0, static_cast<std::uint32_t>(words.size()));
    if (conn.record)
        conn.record->bytes(stream, from == kClient,
                           {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()});
    text(conn, from, words);
}

void Script::data_fin(Conn& conn, Side from, std::uint32_t stream) { data_head(conn, from, stream, 1, 0); }

void Script::exec_streams(Conn& conn) {
    conn.exit_code = static_cast<std::uint8_t>(random_.below(4) == 0 ? random_.between(1, 255) : 0);
    if (conn.record) {
        conn.record->exit_code = conn.exit_code;
        conn.record->status = conn.exit_code == 0 ? "Success" : "Failure";
    }
    for (const char* name : exec_stream_names(conn.variant)) {
        open_stream(conn, 2 * conn.opened + 1, name);
        syn_stream(conn, exec_blocks_[conn.variant].block(conn.opened));
    }
    if ((conn.variant & kTty) != 0) data_text(conn, kClient, 7, "{\"Width\":80,\"Height\":24}\n");
}

void Script::exec_data(Conn& conn) {
    ping(conn);
    const bool has_stdin = (conn.variant & kStdin) != 0, tty = (conn.variant & kTty) != 0;
    const std::uint32_t out = has_stdin ? 5 : 3;
    const std::uint32_t roll = random_.below(8);
    ++conn.frames;
    if (tty && conn.frames % 64 == 0) {
        data_text(conn, kClient, 7, "{\"Width\":120,\"Height\":40}\n");
    }
    if (has_stdin && roll == 0)
        data_frame(conn, kClient, 3, kIn, frame_size(conn));
    else if (!tty && roll == 1)
        data_frame(conn, kServer, out + 2, kErr, frame_size(conn));
    else
        data_frame(conn, kServer, out, kOut, frame_size(conn));
    finish_frame(conn);
}

void Script::exec_end(Conn& conn) {
    const bool has_stdin = (conn.variant & kStdin) != 0, tty = (conn.variant & kTty) != 0;
    const std::uint32_t out = has_stdin ? 5 : 3;
    if (has_stdin && !tty) data_fin(conn, kClient, 3);
    data_fin(conn, kServer, out);
    if (!tty) data_fin(conn, kServer, out + 2);
    data_text(conn, kServer, 1, status_json(conn));
    // Streams that the server has not ended by FIN are reset.
    spdy_words(conn, kServer, kRstStream, 1, kCancel);
    if (has_stdin) spdy_words(conn, kServer, kRstStream, 3, kCancel);
    if (tty) spdy_words(conn, kServer, kRstStream, 7, kCancel);
    spdy_words(conn, kServer, kGoaway, 2 * conn.opened - 1, 0);
    close(conn, kServer);
}

void Script::forward_streams(Conn& conn) {
    const int port = kForwardedPorts[conn.variant % kForwardedPorts.size()];
    BlockSequence& blocks = forward_blocks_[conn.variant];
    open_stream(conn, 2 * conn.opened + 1, "error", port);
    syn_stream(conn, blocks.block(conn.opened));
    data_fin(conn, kClient, 2 * conn.opened - 1);
    open_stream(conn, 2 * conn.opened + 1, "data", port);
    syn_stream(conn, blocks.block(conn.opened));
    conn.frames = 0;
}

void Script::forward_data(Conn& conn) {
    ping(conn);
    if (conn.frames == kFramesPerPair) {
        forward_close_pair(conn);
        forward_streams(conn);
    }
    // The client asks first; then most of it comes back.
    const bool from_client = conn.frames == 0 || random_.below(8) == 0;
    ++conn.frames;
    data_frame(conn, from_client ? kClient : kServer, 2 * conn.opened - 1, from_client ? kIn : kOut, frame_size(conn));
    finish_frame(conn);
}

void Script::forward_close_pair(Conn& conn) {
    const std::uint32_t data = 2 * conn.opened - 1;
    data_fin(conn, kClient, data);
    data_fin(conn, kServer, data);
    data_fin(conn, kServer, data - 2);
}

void Script::forward_end(Conn& conn) {
    forward_close_pair(conn);
    spdy_words(conn, kClient, kGoaway, 0, 0);
    close(conn, kClient);
}

}  // namespace hopscope::gen
