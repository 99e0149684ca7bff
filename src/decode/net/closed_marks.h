// Remembers connections that have just ended, so that their late acknowledgements and retransmissions do not look like
// new connections. Bounded in number and in capture time; the oldest goes first.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/limits.h"
#include "decode/net/flow.h"
#include "decode/net/flow_index.h"

namespace hopscope::decode::net {

class ClosedMarks {
public:
    // `reset`: the sender may not have known yet that it is over, and may have sent further bytes.
    void add(const Flow& flow, std::uint32_t hash, bool reset, Tick now) {
        std::uint32_t number = find(flow.addresses, flow.ports, hash);
        if (number == FlowIndex::kNone) {
            number = next_;
            next_ = (next_ + 1) % limits::kClosedMarks;
            if (number < marks_.size()) {
                index_.erase(marks_[number].hash, number);
            } else {
                marks_.emplace_back();
            }
            index_.insert(hash, number);
        }
        Mark& mark = marks_[number];
        mark = {.addresses = flow.addresses, .ports = flow.ports, .hash = hash, .at = now, .reset = reset, .ends = {}};
        for (const int direction : {0, 1}) {
            const bool low = (direction == 0) == ((flow.flags & kClientIsLow) != 0);  // 0 is what the client sent
            const Half& half = flow.halves[direction];
            mark.ends[low ? 0 : 1] = {half.base, half.next(), (flow.state[direction] & kStarted) != 0};
        }
    }

    // True: this segment, of no open connection, is a late one of a connection that has ended.
    bool is_late(const FlowKey& key, const TcpSegment& segment, Tick now) {
        const std::uint32_t number = find(key.addresses, key.ports, key.hash);
        if (number == FlowIndex::kNone) return false;
        Mark& mark = marks_[number];
        if (ticks_since(mark.at, now) > ticks(limits::kClosedSeconds)) return false;
        const End& end = mark.ends[key.source_is_low ? 0 : 1];
        if (!end.known) return !segment.flags.syn;
        if (segment.flags.syn) return segment.sequence + 1 == end.base;
        const std::int32_t beyond = ahead(segment.sequence + segment.payload_wire_bytes, end.next);
        const std::int32_t allowed = mark.reset ? static_cast<std::int32_t>(limits::kBehindBytesMax) : 1;
        if (beyond > allowed || beyond < -static_cast<std::int32_t>(limits::kBehindBytesMax)) return false;
        mark.at = now;
        return true;
    }

private:
    struct End {
        std::uint32_t base = 0, next = 0;  // sequence numbers of the first byte and after the last
        bool known = false;
    };
    struct Mark {
        std::uint64_t addresses = 0;
        std::uint32_t ports = 0;
        std::uint32_t hash = 0;
        Tick at = 0;
        bool reset = false;
        std::array<End, 2> ends{};  // of the lower endpoint, of the higher one
    };

    std::uint32_t find(std::uint64_t addresses, std::uint32_t ports, std::uint32_t hash) const {
        return index_.find(
            hash, [&](std::uint32_t n) { return marks_[n].addresses == addresses && marks_[n].ports == ports; });
    }

    std::vector<Mark> marks_;
    std::uint32_t next_ = 0;
    FlowIndex index_;
};

}  // namespace hopscope::decode::net
