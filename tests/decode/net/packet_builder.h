// Builds packets byte by byte, from the inside out: ethernet(ipv4({}, tcp({.payload = "hello"}))).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/packet.h"

namespace hopscope::net_test {

using Buffer = std::vector<std::uint8_t>;

inline void be16(Buffer& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}
inline void be32(Buffer& out, std::size_t value) {
    be16(out, value >> 16 & 0xffff);
    be16(out, value & 0xffff);
}
inline Buffer operator+(Buffer left, const Buffer& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}
inline Buffer from_text(std::string_view text) { return {text.begin(), text.end()}; }

struct Tcp {
    std::uint16_t source = 40000, destination = 80;
    std::uint32_t sequence = 1000, acknowledgement = 2000;
    std::uint8_t flags = 0x18;  // PSH ACK
    std::uint16_t window = 512;
    std::string_view payload = "";
    std::size_t option_bytes = 0;
    int header_words = 0;  // 0: the right number
    std::uint16_t checksum = 0xfe28;
};
inline Buffer tcp(const Tcp& t) {
    Buffer out;
    be16(out, t.source);
    be16(out, t.destination);
    be32(out, t.sequence);
    be32(out, t.acknowledgement);
    const int words = t.header_words != 0 ? t.header_words : static_cast<int>(5 + t.option_bytes / 4);
    out.push_back(static_cast<std::uint8_t>(words << 4));
    out.push_back(t.flags);
    be16(out, t.window);
    be16(out, t.checksum);
    be16(out, 0);
    out.resize(out.size() + t.option_bytes, 1);
    return out + from_text(t.payload);
}

struct Ipv4 {
    std::uint8_t source = 1, destination = 2;  // last byte of 10.0.0.x
    std::uint8_t protocol = 6, ttl = 64;
    std::uint16_t id = 7;
    std::uint16_t fragment = 0x4000;  // don't fragment
    std::size_t option_bytes = 0;
    int total_length = -1;  // -1: the right one
};
inline Buffer ipv4(const Ipv4& ip, const Buffer& payload) {
    Buffer out;
    const std::size_t header = 20 + ip.option_bytes;
    out.push_back(static_cast<std::uint8_t>(0x40 | header / 4));
    out.push_back(0);
    be16(out, ip.total_length >= 0 ? static_cast<std::size_t>(ip.total_length) : header + payload.size());
    be16(out, ip.id);
    be16(out, ip.fragment);
    out.push_back(ip.ttl);
    out.push_back(ip.protocol);
    be16(out, 0);
    out = out + Buffer{10, 0, 0, ip.source, 10, 0, 0, ip.destination};
    out.resize(header, 1);
    return out + payload;
}
// `offset` in bytes.
inline std::uint16_t fragment_field(std::size_t offset, bool more) {
    return static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000U : 0U));
}

struct Ipv6 {
    std::uint8_t source = 1, destination = 2;  // last byte of fd00::x
    std::uint8_t next = 6;
    int payload_length = -1;
};
inline Buffer ipv6(const Ipv6& ip, const Buffer& payload) {
    Buffer out{0x60, 0, 0, 0};
    be16(out, ip.payload_length >= 0 ? static_cast<std::size_t>(ip.payload_length) : payload.size());
    out.push_back(ip.next);
    out.push_back(64);
    for (const std::uint8_t last : {ip.source, ip.destination}) {
        Buffer address(16, 0);
        address[0] = 0xfd;
        address[15] = last;
        out = out + address;
    }
    return out + payload;
}
// An extension header of 8 * (1 + more) bytes.
inline Buffer extension(std::uint8_t next, std::uint8_t more, const Buffer& payload) {
    Buffer out{next, more};
    out.resize(8 * (std::size_t{more} + 1), 0);
    return out + payload;
}
inline Buffer fragment_header(std::uint8_t next, std::size_t offset, bool more_follow, std::uint32_t id,
                              const Buffer& payload) {
    Buffer out{next, 0};
    be16(out, offset | (more_follow ? 1U : 0U));
    be32(out, id);
    return out + payload;
}

inline Buffer ethernet(const Buffer& ip, std::uint16_t type = 0, const Buffer& tags = {}) {
    Buffer out(12, 0);
    out = out + tags;
    be16(out, type != 0 ? type : ip[0] >> 4 == 6 ? 0x86dd : 0x0800);
    return out + ip;
}
inline Buffer vlan_tag(std::uint16_t type, std::uint16_t number) {
    Buffer out;
    be16(out, type);
    be16(out, number);
    return out;
}
inline Buffer sll(const Buffer& ip, std::uint16_t packet_type) {
    Buffer out;
    be16(out, packet_type);
    be16(out, 772);
    be16(out, 6);
    out.resize(14, 0);
    be16(out, ip[0] >> 4 == 6 ? 0x86dd : 0x0800);
    return out + ip;
}
inline Buffer sll2(const Buffer& ip, std::uint8_t packet_type, std::uint32_t interface_index = 1) {
    Buffer out;
    be16(out, ip[0] >> 4 == 6 ? 0x86dd : 0x0800);
    be16(out, 0);
    be32(out, interface_index);
    be16(out, 772);
    out.push_back(packet_type);
    out.push_back(6);
    out.resize(20, 0);
    return out + ip;
}

// Borrows `bytes`.
inline Packet packet_of(const Buffer& bytes, LinkType link = LinkType::ethernet) {
    Packet packet;
    packet.link_type = link;
    packet.bytes = bytes;
    packet.wire_length = static_cast<std::uint32_t>(bytes.size());
    packet.position = 100;
    return packet;
}

}  // namespace hopscope::net_test
