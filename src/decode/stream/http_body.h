// The body of one HTTP/1.1 message (RFC 9112 sections 6 and 7): where it ends, and its pieces without chunk framing.
//
// Keeps no bytes; chunk-size and trailer lines are waited for as a whole, payload never. Trailers are passed over.
#pragma once

#include "core/bytes.h"
#include "core/event.h"

namespace hopscope::decode::stream::http {

class Body {
public:
    enum class Kind : std::uint8_t { none, length, chunked, until_close };

    Body() = default;
    Body(Kind kind, std::uint64_t length, std::uint32_t exchange, Direction direction)
        : left_(kind == Kind::length ? length : 0), exchange_(exchange), direction_(direction), kind_(kind) {
        if (kind == Kind::chunked) phase_ = Phase::size_line;
    }

    enum class Result : std::uint8_t {
        more,   // not over; everything that could be read was taken
        over,   // HttpEnd was told
        wrong,  // the chunk framing makes no sense; nothing was told
    };
    // Tells HttpBody for what `unread` holds of it, HttpEnd when it is over. `taken`: bytes that are done with.
    Result read(Bytes unread, std::size_t& taken, EventSink& sink);
    // `missing` bytes were not captured, and `unread_lost` before them got lost with them. True: where the body ends is
    // still known. False: HttpEnd was told as incomplete.
    bool gap(std::uint64_t missing, std::size_t unread_lost, EventSink& sink);
    // The sender closed.
    void end(EventSink& sink);

private:
    enum class Phase : std::uint8_t { payload, size_line, after_chunk, trailer };

    Result line(Bytes unread, std::size_t& taken);
    void tell_end(bool complete, EventSink& sink);

    std::uint64_t left_ = 0;  // of the body, or of the chunk in hand
    std::uint64_t seen_ = 0;  // payload bytes told
    std::uint32_t exchange_ = 0;
    std::uint32_t trailer_bytes_ = 0;
    Direction direction_{};
    Kind kind_ = Kind::none;
    Phase phase_ = Phase::payload;
    bool holed_ = false;
};

}  // namespace hopscope::decode::stream::http
