// HTTP/2 (RFC 9113): frames, header blocks and the connection's own state. What the streams carry is told by Exchanges.
//
// Flow control is not checked and h2c upgrades are not followed (kubelet, runtimes and gRPC begin with the preface).
#pragma once

#include <array>
#include <vector>

#include "decode/decoder.h"
#include "decode/grpc/exchanges.h"
#include "decode/grpc/frame.h"
#include "decode/grpc/header_decoder.h"

namespace hopscope::decode::grpc {

class Http2 final : public Decoder {
public:
    explicit Http2(bool late);

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

    // For tests: streams that are open, bytes of incomplete messages.
    [[nodiscard]] std::size_t open_streams() const { return exchanges_.open(); }
    [[nodiscard]] std::size_t held_bytes() const { return exchanges_.held_bytes(); }

private:
    enum class State : std::uint8_t {
        preface,  // the client's 24 bytes are due, or may be
        seek,     // the next frame boundary is being looked for
        frame,    // a frame header is next
        data,     // inside a DATA frame's payload
        skip,     // inside what is not read: padding, unknown frames
    };
    struct Side {
        explicit Side(State begin, bool late) : state(begin), headers(late) {}
        State state;
        FrameHeader frame;           // in hand: states data and skip
        std::uint64_t frame_at = 0;  // its stream offset
        std::uint32_t left = 0;      // payload bytes to come: states data and skip
        std::uint32_t padding = 0;   // after them
        HeaderDecoder headers;
        // A header block that goes on in CONTINUATION frames.
        std::vector<std::uint8_t> block;
        std::uint32_t block_stream = 0;     // 0: none
        std::uint32_t promised_stream = 0;  // 0: not of a PUSH_PROMISE
        bool block_ends_stream = false;
        bool block_too_large = false;
        // Header table sizes announced to this side's sender, one per SETTINGS that it has not acknowledged; -1:
        // unchanged.
        std::vector<std::int64_t> announced;
    };

    Side& side(Direction direction) { return sides_[index_of(direction)]; }
    // Takes what it can at the front of `unread`, 0: more bytes are needed (or only the state has changed).
    std::size_t advance(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t take_preface(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t take_frame(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t begin_data(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t take_data(Direction direction, Bytes unread, EventSink& sink);
    void end_data(Direction direction, EventSink& sink);
    void whole_frame(Direction direction, const FrameHeader& frame, Bytes payload, EventSink& sink);
    void header_frame(Direction direction, const FrameHeader& frame, Bytes payload, EventSink& sink);
    void skip_block(Direction direction, const FrameHeader& frame, EventSink& sink);
    void too_large(Direction direction, std::uint64_t bytes, EventSink& sink);
    void continue_block(Direction direction, const FrameHeader& frame, Bytes fragment, EventSink& sink);
    void read_block(Direction direction, Bytes block, EventSink& sink);
    void settings(Direction direction, const FrameHeader& frame, Bytes payload);
    // The frames make no sense here: says so and looks for the next boundary.
    void fault(Direction direction, std::uint64_t offset, std::string_view text, EventSink& sink);
    void lose_place(Direction direction);

    std::array<Side, 2> sides_;
    Exchanges exchanges_;
    HeaderList fields_;
};

}  // namespace hopscope::decode::grpc
