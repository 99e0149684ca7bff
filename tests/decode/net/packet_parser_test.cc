#include "decode/net/packet_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/limits.h"
#include "packet_builder.h"

namespace hopscope::decode::net {
namespace {

using namespace hopscope::net_test;

struct Parsed {
    bool found = false;
    std::string payload;
    TcpSegment segment;
};

class Parser : public ::testing::Test {
protected:
    Parsed parse(const Buffer& bytes, LinkType link = LinkType::ethernet) { return parse(packet_of(bytes, link)); }
    Parsed parse(const Packet& packet) {
        Parsed result;
        result.found = parser.parse(packet, result.segment);
        if (result.found) result.payload = as_text(result.segment.payload);
        return result;
    }
    // The first `size` bytes of a packet that was as long as `bytes`.
    Parsed parse_cut(const Buffer& bytes, std::size_t size) {
        Packet packet = packet_of(bytes);
        packet.bytes = packet.bytes.first(size);
        return parse(packet);
    }

    LossCounters loss;
    PacketParser parser{loss};
};

const Tcp kHello{.payload = "hello"};
const Buffer kIpv4Hello = ipv4({}, tcp(kHello));
const Buffer kIpv6Hello = ipv6({}, tcp(kHello));

TEST_F(Parser, reads_every_field_of_a_segment) {
    const Buffer bytes = ethernet(ipv4({}, tcp({.source = 40001,
                                                .destination = 42313,
                                                .sequence = 0x01020304,
                                                .acknowledgement = 0x05060708,
                                                .flags = 0x12,
                                                .window = 0x1234,
                                                .payload = "x"})));
    const Parsed p = parse(bytes);
    ASSERT_TRUE(p.found);
    EXPECT_EQ(to_string(p.segment.source), "10.0.0.1:40001");
    EXPECT_EQ(to_string(p.segment.destination), "10.0.0.2:42313");
    EXPECT_EQ(p.segment.sequence, 0x01020304U);
    EXPECT_EQ(p.segment.acknowledgement, 0x05060708U);
    EXPECT_TRUE(p.segment.flags.syn && p.segment.flags.ack);
    EXPECT_FALSE(p.segment.flags.fin || p.segment.flags.rst);
    EXPECT_EQ(p.segment.window, 0x1234);
    EXPECT_EQ(p.segment.payload_wire_bytes, 1U);
    EXPECT_EQ(p.segment.position, 100U + bytes.size() - 1);
}

TEST_F(Parser, knows_fin_and_rst) {
    EXPECT_TRUE(parse(ethernet(ipv4({}, tcp({.flags = 0x01})))).segment.flags.fin);
    EXPECT_TRUE(parse(ethernet(ipv4({}, tcp({.flags = 0x04})))).segment.flags.rst);
}

struct LinkCase {
    const char* sentence;
    LinkType link;
    Buffer bytes;
};

class EveryLink : public ::testing::TestWithParam<LinkCase> {};

TEST_P(EveryLink, finds_the_segment) {
    LossCounters loss;
    PacketParser parser(loss);
    TcpSegment segment;
    const Packet packet = packet_of(GetParam().bytes, GetParam().link);
    ASSERT_TRUE(parser.parse(packet, segment)) << GetParam().sentence;
    EXPECT_EQ(as_text(segment.payload), "hello") << GetParam().sentence;
    EXPECT_EQ(segment.source.port, 40000) << GetParam().sentence;
}

const Buffer kV4Le{2, 0, 0, 0}, kV4Be{0, 0, 0, 2};

INSTANTIATE_TEST_SUITE_P(
    Links, EveryLink,
    ::testing::Values(
        LinkCase{"Ethernet with IPv4", LinkType::ethernet, ethernet(kIpv4Hello)},
        LinkCase{"Ethernet with IPv6", LinkType::ethernet, ethernet(kIpv6Hello)},
        LinkCase{"one VLAN tag", LinkType::ethernet, ethernet(kIpv4Hello, 0, vlan_tag(0x8100, 5))},
        LinkCase{"a service tag around a VLAN tag", LinkType::ethernet,
                 ethernet(kIpv6Hello, 0, vlan_tag(0x88a8, 5) + vlan_tag(0x8100, 6))},
        LinkCase{"three VLAN tags", LinkType::ethernet,
                 ethernet(kIpv4Hello, 0, vlan_tag(0x8100, 1) + vlan_tag(0x8100, 2) + vlan_tag(0x8100, 3))},
        LinkCase{"cooked, version 1", LinkType::linux_sll, sll(kIpv4Hello, 0)},
        LinkCase{"cooked, version 1, IPv6", LinkType::linux_sll, sll(kIpv6Hello, 4)},
        LinkCase{"cooked, version 2", LinkType::linux_sll2, sll2(kIpv4Hello, 0)},
        LinkCase{"cooked, version 2, IPv6", LinkType::linux_sll2, sll2(kIpv6Hello, 4)},
        LinkCase{"null, little-endian", LinkType::null, kV4Le + kIpv4Hello},
        LinkCase{"null, big-endian", LinkType::null, kV4Be + kIpv4Hello},
        LinkCase{"null, IPv6 of Linux", LinkType::null, Buffer{10, 0, 0, 0} + kIpv6Hello},
        LinkCase{"null, IPv6 of NetBSD and OpenBSD, big-endian", LinkType::null, Buffer{0, 0, 0, 24} + kIpv6Hello},
        LinkCase{"null, IPv6 of FreeBSD", LinkType::null, Buffer{28, 0, 0, 0} + kIpv6Hello},
        LinkCase{"null, IPv6 of macOS", LinkType::null, Buffer{30, 0, 0, 0} + kIpv6Hello},
        LinkCase{"loop", LinkType::loop, kV4Be + kIpv4Hello}, LinkCase{"raw, IPv4", LinkType::raw, kIpv4Hello},
        LinkCase{"raw, IPv6", LinkType::raw, kIpv6Hello}, LinkCase{"raw of BSD", LinkType::raw_bsd, kIpv4Hello},
        LinkCase{"raw of OpenBSD", LinkType::raw_openbsd, kIpv6Hello}, LinkCase{"IPv4", LinkType::ipv4, kIpv4Hello},
        LinkCase{"IPv6", LinkType::ipv6, kIpv6Hello}));

TEST_F(Parser, other_protocols_are_counted_and_no_segments) {
    EXPECT_FALSE(parse(ethernet(Buffer(28, 0), 0x0806)).found) << "ARP";
    EXPECT_FALSE(parse(ethernet(ipv4({.protocol = 17}, Buffer(20, 0)))).found) << "UDP";
    EXPECT_FALSE(parse(ethernet(ipv6({.next = 58}, Buffer(20, 0)))).found) << "ICMPv6";
    EXPECT_FALSE(parse(kV4Le + kIpv4Hello, static_cast<LinkType>(999)).found) << "an unknown link type";
    EXPECT_FALSE(parse(Buffer{99, 0, 0, 0} + kIpv4Hello, LinkType::null).found) << "an unknown address family";
    EXPECT_FALSE(parse(ethernet(ipv6({.next = 59}, Buffer(20, 0)))).found) << "no next header";
    EXPECT_EQ(parser.counts().other_protocol, 6U);
    EXPECT_EQ(parser.counts().broken, 0U);
}

TEST_F(Parser, broken_headers_are_counted_and_no_segments) {
    EXPECT_FALSE(parse(Buffer(13, 0)).found) << "half an Ethernet header";
    EXPECT_FALSE(parse(Buffer{}).found) << "nothing";
    EXPECT_FALSE(parse(ethernet(kIpv6Hello, 0x0800)).found) << "IPv6 where the link says IPv4";
    EXPECT_FALSE(parse(ethernet(ipv4({.total_length = 19}, tcp({})))).found) << "shorter than its own header";
    EXPECT_FALSE(parse(ethernet(ipv4({}, tcp({.header_words = 4})))).found) << "a TCP header of 16 bytes";
    EXPECT_FALSE(parse(ethernet(ipv4({}, tcp({.header_words = 6})))).found)
        << "a TCP header that the packet does not hold";
    Buffer short_header = ethernet(kIpv4Hello);
    short_header[14] = 0x44;
    EXPECT_FALSE(parse(short_header).found) << "an IP header of 16 bytes";
    Buffer tags;
    for (std::size_t i = 0; i <= limits::kVlanTagsMax; ++i) tags = tags + vlan_tag(0x8100, 1);
    EXPECT_FALSE(parse(ethernet(kIpv4Hello, 0, tags)).found) << "more tags than anyone uses";
    EXPECT_EQ(parser.counts().broken, 8U);
    EXPECT_EQ(parser.counts().other_protocol, 0U);
}

TEST_F(Parser, steps_over_ipv4_options) {
    EXPECT_EQ(parse(ethernet(ipv4({.option_bytes = 12}, tcp(kHello)))).payload, "hello");
    EXPECT_EQ(parse(ethernet(ipv4({.option_bytes = 40}, tcp(kHello)))).payload, "hello");
}

TEST_F(Parser, steps_over_tcp_options) {
    EXPECT_EQ(parse(ethernet(ipv4({}, tcp({.payload = "hello", .option_bytes = 40})))).payload, "hello");
}

TEST_F(Parser, padding_behind_the_packet_is_not_payload) {
    const Parsed p = parse(ethernet(ipv4({}, tcp({.payload = "abc"}))) + Buffer(9, 0));
    EXPECT_EQ(p.payload, "abc");
    EXPECT_EQ(p.segment.payload_wire_bytes, 3U);
}

TEST_F(Parser, ip_length_0_means_all_that_was_on_the_wire) {
    EXPECT_EQ(parse(ethernet(ipv4({.total_length = 0}, tcp(kHello)))).payload, "hello");
    EXPECT_EQ(parse(ethernet(ipv6({.payload_length = 0}, tcp(kHello)))).payload, "hello");
}

TEST_F(Parser, ip_length_0_of_a_cut_packet_keeps_the_length_of_the_wire) {
    const Buffer bytes = ethernet(ipv4({.total_length = 0}, tcp(kHello)));
    const Parsed p = parse_cut(bytes, bytes.size() - 2);
    EXPECT_EQ(p.payload, "hel");
    EXPECT_EQ(p.segment.payload_wire_bytes, 5U);
}

TEST_F(Parser, a_lie_about_a_gigabyte_on_the_wire_is_not_believed) {
    const Buffer bytes = ethernet(ipv4({.total_length = 0}, tcp(kHello)));
    Packet packet = packet_of(bytes);
    packet.wire_length = 1U << 30;
    EXPECT_FALSE(parse(packet).found);
}

TEST_F(Parser, a_cut_packet_says_how_much_is_missing) {
    const Buffer bytes = ethernet(kIpv4Hello);
    const Parsed p = parse_cut(bytes, bytes.size() - 4);
    EXPECT_EQ(p.payload, "h");
    EXPECT_EQ(p.segment.payload_wire_bytes, 5U);
    EXPECT_EQ(loss[LossPlace::cut_packets], 1U);
}

TEST_F(Parser, a_packet_cut_inside_the_tcp_options_still_counts_its_payload) {
    const Buffer bytes = ethernet(ipv4({}, tcp({.payload = "hello", .option_bytes = 12})));
    const Parsed p = parse_cut(bytes, 14 + 20 + 16);
    ASSERT_TRUE(p.found);
    EXPECT_EQ(p.payload, "");
    EXPECT_EQ(p.segment.payload_wire_bytes, 5U);
}

TEST_F(Parser, a_packet_cut_before_the_window_is_given_up_and_counted) {
    const Buffer bytes = ethernet(kIpv4Hello);
    EXPECT_FALSE(parse_cut(bytes, 14 + 20 + 15).found);
    EXPECT_EQ(loss[LossPlace::cut_packets], 1U);
    EXPECT_EQ(parser.counts().broken, 1U);
}

TEST_F(Parser, follows_ipv6_extension_headers) {
    constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kAuthentication = 51, kDestination = 60;
    const Buffer segment = tcp(kHello);
    EXPECT_EQ(parse(ethernet(ipv6({.next = kHopByHop}, extension(6, 0, segment)))).payload, "hello");
    EXPECT_EQ(parse(ethernet(ipv6({.next = kRouting}, extension(6, 2, segment)))).payload, "hello");
    EXPECT_EQ(parse(ethernet(ipv6({.next = kDestination}, extension(6, 1, segment)))).payload, "hello");
    EXPECT_EQ(parse(ethernet(ipv6({.next = kHopByHop},
                                  extension(kRouting, 0, extension(kDestination, 1, extension(6, 0, segment))))))
                  .payload,
              "hello");
    Buffer authentication{6, 4};
    authentication.resize(24, 0);
    EXPECT_EQ(parse(ethernet(ipv6({.next = kAuthentication}, authentication + segment))).payload, "hello");
}

TEST_F(Parser, an_endless_chain_of_extension_headers_is_broken) {
    Buffer chain = tcp(kHello);
    for (std::size_t i = 0; i <= limits::kIpv6ExtensionHeadersMax; ++i) chain = extension(i == 0 ? 6 : 60, 0, chain);
    EXPECT_FALSE(parse(ethernet(ipv6({.next = 60}, chain))).found);
    EXPECT_FALSE(parse(ethernet(ipv6({.next = 0}, extension(6, 200, Buffer(8, 0))))).found) << "longer than the packet";
    EXPECT_EQ(parser.counts().broken, 2U);
}

TEST_F(Parser, an_ipv6_fragment_that_is_the_whole_datagram_is_a_packet) {
    EXPECT_EQ(parse(ethernet(ipv6({.next = 44}, fragment_header(6, 0, false, 9, tcp(kHello))))).payload, "hello");
}

// --- fragments

class Fragments : public Parser {
protected:
    Parsed v4(const Buffer& datagram, std::size_t begin, std::size_t end, std::uint16_t id = 7, Timestamp at = {0}) {
        const bool more = end < datagram.size();
        const Buffer part(datagram.begin() + static_cast<std::ptrdiff_t>(begin),
                          datagram.begin() + static_cast<std::ptrdiff_t>(end));
        const Buffer bytes = ethernet(ipv4({.id = id, .fragment = fragment_field(begin, more)}, part));
        Packet packet = packet_of(bytes);
        packet.at = at;
        return parse(packet);
    }
    Parsed v6(const Buffer& datagram, std::size_t begin, std::size_t end, std::uint8_t next = 6) {
        const bool more = end < datagram.size();
        const Buffer part(datagram.begin() + static_cast<std::ptrdiff_t>(begin),
                          datagram.begin() + static_cast<std::ptrdiff_t>(end));
        return parse(ethernet(ipv6({.next = 44}, fragment_header(next, begin, more, 77, part))));
    }
};

const std::string kText = "The quick brown fox jumps over the lazy dog, and then again over the same dog";
const Buffer kDatagram = tcp({.payload = kText});

TEST_F(Fragments, are_put_together_in_order) {
    EXPECT_FALSE(v4(kDatagram, 0, 24).found);
    EXPECT_FALSE(v4(kDatagram, 24, 64).found);
    const Parsed p = v4(kDatagram, 64, kDatagram.size());
    EXPECT_EQ(p.payload, kText);
    EXPECT_EQ(p.segment.payload_wire_bytes, kText.size());
    EXPECT_EQ(p.segment.position, 0U) << "the bytes are nowhere in the capture as they are here";
    parser.finish();
    EXPECT_EQ(loss[LossPlace::fragments], 0U);
}

TEST_F(Fragments, are_put_together_in_any_order) {
    std::vector<std::pair<std::size_t, std::size_t>> parts;
    for (std::size_t at = 0; at < kDatagram.size(); at += 16)
        parts.emplace_back(at, std::min(at + 16, kDatagram.size()));
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        std::shuffle(parts.begin(), parts.end(), random);
        for (std::size_t i = 0; i + 1 < parts.size(); ++i)
            EXPECT_FALSE(v4(kDatagram, parts[i].first, parts[i].second).found);
        ASSERT_EQ(v4(kDatagram, parts.back().first, parts.back().second).payload, kText);
    }
    EXPECT_EQ(parser.counts().fragments_overlapping, 0U);
}

TEST_F(Fragments, of_ipv6_are_put_together_in_any_order) {
    EXPECT_FALSE(v6(kDatagram, 64, kDatagram.size()).found);
    EXPECT_FALSE(v6(kDatagram, 0, 24).found);
    EXPECT_EQ(v6(kDatagram, 24, 64).payload, kText);
}

TEST_F(Fragments, of_ipv6_may_begin_with_a_further_header) {
    const Buffer datagram = extension(6, 0, kDatagram);
    EXPECT_FALSE(v6(datagram, 0, 32, 60).found);
    EXPECT_EQ(v6(datagram, 32, datagram.size(), 60).payload, kText);
}

TEST_F(Fragments, that_overlap_keep_the_bytes_that_came_first) {
    Buffer other = kDatagram;
    std::fill(other.begin() + 20, other.end(), 'x');
    EXPECT_FALSE(v4(kDatagram, 24, 48).found);
    EXPECT_FALSE(v4(other, 16, 64).found);
    EXPECT_FALSE(v4(kDatagram, 0, 24).found);
    EXPECT_EQ(v4(kDatagram, 64, kDatagram.size()).payload,
              "xxxx" + kText.substr(4, 24) + std::string(16, 'x') + kText.substr(44));
    EXPECT_EQ(parser.counts().fragments_overlapping, 2U);
}

TEST_F(Fragments, of_different_datagrams_do_not_mix) {
    const Buffer other = tcp({.payload = "something else, which is also long enough"});
    EXPECT_FALSE(v4(kDatagram, 0, 24, 1).found);
    EXPECT_FALSE(v4(other, 24, other.size(), 2).found);
    EXPECT_EQ(v4(kDatagram, 24, kDatagram.size(), 1).payload, kText);
    EXPECT_EQ(v4(other, 0, 24, 2).payload, "something else, which is also long enough");
}

TEST_F(Fragments, whose_others_never_come_are_counted_at_the_end) {
    EXPECT_FALSE(v4(kDatagram, 0, 24, 1).found);
    EXPECT_FALSE(v4(kDatagram, 24, 48, 1).found);
    EXPECT_FALSE(v4(kDatagram, 0, 24, 2).found);
    parser.finish();
    EXPECT_EQ(loss[LossPlace::fragments], 3U);
}

TEST_F(Fragments, are_given_up_after_their_time_of_capture) {
    constexpr std::int64_t kTooLate = (limits::kFragmentSeconds + 1) * kNanosecondsPerSecond;
    EXPECT_FALSE(v4(kDatagram, 0, 24, 1).found);
    EXPECT_FALSE(v4(kDatagram, 0, 24, 2, {kTooLate}).found);
    EXPECT_EQ(loss[LossPlace::fragments], 1U);
    EXPECT_FALSE(v4(kDatagram, 24, kDatagram.size(), 1, {kTooLate}).found) << "its beginning is gone";
}

TEST_F(Fragments, are_bounded_in_number_and_the_oldest_goes) {
    constexpr auto kMany = static_cast<std::uint16_t>(limits::kFragmentedDatagramsMax + 1);
    for (std::uint16_t id = 1; id <= kMany; ++id) EXPECT_FALSE(v4(kDatagram, 0, 24, id).found);
    EXPECT_EQ(loss[LossPlace::fragments], 1U);
    EXPECT_EQ(v4(kDatagram, 24, kDatagram.size(), kMany).payload, kText) << "the newest is still here";
    EXPECT_FALSE(v4(kDatagram, 24, kDatagram.size(), 1).found) << "the oldest is not";
}

TEST_F(Fragments, in_too_many_separate_parts_are_given_up) {
    const Buffer large(65000, 0);
    for (std::size_t i = 0; i <= limits::kFragmentPiecesMax; ++i) v4(large, 16 * i, 16 * i + 8);
    EXPECT_GE(loss[LossPlace::fragments], limits::kFragmentPiecesMax);
}

TEST_F(Fragments, that_were_cut_give_the_bytes_before_the_cut) {
    EXPECT_FALSE(v4(kDatagram, 0, 48).found);
    const Buffer part(kDatagram.begin() + 48, kDatagram.end());
    const Buffer bytes = ethernet(ipv4({.fragment = fragment_field(48, false)}, part));
    const Parsed p = parse_cut(bytes, bytes.size() - part.size() + 3);
    EXPECT_EQ(p.payload, kText.substr(0, 48 - 20 + 3));
    EXPECT_EQ(p.segment.payload_wire_bytes, kText.size());
}

TEST_F(Fragments, that_cannot_be_are_broken) {
    const Buffer part(20, 0);
    EXPECT_FALSE(parse(ethernet(ipv4({.fragment = fragment_field(0, true)}, part))).found)
        << "20 bytes, but others follow";
    EXPECT_FALSE(parse(ethernet(ipv4({.fragment = fragment_field(65528, false)}, part))).found) << "beyond 65535 bytes";
    EXPECT_FALSE(parse(ethernet(ipv4({.fragment = fragment_field(8, false)}, {}))).found) << "empty";
    EXPECT_EQ(parser.counts().broken, 3U);
}

TEST_F(Fragments, of_other_protocols_are_not_kept) {
    EXPECT_FALSE(parse(ethernet(ipv4({.protocol = 17, .fragment = fragment_field(0, true)}, Buffer(24, 0)))).found);
    parser.finish();
    EXPECT_EQ(loss[LossPlace::fragments], 0U);
}

// --- copies

class Copies : public Parser {
protected:
    bool passes(const Buffer& bytes, LinkType link, std::uint32_t interface = 0, std::int64_t at_ns = 0) {
        Packet packet = packet_of(bytes, link);
        packet.interface = interface;
        packet.at = {at_ns};
        return parse(packet).found;
    }
    static Buffer segment(std::uint32_t sequence, std::uint16_t id = 7) {
        return ipv4({.id = id}, tcp({.sequence = sequence, .payload = "hello"}));
    }
};

TEST_F(Copies, of_any_are_dropped_by_packet_type_without_being_told) {
    EXPECT_TRUE(passes(sll2(segment(1), 4), LinkType::linux_sll2));
    EXPECT_FALSE(passes(sll2(segment(1), 0), LinkType::linux_sll2));
    EXPECT_TRUE(passes(sll2(segment(6), 4), LinkType::linux_sll2));
    EXPECT_FALSE(passes(sll2(segment(6), 0), LinkType::linux_sll2));
    EXPECT_EQ(parser.copies_dropped(), 2U);
}

TEST_F(Copies, of_any_version_1_are_dropped_by_packet_type) {
    EXPECT_TRUE(passes(sll(segment(1), 4), LinkType::linux_sll));
    EXPECT_FALSE(passes(sll(segment(1), 0), LinkType::linux_sll));
}

TEST_F(Copies, on_ethernet_are_only_looked_for_when_told) {
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0));
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 1));
    parser.expect_copies();
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0));
    EXPECT_FALSE(passes(ethernet(segment(1)), LinkType::ethernet, 1));
}

TEST_F(Copies, are_found_whichever_interface_was_written_first) {
    parser.expect_copies();
    for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_TRUE(passes(ethernet(segment(i)), LinkType::ethernet, 0));
    for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_FALSE(passes(sll(segment(i), 0), LinkType::linux_sll, 1));
    for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_FALSE(passes(sll(segment(i), 4), LinkType::linux_sll, 1));
    EXPECT_EQ(parser.copies_dropped(), 2000U);
}

TEST_F(Copies, a_retransmission_on_the_same_interface_is_none) {
    parser.expect_copies();
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0));
    EXPECT_FALSE(passes(ethernet(segment(1)), LinkType::ethernet, 1));
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0)) << "sent again";
    EXPECT_FALSE(passes(ethernet(segment(1)), LinkType::ethernet, 1)) << "its copy";
}

TEST_F(Copies, a_retransmission_counts_once_also_when_one_interface_is_written_later) {
    parser.expect_copies();
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0));
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0));
    EXPECT_FALSE(passes(ethernet(segment(1)), LinkType::ethernet, 1));
    EXPECT_FALSE(passes(ethernet(segment(1)), LinkType::ethernet, 1));
}

TEST_F(Copies, ignore_ttl_and_checksum_but_nothing_else) {
    parser.expect_copies();
    const auto variant = [](const Ipv4& ip, const Tcp& t) { return ethernet(ipv4(ip, tcp(t))); };
    EXPECT_TRUE(passes(variant({}, {.payload = "hello"}), LinkType::ethernet, 0));
    EXPECT_FALSE(passes(variant({.ttl = 63}, {.payload = "hello", .checksum = 1}), LinkType::ethernet, 1)) << "routed";
    EXPECT_TRUE(passes(variant({.id = 8}, {.payload = "hello"}), LinkType::ethernet, 2)) << "another IP id";
    EXPECT_TRUE(passes(variant({}, {.payload = "hell"}), LinkType::ethernet, 3)) << "another length";
    EXPECT_TRUE(passes(variant({}, {.window = 1, .payload = "hello"}), LinkType::ethernet, 4)) << "another window";
    EXPECT_TRUE(passes(variant({.source = 3}, {.payload = "hello"}), LinkType::ethernet, 5)) << "another address";
}

TEST_F(Copies, on_any_version_1_two_devices_look_like_one_but_not_for_long) {
    EXPECT_TRUE(passes(sll(segment(1), 0), LinkType::linux_sll, 0, 0));
    EXPECT_FALSE(passes(sll(segment(1), 0), LinkType::linux_sll, 0, 50'000)) << "seen on veth, then on the bridge";
    EXPECT_TRUE(passes(sll(segment(1), 0), LinkType::linux_sll, 0, 300'000'000)) << "sent again";
}

TEST_F(Copies, a_packet_much_later_is_none) {
    parser.expect_copies();
    EXPECT_TRUE(passes(ethernet(segment(1)), LinkType::ethernet, 0, 0));
    EXPECT_TRUE(
        passes(ethernet(segment(1)), LinkType::ethernet, 1, (limits::kCopySeconds + 1) * kNanosecondsPerSecond));
}

TEST_F(Copies, of_fragments_are_dropped_too) {
    parser.expect_copies();
    const Buffer first(kDatagram.begin(), kDatagram.begin() + 24), second(kDatagram.begin() + 24, kDatagram.end());
    const Buffer a = ethernet(ipv4({.fragment = fragment_field(0, true)}, first));
    const Buffer b = ethernet(ipv4({.fragment = fragment_field(24, false)}, second));
    EXPECT_FALSE(passes(a, LinkType::ethernet, 0));
    EXPECT_FALSE(passes(a, LinkType::ethernet, 1));
    EXPECT_TRUE(passes(b, LinkType::ethernet, 0));
    EXPECT_FALSE(passes(b, LinkType::ethernet, 1));
    parser.finish();
    EXPECT_EQ(loss[LossPlace::fragments], 0U);
}

// Most packets are read on a short way that a VLAN tag keeps them from.
TEST_F(Parser, tells_the_same_on_the_short_way) {
    const Buffer tag = vlan_tag(0x8100, 5);
    const Buffer datagrams[] = {kIpv4Hello,
                                ipv4({}, tcp({.option_bytes = 12})),
                                ipv4({}, tcp({.payload = "hello", .option_bytes = 40})),
                                ipv4({.option_bytes = 4}, tcp(kHello)),
                                ipv4({.protocol = 17}, tcp(kHello)),
                                ipv4({.fragment = 0x2000}, tcp(kHello)),
                                ipv4({.fragment = 0x0001}, tcp(kHello)),
                                ipv4({.total_length = 0}, tcp(kHello)),
                                ipv4({.total_length = 39}, tcp(kHello)),
                                ipv4({.total_length = 40}, tcp(kHello)),
                                ipv4({.total_length = 43}, tcp(kHello)),
                                ipv4({.total_length = 60}, tcp(kHello)),
                                ipv4({}, tcp({.payload = "hello", .header_words = 4})),
                                ipv4({}, tcp({.payload = "hello", .header_words = 15}))};
    for (const Buffer& datagram : datagrams) {
        const Buffer plain = ethernet(datagram), tagged = ethernet(datagram, 0, tag);
        for (std::size_t size = 0; size <= plain.size(); ++size) {
            Packet one = packet_of(plain), other = packet_of(tagged);
            one.bytes = one.bytes.first(size);
            other.bytes = other.bytes.first(size < 12 ? size : size + tag.size());
            one.position = 1000;
            other.position = 1000 - tag.size();
            PacketParser fresh(loss), also(loss);
            TcpSegment a, b;
            const bool found = fresh.parse(one, a);
            ASSERT_EQ(found, also.parse(other, b)) << size;
            ASSERT_EQ(fresh.counts().broken, also.counts().broken) << size;
            ASSERT_EQ(fresh.counts().other_protocol, also.counts().other_protocol) << size;
            if (!found) continue;
            EXPECT_EQ(a.source, b.source);
            EXPECT_EQ(a.destination, b.destination);
            EXPECT_EQ(a.sequence, b.sequence);
            EXPECT_EQ(a.acknowledgement, b.acknowledgement);
            EXPECT_EQ(a.window, b.window);
            EXPECT_EQ(a.flags.ack, b.flags.ack);
            EXPECT_EQ(a.header_bytes, b.header_bytes);
            EXPECT_EQ(a.payload_wire_bytes, b.payload_wire_bytes);
            EXPECT_EQ(as_text(a.payload), as_text(b.payload));
            EXPECT_EQ(a.position, b.position);
        }
    }
}

// --- hostile bytes

TEST(Hostile, any_prefix_of_any_packet_is_safe) {
    const Buffer packets[] = {
        ethernet(kIpv4Hello), ethernet(kIpv6Hello, 0, vlan_tag(0x8100, 1)), sll(kIpv4Hello, 0), sll2(kIpv6Hello, 4),
        ethernet(ipv6({.next = 0}, extension(44, 0, fragment_header(6, 8, true, 1, Buffer(16, 1)))))};
    for (const Buffer& whole : packets) {
        for (const LinkType link : {LinkType::ethernet, LinkType::linux_sll, LinkType::linux_sll2, LinkType::null,
                                    LinkType::raw, LinkType::ipv4, LinkType::ipv6}) {
            for (std::size_t size = 0; size <= whole.size(); ++size) {
                LossCounters loss;
                PacketParser parser(loss);
                const Buffer exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(
                                                                      size));  // ends where the heap block ends
                Packet packet = packet_of(exact, link);
                packet.wire_length = static_cast<std::uint32_t>(whole.size());
                TcpSegment segment;
                if (parser.parse(packet, segment)) {
                    EXPECT_LE(segment.payload.size(), segment.payload_wire_bytes);
                }
            }
        }
    }
}

}  // namespace
}  // namespace hopscope::decode::net
