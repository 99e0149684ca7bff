// What the two ends of each connection say, turn by turn: exec and port-forward over SPDY, exec over WebSocket, plain
// HTTP of the kubelet's read-only port, TLS. Ends are truthful: FIN flags, Status, RST_STREAM, GOAWAY, close frames,
// then TCP.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "content.h"
#include "options.h"
#include "random.h"
#include "spdy_blocks.h"
#include "tcp.h"
#include "truth.h"

namespace hopscope::gen {

struct Conn {
    TcpState tcp;
    enum class Stage : std::uint8_t { connect, streams, data, end } stage = Stage::connect;
    Kind kind = Kind::exec;
    std::uint8_t variant = 0;  // exec: bit 0 stdin, bit 1 tty; port-forward: which block sequence
    bool busy = false;         // merged frames are queued
    bool late = false, fin_lost = false, reset = false;
    std::uint8_t exit_code = 0;
    std::uint64_t left = 0;    // payload still to be sent
    std::uint32_t frames = 0;  // sent since the streams were opened
    std::uint32_t opened = 0;  // SPDY streams
    std::uint32_t turns = 0, pings = 0;
    std::array<std::uint64_t, 3> place{};  // in the content: in, out, err
    std::unique_ptr<SessionRecord> record;
};

class Script {
public:
    // `sessions` may be null.
    Script(const Options& options, Random& random, const Content& content, Tcp& tcp, Truth& truth, std::FILE* sessions);

    void begin(Conn& conn, std::uint16_t client_port, std::uint64_t payload_bytes);
    // One turn; false: the connection is over.
    bool turn(Conn& conn);

    static bool is_server_port(std::uint16_t port);

private:
    // script.cc
    void text(Conn& conn, Side from, std::string_view words, bool ends = true);
    void payload(Conn& conn, Side from, std::uint32_t stream, std::size_t place, std::uint32_t size);
    void masked_payload(Conn& conn, std::size_t place, std::uint32_t size, std::uint8_t channel, std::uint32_t key);
    void count_payload(Conn& conn, Side from, std::uint32_t stream, Span piece);
    std::uint32_t frame_size(const Conn& conn);
    std::string token();
    std::string session_headers();
    void connect(Conn& conn);
    void finish_frame(Conn& conn);
    void close(Conn& conn, Side first);
    std::string status_json(const Conn& conn) const;
    void start_record(Conn& conn, const char* op, const char* proto, const char* subprotocol, const std::string& token);
    void open_stream(Conn& conn, std::uint32_t id, const char* type, int port = 0);

    // script_spdy.cc
    void spdy_upgrade(Conn& conn);
    void exec_streams(Conn& conn);
    void exec_data(Conn& conn);
    void exec_end(Conn& conn);
    void forward_streams(Conn& conn);
    void forward_data(Conn& conn);
    void forward_close_pair(Conn& conn);
    void forward_end(Conn& conn);
    void syn_stream(Conn& conn, Span block);
    void spdy_words(Conn& conn, Side from, std::uint16_t type, std::uint32_t first, std::uint32_t second);
    void ping(Conn& conn);
    void data_head(Conn& conn, Side from, std::uint32_t stream, std::uint8_t flags, std::uint32_t size);
    void data_frame(Conn& conn, Side from, std::uint32_t stream, std::size_t place, std::uint32_t size);
    void data_text(Conn& conn, Side from, std::uint32_t stream, std::string_view words);
    void data_fin(Conn& conn, Side from, std::uint32_t stream);
    // The frame's fields, one write each where spdystream splits.
    void fields(Conn& conn, Side from, Span frame, std::span<const std::uint8_t> sizes);

    // script_web.cc
    void websocket_upgrade(Conn& conn);
    void websocket_data(Conn& conn);
    void websocket_end(Conn& conn);
    void message_head(Conn& conn, Side from, std::uint8_t first, std::uint64_t size, std::uint32_t key,
                      bool ends = false);
    void message(Conn& conn, Side from, std::uint8_t channel, std::string_view words);
    void http_exchange(Conn& conn);
    void tls_handshake(Conn& conn);
    void tls_record(Conn& conn);
    void tls_opaque(Conn& conn, Side from, std::uint32_t size);
    void tls_bytes(Conn& conn, Side from, std::uint8_t type, Span body);

    const Options& options_;
    Random& random_;
    const Content& content_;
    Tcp& tcp_;
    Truth& truth_;
    std::FILE* sessions_;
    std::vector<BlockSequence> exec_blocks_;     // by variant
    std::vector<BlockSequence> forward_blocks_;  // by variant
    BlockSequence reply_blocks_;
    std::uint64_t opaque_place_ = 0;  // TLS: where in the random content
    Content opaque_;
};

}  // namespace hopscope::gen
