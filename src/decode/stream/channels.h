// What travels in the WebSocket messages of Kubernetes: numbered channels, plain or base64, of remote
// command and of port-forward; a SPDY tunnel; or one stream without channels.
//
// Is given payload unmasked, in pieces, message by message. Tells StreamOpened, StreamData and the meaning of the
// streams (streams.h). Channels are told when their first message comes.
//
// Problem codes: ws.channel, ws.base64, ws.port, ws.close_signal, ws.streams.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "decode/road.h"
#include "decode/stream/base64_stream.h"
#include "decode/stream/streams.h"
#include "decode/stream/upgraded.h"

namespace hopscope::decode::stream::ws {

class Channels {
public:
    // `subprotocol` and `target` as in make_websocket(); `late`: neither is known, the first message tells.
    Channels(std::string_view subprotocol, std::string_view target, bool late);

    // A message begins; `length` is that of its first frame, `offset` where that frame begins.
    void begin(Direction direction, bool text, std::uint64_t length, std::uint64_t offset);
    // A message goes on whose beginning was not captured: its pieces mean nothing.
    void begin_headless(Direction direction, std::uint64_t offset);
    void piece(Direction direction, Bytes plain, EventSink& sink);
    // `missing` bytes of the message in hand were not captured.
    void hole(Direction direction, std::uint64_t missing, EventSink& sink);
    // Messages were lost; how many and how long is not known (`missing` bytes of frames).
    void lost(Direction direction, std::uint64_t missing, EventSink& sink);
    void end(Direction direction, EventSink& sink);
    // The number of the channel that the message in hand belongs to; -1: none.
    [[nodiscard]] std::int16_t channel(Direction direction) const;

    // The sender of `direction` has sent a close frame.
    void closing(Direction direction, EventSink& sink);
    // The sender of `direction` has closed the connection.
    void ended(Direction direction, EventSink& sink);

private:
    enum class Form : std::uint8_t {
        undecided,  // joined late
        channels,   // the first byte of a message is the number of its channel
        plain,      // one stream
        tunnel,     // SPDY
    };
    // The message in hand of one direction.
    struct Message {
        std::uint64_t offset = 0;  // where it begins
        std::uint64_t first_length = 0;
        std::uint64_t bytes = 0;  // of payload so far
        std::int16_t channel = -1;
        std::uint8_t probe_bytes = 0;  // while the form is undecided
        std::array<std::uint8_t, 4> probe{};
        bool text = false;
        bool headless = false;
        bool dropped = false;  // its channel is not in use, or it is not understood
        Base64Stream base64;
    };
    // Port-forward: the server's first two bytes on a channel are the port.
    struct Prefix {
        std::uint8_t bytes = 0;
        std::uint8_t low = 0;
    };

    Message& message(Direction direction) { return messages_[index_of(direction)]; }
    void decide_form(Message& message, Direction direction);
    void take_channel(Message& message, Direction direction, std::uint8_t first, EventSink& sink);
    void payload(Message& message, Direction direction, Bytes plain, EventSink& sink);
    void stream_bytes(Message& message, Direction direction, Bytes bytes, EventSink& sink);
    Bytes take_prefix(std::uint32_t channel, Bytes bytes, std::uint64_t offset, EventSink& sink);
    Streams::Stream* opened(std::uint32_t id, std::optional<std::uint16_t> port, EventSink& sink);
    void learn(Purpose purpose, EventSink& sink);
    void guess(Streams::Stream& stream, Direction direction, Bytes bytes, std::uint64_t offset, EventSink& sink);
    [[nodiscard]] bool in_use(std::uint32_t channel) const;
    [[nodiscard]] StreamKind kind_of(std::uint32_t channel) const;
    [[nodiscard]] std::optional<std::uint16_t> asked_port(std::uint32_t channel) const;
    void problem(std::string_view code, std::string_view text, Direction direction, std::uint64_t offset,
                 EventSink& sink);

    std::array<Message, 2> messages_;
    Streams streams_;
    std::unique_ptr<Road> tunnel_;
    std::vector<std::uint16_t> ports_;  // port-forward: asked for in the URL
    std::vector<Prefix> prefixes_;      // by channel
    Purpose purpose_;
    Form form_;
    bool base64_ = false;
    bool close_signal_ = false;  // v5
    bool late_ = false;
    std::uint8_t problems_told_ = 0;
};

}  // namespace hopscope::decode::stream::ws
