// Real captures with ground truth: what tshark and the truth files say about them must be what is told here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "decode/net/packet_parser.h"
#include "tcp_talk.h"

namespace hopscope::decode::net {
namespace {

using namespace hopscope::net_test;
using ::testing::IsEmpty;

const std::string kCaptures = HOPSCOPE_SOURCE_DIR "/testdata/captures/";

// A classic little-endian pcap file, whole, as its own history. Only for files that we know.
class File final : public History {
public:
    explicit File(const std::string& name) {
        std::ifstream in(name, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(in), {});
    }
    bool readable() const { return bytes_.size() >= 24; }
    template <typename Each>
    void each(Each&& each) const {
        const bool nanoseconds = read_le32(bytes_.data()) == 0xa1b23c4d;
        for (std::size_t at = 24; at + 16 <= bytes_.size();) {
            const std::uint8_t* header = bytes_.data() + at;
            Packet packet;
            packet.at.ns =
                read_le32(header) * kNanosecondsPerSecond + read_le32(header + 4) * (nanoseconds ? 1LL : 1000LL);
            packet.link_type = static_cast<LinkType>(read_le32(bytes_.data() + 20));
            packet.wire_length = read_le32(header + 12);
            packet.bytes = Bytes(bytes_).subspan(at + 16, read_le32(header + 8));
            packet.position = at + 16;
            each(packet);
            at += 16 + packet.bytes.size();
        }
    }
    Bytes recent(std::uint64_t position, std::size_t size) const override {
        return Bytes(bytes_).subspan(position, size);
    }

private:
    std::vector<std::uint8_t> bytes_;
};

struct Played {
    explicit Played(const std::string& name) : file(kCaptures + name), parser(loss), tcp(log, loss, &file) {
        log.quiet = true;
        EXPECT_TRUE(file.readable()) << name;
        if (!file.readable()) return;
        file.each([this](const Packet& packet) {
            TcpSegment segment;
            if (parser.parse(packet, segment)) tcp.on(segment, packet.at);
        });
        tcp.finish();
        parser.finish();
        EXPECT_THAT(log.violations, IsEmpty()) << name;
    }
    int notes(NetNoteKind kind) {
        int sum = 0;
        for (auto& [id, connection] : log.connections) sum += connection.notes[kind];
        return sum;
    }
    File file;
    LossCounters loss;
    TcpLog log;
    PacketParser parser;
    TcpReassembler tcp;
};

TEST(RealCaptures, only_those_that_lost_packets_have_gaps) {
    int seen = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kCaptures)) {
        if (entry.path().extension() != ".pcap") continue;
        const std::string name = std::filesystem::relative(entry.path(), kCaptures);
        Played run(name);
        ++seen;
        const bool lossy = name.find("lossy") != std::string::npos || name.find("snap96") != std::string::npos;
        EXPECT_EQ(run.loss[LossPlace::reassembly] > 0, lossy) << name;
        EXPECT_EQ(run.parser.counts().broken, 0U) << name;
        EXPECT_EQ(run.notes(NetNoteKind::different_data), 0) << name;
        EXPECT_EQ(run.notes(NetNoteKind::out_of_window), 0) << name;
        EXPECT_EQ(run.notes(NetNoteKind::reordering), 0) << name;
    }
    EXPECT_GE(seen, 40);
}

TEST(RealCaptures, the_lossy_one_misses_exactly_the_bytes_that_its_truth_says) {
    Played run("node/attach_v127_pass_lossy.pcap");
    std::ifstream in(kCaptures + "node/attach_v127_pass_lossy.truth.json");
    const nlohmann::json truth = nlohmann::json::parse(in);
    for (const auto& session : truth.at("sessions")) {
        if (!session.contains("missing_bytes")) continue;
        std::uint64_t missing = 0;
        for (auto& [id, connection] : run.log.connections)
            if (run.log.client_ports[id] == session.at("client").at("port"))
                missing += connection.sides[0].missing + connection.sides[1].missing;
        EXPECT_EQ(missing, session.at("missing_bytes").get<std::uint64_t>()) << session.at("client").dump();
    }
}

TEST(RealCaptures, retransmissions_are_as_many_as_tshark_counts) {
    const std::pair<const char*, int> counts[] = {
        {"runtime/exec_parallel10.pcap", 14}, {"runtime/exec_tty_resize.pcap", 2},
        {"runtime/exec_exit3.pcap", 0},       {"runtime/portforward_conc6.pcap", 0},
        {"node/exec_v127_pass.pcap", 1},      {"node/portforward_v127_pass.pcap", 1}};
    for (const auto& [name, expected] : counts)
        EXPECT_EQ(Played(name).notes(NetNoteKind::retransmission), expected) << name;
}

TEST(RealCaptures, keep_alives_are_as_many_as_tshark_counts) {
    EXPECT_EQ(Played("runtime/upgrade_then_silence.pcap").notes(NetNoteKind::keep_alive), 2);
    EXPECT_EQ(Played("runtime/token_expired.pcap").notes(NetNoteKind::keep_alive), 6);
}

TEST(RealCaptures, the_one_that_begins_late_has_no_handshake_and_no_gap) {
    Played run("runtime/var_midstream.pcap");
    EXPECT_EQ(run.loss[LossPlace::reassembly], 0U);
    EXPECT_EQ(run.log.connections[1].sides[0].bytes.size() + run.log.connections[1].sides[1].bytes.size(), 505U);
}

}  // namespace
}  // namespace hopscope::decode::net
