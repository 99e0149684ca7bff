// From a captured packet to its TCP segment: link header, VLAN tags, IPv4 with options and fragments, IPv6 with
// extension headers. Pure; keeps only the fragments it waits for.
//
// It does not check checksums (on loopback and with offloading they are not filled in), does not look into tunnels, and
// does not believe trailing bytes: what the IP header does not claim is padding.
#pragma once

#include <cstdint>
#include <memory>

#include "core/endpoint.h"
#include "core/loss.h"
#include "core/packet.h"

namespace hopscope::decode::net {

struct TcpFlags {
    bool fin = false, syn = false, rst = false, ack = false;
};

// `payload` is borrowed from the packet (or from the fragment buffer until the next parse()).
struct TcpSegment {
    Endpoint source, destination;
    std::uint32_t sequence = 0, acknowledgement = 0;
    TcpFlags flags;
    std::uint8_t header_bytes = 0;  // of the TCP header, options included: 20 to 60
    std::uint16_t window = 0;
    std::uint32_t payload_wire_bytes = 0;  // as the IP header says; more than payload.size(): cut by the snaplen
    Bytes payload;
    std::uint64_t position = 0;  // of payload for History; 0: nowhere
};

// What became of packets that gave no segment. Cut packets and fragments that wait in vain are in LossCounters.
struct ParserCounts {
    std::uint64_t other_protocol = 0;  // not TCP over IP, or an unknown link type
    std::uint64_t broken = 0;          // headers that are cut off or contradict themselves
    std::uint64_t copies_dropped = 0;
    std::uint64_t fragments_overlapping = 0;  // the bytes that came first were kept
};

class PacketParser {
public:
    // Counts LossPlace::cut_packets and LossPlace::fragments in `loss` (borrowed).
    explicit PacketParser(LossCounters& loss);
    ~PacketParser();

    // True: `segment` is filled. False: not TCP, a fragment that waits for others, or not to be understood (counted).
    bool parse(const Packet& packet, TcpSegment& segment);

    // With several interfaces, or "any", the same packet is captured more than once: after this, copies are dropped.
    // A copy has equal addresses, IP id, TCP header and length as one of the last packets, and came from another
    // interface or with another packet type; a true retransmission on the same interface is not a copy.
    // Cooked packets (SLL, SLL2) come from "any" and switch this on by themselves.
    void expect_copies();
    [[nodiscard]] std::uint64_t copies_dropped() const { return counts().copies_dropped; }
    [[nodiscard]] ParserCounts counts() const;

    // The capture is over: fragments that still wait are counted.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::decode::net
