// What goes on behind a hole in a connection that spoke HTTP/1.1: another message, or what an upgrade has led to.
#pragma once

#include <utility>

#include "decode/stream/http_head.h"
#include "decode/stream/spdy_sight.h"
#include "decode/stream/websocket_wire.h"

namespace hopscope::decode::stream::http {

class AfterHole {
public:
    // What may go on behind the hole.
    struct Possible {
        bool messages = false, spdy = false, websocket = false;
    };
    AfterHole(Direction direction, Possible possible)
        : spdy_(spdy::Sight(), spdy::kHuntBits, spdy::kOriginBits),
          websocket_(ws::Sight(direction == Direction::to_server), kWebSocketBits, ws::kOriginBits),
          requests_(direction == Direction::to_server),
          possible_(possible) {}

    enum class Found : std::uint8_t { nothing, message, spdy, websocket };
    struct Result {
        Found found = Found::nothing;
        std::size_t skip = 0;  // bytes of `unread` before what was found, or before what must be kept for the next call
    };
    Result search(std::uint64_t offset, Bytes unread);

    [[nodiscard]] std::uint64_t origin() const { return origin_; }

private:
    // Between continuing a connection that is known to be WebSocket and recognising one.
    static constexpr std::uint32_t kWebSocketBits = 55;

    // What is found in these bytes, and how many of the possible things were.
    std::pair<Result, int> look(std::uint64_t offset, Bytes unread);
    Result search_message(std::uint64_t offset, Bytes unread);

    spdy::Hunt spdy_;
    ws::Hunt websocket_;
    std::uint64_t origin_ = UINT64_MAX;  // stream offset of the first byte of the first search
    std::uint64_t place_ = 0;            // stream offset up to which no message begins
    bool requests_;
    Possible possible_;
};

}  // namespace hopscope::decode::stream::http
