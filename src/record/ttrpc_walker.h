// As http2_walker, for ttrpc: what containerd and its shims say to each other.
//
// Frame headers stay, and of requests and answers what cri_masker says. A connection that was joined late, and one in
// which bytes are missing, is followed from the next piece on that begins with a frame, as writers of ttrpc write them.
#pragma once

#include <array>
#include <deque>
#include <utility>

#include "decode/grpc/ttrpc_frame.h"
#include "record/gathered.h"

namespace hopscope::record {

// Do these bytes begin with a frame of ttrpc?
bool begins_ttrpc(Bytes bytes, Direction direction);

class TtrpcWalker {
public:
    // All borrowed; `plans` by direction.
    TtrpcWalker(std::array<MaskPlan*, 2> plans, Pseudonyms& pseudonyms, MaskCounts& counts)
        : plans_(plans), pseudonyms_(pseudonyms), counts_(counts) {}

    void bytes(Direction direction, std::uint64_t offset, Bytes bytes);
    void gap(Direction direction);

private:
    struct Side {
        bool lost = false;
        Gathered frame;          // header and payload
        std::uint64_t skip = 0;  // of a payload that is overwritten whole
    };
    void whole(Direction direction);

    std::array<MaskPlan*, 2> plans_;
    Pseudonyms& pseudonyms_;
    MaskCounts& counts_;
    std::array<Side, 2> sides_;
    std::deque<std::pair<std::uint32_t, bool>>
        calls_;  // without an answer: stream, and whether it is of the task service
};

}  // namespace hopscope::record
