// WebSocket framing (RFC 6455): heads, masks, fragments, control frames between fragments, and finding the way again
// after a hole. What the messages mean is channels.h.
//
// Every message is told as WsMessage when its last byte was seen, or counted past where bytes of it are missing.
// Payload is unmasked in pieces of a few KiB on the stack.
//
// Problem codes: ws.opcode, ws.reserved, ws.control, ws.fragment, ws.mask, ws.length, ws.resync; and those of
// channels.h.
#pragma once

#include <array>
#include <memory>

#include "decode/decoder.h"
#include "decode/stream/channels.h"
#include "decode/stream/websocket_wire.h"

namespace hopscope::decode::stream::ws {

struct Start {
    std::string_view subprotocol, target;  // empty: none
    bool late = false;
    std::array<bool, 2> cut = {false, false};  // by direction: a hole comes before the first bytes
};

class WebSocketDecoder final : public Decoder {
public:
    explicit WebSocketDecoder(const Start& start);

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    void cut_off(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

private:
    enum class State : std::uint8_t {
        head,     // between frames
        payload,  // inside a data frame
        skip,     // inside a frame whose contents are of no interest
        hunt,     // looking for a frame boundary
    };
    struct Side {
        State state = State::head;
        bool sure = true;  // boundaries were never lost
        bool fin = false;  // the frame in hand is the last of its message
        bool masked = false;
        bool open = false;        // a message has begun
        bool compressed = false;  // it is not to be understood
        std::uint8_t opcode = 0;  // of the message
        std::array<std::uint8_t, 4> key{};
        std::uint32_t frames = 0;  // of the message
        std::uint64_t message_bytes = 0;
        std::uint64_t phase = 0;           // bytes of the frame's payload before the next one
        std::uint64_t left = 0;            // and from it on
        std::uint64_t hunt_end = 0;        // stream offset up to which the hunt has seen bytes
        std::uint64_t cut_frame_left = 0;  // of a control frame whose beginning a hole cuts off
        std::unique_ptr<Hunt> hunt;
    };
    struct Here {
        Direction direction{};
        std::uint64_t offset = 0;
        EventSink& sink;
    };

    Side& side(Direction direction) { return sides_[index_of(direction)]; }
    // Returns how many bytes were taken; 0: the head, or the control frame, is not whole yet.
    std::size_t frame(Side& side, Bytes unread, const Here& here, bool& broken);
    void check(const FrameHead& head, const Here& here);
    void control(const FrameHead& head, Bytes payload, const Here& here);
    void begin_data(Side& side, const FrameHead& head, const Here& here);
    void payload(Side& side, Bytes piece, const Here& here);
    void finish_frame(Side& side, const Here& here);
    void tell_message(const Side& side, Direction direction, EventSink& sink);
    void start_hunt(Side& side, Direction direction);
    void tell_given_up(const Side& side, Direction direction, std::uint64_t until, EventSink& sink);
    void problem_once(std::uint8_t bit, std::string_view code, std::string_view text, const Here& here);

    std::array<Side, 2> sides_;
    Channels channels_;
    std::uint8_t problems_told_ = 0;
};

}  // namespace hopscope::decode::stream::ws
