// What waits for a hole to fill: bytes that came out of order, and a FIN behind them.
//
// Only connections that are out of order right now have one; objects are used again. Memory is counted with an overhead
// per piece, so that many tiny segments count for what they cost.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "decode/net/flow.h"

namespace hopscope::decode::net {

// A copy of bytes that came too early, at a stream offset (the key in Pieces).
struct Piece {
    std::vector<std::uint8_t> bytes;  // may be empty: all of it was cut
    std::uint64_t cut_until = 0;      // the segment went on to this offset, cut by the snaplen; 0: not cut
    Tick arrived = 0;
    std::uint32_t segment = 0;  // WaitingHalf::segments when it arrived
};

// Pieces by stream offset. They never overlap; what came first stays.
class Pieces {
public:
    static constexpr std::size_t kOverheadBytes = 128;  // map node and vector, roughly

    struct Range {
        std::uint64_t begin = 0, end = 0;
    };
    struct Inserted {
        std::uint64_t duplicate = 0;         // bytes that were here already
        std::uint64_t first_duplicate = 0;   // offset
        std::uint64_t differing = 0;         // of those, bytes that differ from the first copy
        std::uint64_t first_difference = 0;  // offset
    };
    // Keeps what is new of `bytes` at `offset`; the segment reached to `wire_end` (beyond its bytes: cut).
    // `fresh` receives the ranges that were new.
    Inserted insert(std::uint64_t offset, Bytes bytes, std::uint64_t wire_end, Tick now, std::uint32_t segment,
                    std::vector<Range>& fresh);

    [[nodiscard]] bool empty() const { return pieces_.empty(); }
    [[nodiscard]] std::size_t size() const { return pieces_.size(); }
    [[nodiscard]] std::uint64_t first_offset() const { return pieces_.begin()->first; }
    [[nodiscard]] const Piece& first() const { return pieces_.begin()->second; }
    [[nodiscard]] std::uint64_t last_offset() const { return pieces_.rbegin()->first; }
    [[nodiscard]] std::uint64_t last_end() const { return last_offset() + pieces_.rbegin()->second.bytes.size(); }
    Piece take_first();
    // Every offset becomes smaller by `shift`, which is at most first_offset().
    void shift_down(std::uint64_t shift);
    void clear();
    // What they cost in memory.
    [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

private:
    void add(std::uint64_t offset, Bytes bytes, Tick now, std::uint32_t segment);

    std::map<std::uint64_t, Piece> pieces_;
    std::size_t held_bytes_ = 0;
};

struct WaitingHalf {
    Pieces pieces;
    std::optional<std::uint64_t> fin_offset;  // a FIN was seen there and not told yet
    std::uint32_t segments = 0;               // segments with data since this object is in use
    Tick noticed = 0;                         // when the first hole was noticed
    std::uint32_t noticed_segment = 0;
    bool hole_noticed = false;

    void notice_hole(Tick now) {
        if (hole_noticed) return;
        hole_noticed = true;
        noticed = now;
        noticed_segment = segments;
    }
};

struct Waiting {
    std::uint32_t slot = 0;  // whose it is
    WaitingHalf halves[2];
    bool holds = false;                  // in the list of those that hold bytes (they may have gone since)
    std::uint32_t older = 0, newer = 0;  // neighbours in that list, 1 + index; 0: none
};

// The Waiting objects in use, and in which order those that hold bytes began to.
class WaitingPool {
public:
    Waiting& of(Flow& flow, std::uint32_t slot);
    Waiting& at(std::uint32_t number) { return *all_[number - 1]; }
    void release(Flow& flow);

    void put_in_list(std::uint32_t number);
    void take_from_list(std::uint32_t number);
    [[nodiscard]] std::uint32_t oldest() const { return oldest_; }

    std::size_t held_bytes = 0;  // over all connections; kept by those who insert and take

private:
    std::vector<std::unique_ptr<Waiting>> all_;
    std::vector<std::uint32_t> free_;
    std::uint32_t oldest_ = 0, newest_ = 0;
};

}  // namespace hopscope::decode::net
