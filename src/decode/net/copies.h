// Finds packets that were captured more than once: with several interfaces, or on "any", where a packet on loopback
// comes twice and one from a pod once for each device that it passes.
//
// A packet is known by a fingerprint of what stays the same on its way (addresses, IP id, TCP header, length). How
// often a packet truly was on the wire is the largest number of times that one place (interface and packet type) has
// seen it: what goes beyond that at other places are copies. So a true retransmission with an equal header is none, and
// the order in which the interfaces' packets were written does not matter.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/time.h"

namespace hopscope::decode::net {

class CopyFilter {
public:
    CopyFilter();

    // Where a packet was seen.
    struct Place {
        std::uint32_t interface = 0;
        std::uint32_t interface_index = 0;
        std::uint8_t packet_type = 0;
        bool known = true;  // false: several devices look the same here (SLL)
    };

    // True: a packet with this fingerprint was there before, and this is another sight of it. `id_known`: it has an IP
    // id, so an equal fingerprint a moment later is not a retransmission even where places look the same.
    bool is_copy(std::uint64_t fingerprint, const Place& place, bool id_known, Timestamp at);

    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    static constexpr std::size_t kWays = 4, kPlacesPerPacket = 6;
    struct Sight {
        std::uint64_t fingerprint = 0;
        std::int64_t at_ns = 0;
        std::array<std::uint8_t, kPlacesPerPacket> place{}, seen{};
        std::uint8_t passed = 0;  // 0: empty
    };

    // A small number for a place; kPlacesMax when there are too many.
    std::size_t number_of(const Place& place);
    bool count(Sight& sight, std::uint8_t place, bool same_instant);

    static constexpr std::size_t kPlacesMax = 255;
    std::vector<std::uint64_t> places_;
    std::size_t last_place_ = 0;
    std::vector<Sight> sights_;
    std::uint64_t dropped_ = 0;
};

}  // namespace hopscope::decode::net
