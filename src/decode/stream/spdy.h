// SPDY/3.1 as Kubernetes uses it (github.com/moby/spdystream): frames, header blocks, and finding the way again after a
// hole.
//
// Every frame is told as SpdyFrame when its last byte was seen, or counted past where bytes of it are missing. Payload
// is passed on as it comes and never touched. What follows the same contract for the parts: spdy_headers.h
// (compression), streams.h (what streams say), spdy_sight.h (finding a boundary), header_guess.h and stream_guess.h
// (names that were not captured).
//
// Problem codes: spdy.version, spdy.type, spdy.length, spdy.stream_id, spdy.inflate, spdy.headers, spdy.streams,
// spdy.resync (bytes given up until a frame boundary was found); stream.* from streams.h.
#pragma once

#include <array>
#include <optional>

#include "decode/decoder.h"
#include "decode/stream/header_guess.h"
#include "decode/stream/spdy_headers.h"
#include "decode/stream/spdy_sight.h"
#include "decode/stream/spdy_wire.h"
#include "decode/stream/stream_guess.h"
#include "decode/stream/streams.h"

namespace hopscope::decode::stream::spdy {

struct Start {
    std::string_view subprotocol;  // empty: unknown
    Purpose purpose = Purpose::unknown;
    bool late = false;                         // the capture began later: frames were missed on both sides
    std::array<bool, 2> cut = {false, false};  // by direction: a hole comes before the first bytes
};

class SpdyDecoder final : public Decoder {
public:
    explicit SpdyDecoder(const Start& start);

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    void cut_off(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

private:
    enum class State : std::uint8_t {
        head,     // between frames, or up to 7 bytes into a head
        payload,  // inside a DATA frame
        control,  // behind the head of a control frame that is read when it is whole
        skip,     // inside a frame whose contents are of no interest
        hunt,     // looking for a frame boundary
    };
    struct Side {
        State state = State::head;
        std::uint8_t head_bytes = 0;  // of `head`, seen so far
        bool sure = true;             // boundaries were never lost
        bool doubt = false;           // header blocks may have been missed since the last one
        bool told = false;            // the frame in hand has been told already (it was cut)
        bool headers_frames = false;  // has sent a HEADERS frame: ids do not count its blocks
        std::array<std::uint8_t, kHeaderBytes> head{};
        FrameHead frame;
        std::uint64_t frame_offset = 0;   // where its head begins
        std::uint32_t left = 0;           // bytes of the frame that are still to come
        std::uint32_t next_id = 0;        // the id its next SYN_STREAM should have
        std::uint32_t just_opened = 0;    // the stream that its last frame opened
        std::uint32_t missed_blocks = 0;  // SYN_STREAM blocks that could not be read since header_guess_ read one
        std::uint64_t hunt_end = 0;       // stream offset up to which the hunt has seen bytes
        HeaderContext headers;
        std::unique_ptr<Hunt> hunt;
    };
    // One place in the bytes of one direction.
    struct Here {
        Direction direction{};
        std::uint64_t offset = 0;
        EventSink& sink;
    };

    Side& side(Direction direction) { return sides_[index_of(direction)]; }

    // framing (spdy_frames.cc)
    void begin_frame(Side& side, const FrameHead& head, const Here& here);
    void begin_data(Side& side, const Here& here);
    void begin_control(Side& side, const Here& here);
    void payload(Side& side, Bytes piece, const Here& here);
    void finish_frame(Side& side, const Here& here);
    void start_hunt(Side& side);
    std::size_t hunt(Side& side, Bytes unread, const Here& here);
    void tell_given_up(const Side& side, Direction direction, std::uint64_t until, EventSink& sink);
    void lost_the_way(Side& side, const Here& here);
    void allow_guessing();

    // control frames (spdy_control.cc); `body` may be shorter than the frame says when `whole` is false
    void control(Side& side, Bytes body, bool whole, const Here& here);
    void syn_stream(Side& side, Bytes body, bool whole, const Here& here);
    void syn_reply(Side& side, Bytes body, bool whole, const Here& here);
    std::optional<StreamHeaders> read_block(Side& side, Bytes block, bool whole, const Here& here);
    StreamOpened opened_by_guess(Side& side, std::uint32_t id, Bytes block, bool whole);
    void rst_stream(Bytes body, const Here& here);
    Streams::Stream* known_or_opened(std::uint32_t id, const Here& here);
    void tell_frame(const Side& side, std::uint32_t stream, std::uint32_t status, bool headers_known, const Here& here);

    std::array<Side, 2> sides_;
    Streams streams_;
    std::unique_ptr<StreamGuess> guess_;         // only after something was missed
    std::unique_ptr<HeaderGuess> header_guess_;  // of the client's header blocks, likewise
    std::optional<Said> last_said_;              // by the client's last SYN_STREAM that was read exactly
    Purpose purpose_;
    bool too_many_told_ = false;
};

}  // namespace hopscope::decode::stream::spdy
