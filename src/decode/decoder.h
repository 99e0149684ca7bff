// The contract of every decoder: bytes in, events out, nothing else.
//
// A decoder serves one connection and sees both directions. It has no file descriptor, clock, log or global, throws
// nothing and owns no buffer for unread bytes: the Road that runs it keeps them. The bytes may be cut anywhere; the cut
// never changes the events except where one payload is told in several pieces (tests/support/cut_anywhere.h proves it).
#pragma once

#include <memory>
#include <string_view>

#include "core/event.h"

namespace hopscope::decode {

class Decoder;

// What became of the unread bytes of one call.
struct Step {
    enum class Kind {
        more,    // nothing was taken: call again when more bytes of this direction have come, or after the other
                 // direction has moved on (an HTTP upgrade waits for its answer this way)
        took,    // the first `taken` (> 0) bytes are done with; call again with the rest
        broken,  // after `taken` bytes this connection makes no sense any more: stop decoding it. `why` was told as
                 // Problem
        become,  // after `taken` bytes of this direction another decoder goes on, for both directions
    };
    Kind kind = Kind::more;
    std::size_t taken = 0;
    std::unique_ptr<Decoder> next;

    static Step more() { return {}; }
    static Step took(std::size_t n) { return {Kind::took, n, nullptr}; }
    static Step broken(std::size_t n) { return {Kind::broken, n, nullptr}; }
    static Step become(std::size_t n, std::unique_ptr<Decoder> next) { return {Kind::become, n, std::move(next)}; }
};

class Decoder {
public:
    virtual ~Decoder() = default;

    // `unread` (never empty) are the bytes of `direction` from stream offset `offset` on. A decoder should take as much
    // as it can in one call. Payload is passed on in pieces as it comes, never waited for.
    virtual Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) = 0;

    // A last look at unread bytes that a hole cuts off: called just before gap(), which counts them as `unread_lost`.
    // For a message whose beginning alone says something (a request line without all its headers).
    virtual void cut_off(Direction, std::uint64_t /*offset*/, Bytes /*unread*/, EventSink&) {}

    // `missing` bytes at stream offset `offset` were never captured. Unread bytes that lay before the hole are handed
    // over first by a last decode(); what the decoder did not take of them is in `unread_lost` and is gone, too.
    // A decoder that cannot go on says so by returning false: the Road drops it and ignores the rest.
    virtual bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
                     EventSink& sink) = 0;

    // The sender of this direction has closed (FIN), after its last byte was decoded. Told to each decoder in charge,
    // and once more if bytes that waited are decoded after it.
    virtual void end(Direction direction, EventSink& sink) = 0;

    // How many unread bytes per direction the decoder may need at once before it can take some. Beyond it the Road
    // gives the connection up and says so.
    [[nodiscard]] virtual std::size_t unread_bytes_max() const = 0;
};

}  // namespace hopscope::decode
