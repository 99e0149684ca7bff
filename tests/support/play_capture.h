// Plays the connections of a capture again, over real sockets of a loopback interface.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "capture/reader.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"
#include "support/private_network.h"

namespace hopscope::test {

inline std::string capture_file(const std::string& name) {
    return std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/" + name;
}

// What the two sides of each connection of a capture wrote, in order.
class Script final : public decode::net::TcpListener {
public:
    struct Piece {
        Direction direction{};
        std::vector<std::uint8_t> bytes;
    };
    explicit Script(const std::string& name) {
        auto reader = capture::Reader::open({capture_file(name)}, [](const capture::FileNote&) {});
        if (!reader) return;
        LossCounters loss;
        decode::net::PacketParser parser(loss);
        decode::net::TcpReassembler tcp(*this, loss, nullptr);
        Packet packet;
        decode::net::TcpSegment segment;
        while ((*reader)->next(packet))
            if (parser.parse(packet, segment)) tcp.on(segment, packet.at);
        tcp.finish();
    }
    void opened(decode::net::FlowRef, const Endpoint&, const Endpoint& server, bool) override { port = server.port; }
    void bytes(decode::net::FlowRef flow, Direction direction, Bytes bytes) override {
        flows[flow.id].push_back({direction, {bytes.begin(), bytes.end()}});
    }
    void gap(decode::net::FlowRef, Direction, std::uint64_t, std::uint64_t) override {}
    void note(decode::net::FlowRef, const NetNote&) override {}
    void closing(decode::net::FlowRef, Direction, FinKind) override {}
    void ended(decode::net::FlowRef, bool) override {}

    // Over a real connection each; the client closes first.
    void play() const {
        test::TcpPair pair(port);
        bool first = true;
        for (const auto& [id, pieces] : flows) {
            if (!first) pair.connect();
            first = false;
            for (const Piece& piece : pieces) {
                const bool in = piece.direction == Direction::to_server;
                ASSERT_TRUE(test::pass_on(in ? pair.client.get() : pair.server.get(),
                                          in ? pair.server.get() : pair.client.get(), piece.bytes));
            }
            pair.client.close();
            pair.server.close();
        }
    }

    std::map<FlowId, std::vector<Piece>> flows;
    std::uint16_t port = 0;
};

}  // namespace hopscope::test
