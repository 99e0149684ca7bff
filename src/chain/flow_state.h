// What the builder keeps for one connection. Small: a capture holds many connections that carry no session.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "chain/builder.h"
#include "chain/docker_book.h"
#include "chain/index_table.h"
#include "chain/model.h"
#include "chain/tls_book.h"

namespace hopscope::chain {

// A streaming request of this connection whose exchange is not over.
struct Exchange {
    std::uint32_t number = 0;  // HttpRequest::exchange
    Session* session = nullptr;
    bool refused = false;    // its answer was seen and was not 101
    bool line_over = false;  // the first line of the refusal is complete
    bool upgrade_asked = false;
    std::string refusal;  // that line as it comes
};

struct Closing {
    Timestamp at;
    std::uint64_t frame = 0;
    bool fin = false, rst = false;
    [[nodiscard]] bool seen() const { return fin || rst; }
};

// Only for connections that carry a session (or where a hole was declared before anything else).
struct FlowWork {
    std::vector<Exchange> exchanges;
    std::array<Closing, 2> closing;             // by Direction of the sender
    std::unique_ptr<IndexTable> streams_by_id;  // only when there are many and their ids do not rise
    bool ids_rise = true;
    std::array<std::uint32_t, 2> piece_of{};  // 1 + stream of which a piece was told since its last frame
    // A hole that was declared before its request was told: a cut-off head is told while its hole is.
    std::uint32_t early_gaps = 0;
    std::uint64_t early_missing = 0, early_frame = 0;
    // Port-forward.
    std::vector<std::uint16_t> refused_ports;
    Timestamp first_error_at;  // first text on an error stream; 0: none
    std::uint64_t first_error_frame = 0;
    std::uint16_t first_error_port = 0;
    Timestamp client_goodbye_at;  // GOAWAY or close frame; 0: none
    Timestamp last_out_at;        // last stream data from the server
};

struct FlowState {
    FlowId id = 0;
    std::uint32_t slot = 0;
    Endpoint client, server;
    std::unique_ptr<FlowInfo> unix_info;  // unix sockets only
    std::uint16_t file = 0;
    bool handshake_seen = false;
    bool live = false;
    bool foreign = false;    // carries something else after an upgrade: its frames make no session
    bool undecoded = false;  // bytes of the present session were given up by a decoder
    bool http_seen = false;  // a request was seen: a later one had no handshake of its own
    std::uint32_t hint = 0;  // stream of the last event
    std::uint32_t retransmissions = 0, reorderings = 0;
    Timestamp opened_at;
    Timestamp request_at;                 // unix sockets only: the last request
    std::unique_ptr<DockerStart> docker;  // granted, and not yet a session
    std::uint64_t opened_frame = 0;
    Session* current = nullptr;  // the session that the connection was upgraded for, or that was joined late
    std::unique_ptr<FlowWork> work;
    std::unique_ptr<SealedConnection> tls;

    FlowWork& need_work() {
        if (!work) work = std::make_unique<FlowWork>();
        return *work;
    }
};

}  // namespace hopscope::chain
