// Names the streams of a SPDY connection whose opening was not captured, from what travels
// on them.
//
// Tells StreamNamed with grade inferred and the reason. Names a stream only where Kubernetes leaves no other choice;
// otherwise it stays unknown. Used only by connections that were joined late or have lost bytes.
#pragma once

#include "decode/stream/streams.h"

namespace hopscope::decode::stream {

class StreamGuess {
public:
    StreamGuess(Streams& streams, Purpose purpose) : streams_(streams), purpose_(purpose) {}

    [[nodiscard]] Purpose purpose() const { return purpose_; }
    // Something else has told what this connection is for.
    void learn(Purpose purpose, EventSink& sink);
    // Payload was seen of a stream that Streams::data() does not understand yet (after the flags of `stream` were set).
    // `offset`: where its frame begins.
    void data(Streams::Stream& stream, Direction direction, Bytes piece, std::uint64_t offset, EventSink& sink);
    // A side of some stream was closed (after its flags were set).
    void closed(EventSink& sink);

private:
    void name_data(Streams::Stream& stream, std::string_view why, EventSink& sink);
    void look_for_status(Streams::Stream& stream, const Streams::Kept& kept, EventSink& sink);
    void look_for_size(Streams::Stream& stream, const Streams::Kept& kept, EventSink& sink);
    void look_for_forward_error(Streams::Stream& stream, std::string_view text, EventSink& sink);
    void deduce_exec(EventSink& sink);
    void deduce_error_before(std::uint32_t data_stream, EventSink& sink);

    Streams& streams_;
    Purpose purpose_;
};

}  // namespace hopscope::decode::stream
