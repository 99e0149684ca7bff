// The whole way of the data over real captures: file → packets → decoders → model.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "capture/reader.h"
#include "capture/stream_source.h"
#include "core/stream_chunk.h"
#include "pipeline/pipeline.h"

namespace hopscope {
namespace {

std::string capture_file(const std::string& name) {
    return std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/" + name;
}

// Owns copies of packets, so that tests can reorder them.
struct Stored {
    Packet packet;
    std::vector<std::uint8_t> bytes;
};

std::vector<Stored> packets_of(const std::string& name) {
    auto reader = capture::Reader::open({capture_file(name)}, [](const capture::FileNote&) {});
    std::vector<Stored> all;
    if (!reader) return all;
    Packet packet;
    while ((*reader)->next(packet)) {
        all.push_back({packet, {packet.bytes.begin(), packet.bytes.end()}});
        all.back().packet.position = 0;
    }
    return all;
}

// Payload of every stream and direction, in order.
class Payloads final : public chain::Observer {
public:
    void stream_data(const chain::Session& session, const chain::Stream& stream, Direction direction, Bytes bytes,
                     const chain::Place&) override {
        all[{session.number, stream.id, direction}] += as_text(bytes);
    }
    std::map<std::tuple<std::uint32_t, std::uint32_t, Direction>, std::string> all;
};

std::map<std::tuple<std::uint32_t, std::uint32_t, Direction>, std::string> run(const std::vector<Stored>& packets,
                                                                               chain::Model* facts = nullptr) {
    Payloads payloads;
    pipeline::Pipeline pipeline({.observer = &payloads});
    for (const Stored& stored : packets) {
        Packet packet = stored.packet;
        packet.bytes = stored.bytes;
        pipeline.on(packet);
    }
    pipeline.finish();
    if (facts) facts->sessions = std::move(pipeline.model().sessions);
    return payloads.all;
}

TEST(Pipeline, an_exec_becomes_a_session_with_its_bytes) {
    chain::Model facts;
    const auto payloads = run(packets_of("runtime/exec_exit3.pcap"), &facts);
    ASSERT_EQ(facts.sessions.size(), 1U);
    const chain::Session& session = *facts.sessions.front();
    EXPECT_EQ(session.op, chain::Op::exec);
    EXPECT_EQ(session.state, chain::SessionState::closed);
    EXPECT_EQ(session.hop, chain::HopKind::runtime);
    EXPECT_EQ(session.exit_code, 3);
    EXPECT_TRUE(session.complete);
    EXPECT_EQ(payloads.at({1, 3, Direction::to_client}), "bye\n");
}

// Neighbouring packets change places, some come twice: TCP must not care, and nobody may be told of a loss.
TEST(Pipeline, reordered_and_repeated_packets_change_nothing) {
    for (const char* name : {"runtime/exec_stdout_stderr.pcap", "runtime/portforward_conc6.pcap",
                             "runtime/exec_tty_resize.pcap", "runtime/ws_exec_stdin.pcap"}) {
        const std::vector<Stored> packets = packets_of(name);
        const auto want = run(packets);
        ASSERT_FALSE(want.empty()) << name;
        std::mt19937 random(11);
        for (int round = 0; round < 20; ++round) {
            std::vector<Stored> shaken = packets;
            // The handshake stays first, without it the beginning would be unknown; and the end last: what overtakes a
            // reset is lost for the receiver, too.
            for (std::size_t i = 4; i + 12 < shaken.size(); ++i) {
                if (random() % 5 == 0) {
                    std::swap(shaken[i].bytes, shaken[i + 1].bytes);
                    ++i;  // neighbours only: no packet is carried on
                }
                if (random() % 20 == 0) shaken.insert(shaken.begin() + static_cast<std::ptrdiff_t>(i), shaken[i]);
            }
            for (Stored& stored : shaken) stored.packet.wire_length = static_cast<std::uint32_t>(stored.bytes.size());
            chain::Model facts;
            EXPECT_EQ(run(shaken, &facts), want) << name << " round " << round;
            for (const auto& session : facts.sessions) EXPECT_EQ(session->gaps, 0U) << name << " round " << round;
        }
    }
}

// A packet that was never captured is a declared gap, and only its session suffers.
TEST(Pipeline, a_lost_packet_is_a_gap_of_one_session) {
    const std::vector<Stored> packets = packets_of("runtime/exec_parallel10.pcap");
    const auto want = run(packets);
    std::mt19937 random(5);
    int with_gap = 0;
    for (int round = 0; round < 40; ++round) {
        std::vector<Stored> lossy = packets;
        lossy.erase(lossy.begin() + static_cast<std::ptrdiff_t>(random() % lossy.size()));
        chain::Model facts;
        run(lossy, &facts);
        int damaged = 0;
        for (const auto& session : facts.sessions) damaged += session->gaps > 0 || !session->complete ? 1 : 0;
        EXPECT_LE(damaged, 1) << "round " << round;
        with_gap += damaged;
        EXPECT_GE(facts.sessions.size(), 9U) << "round " << round;
    }
    EXPECT_GT(with_gap, 5);
}

TEST(Pipeline, the_same_input_gives_the_same_ids) {
    const std::vector<Stored> packets = packets_of("runtime/token_errors.pcap");
    chain::Model first, second;
    run(packets, &first);
    run(packets, &second);
    ASSERT_EQ(first.sessions.size(), second.sessions.size());
    for (std::size_t i = 0; i < first.sessions.size(); ++i) {
        EXPECT_EQ(first.sessions[i]->number, i + 1);
        EXPECT_EQ(first.sessions[i]->start, second.sessions[i]->start);
    }
}

// The CRI calls of a recorded socket reach the model as packets do.
class CriTap final : public pipeline::EventTap {
public:
    void on(const Event& event, const chain::Place&) override {
        if (const auto* message = std::get_if<CriMessage>(&event)) {
            ++messages;
            if (message->response && !message->url.empty()) urls.emplace_back(message->url);
        }
    }
    int messages = 0;
    std::vector<std::string> urls;
};

TEST(Pipeline, recorded_sockets_are_decoded) {
    CriTap tap;
    pipeline::Pipeline pipeline({.tap = &tap});
    auto source = capture::open_stream_index(capture_file("grpc/exec_exit3.grpc.index.jsonl"), 0);
    ASSERT_TRUE(source);
    StreamChunk chunk;
    while ((*source)->next(chunk)) pipeline.on(chunk);
    pipeline.finish();
    EXPECT_GE(tap.messages, 2);
    ASSERT_EQ(tap.urls.size(), 1U);
    EXPECT_NE(tap.urls.front().find("/exec/ClO1NnpJ"), std::string::npos);
}

}  // namespace
}  // namespace hopscope
