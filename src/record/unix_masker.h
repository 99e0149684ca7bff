// As stream_masker, for connections that come as pieces with offsets: unix sockets of a recording.
//
// Every piece is shown twice, in the same order: first to collect(), later to mask(). What is not decided by then is
// overwritten, and so is what no walker understands. Words of commands get the same stand-ins in calls and in process
// events.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/node_event.h"
#include "core/stream_chunk.h"
#include "record/mask_plan.h"

namespace hopscope::record {

class UnixMasker {
public:
    // Both borrowed. `live`: connections that are over are forgotten, and plans are shortened.
    UnixMasker(Pseudonyms& pseudonyms, MaskCounts& counts, bool live)
        : pseudonyms_(pseudonyms), counts_(counts), live_(live) {}

    void collect(const StreamChunk& chunk);
    // `copy` holds chunk.bytes and is changed. Returns how many bytes were overwritten.
    std::size_t mask(const StreamChunk& chunk, std::span<std::uint8_t> copy);
    // The arguments become stand-ins.
    void mask(ProcessEvent& event);
    // No more pieces are collected.
    void finish();

private:
    struct Connection {
        explicit Connection(ConnectionWalker its_walker) : walker(std::move(its_walker)) {}
        ConnectionWalker walker;
        bool late = false;
        std::uint64_t next[2] = {0, 0};  // stream offset that collect() expects
        bool over[2] = {false, false};   // mask() has seen the end
    };
    using Key = std::pair<std::uint16_t, std::uint64_t>;  // file and number there

    Pseudonyms& pseudonyms_;
    MaskCounts& counts_;
    const bool live_;
    std::map<Key, Connection> connections_;
};

}  // namespace hopscope::record
