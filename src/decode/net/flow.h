// What is kept for one TCP connection, and how a segment's connection is found.
//
// A Flow is one cache line: 10,000 connections whose packets interleave cost 640 KB and one miss each. What only few
// need (waiting bytes, holes) lies elsewhere, reached by `waiting`.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/endpoint.h"
#include "decode/net/mix.h"
#include "decode/net/packet_parser.h"

namespace hopscope::decode::net {

// The two endpoints of a segment without their order. IPv4: the very addresses and ports. IPv6: a hash of them with
// secrets, 96 bits wide, which nobody can aim at and which meets another by chance about never.
struct FlowKey {
    std::uint64_t addresses = 0;
    std::uint32_t ports = 0;
    std::uint32_t hash = 0;
    bool source_is_low = false;  // the source is the lower endpoint of the two

    bool same_as(const FlowKey& other) const { return addresses == other.addresses && ports == other.ports; }
};

inline std::uint32_t hash_of(std::uint64_t addresses, std::uint32_t ports, const HashSecrets& secrets) {
    return static_cast<std::uint32_t>(mix(addresses ^ secrets.first, ports ^ secrets.second) >> 32);
}

inline FlowKey key_of(const Endpoint& source, const Endpoint& destination, const HashSecrets& secrets) {
    struct Words {
        std::uint64_t high, low;
    };
    const auto words = [](const Endpoint& e) { return std::bit_cast<Words>(e.address.bytes); };
    constexpr Words kMapped{0, 0xffff0000};  // ::ffff:a.b.c.d, little-endian
    const Words s = words(source), d = words(destination);
    FlowKey key;
    if ((s.high | d.high) == kMapped.high && static_cast<std::uint32_t>(s.low) == kMapped.low &&
        static_cast<std::uint32_t>(d.low) == kMapped.low) {
        const std::uint64_t a = s.low >> 32 << 16 | source.port, b = d.low >> 32 << 16 | destination.port;
        key.source_is_low = a <= b;
        const std::uint64_t low = std::min(a, b), high = std::max(a, b);
        key.addresses = low >> 16 << 32 | high >> 16;
        key.ports = static_cast<std::uint32_t>(low << 16) | static_cast<std::uint16_t>(high);
        key.hash = hash_of(key.addresses, key.ports, secrets);
        return key;
    }
    // Any order will do, as long as it is always the same.
    key.source_is_low = s.high != d.high ? s.high < d.high
                        : s.low != d.low ? s.low < d.low
                                         : source.port <= destination.port;
    const Words low = key.source_is_low ? s : d, high = key.source_is_low ? d : s;
    const std::uint64_t ports = key.source_is_low ? std::uint64_t{source.port} << 16 | destination.port
                                                  : std::uint64_t{destination.port} << 16 | source.port;
    std::uint64_t state = mix(low.high ^ secrets.first, low.low ^ secrets.second);
    state = mix(state ^ high.high ^ secrets.third, high.low ^ secrets.fourth);
    key.addresses = mix(state ^ ports, secrets.first);
    key.ports = static_cast<std::uint32_t>(mix(state ^ secrets.third, ports ^ secrets.second));
    key.hash = hash_of(key.addresses, key.ports, secrets);
    return key;
}

// Capture time in units of 2^20 ns (about 1 ms), 32 bits: good for comparing within 24 days.
using Tick = std::uint32_t;
inline Tick tick_of(Timestamp at) { return static_cast<Tick>(at.ns >> 20); }
inline constexpr std::int32_t ticks(std::int64_t seconds) {
    return static_cast<std::int32_t>(seconds * kNanosecondsPerSecond >> 20);
}
// How long ago `then` was; negative where the clock of the capture stepped back.
inline std::int32_t ticks_since(Tick then, Tick now) { return static_cast<std::int32_t>(now - then); }

// How far `a` is ahead of `b` on the circle of sequence numbers (RFC 9293 section 3.4).
inline std::int32_t ahead(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }

// One direction: what its sender sent.
struct Half {
    std::uint64_t offset = 0;  // stream offset of the next byte to hand over
    std::uint32_t base = 0;    // sequence number of offset 0
    std::uint32_t acked = 0;   // highest acknowledgement of its receiver, if kAckKnown

    [[nodiscard]] std::uint32_t next() const { return base + static_cast<std::uint32_t>(offset); }
    [[nodiscard]] std::uint32_t sequence_at(std::uint64_t at) const { return base + static_cast<std::uint32_t>(at); }
};

// Of a direction.
enum : std::uint8_t {
    kStarted = 1,  // it is known where the direction begins; bytes are handed over
    kStarting =
        2,  // seen, but an earlier segment may still come (its SYN was not seen); `offset` is where it seems to begin
    kIsnKnown = 4,  // `base` follows from a SYN
    kAckKnown = 8,
    kFinTold = 16,
    kZeroWindow = 32,  // its sender has closed the window
};
// Of a flow.
enum : std::uint8_t {
    kClientIsLow = 1,
    kHandshake = 2,    // a SYN was seen
    kClosing = 4,      // a FIN was told
    kEndQueued = 8,    // both FINs were told, the last acknowledgement is awaited
    kHoleQueued = 16,  // its holes are looked at when their time has come
};

struct alignas(64) Flow {
    std::uint64_t addresses = 0;
    std::uint32_t ports = 0;
    FlowId id = 0;               // 0: this slot is free
    Tick last = 0;               // of the last packet
    std::uint8_t state[2] = {};  // by direction
    std::uint8_t flags = 0;
    std::uint8_t strayed = 0;   // segments in a row that did not belong
    std::uint32_t recent = 0;   // newest entry in RecentSegments
    std::uint32_t waiting = 0;  // 1 + index in the WaitingPool; 0: nothing waits
    Half halves[2];
};
static_assert(sizeof(Flow) == 64);

// Flows by slot. They do not move.
class FlowStore {
public:
    Flow& operator[](std::uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
    std::uint32_t take() {
        if (free_.empty()) {
            const auto first = static_cast<std::uint32_t>(chunks_.size() * kChunk);
            chunks_.push_back(std::make_unique<Flow[]>(kChunk));
            for (std::uint32_t i = kChunk; i-- > 0;) free_.push_back(first + i);
        }
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        ++used_;
        return slot;
    }
    void give_back(std::uint32_t slot) {
        (*this)[slot] = Flow{};
        free_.push_back(slot);
        --used_;
    }
    [[nodiscard]] std::uint32_t used() const { return used_; }
    [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(chunks_.size() * kChunk); }

private:
    static constexpr std::uint32_t kChunk = 256;
    std::vector<std::unique_ptr<Flow[]>> chunks_;
    std::vector<std::uint32_t> free_;
    std::uint32_t used_ = 0;
};

}  // namespace hopscope::decode::net
