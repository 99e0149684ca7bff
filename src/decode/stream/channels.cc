#include "decode/stream/channels.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"
#include "decode/stream/ascii.h"
#include "decode/stream/spdy.h"
#include "decode/stream/status_text.h"
#include "decode/stream/websocket_wire.h"

namespace hopscope::decode::stream::ws {
namespace {

constexpr std::uint8_t kCloseSignal = 0xff;
constexpr std::uint32_t kRemoteCommandChannels = 5;
constexpr std::uint32_t kChannelsMax = 255;
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kWhyRemoteCommand = "the channel numbers of exec and attach";
constexpr std::string_view kWhyForward = "the channel numbers of port-forward";
constexpr std::string_view kWhyLate =
    "the capture began later: exec and port-forward number their channels differently";

enum ProblemBit : std::uint8_t { kChannel = 1, kBase64 = 2, kPort = 4, kSignal = 8, kStreams = 16 };

// The ports of "?port=80&port=443", "?ports=80,443"; Go writes the comma as %2C.
std::vector<std::uint16_t> ports_of(std::string_view target) {
    std::vector<std::uint16_t> ports;
    const std::size_t question = target.find('?');
    std::string_view query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
    while (!query.empty() && ports.size() < kChannelsMax / 2) {
        const std::size_t end = query.find('&');
        const std::string_view item = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (!item.starts_with("port=") && !item.starts_with("ports=")) continue;
        std::string_view list = item.substr(item.find('=') + 1);
        while (!list.empty() && ports.size() < kChannelsMax / 2) {
            std::uint16_t port = 0;
            const auto [stop, error] = std::from_chars(list.data(), list.data() + list.size(), port);
            if (error != std::errc{}) break;
            ports.push_back(port);
            list.remove_prefix(static_cast<std::size_t>(stop - list.data()));
            if (list.starts_with(','))
                list.remove_prefix(1);
            else if (list.starts_with("%2C") || list.starts_with("%2c"))
                list.remove_prefix(3);
            else
                break;
        }
    }
    return ports;
}

std::unique_ptr<Decoder> tunnelled_spdy(bool late) {
    return std::make_unique<spdy::SpdyDecoder>(
        spdy::Start{.subprotocol = "portforward.k8s.io", .purpose = Purpose::port_forward, .late = late});
}

}  // namespace

Channels::Channels(std::string_view subprotocol, std::string_view target, bool late)
    : streams_(error_talk(subprotocol, purpose_of(target))),
      purpose_(purpose_of(target)),
      form_(Form::plain),
      late_(late) {
    const bool numbered = subprotocol.ends_with("channel.k8s.io");
    if (late) {
        form_ = Form::undecided;
    } else if (equal_ignoring_case(subprotocol, kTunnel)) {
        form_ = Form::tunnel;
        tunnel_ = std::make_unique<Road>(tunnelled_spdy(false));
    } else if (numbered || (subprotocol.empty() && purpose_ != Purpose::unknown)) {
        form_ = Form::channels;
        if (purpose_ == Purpose::unknown) purpose_ = Purpose::remote_command;
    }
    base64_ = subprotocol.find("base64.") != std::string_view::npos;
    close_signal_ = subprotocol.starts_with("v5.");
    if (purpose_ == Purpose::port_forward) ports_ = ports_of(target);
}

void Channels::problem(std::string_view code, std::string_view text, Direction direction, std::uint64_t offset,
                       EventSink& sink) {
    const std::uint8_t bit = code == "ws.channel"   ? kChannel
                             : code == "ws.base64"  ? kBase64
                             : code == "ws.port"    ? kPort
                             : code == "ws.streams" ? kStreams
                                                    : kSignal;
    // Once per connection: what is wrong with one message is mostly wrong with all of them.
    if ((problems_told_ & bit) != 0) return;
    problems_told_ |= bit;
    sink.on(Problem{code, text, direction, offset, 0});
}

std::int16_t Channels::channel(Direction direction) const { return messages_[index_of(direction)].channel; }

bool Channels::in_use(std::uint32_t channel) const {
    if (purpose_ == Purpose::remote_command) return channel < kRemoteCommandChannels;
    return ports_.empty() ? channel < kChannelsMax : channel < 2 * ports_.size();
}

StreamKind Channels::kind_of(std::uint32_t channel) const {
    constexpr std::array<StreamKind, kRemoteCommandChannels> kRemote = {
        StreamKind::in, StreamKind::out, StreamKind::err, StreamKind::error, StreamKind::resize};
    switch (purpose_) {
        case Purpose::remote_command: return channel < kRemote.size() ? kRemote[channel] : StreamKind::unknown;
        case Purpose::port_forward: return channel % 2 == 0 ? StreamKind::data : StreamKind::error;
        case Purpose::unknown: break;
    }
    return StreamKind::unknown;
}

std::optional<std::uint16_t> Channels::asked_port(std::uint32_t channel) const {
    if (channel / 2 >= ports_.size()) return std::nullopt;
    return ports_[channel / 2];
}

Streams::Stream* Channels::opened(std::uint32_t id, std::optional<std::uint16_t> port, EventSink& sink) {
    if (Streams::Stream* stream = streams_.find(id)) return stream;
    StreamOpened told{.id = id};
    if (form_ == Form::channels) {
        told.kind = kind_of(id);
        told.port = port;
        if (late_) {
            told.grade = Grade::inferred;
            told.why = purpose_ == Purpose::unknown          ? kWhyLate
                       : purpose_ == Purpose::remote_command ? kWhyRemoteCommand
                                                             : kWhyForward;
        }
    }
    return streams_.open(told, sink);
}

void Channels::begin(Direction direction, bool text, std::uint64_t length, std::uint64_t offset) {
    Message& fresh = message(direction);
    fresh = Message{};
    fresh.offset = offset;
    fresh.first_length = length;
    fresh.text = text;
}

void Channels::begin_headless(Direction direction, std::uint64_t offset) {
    Message& fresh = message(direction);
    fresh = Message{};
    fresh.offset = offset;
    fresh.headless = true;
    fresh.dropped = form_ != Form::tunnel && form_ != Form::plain;
}

// Joined late: the first message that can tell decides for the connection.
void Channels::decide_form(Message& m, Direction direction) {
    const auto& first = m.probe;
    const bool frame_begins = m.probe_bytes >= 2 && first[0] == 0x80 && first[1] == 0x03;
    const bool id_begins = m.probe_bytes >= 4 && first[0] == 0 && first[1] == 0 && first[2] == 0 && first[3] % 2 == 1;
    // A client of the tunnel writes each field by itself; the server's answers may come together.
    if (frame_begins || (id_begins && (m.first_length == 4 || direction == Direction::to_client))) {
        form_ = Form::tunnel;
        tunnel_ = std::make_unique<Road>(tunnelled_spdy(true));
    } else if (m.text && first[0] >= '0' && first[0] <= '9') {
        form_ = Form::channels;
        base64_ = true;
    } else if (!m.text && (first[0] <= 9 || first[0] == kCloseSignal) && m.probe_bytes > 1) {
        form_ = Form::channels;
        close_signal_ = true;  // v5 is the only one whose channel 255 means something
    } else if (m.probe_bytes > 1) {
        form_ = Form::plain;
    }
}

void Channels::piece(Direction direction, Bytes plain, EventSink& sink) {
    Message& m = message(direction);
    if (form_ == Form::undecided && !m.headless) {
        const std::size_t wanted = std::min<std::uint64_t>(m.probe.size(), m.first_length);
        while (m.probe_bytes < wanted && !plain.empty()) {
            m.probe[m.probe_bytes++] = plain.front();
            plain = plain.subspan(1);
        }
        if (m.probe_bytes < wanted) return;
        decide_form(m, direction);
        if (form_ == Form::undecided) {
            m.dropped = true;
            return;
        }
        const std::array<std::uint8_t, 4> probe = m.probe;
        payload(m, direction, Bytes(probe).first(m.probe_bytes), sink);
    }
    if (!plain.empty()) payload(m, direction, plain, sink);
}

void Channels::payload(Message& m, Direction direction, Bytes plain, EventSink& sink) {
    switch (form_) {
        case Form::undecided: return;
        case Form::tunnel:
            // Nothing may follow a close frame (RFC 6455 section 5.5.1): to the tunnel it was the end.
            if (!tunnel_->ended(direction)) tunnel_->feed(direction, plain, sink);
            return;
        case Form::plain: break;
        case Form::channels:
            if (m.bytes == 0 && !m.headless) {
                take_channel(m, direction, plain.front(), sink);
                plain = plain.subspan(1);
                m.bytes = 1;
            }
            break;
    }
    m.bytes += plain.size();
    if (m.dropped || plain.empty()) return;
    if (!base64_) {
        stream_bytes(m, direction, plain, sink);
        return;
    }
    std::array<std::uint8_t, 3072 + 3> out;
    while (!plain.empty()) {
        const Bytes text = plain.first(std::min<std::size_t>(4096, plain.size()));
        const std::size_t size = m.base64.decode(text, out.data());
        if (size > 0) stream_bytes(m, direction, Bytes(out).first(size), sink);
        plain = plain.subspan(text.size());
    }
}

void Channels::take_channel(Message& m, Direction direction, std::uint8_t first, EventSink& sink) {
    const bool digit = first >= '0' && first <= '9';
    m.channel = base64_ && digit ? static_cast<std::int16_t>(first - '0') : static_cast<std::int16_t>(first);
    if (close_signal_ && first == kCloseSignal) return;  // what is closed stands behind it
    const auto number = static_cast<std::uint32_t>(m.channel);
    if ((base64_ && !digit) || !in_use(number)) {
        m.dropped = true;
        problem("ws.channel", "a message is on a channel that is not in use", direction, m.offset, sink);
        return;
    }
    const bool port_follows = purpose_ == Purpose::port_forward && !late_ && !asked_port(number);
    if (!port_follows && !opened(number, asked_port(number), sink))
        problem("ws.streams", "more channels are open than are followed", direction, m.offset, sink);
}

void Channels::stream_bytes(Message& m, Direction direction, Bytes bytes, EventSink& sink) {
    const std::uint32_t id = form_ == Form::plain ? 0 : static_cast<std::uint32_t>(m.channel);
    if (close_signal_ && id == kCloseSignal) {
        // Which channel is closed; told at the end of the message, when its length is known.
        m.probe[0] = bytes[0];
        return;
    }
    if (purpose_ == Purpose::port_forward && direction == Direction::to_client && !late_ && form_ == Form::channels)
        bytes = take_prefix(id, bytes, m.offset, sink);
    if (bytes.empty()) return;
    Streams::Stream* stream = opened(id, asked_port(id), sink);
    sink.on(StreamData{id, direction, bytes});
    if (!stream) return;
    if (Streams::listens(*stream))
        streams_.data(*stream, direction, bytes, m.offset, sink);
    else if (late_ && purpose_ == Purpose::unknown && form_ == Form::channels)
        guess(*stream, direction, bytes, m.offset, sink);
}

Bytes Channels::take_prefix(std::uint32_t channel, Bytes bytes, std::uint64_t offset, EventSink& sink) {
    if (channel >= prefixes_.size()) prefixes_.resize(channel + 1);
    Prefix& prefix = prefixes_[channel];
    while (prefix.bytes < 2 && !bytes.empty()) {
        const std::uint8_t byte = bytes.front();
        bytes = bytes.subspan(1);
        if (prefix.bytes++ == 0) {
            prefix.low = byte;
            continue;
        }
        const auto port = static_cast<std::uint16_t>(byte << 8 | prefix.low);
        const auto asked = asked_port(channel);
        if (asked && *asked != port)
            problem("ws.port", "the server names another port than the URL", Direction::to_client, offset, sink);
        opened(channel, port, sink);
    }
    return bytes;
}

void Channels::hole(Direction direction, std::uint64_t missing, EventSink& sink) {
    Message& m = message(direction);
    if (form_ == Form::tunnel) {
        if (!tunnel_->ended(direction)) tunnel_->gap(direction, missing, sink);
        return;
    }
    if (form_ == Form::undecided || (form_ == Form::channels && m.bytes == 0))
        m.dropped = true;  // its channel is not known
    m.bytes += missing;
    if (m.dropped) return;
    m.base64.hole(missing);
    const std::uint32_t id = form_ == Form::plain ? 0 : static_cast<std::uint32_t>(m.channel);
    if (id < prefixes_.size() && direction == Direction::to_client && form_ == Form::channels)
        prefixes_[id].bytes = static_cast<std::uint8_t>(std::min<std::uint64_t>(2, prefixes_[id].bytes + missing));
    if (Streams::Stream* stream = streams_.find(id)) streams_.hole(*stream, direction);
}

void Channels::lost(Direction direction, std::uint64_t missing, EventSink& sink) {
    if (form_ == Form::tunnel && !tunnel_->ended(direction)) tunnel_->gap(direction, missing, sink);
    for (Streams::Stream& stream : streams_.all()) streams_.hole(stream, direction);
    // The first two bytes of channels that had not spoken yet may have been among them: they say so by their own.
    message(direction) = Message{};
    message(direction).dropped = true;
}

void Channels::end(Direction direction, EventSink& sink) {
    Message& m = message(direction);
    const bool signal = close_signal_ && form_ == Form::channels && m.channel == kCloseSignal && !m.dropped;
    if (signal && m.bytes == 2) {
        if (in_use(m.probe[0])) {
            if (Streams::Stream* stream = opened(m.probe[0], {}, sink))
                streams_.close(*stream, direction, CloseKind::channel_close, 0, sink);
        }
    } else if (signal) {
        problem("ws.close_signal", "a close signal does not name one channel", direction, m.offset, sink);
    } else if (base64_ && !m.dropped && !m.headless && m.bytes > 1 && !m.base64.whole()) {
        problem("ws.base64", "a message is not base64 text", direction, m.offset, sink);
    }
    m = Message{};
}

void Channels::closing(Direction direction, EventSink& sink) {
    if (tunnel_) tunnel_->end(direction, sink);
    streams_.close_all(direction, CloseKind::goaway, 0, sink);
}

void Channels::ended(Direction direction, EventSink& sink) {
    if (tunnel_) tunnel_->end(direction, sink);
    if (direction == Direction::to_client) streams_.server_ended(sink);
}

void Channels::learn(Purpose purpose, EventSink& sink) {
    purpose_ = purpose;
    const bool remote = purpose == Purpose::remote_command;
    if (streams_.talk() == ErrorTalk::unknown) streams_.set_talk(remote ? ErrorTalk::json : ErrorTalk::forward);
    for (Streams::Stream& stream : streams_.all())
        streams_.name(stream, kind_of(stream.id), remote ? kWhyRemoteCommand : kWhyForward, sink);
}

// Joined late: three things are said on channels of one kind only.
void Channels::guess(Streams::Stream& stream, Direction direction, Bytes bytes, std::uint64_t offset, EventSink& sink) {
    const bool from_server = direction == Direction::to_client;
    if (from_server && stream.id == 0) return learn(Purpose::port_forward, sink);
    const bool may_be_status = from_server && stream.id == 3, may_be_size = !from_server && stream.id == 4;
    if (!may_be_status && !may_be_size) return;
    const Streams::Kept kept =
        streams_.keep(stream, direction, bytes, may_be_status ? limits::kStatusBytesMax : limits::kResizeBytesMax);
    const bool is_status = may_be_status && kept.json_object.starts_with('{') && parse_status(kept.json_object);
    const bool is_size =
        may_be_size && kept.json_object.starts_with("{\"Width\":") && parse_terminal_size(kept.json_object);
    if (!is_status && !is_size) return;
    learn(Purpose::remote_command, sink);
    if (Streams::listens(stream)) streams_.data(stream, direction, bytes.subspan(kept.taken), offset, sink);
}

}  // namespace hopscope::decode::stream::ws
