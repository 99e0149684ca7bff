// The streams of one connection and what they say, whatever carries them: SPDY streams or WebSocket channels.
//
// Tells StreamOpened, StreamNamed and StreamClosed, and the meaning of the small streams: ExitStatus, ForwardError,
// Resized. Payload itself (StreamData) is told by whoever unpacks the frames. Text is collected only on error and
// resize streams, and on streams whose kind is unknown: bounded, freed once told.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "decode/stream/upgraded.h"

namespace hopscope::decode::stream {

// What the error stream says.
enum class ErrorTalk : std::uint8_t {
    unknown,  // to be seen from the text
    text_v1,  // channel.k8s.io: plain text; the server may close it at once
    text,     // v2, v3: plain text, nothing on success
    json,     // v4, v5: a Status, always
    forward,  // port-forward: plain text, nothing on success
};
ErrorTalk error_talk(std::string_view subprotocol, Purpose purpose);

class Streams {
public:
    struct Text;
    // 24 bytes: ten thousand connections have fifty thousand of them.
    struct Stream {
        std::uint32_t id = 0;
        std::uint32_t request_id = 0;
        std::uint16_t port = 0;
        StreamKind kind = StreamKind::unknown;
        bool has_request_id : 1 = false;
        bool has_port : 1 = false;
        bool client_done : 1 = false;
        bool server_done : 1 = false;
        bool gone : 1 = false;   // both sides are done; kept for a while so that stragglers are recognised
        bool told : 1 = false;   // its error text or status was told
        bool wrong : 1 = false;  // a Problem with its text was told
        // What guessing is based on (stream/guess.h).
        bool client_data : 1 = false;
        bool server_data : 1 = false;
        bool client_fin : 1 = false;
        bool server_fin : 1 = false;
        bool opening_seen : 1 = false;
        bool closed_at_once : 1 = false;  // the client's very next frame closed its side
        std::unique_ptr<Text> text;

        [[nodiscard]] bool done(Direction direction) const {
            return direction == Direction::to_server ? client_done : server_done;
        }
    };

    explicit Streams(ErrorTalk talk);
    ~Streams();

    // Borrowed until the next open(). Streams that are gone are found, too, for a while.
    Stream* find(std::uint32_t id);
    // Tells StreamOpened. Null when limits::kStreamsPerConnectionMax are open: then it is told but not followed.
    Stream* open(const StreamOpened& opened, EventSink& sink);
    // Tells StreamNamed with grade inferred; text that was collected meanwhile is understood now.
    void name(Stream& stream, StreamKind kind, std::string_view why, EventSink& sink);
    // True if data() wants to see the payload of `stream`.
    [[nodiscard]] static bool listens(const Stream& stream) {
        return stream.kind == StreamKind::error || stream.kind == StreamKind::resize;
    }
    // `offset`: where the frame or message of `piece` begins, for Problem.
    void data(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink);
    // Keeps up to `bytes_max` of what one side says on a stream of unknown kind, for guessing and for name(). The side
    // that spoke first is the one that is kept: where both speak it is no error or resize stream.
    struct Kept {
        std::string_view text;         // all that is kept of `direction`; empty if there was a hole in it
        std::string_view json_object;  // its first JSON object, if that has ended with this piece
        std::size_t taken = 0;         // bytes of the piece that were kept
    };
    Kept keep(Stream& stream, Direction direction, Bytes piece, std::size_t bytes_max);
    // Payload of `stream` is missing here: text that spans the hole is never told.
    void hole(Stream& stream, Direction direction);
    // Tells StreamClosed and what was still to be told of the stream.
    void close(Stream& stream, Direction direction, CloseKind kind, std::uint32_t status, EventSink& sink);
    // The sender of `direction` gives up the connection: closes everything that it has not closed yet.
    void close_all(Direction direction, CloseKind kind, std::uint32_t status, EventSink& sink);
    // The server will say no more: tells what its error streams said.
    void server_ended(EventSink& sink);

    [[nodiscard]] std::vector<Stream>& all() { return streams_; }
    [[nodiscard]] ErrorTalk talk() const { return talk_; }
    void set_talk(ErrorTalk talk) { talk_ = talk; }

private:
    void error_text(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink);
    void resize_text(Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink);
    void finish_text(Stream& stream, EventSink& sink);
    void forget_gone();

    std::vector<Stream> streams_;  // by id
    std::size_t last_found_ = 0;
    std::uint32_t gone_ = 0;
    ErrorTalk talk_;
    bool output_ended_ = false;  // the server closed stdout or stderr regularly
};

}  // namespace hopscope::decode::stream
