// The link layer: where in a packet the IP header begins (the link types of tcpdump.org).
//
// Ethernet with VLAN tags (802.1Q, 802.1ad, stacked), Linux cooked (SLL, SLL2), BSD null and loop, raw IP.
// Sources: IEEE 802.3 and 802.1Q; tcpdump.org/linktypes.html.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/packet.h"

namespace hopscope::decode::net {

struct NetworkLayer {
    const std::uint8_t* data = nullptr;  // borrowed from the packet
    std::size_t captured = 0;            // bytes from `data` on
    std::size_t wire = 0;                // the same as they were on the wire, trailing padding included
    int version = 0;                     // 4 or 6
    // Of cooked packets, which say it themselves: the packet type (to us, outgoing …) and the interface's index.
    std::uint32_t interface_index = 0;  // SLL2 only
    std::uint8_t packet_type = 0;
    bool cooked = false;      // from "any": the same packet may have been seen at several places
    bool place_known = true;  // false: SLL, which does not say which interface it was
};

enum class Layer : std::uint8_t {
    found,
    other,   // another protocol (ARP …)
    broken,  // too short, or it contradicts itself
    waits,   // a fragment whose other parts are still to come
};

Layer find_network_of_any_link(const Packet& packet, NetworkLayer& network);

inline Layer find_network(const Packet& packet, NetworkLayer& network) {
    constexpr std::size_t kEthernetBytes = 14;
    // Nearly every packet, without the calls.
    if (packet.link_type == LinkType::ethernet && packet.bytes.size() > kEthernetBytes &&
        packet.wire_length >= packet.bytes.size()) {
        const std::uint8_t* p = packet.bytes.data();
        if (read_be16(p + 12) == 0x0800 && p[kEthernetBytes] >> 4 == 4) {
            network.data = p + kEthernetBytes;
            network.captured = packet.bytes.size() - kEthernetBytes;
            network.wire = packet.wire_length - kEthernetBytes;
            network.version = 4;
            return Layer::found;
        }
    }
    return find_network_of_any_link(packet, network);
}

}  // namespace hopscope::decode::net
