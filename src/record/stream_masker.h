// Decides which bytes of TCP packets may stay, and overwrites the others: behind `hopscope mask` (reads a file twice)
// and `hopscope record` (holds packets back until they are decided).
//
// Every packet is shown twice, in the same order: first to collect(), after the pipeline has decoded it, later to
// mask(). Whatever is not decided by then, or belongs to no connection, is overwritten. What streams are is learnt from
// the pipeline's events and known by the addresses of their connection.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/packet.h"
#include "pipeline/pipeline.h"
#include "record/mask_plan.h"

namespace hopscope::record {

struct StreamMaskerOptions {
    // Connections that are over are forgotten when mask() has gone past their end, and plans are shortened.
    bool live = false;
};

class StreamMasker {
public:
    // `counts` and `pseudonyms` are borrowed.
    StreamMasker(MaskCounts& counts, Pseudonyms& pseudonyms, const StreamMaskerOptions& options);
    ~StreamMasker();
    StreamMasker(const StreamMasker&) = delete;
    StreamMasker& operator=(const StreamMasker&) = delete;

    // For the pipeline that sees each packet before collect().
    [[nodiscard]] pipeline::EventTap& tap();
    void collect(const Packet& packet);
    // As Pipeline::tick(), ended_unseen() and expect_copies().
    void advance(Timestamp now);
    void ended_unseen(const Endpoint& client, const Endpoint& server);
    void expect_copies();
    // No more packets are collected.
    void finish();

    // `copy` holds packet.bytes and is changed. Returns how many bytes were overwritten.
    std::size_t mask(const Packet& packet, std::vector<std::uint8_t>& copy);

    [[nodiscard]] std::uint64_t connections() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Bytes of link and network headers that say who talks: the rest of a packet that is not TCP is content. The ports of
// UDP and the type of ICMP are among them; of a later fragment nothing is.
std::size_t harmless_bytes(const Packet& packet);

}  // namespace hopscope::record
