#include "script.h"

#include <algorithm>
#include <cstring>

namespace hopscope::gen {
namespace {

constexpr std::array<std::uint16_t, kKinds> kServerPorts = {42313, 42313, 10255, 10250, 42313};  // by Kind

}  // namespace

bool Script::is_server_port(std::uint16_t port) {
    return std::find(kServerPorts.begin(), kServerPorts.end(), port) != kServerPorts.end();
}

void Script::begin(Conn& conn, std::uint16_t client_port, std::uint64_t payload_bytes) {
    conn = Conn{};
    std::uint32_t roll = random_.below(100);
    std::size_t kind = 0;
    while (kind + 1 < kKinds && roll >= options_.mix[kind]) roll -= options_.mix[kind++];
    conn.kind = static_cast<Kind>(kind);
    conn.tcp.port = {client_port, kServerPorts[kind]};
    conn.left = payload_bytes;
    conn.late = random_.chance(options_.late);
    conn.tcp.hidden = conn.late;
    conn.fin_lost = random_.chance(options_.fin_lost);
    conn.reset = random_.chance(options_.reset);
    for (std::uint64_t& place : conn.place) place = random_.below(Content::kPeriodBytes);
    ++truth_.connections;
    ++truth_.sessions[kind];
    if (conn.late) ++truth_.late_connections;
}

bool Script::turn(Conn& conn) {
    ++conn.turns;
    switch (conn.stage) {
        case Conn::Stage::connect: connect(conn); break;
        case Conn::Stage::streams:
            if (conn.kind == Kind::exec) exec_streams(conn);
            if (conn.kind == Kind::portforward) forward_streams(conn);
            conn.stage = Conn::Stage::data;
            break;
        case Conn::Stage::data:
            conn.tcp.hidden = false;
            switch (conn.kind) {
                case Kind::exec: exec_data(conn); break;
                case Kind::portforward: forward_data(conn); break;
                case Kind::http: http_exchange(conn); break;
                case Kind::tls: tls_record(conn); break;
                case Kind::websocket: websocket_data(conn); break;
            }
            if (conn.left == 0) conn.stage = Conn::Stage::end;
            break;
        case Conn::Stage::end:
            tcp_.flush();
            switch (conn.kind) {
                case Kind::exec: exec_end(conn); break;
                case Kind::portforward: forward_end(conn); break;
                case Kind::http: close(conn, kClient); break;
                case Kind::tls:
                    tls_opaque(conn, kClient, 19);  // close_notify
                    close(conn, kClient);
                    break;
                case Kind::websocket: websocket_end(conn); break;
            }
            if (conn.record && sessions_ != nullptr) conn.record->write(sessions_);
            return false;
    }
    if (!conn.busy) tcp_.flush();
    return true;
}

void Script::connect(Conn& conn) {
    tcp_.handshake(conn.tcp);
    conn.stage = Conn::Stage::streams;
    switch (conn.kind) {
        case Kind::exec:
        case Kind::portforward: spdy_upgrade(conn); break;
        case Kind::websocket: websocket_upgrade(conn); break;
        case Kind::tls: tls_handshake(conn); break;
        case Kind::http: break;
    }
}

// A frame was queued: send it, or leave it for the next one to join.
void Script::finish_frame(Conn& conn) {
    constexpr std::size_t kQueueBytes = 512 * 1024;  // about what a socket buffer on lo grows to
    if (conn.left > 0 && tcp_.queued_bytes() < kQueueBytes && random_.chance(options_.busy)) {
        conn.busy = true;
        tcp_.stay_busy();
        return;
    }
    tcp_.flush();
    conn.busy = false;
}

void Script::close(Conn& conn, Side first) {
    tcp_.flush();
    if (conn.record) {
        conn.record->reset = conn.reset;
        conn.record->open = !conn.reset && (options_.no_fin || conn.fin_lost);
    }
    if (conn.reset) {
        ++truth_.resets;
        tcp_.reset(conn.tcp, first);
        return;
    }
    if (options_.no_fin) return;
    if (conn.fin_lost) {
        ++truth_.fins_lost;
        conn.tcp.hidden = true;
    }
    tcp_.fin(conn.tcp, first);
    tcp_.fin(conn.tcp, other(first));
    tcp_.last_ack(conn.tcp, first);
}

void Script::text(Conn& conn, Side from, std::string_view words, bool ends) {
    tcp_.put(conn.tcp, from, {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()}, ends);
}

void Script::count_payload(Conn& conn, Side from, std::uint32_t stream, Span piece) {
    (from == kClient ? truth_.payload_in : truth_.payload_out) += piece.size();
    if (conn.record) conn.record->bytes(stream, from == kClient, piece);
}

// The rest of a write: `size` bytes of the stream's content, lent.
void Script::payload(Conn& conn, Side from, std::uint32_t stream, std::size_t place, std::uint32_t size) {
    while (size > 0) {
        const Span piece = content_.at(conn.place[place], size);
        count_payload(conn, from, stream, piece);
        conn.place[place] += piece.size();
        size -= static_cast<std::uint32_t>(piece.size());
        tcp_.lend(conn.tcp, from, piece, size == 0);
    }
}

std::uint32_t Script::frame_size(const Conn& conn) {
    const std::uint32_t size = random_.between(options_.frame_min, options_.frame_max);
    return conn.left < size ? static_cast<std::uint32_t>(conn.left) : size;
}

std::string Script::token() {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out(8, ' ');
    std::uint64_t bits = random_.next();
    for (char& letter : out) {
        letter = kAlphabet[bits >> 58];
        bits <<= 6;
    }
    ++truth_.tokens;
    return out;
}

// Half of the requests come from crictl, half through the kubelet with kubectl's headers.
std::string Script::session_headers() {
    if (random_.below(2) == 0) return "Host: 127.0.0.1:42313\r\nUser-Agent: Go-http-client/1.1\r\n";
    char uuid[40];
    const std::uint64_t a = random_.next(), b = random_.next();
    std::snprintf(uuid, sizeof uuid, "%08x-%04x-4%03x-a%03x-%012llx", static_cast<unsigned>(a >> 32),
                  static_cast<unsigned>(a >> 16 & 0xffff), static_cast<unsigned>(a & 0xfff),
                  static_cast<unsigned>(b >> 52), static_cast<unsigned long long>(b & 0xffffffffffff));
    return "Host: 10.0.0.1:6443\r\nUser-Agent: kubectl/v1.27.16 (linux/amd64) kubernetes/cbb86e0\r\n"
           "Kubectl-Command: kubectl exec\r\nKubectl-Session: " +
           std::string(uuid) + "\r\nX-Forwarded-For: 10.0.0.7, 10.0.0.1\r\n";
}

std::string Script::status_json(const Conn& conn) const {
    if (conn.exit_code == 0) return R"({"metadata":{},"status":"Success"})";
    const std::string code = std::to_string(conn.exit_code);
    return R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: error executing command )"
           "[sh -c ./job], exit code " +
           code + R"(","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")" + code +
           R"("}]}})";
}

void Script::start_record(Conn& conn, const char* op, const char* proto, const char* subprotocol,
                          const std::string& token) {
    if (sessions_ == nullptr) return;
    conn.record = std::make_unique<SessionRecord>();
    conn.record->op = op;
    conn.record->proto = proto;
    conn.record->subprotocol = subprotocol;
    conn.record->token = token;
    conn.record->late = conn.late;
    conn.record->client_address = conn.record->server_address = options_.ipv6 ? "::1" : "127.0.0.1";
    conn.record->client_port = conn.tcp.port[kClient];
    conn.record->server_port = conn.tcp.port[kServer];
}

void Script::open_stream(Conn& conn, std::uint32_t id, const char* type, int port) {
    ++truth_.streams;
    if (conn.record) conn.record->stream(id, type, port);
}

}  // namespace hopscope::gen
