// What is really in the file, counted by the one who made it: the other side of every comparison.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "content.h"
#include "options.h"

namespace hopscope::gen {

// Counts of what was on the wire, captured or not.
struct Truth {
    std::uint64_t connections = 0;
    std::uint64_t sessions[kKinds] = {};
    std::uint64_t streams = 0, tokens = 0;
    std::uint64_t syn_stream = 0, syn_reply = 0, rst_stream = 0, ping = 0, goaway = 0, data = 0;
    std::uint64_t http_requests = 0, http_responses = 0;
    std::uint64_t ws_messages = 0, ws_close = 0, ws_frames = 0;  // messages without close; frames of both
    std::uint64_t tls_records = 0;
    std::uint64_t payload_in = 0, payload_out = 0;  // stdin, stdout, stderr, data, bodies, TLS content
    std::uint64_t reordered = 0, retransmitted = 0, overlapping = 0;
    std::uint64_t lost_segments = 0, lost_bytes = 0;
    std::uint64_t zero_windows = 0, keep_alives = 0;
    std::uint64_t late_connections = 0, fins_lost = 0, resets = 0;

    [[nodiscard]] std::uint64_t spdy_frames() const {
        return syn_stream + syn_reply + rst_stream + ping + goaway + data;
    }
    [[nodiscard]] std::uint64_t frames() const {
        return spdy_frames() + ws_messages + ws_close + tls_records + http_requests + http_responses;
    }
    void write(std::FILE* out, std::uint64_t packets, std::uint64_t file_bytes) const;
};

// One session with the SHA-256 of each stream, in the words of the truth files of real captures.
class SessionRecord {
public:
    SessionRecord();
    ~SessionRecord();
    SessionRecord(const SessionRecord&) = delete;
    SessionRecord& operator=(const SessionRecord&) = delete;

    void stream(std::uint32_t id, const char* type, int port);
    void bytes(std::uint32_t id, bool in, Span piece);
    void write(std::FILE* out);

    std::string token, op, proto, subprotocol, status, server_address, client_address;
    std::uint16_t client_port = 0, server_port = 0;
    int exit_code = -1;  // -1: none
    bool late = false, reset = false, open = false;

private:
    struct Stream;
    std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace hopscope::gen
