// Packets of any link type through parser and reassembly.
//
// Input: a little-endian pcap file, so that the captures in testdata are seeds. Where the head says a time zone (no
// file does), copies are expected and odd microseconds are another interface.
#include <cstdlib>
#include <memory>
#include <vector>

#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"

namespace {

using namespace hopscope;
using namespace hopscope::decode::net;

void demand(bool holds) {
    if (!holds) std::abort();
}

struct Listener final : TcpListener {
    void opened(FlowRef, const Endpoint&, const Endpoint&, bool) override { ++open; }
    void bytes(FlowRef, Direction, Bytes bytes) override { demand(!bytes.empty()); }
    void gap(FlowRef, Direction, std::uint64_t, std::uint64_t missing) override { demand(missing > 0); }
    void note(FlowRef, const NetNote&) override {}
    void closing(FlowRef, Direction, FinKind) override {}
    void ended(FlowRef, bool) override { --open; }
    int open = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kFileHeaderBytes = 24, kRecordHeaderBytes = 16;
    if (size < kFileHeaderBytes) return 0;
    const auto link = static_cast<LinkType>(read_le16(data + 20));
    const bool copies = data[8] != 0;
    LossCounters loss;
    PacketParser parser(loss);
    if (copies) parser.expect_copies();
    Listener listener;
    TcpReassembler tcp(listener, loss, nullptr);
    for (std::size_t i = kFileHeaderBytes; i + kRecordHeaderBytes <= size;) {
        const std::uint8_t* head = data + i;
        i += kRecordHeaderBytes;
        const std::size_t captured = std::min<std::size_t>(read_le32(head + 8), size - i);
        // A block of its own, so that reading beyond its end is found.
        const std::vector<std::uint8_t> bytes(data + i, data + i + captured);
        Packet packet;
        packet.at.ns = read_le32(head) * kNanosecondsPerSecond + read_le32(head + 4) * 1000LL;
        packet.link_type = link;
        packet.interface = copies ? head[4] & 1U : 0;
        packet.wire_length = read_le32(head + 12);
        packet.bytes = bytes;
        packet.position = i;
        i += captured;
        TcpSegment segment;
        if (!parser.parse(packet, segment)) continue;
        demand(segment.payload.size() <= segment.payload_wire_bytes);
        tcp.on(segment, packet.at);
    }
    tcp.finish();
    parser.finish();
    demand(listener.open == 0);
    return 0;
}
