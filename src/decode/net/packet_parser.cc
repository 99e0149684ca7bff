#include "decode/net/packet_parser.h"

#include <algorithm>
#include <optional>

#include "decode/net/copies.h"
#include "decode/net/fragments.h"
#include "decode/net/ip.h"
#include "decode/net/link.h"
#include "decode/net/mix.h"

namespace hopscope::decode::net {
namespace {

constexpr std::size_t kTcpBytesMin = 20, kTcpBytesNeeded = 16;  // needed: up to the window
constexpr std::size_t kTcpChecksumAt = 16;
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

// RFC 9293 section 3.1.
[[gnu::always_inline]] inline Layer read_tcp(const IpPacket& ip, TcpSegment& segment) {
    if (ip.captured < kTcpBytesNeeded) return Layer::broken;
    const std::uint8_t* p = ip.payload;
    const std::size_t header = std::size_t{p[12]} >> 4 << 2;
    if (header < kTcpBytesMin || ip.wire < header) return Layer::broken;
    segment.source.address = address_of(ip.source, ip.v4);
    segment.destination.address = address_of(ip.destination, ip.v4);
    segment.source.port = read_be16(p);
    segment.destination.port = read_be16(p + 2);
    segment.sequence = read_be32(p + 4);
    segment.acknowledgement = read_be32(p + 8);
    const std::uint8_t flags = p[13];
    segment.flags = {
        .fin = (flags & kFin) != 0, .syn = (flags & kSyn) != 0, .rst = (flags & kRst) != 0, .ack = (flags & kAck) != 0};
    segment.window = read_be16(p + 14);
    segment.header_bytes = static_cast<std::uint8_t>(header);
    segment.payload_wire_bytes = static_cast<std::uint32_t>(ip.wire - header);
    const std::size_t begin = std::min(header, ip.captured);
    segment.payload = {p + begin, ip.captured - begin};
    return Layer::found;
}

// Mixes bytes into `state`, eight at a time, the last ones filled up with zeros.
std::uint64_t mix_bytes(std::uint64_t state, const std::uint8_t* data, std::size_t size, const HashSecrets& secrets) {
    while (size > 0) {
        std::uint64_t word = 0;
        const std::size_t step = std::min<std::size_t>(size, sizeof word);
        std::memcpy(&word, data, step);
        state = mix(state ^ secrets.second, word ^ secrets.third);
        data += step;
        size -= step;
    }
    return state;
}

}  // namespace

struct PacketParser::State {
    explicit State(LossCounters& given) : loss(given), fragments(given) {}

    // What stays the same in a packet on its way through a machine: not TTL, checksums or link header.
    std::uint64_t fingerprint(const IpPacket& ip) const {
        std::uint64_t state = mix(
            ip.wire ^ secrets.first,
            (std::uint64_t{ip.id} << 32 | std::uint64_t{ip.fragment_offset} << 8 | std::uint64_t{ip.more_fragments}) ^
                secrets.fourth);
        const std::size_t address_bytes = ip.v4 ? 4 : 16;
        state = mix_bytes(state, ip.source, address_bytes, secrets);
        state = mix_bytes(state, ip.destination, address_bytes, secrets);
        if (ip.fragment || ip.captured < kTcpBytesNeeded) return state;
        state = mix_bytes(state, ip.payload, kTcpChecksumAt, secrets);
        const std::size_t header = std::min(std::size_t{ip.payload[12]} >> 4 << 2, ip.captured);
        if (header <= kTcpBytesMin) return state;
        return mix_bytes(state, ip.payload + kTcpBytesMin, header - kTcpBytesMin, secrets);
    }

    bool is_copy(const Packet& packet, const NetworkLayer& network, const IpPacket& ip) {
        if (!copies) {
            if (!network.cooked) return false;
            copies.emplace();
        }
        const CopyFilter::Place place{.interface = packet.interface,
                                      .interface_index = network.interface_index,
                                      .packet_type = network.packet_type,
                                      .known = network.place_known};
        return copies->is_copy(fingerprint(ip), place, ip.id_known && ip.id != 0, packet.at);
    }

    // A datagram that was put together may begin with further IPv6 headers.
    Layer put_together(const Packet& packet, IpPacket& ip) {
        const Layer layer = fragments.add(ip, packet.at);
        if (layer != Layer::found) return layer;
        const Layer rest = follow_extension_headers(ip);
        return rest == Layer::found && ip.fragment ? Layer::broken : rest;  // fragments inside of fragments
    }

    // Nearly all packets: Ethernet, IPv4 without options, a whole datagram. Others go the long way, as do those with
    // anything wrong. It tells the same as that way would.
    bool read_plain(const Packet& packet, TcpSegment& segment) const {
        constexpr std::size_t kIpAt = 14, kTcpAt = kIpAt + 20;
        const std::size_t size = packet.bytes.size();
        if (packet.link_type != LinkType::ethernet || copies || size < kTcpAt + kTcpBytesMin) return false;
        const std::uint8_t* p = packet.bytes.data();
        constexpr std::uint16_t kEtherIpv4 = 0x0800, kPartOfDatagram = 0x3fff;
        if (read_be16(p + 12) != kEtherIpv4 || p[kIpAt] != 0x45 || p[kIpAt + 9] != kProtocolTcp ||
            (read_be16(p + kIpAt + 6) & kPartOfDatagram) != 0)
            return false;
        const std::size_t total = read_be16(p + kIpAt + 2);
        if (total < kTcpAt - kIpAt + kTcpBytesMin) return false;
        IpPacket ip;
        ip.source = p + kIpAt + 12;
        ip.destination = p + kIpAt + 16;
        ip.payload = p + kTcpAt;
        ip.captured = std::min(size - kIpAt, total) - (kTcpAt - kIpAt);
        ip.wire = total - (kTcpAt - kIpAt);
        if (read_tcp(ip, segment) != Layer::found) return false;
        set_position(packet, segment);
        return true;
    }

    static void set_position(const Packet& packet, TcpSegment& segment) {
        const auto offset = static_cast<std::uint64_t>(segment.payload.data() - packet.bytes.data());
        segment.position = packet.position != 0 ? packet.position + offset : 0;
    }

    Layer read(const Packet& packet, TcpSegment& segment) {
        if (read_plain(packet, segment)) return Layer::found;
        NetworkLayer network;
        IpPacket ip;
        Layer layer = find_network(packet, network);
        if (layer == Layer::found) layer = read_ip(network, ip);
        if (layer != Layer::found) return layer;
        if (is_copy(packet, network, ip)) return Layer::waits;
        const bool together = ip.fragment;
        if (together) layer = put_together(packet, ip);
        if (layer == Layer::found) layer = read_tcp(ip, segment);
        if (layer != Layer::found) return layer;
        segment.position = 0;
        if (!together) set_position(packet, segment);
        return Layer::found;
    }

    LossCounters& loss;
    FragmentStore fragments;
    std::optional<CopyFilter> copies;
    HashSecrets secrets{this};
    ParserCounts counts;
};

PacketParser::PacketParser(LossCounters& loss) : state_(std::make_unique<State>(loss)) {}
PacketParser::~PacketParser() = default;

bool PacketParser::parse(const Packet& packet, TcpSegment& segment) {
    State& s = *state_;
    if (packet.bytes.size() < packet.wire_length) s.loss.add(LossPlace::cut_packets);
    const Layer layer = s.read(packet, segment);
    s.counts.other_protocol += layer == Layer::other ? 1 : 0;
    s.counts.broken += layer == Layer::broken ? 1 : 0;
    return layer == Layer::found;
}

void PacketParser::expect_copies() {
    if (!state_->copies) state_->copies.emplace();
}

ParserCounts PacketParser::counts() const {
    ParserCounts counts = state_->counts;
    counts.copies_dropped = state_->copies ? state_->copies->dropped() : 0;
    counts.fragments_overlapping = state_->fragments.overlaps();
    return counts;
}

void PacketParser::finish() { state_->fragments.finish(); }

}  // namespace hopscope::decode::net
