// exec over WebSocket, the kubelet's read-only port, TLS records.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "script.h"

namespace hopscope::gen {
namespace {

enum Place : std::size_t { kIn, kOut, kErr };
constexpr std::uint8_t kFinal = 0x80, kBinary = 2, kContinuation = 0, kClose = 8;
constexpr std::uint8_t kStdinChannel = 0, kStdoutChannel = 1, kStderrChannel = 2, kErrorChannel = 3;
constexpr std::uint32_t kTlsRecordMax = 16384;
constexpr std::uint32_t kTlsOverhead = 17;  // TLS 1.3 with AES-GCM: the tag and the type

std::string base64(Span bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, 0);
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.pop_back();
    return out;
}

void append(std::string& out, std::initializer_list<int> bytes) {
    for (const int byte : bytes) out += static_cast<char>(byte);
}
void append(std::string& out, Span bytes) { out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }
Span as_span(const std::string& bytes) { return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}; }

// Puts a hello together: handshake type and length, the body's start, the extensions with their length.
std::string handshake(int type, const std::string& start, const std::string& extensions) {
    const int size = static_cast<int>(start.size() + 2 + extensions.size());
    const int extension_bytes = static_cast<int>(extensions.size());
    std::string out;
    append(out, {type, 0, size >> 8, size & 255});
    out += start;
    append(out, {extension_bytes >> 8, extension_bytes & 255});
    return out + extensions;
}

}  // namespace

void Script::websocket_upgrade(Conn& conn) {
    std::array<std::uint8_t, 16> nonce{};
    for (std::uint8_t& byte : nonce) byte = static_cast<std::uint8_t>(random_.next() >> 56);
    const std::string key = base64(nonce), name = token();
    const std::string proof = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<std::uint8_t, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(proof.data()), proof.size(), digest.data());
    start_record(conn, "exec", "websocket", "v4.channel.k8s.io", name);
    text(conn, kClient,
         "GET /exec/" + name + " HTTP/1.1\r\n" + session_headers() +
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
             "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n");
    text(conn, kServer,
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
             base64(digest) + "\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n");
    ++truth_.http_requests;
    ++truth_.http_responses;
    conn.exit_code = static_cast<std::uint8_t>(random_.below(4) == 0 ? random_.between(1, 255) : 0);
    if (conn.record) {
        conn.record->exit_code = conn.exit_code;
        conn.record->status = conn.exit_code == 0 ? "Success" : "Failure";
    }
    static constexpr std::array<const char*, 4> kNames = {"stdin", "stdout", "stderr", "error"};
    for (std::uint32_t channel = 0; channel < kNames.size(); ++channel) open_stream(conn, channel, kNames[channel]);
    // "Ready" is an empty message on the lowest channel that the server writes.
    message(conn, kServer, kStdoutChannel, "");
}

// Frame header; with a key (client to server) the mask bit and the key. `ends`: there is no payload.
void Script::message_head(Conn& conn, Side from, std::uint8_t first, std::uint64_t size, std::uint32_t key, bool ends) {
    std::array<std::uint8_t, 14> head{};
    const std::uint8_t mask = from == kClient ? 0x80 : 0;
    std::size_t used = 2;
    head[0] = first;
    if (size < 126) {
        head[1] = static_cast<std::uint8_t>(mask | size);
    } else {
        const bool wide = size > 0xffff;
        head[1] = static_cast<std::uint8_t>(mask | (wide ? 127 : 126));
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) head[used++] = static_cast<std::uint8_t>(size >> shift);
    }
    if (mask != 0) {
        std::memcpy(head.data() + used, &key, 4);
        used += 4;
    }
    tcp_.put(conn.tcp, from, {head.data(), used}, ends);
    ++truth_.ws_frames;
}

// A whole message of the server with text that does not count as payload.
void Script::message(Conn& conn, Side from, std::uint8_t channel, std::string_view words) {
    message_head(conn, from, kFinal | kBinary, words.size() + 1, 0);
    std::string body(1, static_cast<char>(channel));
    body += words;
    text(conn, from, body);
    if (conn.record)
        conn.record->bytes(channel, from == kClient,
                           {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()});
    ++truth_.ws_messages;
}

// `size` bytes of content, masked from key byte `channel == 0xff ? 0 : 1` on; the channel byte in front unless 0xff.
void Script::masked_payload(Conn& conn, std::size_t place, std::uint32_t size, std::uint8_t channel,
                            std::uint32_t key) {
    const std::size_t front = channel == 0xff ? 0 : 1;
    std::uint8_t mask[4];
    std::memcpy(mask, &key, 4);
    std::uint8_t* out = tcp_.reserve(conn.tcp, kClient, front + size);
    if (front > 0) out[0] = channel ^ mask[0];
    std::size_t at = front;
    while (size > 0) {
        const Span piece = content_.at(conn.place[place], size);
        count_payload(conn, kClient, kStdinChannel, piece);
        for (const std::uint8_t byte : piece) {
            out[at] = byte ^ mask[at % 4];
            ++at;
        }
        conn.place[place] += piece.size();
        size -= static_cast<std::uint32_t>(piece.size());
    }
    tcp_.lend(conn.tcp, kClient, {out, at});
}

void Script::websocket_data(Conn& conn) {
    const std::uint32_t size = frame_size(conn);
    const std::uint32_t roll = random_.below(8);
    ++conn.frames;
    if (roll == 0) {
        // Every fourth message of the client is in two fragments, as large writes are with gorilla.
        const std::uint32_t first = conn.frames % 4 == 0 ? size / 2 : size;
        std::uint32_t key = static_cast<std::uint32_t>(random_.next() >> 32);
        message_head(conn, kClient, first == size ? kFinal | kBinary : kBinary, std::uint64_t{first} + 1, key);
        masked_payload(conn, kIn, first, kStdinChannel, key);
        if (first < size) {
            key = static_cast<std::uint32_t>(random_.next() >> 32);
            message_head(conn, kClient, kFinal | kContinuation, size - first, key);
            masked_payload(conn, kIn, size - first, 0xff, key);
        }
    } else {
        const std::uint8_t channel = roll == 1 ? kStderrChannel : kStdoutChannel;
        message_head(conn, kServer, kFinal | kBinary, std::uint64_t{size} + 1, 0);
        tcp_.put(conn.tcp, kServer, {&channel, 1}, false);
        payload(conn, kServer, channel, channel == kStderrChannel ? kErr : kOut, size);
    }
    ++truth_.ws_messages;
    conn.left -= size;
    finish_frame(conn);
}

void Script::websocket_end(Conn& conn) {
    static constexpr std::uint8_t kNormal[2] = {0x03, 0xe8};  // 1000
    message(conn, kServer, kErrorChannel, status_json(conn));
    message_head(conn, kServer, kFinal | kClose, 2, 0);
    tcp_.put(conn.tcp, kServer, kNormal);
    const std::uint32_t key = static_cast<std::uint32_t>(random_.next() >> 32);
    message_head(conn, kClient, kFinal | kClose, 2, key);
    std::uint8_t mask[4];
    std::memcpy(mask, &key, 4);
    const std::uint8_t masked[2] = {static_cast<std::uint8_t>(kNormal[0] ^ mask[0]),
                                    static_cast<std::uint8_t>(kNormal[1] ^ mask[1])};
    tcp_.put(conn.tcp, kClient, masked);
    truth_.ws_close += 2;
    close(conn, kServer);
}

void Script::http_exchange(Conn& conn) {
    static constexpr std::array<std::string_view, 5> kTargets = {
        "/metrics", "/pods", "/stats/summary", "/metrics/cadvisor", "/containerLogs/default/web-0/main?tailLines=100"};
    constexpr std::uint32_t kChunkBytes = 4096;
    const std::uint32_t size = frame_size(conn);
    text(conn, kClient,
         "GET " + std::string(kTargets[random_.below(kTargets.size())]) +
             " HTTP/1.1\r\nHost: 127.0.0.1:10255\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: */*\r\n\r\n");
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Sat, 21 Nov 2026 17:00:00 GMT\r\n";
    if (random_.below(2) == 0) {
        text(conn, kServer, head + "Content-Length: " + std::to_string(size) + "\r\n\r\n", false);
        payload(conn, kServer, 0, kOut, size);
    } else {
        text(conn, kServer, head + "Transfer-Encoding: chunked\r\n\r\n", false);
        for (std::uint32_t done = 0; done < size;) {
            const std::uint32_t n = std::min(kChunkBytes, size - done);
            char line[16];
            std::snprintf(line, sizeof line, "%x\r\n", n);
            text(conn, kServer, line, false);
            payload(conn, kServer, 0, kOut, n);
            text(conn, kServer, "\r\n");
            done += n;
        }
        text(conn, kServer, "0\r\n\r\n");
    }
    ++truth_.http_requests;
    ++truth_.http_responses;
    conn.left -= size;
    tcp_.flush();
}

void Script::tls_bytes(Conn& conn, Side from, std::uint8_t type, Span body) {
    const std::uint8_t head[5] = {type, 3, static_cast<std::uint8_t>(type == 22 ? 1 : 3),
                                  static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())};
    tcp_.put(conn.tcp, from, head, body.empty());
    if (!body.empty()) tcp_.lend(conn.tcp, from, body);
    ++truth_.tls_records;
}

// A record of encrypted bytes.
void Script::tls_opaque(Conn& conn, Side from, std::uint32_t size) {
    const Span body = opaque_.at(opaque_place_, size);
    opaque_place_ += size;
    tls_bytes(conn, from, 23, body);
}

void Script::tls_handshake(Conn& conn) {
    const auto noise = [&](std::uint32_t size) {
        const Span bytes = opaque_.at(opaque_place_, size);
        opaque_place_ += size;
        return bytes;
    };
    const Span session_id = noise(32);
    std::string start, extensions;
    append(start, {3, 3});
    append(start, noise(32));
    append(start, {32});
    append(start, session_id);
    append(start, {0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0});
    append(extensions, {0, 0, 0, 11, 0, 9, 0, 0, 6});
    extensions += "node-1";
    append(extensions, {0, 16, 0, 11, 0, 9, 8});
    extensions += "http/1.1";
    append(extensions, {0,  10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4,  0, 2,  4, 3, 0,
                        43, 0,  3, 2, 3, 4, 0, 51, 0, 38, 0, 36, 0, 29, 0, 32});
    append(extensions, noise(32));
    const std::string client_hello = handshake(1, start, extensions);
    tls_bytes(conn, kClient, 22, as_span(client_hello));
    tcp_.flush();
    start.clear();
    extensions.clear();
    append(start, {3, 3});
    append(start, noise(32));
    append(start, {32});
    append(start, session_id);
    append(start, {0x13, 1, 0});
    append(extensions, {0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32});
    append(extensions, noise(32));
    const std::string server_hello = handshake(2, start, extensions);
    static constexpr std::uint8_t kChange[1] = {1};
    tls_bytes(conn, kServer, 22, as_span(server_hello));
    tls_bytes(conn, kServer, 20, kChange);
    tls_opaque(conn, kServer, 27);    // encrypted extensions
    tls_opaque(conn, kServer, 1100);  // certificate
    tls_opaque(conn, kServer, 96);    // its proof
    tls_opaque(conn, kServer, 53);    // finished
    tcp_.flush();
    tls_bytes(conn, kClient, 20, kChange);
    tls_opaque(conn, kClient, 53);
}

void Script::tls_record(Conn& conn) {
    const std::uint32_t size = std::min(frame_size(conn), kTlsRecordMax);
    const Side from = random_.below(4) == 0 ? kClient : kServer;
    tls_opaque(conn, from, size + kTlsOverhead);
    (from == kClient ? truth_.payload_in : truth_.payload_out) += size;
    conn.left -= size;
    finish_frame(conn);
}

}  // namespace hopscope::gen
