// Where the payload of recent segments lies in the capture, to compare a retransmission with what came first.
//
// One ring for all connections: an entry costs 24 bytes and no allocation, and a connection only keeps the number of
// its newest one. The bytes themselves stay with the source (History).
#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.h"
#include "core/limits.h"
#include "core/packet.h"
#include "decode/net/flow.h"

namespace hopscope::decode::net {

class RecentSegments {
public:
    explicit RecentSegments(const History* history) : history_(history) {}

    // `owner` is the direction's number: the same for add() and compare(), never reused. `head` is the connection's.
    void add(std::uint32_t& head, std::uint64_t owner, std::uint32_t sequence, std::size_t size,
             std::uint64_t position) {
        if (history_ == nullptr || position == 0) return;
        if (ring_.empty()) ring_.resize(limits::kRecentSegments);
        if (++count_ == 0) count_ = 1;
        ring_[count_ % limits::kRecentSegments] = {position, owner, sequence, static_cast<std::uint32_t>(size), head};
        head = count_;
    }

    struct Comparison {
        std::size_t compared = 0, differing = 0;
        std::uint32_t first_difference = 0;  // sequence number
    };
    // Compares `repeat`, which begins at `sequence`, with what is at hand of its first copy.
    Comparison compare(std::uint32_t head, std::uint64_t owner, std::uint32_t sequence, Bytes repeat) const;

private:
    struct Entry {
        std::uint64_t position = 0;
        std::uint64_t owner = 0;
        std::uint32_t sequence = 0;
        std::uint32_t size = 0;
        std::uint32_t previous = 0;  // the connection's entry before this one; 0: none
    };

    const History* history_;
    std::vector<Entry> ring_;
    std::uint32_t count_ = 0;
};

}  // namespace hopscope::decode::net
