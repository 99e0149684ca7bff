// A Road carries both directions of one connection through whatever decoder is in charge, and follows handovers.
//
// It keeps unread bytes (a read index; bytes are never erased from the front at each step) and copies only what a
// decoder left unread: payload that passes straight through is not touched. TLS and the WebSocket tunnel own an inner
// Road of their own for what they carry.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "decode/decoder.h"

namespace hopscope::decode {

class Road {
public:
    explicit Road(std::unique_ptr<Decoder> first) : decoder_(std::move(first)) {}

    // The next bytes of `direction`, in order. Borrowed for the call.
    void feed(Direction direction, Bytes bytes, EventSink& sink);
    // `missing` bytes were never captured.
    void gap(Direction direction, std::uint64_t missing, EventSink& sink);
    // The sender of `direction` closed. Telling it twice does no harm.
    void end(Direction direction, EventSink& sink);

    // end() was told.
    [[nodiscard]] bool ended(Direction direction) const { return sides_[index_of(direction)].ended; }
    [[nodiscard]] bool dead() const { return decoder_ == nullptr; }
    [[nodiscard]] std::uint64_t offset(Direction direction) const { return sides_[index_of(direction)].offset; }
    // Bytes held in memory for later, both directions.
    [[nodiscard]] std::size_t held_bytes() const;

private:
    struct Side {
        std::vector<std::uint8_t> unread;  // kept bytes; [read, size) are not decoded yet
        std::size_t read = 0;
        std::uint64_t offset = 0;  // stream offset of the next byte to decode
        bool ended = false;
        bool end_told = false;

        [[nodiscard]] bool all_read() const { return read == unread.size(); }
        // Nothing of it waits to be decoded or told.
        [[nodiscard]] bool settled() const { return all_read() && (!ended || end_told); }
    };

    // One call of the decoder, and what it leads to. False: it took nothing. Adds to `taken` what it took.
    bool step(Direction direction, Bytes bytes, std::size_t& taken, EventSink& sink);
    // One step over what is kept of `direction`, or its end. False: there is nothing to be done.
    bool move(Direction direction, EventSink& sink);
    // Until nothing moves: `fed`, whose bytes are the newest, a step at a time, and the other side as far as it can
    // before the first and after each.
    void settle(Direction fed, EventSink& sink);
    void keep(Side& side, Bytes rest);
    // False: more bytes wait than the decoder may need. The connection was given up.
    bool may_wait(Direction direction, EventSink& sink);
    // This connection is decoded no further.
    void drop();

    std::unique_ptr<Decoder> decoder_;
    std::array<Side, 2> sides_;
};

}  // namespace hopscope::decode
