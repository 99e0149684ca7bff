#include "decode/net/link.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::net {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86dd;
constexpr std::uint16_t kEtherVlan = 0x8100, kEtherServiceVlan = 0x88a8, kEtherOldStackedVlan = 0x9100;
constexpr std::size_t kEthernetBytes = 14, kSllBytes = 16, kSll2Bytes = 20, kFamilyBytes = 4, kVlanTagBytes = 4;

Layer at_offset(const Packet& packet, std::size_t offset, int version, NetworkLayer& network) {
    if (packet.bytes.size() <= offset) return Layer::broken;
    network.data = packet.bytes.data() + offset;
    network.captured = packet.bytes.size() - offset;
    network.wire = std::max<std::size_t>(packet.wire_length, packet.bytes.size()) - offset;
    network.version = version;
    return *network.data >> 4 == version ? Layer::found : Layer::broken;
}

bool is_vlan(std::uint16_t ether_type) {
    return ether_type == kEtherVlan || ether_type == kEtherServiceVlan || ether_type == kEtherOldStackedVlan;
}

// `offset` is the end of the header that says `ether_type`; VLAN tags may follow.
Layer by_ether_type(const Packet& packet, std::size_t offset, std::uint16_t ether_type, NetworkLayer& network) {
    for (std::size_t tags = 0; is_vlan(ether_type); ++tags) {
        if (tags == limits::kVlanTagsMax || packet.bytes.size() < offset + kVlanTagBytes) return Layer::broken;
        ether_type = read_be16(packet.bytes.data() + offset + 2);
        offset += kVlanTagBytes;
    }
    if (ether_type == kEtherIpv4) return at_offset(packet, offset, 4, network);
    if (ether_type == kEtherIpv6) return at_offset(packet, offset, 6, network);
    return Layer::other;
}

Layer sll(const Packet& packet, NetworkLayer& network) {
    if (packet.bytes.size() < kSllBytes) return Layer::broken;
    const std::uint8_t* p = packet.bytes.data();
    network.cooked = true;
    network.place_known = false;
    network.packet_type = p[1];
    return by_ether_type(packet, kSllBytes, read_be16(p + 14), network);
}

Layer sll2(const Packet& packet, NetworkLayer& network) {
    if (packet.bytes.size() < kSll2Bytes) return Layer::broken;
    const std::uint8_t* p = packet.bytes.data();
    network.cooked = true;
    network.interface_index = read_be32(p + 4);
    network.packet_type = p[10];
    return by_ether_type(packet, kSll2Bytes, read_be16(p), network);
}

// The address family is in the byte order of the machine that captured; its number for IPv6 differs by system.
Layer by_family(const Packet& packet, NetworkLayer& network) {
    if (packet.bytes.size() < kFamilyBytes) return Layer::broken;
    const std::uint32_t little = read_le32(packet.bytes.data());
    const std::uint32_t family = little < 0x10000 ? little : read_be32(packet.bytes.data());
    switch (family) {
        case 2: return at_offset(packet, kFamilyBytes, 4, network);
        case 10:  // Linux
        case 24:  // NetBSD, OpenBSD
        case 28:  // FreeBSD
        case 30:  // macOS
            return at_offset(packet, kFamilyBytes, 6, network);
        default: return Layer::other;
    }
}

Layer by_nibble(const Packet& packet, NetworkLayer& network) {
    if (packet.bytes.empty()) return Layer::broken;
    const int version = packet.bytes[0] >> 4;
    return version == 4 || version == 6 ? at_offset(packet, 0, version, network) : Layer::other;
}

}  // namespace

Layer find_network_of_any_link(const Packet& packet, NetworkLayer& network) {
    switch (packet.link_type) {
        case LinkType::ethernet:
            if (packet.bytes.size() < kEthernetBytes) return Layer::broken;
            return by_ether_type(packet, kEthernetBytes, read_be16(packet.bytes.data() + 12), network);
        case LinkType::linux_sll: return sll(packet, network);
        case LinkType::linux_sll2: return sll2(packet, network);
        case LinkType::null:
        case LinkType::loop: return by_family(packet, network);
        case LinkType::raw:
        case LinkType::raw_bsd:
        case LinkType::raw_openbsd: return by_nibble(packet, network);
        case LinkType::ipv4: return at_offset(packet, 0, 4, network);
        case LinkType::ipv6: return at_offset(packet, 0, 6, network);
        case LinkType::upper_pdu: return Layer::other;
    }
    return Layer::other;  // a number from a file that LinkType does not name
}

}  // namespace hopscope::decode::net
