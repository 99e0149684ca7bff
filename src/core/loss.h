// Every place where something can get lost, with its counter. Loss is data: it is shown, exported, never hidden.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hopscope {

enum class LossPlace : std::uint8_t {
    kernel,         // packets that the kernel dropped before we saw them
    ring,           // records that did not fit a ring buffer
    cut_packets,    // packets shorter than on the wire (snaplen)
    reassembly,     // bytes that were declared missing in TCP streams
    decoder,        // bytes that no decoder could make sense of after one had begun
    fragments,      // IP fragments whose other parts never came
    limit_flows,    // connections given up because too many were open
    limit_buffer,   // bytes given up because a buffer was full
    limit_streams,  // streams of a connection beyond what is tracked
    limit_memory,   // sessions, streams or findings evicted to stay within --mem
    uncompared,     // retransmitted bytes whose first copy was no longer at hand
    file,           // bytes of a capture file that could not be read as records
};
inline constexpr std::size_t kLossPlaces = 12;

struct LossCounters {
    std::array<std::uint64_t, kLossPlaces> count{};
    void add(LossPlace place, std::uint64_t n = 1) { count[static_cast<std::size_t>(place)] += n; }
    [[nodiscard]] std::uint64_t operator[](LossPlace place) const { return count[static_cast<std::size_t>(place)]; }
};

// The JSON name: "kernel", "ring", "cut_packets" …
std::string_view to_string(LossPlace place);

}  // namespace hopscope
