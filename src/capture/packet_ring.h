// Live capture on a packet socket that somebody else has opened: packets out of the kernel's ring (TPACKET_V3), without
// a thread and without waiting.
//
// For the loopback interface of another network namespace: libpcap opens its sockets itself and takes none, so that
// whoever uses it must be able to enter the namespace. Here a process with that right hands over a socket
// (capture/namespace_opener.h), and what is done with it needs no right any more. As with LiveSource: blocks of the
// ring are handed over when they are full or after 100 ms, every packet is seen once (the outgoing copy is not asked
// for), times have nanoseconds, and a filter is replaced in one step.
//
// Of Ethernet framing only, as "lo" has it. A packet longer than a block (256 KiB) is cut. Linux 3.2 and later.
// Errors: CAP-25 the filter is not one (pcap-filter(7)); CAP-26 the kernel refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "capture/live_source.h"
#include "core/packet.h"
#include "core/result.h"

namespace hopscope::capture {

struct PacketRingOptions {
    std::uint32_t number = 0;               // Packet::interface of its packets
    std::string filter;                     // pcap-filter(7); empty: everything
    std::uint64_t ring_bytes = 2ULL << 20;  // kernel memory for packets that were not read yet
    std::uint32_t interface_index = 1;      // in the socket's namespace; loopback is 1 everywhere
};

class PacketRing {
public:
    // `socket`: socket(AF_PACKET, SOCK_RAW, 0), not bound yet; it is closed with the ring, or at once on an error.
    static Result<std::unique_ptr<PacketRing>> open(int socket, const PacketRingOptions& options);
    ~PacketRing();
    PacketRing(const PacketRing&) = delete;
    PacketRing& operator=(const PacketRing&) = delete;

    // Readable when drain() would find packets.
    [[nodiscard]] int fd() const;
    Status set_filter(std::string_view text);
    // Hands over what is in the ring, `packets_max` and the rest of a block at most; true: there may be more.
    // Packet::bytes are borrowed until the callback returns; Packet::frame and position are 0.
    bool drain(std::size_t packets_max, const std::function<void(const Packet&)>& take);
    [[nodiscard]] LiveCounters counters();

private:
    PacketRing();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::capture
