// The network layer: IPv4 with options (RFC 791), IPv6 with extension headers (RFC 8200).
//
// Checksums are not looked at: on loopback and with offloading they are not filled in when a packet is captured.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/bytes.h"
#include "core/endpoint.h"
#include "core/limits.h"
#include "decode/net/link.h"

namespace hopscope::decode::net {

inline constexpr std::uint8_t kProtocolTcp = 6;

struct IpPacket {
    const std::uint8_t* source = nullptr;  // 4 or 16 bytes; borrowed from the packet
    const std::uint8_t* destination = nullptr;
    bool v4 = true;
    std::uint8_t protocol = 0;  // of the payload; of a fragment: of what its datagram begins with
    bool fragment = false;      // only a part of a datagram
    bool more_fragments = false;
    std::uint16_t fragment_offset = 0;  // bytes
    std::uint32_t id = 0;               // IPv6: only fragments have one
    bool id_known = false;
    const std::uint8_t* payload = nullptr;  // borrowed from the packet
    std::size_t captured = 0;               // bytes of the payload that were captured
    std::size_t wire = 0;                   // bytes of the payload as the IP header says
};

inline IpAddress address_of(const std::uint8_t* raw, bool v4) {
    std::uint64_t words[2];
    if (v4) {
        // Two whole words, as the flow table will read them: narrower stores would have to reach memory first.
        std::uint32_t four = 0;
        std::memcpy(&four, raw, sizeof four);
        words[0] = 0;
        words[1] = std::uint64_t{four} << 32 | 0xffff0000;
    } else {
        std::memcpy(words, raw, sizeof words);
    }
    return std::bit_cast<IpAddress>(words);
}

// What the IP header says about its length, or, where it says 0, what was on the wire: the kernel hands packets larger
// than 65535 bytes to the card with length 0 (TSO, BIG TCP). Padding cannot follow those.
inline bool total_length(std::size_t said, const NetworkLayer& network, std::size_t& total) {
    total = said != 0 ? said : network.wire;
    return total <= limits::kSuperPacketBytesMax;
}

inline void set_payload(IpPacket& ip, const NetworkLayer& network, std::size_t header, std::size_t total) {
    ip.payload = network.data + header;
    ip.captured = std::min(network.captured, total) - header;
    ip.wire = total - header;
}

inline Layer read_ipv4(const NetworkLayer& network, IpPacket& ip) {
    constexpr std::size_t kIpv4BytesMin = 20;
    constexpr std::uint16_t kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
    if (network.captured < kIpv4BytesMin) return Layer::broken;
    const std::uint8_t* p = network.data;
    const std::size_t header = std::size_t{p[0] & 15U} * 4;
    std::size_t total = 0;
    if (!total_length(read_be16(p + 2), network, total)) return Layer::broken;
    if (header < kIpv4BytesMin || network.captured < header || total < header) return Layer::broken;
    ip.source = p + 12;
    ip.destination = p + 16;
    ip.v4 = true;
    ip.protocol = p[9];
    ip.id = read_be16(p + 4);
    ip.id_known = true;
    const std::uint16_t fragment = read_be16(p + 6);
    ip.more_fragments = (fragment & kMoreFragments) != 0;
    ip.fragment_offset = static_cast<std::uint16_t>((fragment & kOffsetMask) * 8);
    ip.fragment = ip.more_fragments || ip.fragment_offset != 0;
    set_payload(ip, network, header, total);
    return ip.protocol == kProtocolTcp ? Layer::found : Layer::other;
}

Layer read_ipv6(const NetworkLayer& network, IpPacket& ip);

// found, other (the chain of headers ends in something that is not TCP and no fragment of it) or broken.
inline Layer read_ip(const NetworkLayer& network, IpPacket& ip) {
    return network.version == 4 ? read_ipv4(network, ip) : read_ipv6(network, ip);
}

// Follows IPv6 extension headers from `protocol` on, which heads `payload`. At a fragment header it stops with
// ip.fragment set, unless that fragment is the whole datagram.
Layer follow_extension_headers(IpPacket& ip);

}  // namespace hopscope::decode::net
