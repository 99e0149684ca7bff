// What the fuzzers of fuzz_http2.cc, fuzz_docker.cc and fuzz_ttrpc.cc share: a conversation read from the input,
// decoded whole and cut, and told the same both times.
//
// Input: records of a control byte and bytes. Control byte: bit 0 the direction; bits 1 and 2: 0, 1 bytes follow, 2 a
// gap, 3 the direction ends; bits 3 to 7 with the next byte: how many.
#pragma once

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "../tests/support/event_text.h"
#include "decode/road.h"

namespace hopscope::fuzz {

inline void expect(bool holds) {
    if (!holds) std::abort();
}

// Everything that was told, per direction, adjacent payload put together.
class Story final : public EventSink {
public:
    void on(const Event& event) override {
        if (const auto* body = std::get_if<HttpBody>(&event)) {
            piece("body " + std::to_string(body->exchange), body->direction, body->piece);
        } else if (const auto* data = std::get_if<StreamData>(&event)) {
            piece("data " + std::to_string(data->id), data->direction, data->piece);
        } else {
            Lane& lane = lanes_[lane_of(event)];
            lane.payload_of.clear();
            lane.text += tests::event_text(event);
            lane.text += '\n';
        }
    }
    bool operator==(const Story& other) const {
        for (std::size_t i = 0; i < lanes_.size(); ++i)
            if (lanes_[i].text != other.lanes_[i].text) return false;
        return true;
    }
    [[nodiscard]] const std::string& lane(std::size_t i) const { return lanes_[i].text; }

private:
    struct Lane {
        std::string text, payload_of;
    };
    void piece(const std::string& of, Direction direction, Bytes bytes) {
        Lane& lane = lanes_[index_of(direction)];
        if (lane.payload_of != of) lane.text += of + ": ";
        lane.payload_of = of;
        lane.text += as_text(bytes);
    }
    static std::size_t lane_of(const Event& event) {
        Direction direction = Direction::to_client;
        if (std::holds_alternative<HttpRequest>(event)) direction = Direction::to_server;
        if (const auto* e = std::get_if<HttpEnd>(&event)) direction = e->direction;
        if (const auto* e = std::get_if<Problem>(&event)) direction = e->direction;
        if (const auto* e = std::get_if<StreamClosed>(&event)) direction = e->direction;
        if (const auto* e = std::get_if<CriMessage>(&event))
            direction = e->response ? Direction::to_client : Direction::to_server;
        if (const auto* e = std::get_if<TaskMessage>(&event))
            direction = e->response ? Direction::to_client : Direction::to_server;
        if (const auto* e = std::get_if<StreamOpened>(&event))
            direction = e->id == 0 ? Direction::to_server : Direction::to_client;
        return index_of(direction);
    }
    std::array<Lane, 2> lanes_;
};

using MakeDecoder = std::function<std::unique_ptr<decode::Decoder>()>;

// Whoever feeds a Road promises that nothing follows the end of a direction (TcpReassembler, fuzz_tcp.cc): such records
// are passed over.
template <class Road>
void play(Bytes input, Road& road, std::size_t piece_max, EventSink& sink) {
    std::array<bool, 2> over{};
    while (input.size() >= 2) {
        const std::uint8_t control = input[0];
        const std::size_t size = std::size_t{control & 0xf8U} << 5 | input[1];
        input = input.subspan(2);
        const Direction direction = (control & 1) == 0 ? Direction::to_server : Direction::to_client;
        const int what = control >> 1 & 3;
        const bool was_over = over[index_of(direction)];
        if (what == 2) {
            if (!was_over) road.gap(direction, size + 1, sink);
        } else if (what == 3) {
            over[index_of(direction)] = true;
            if (!was_over) road.end(direction, sink);
        } else {
            Bytes bytes = input.first(std::min(size, input.size()));
            input = input.subspan(bytes.size());
            while (!bytes.empty() && !was_over) {
                const Bytes piece = bytes.first(std::min(piece_max, bytes.size()));
                road.feed(direction, piece, sink);
                bytes = bytes.subspan(piece.size());
            }
        }
    }
}

inline void decode_twice(Bytes input, const MakeDecoder& make) {
    Story whole, cut;
    decode::Road a(make()), b(make());
    play(input, a, SIZE_MAX, whole);
    play(input, b, 1 + input.size() % 7, cut);
    expect(whole == cut);
}

}  // namespace hopscope::fuzz
