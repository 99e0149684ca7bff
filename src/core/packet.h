// One captured packet, as a source of packets hands it to the pipeline.
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/time.h"

namespace hopscope {

// LINKTYPE_ values of the packet's first header (tcpdump.org/linktypes.html). A file may hold others.
enum class LinkType : std::uint16_t {
    null = 0,
    ethernet = 1,
    raw_bsd = 12,
    raw_openbsd = 14,
    raw = 101,
    loop = 108,
    linux_sll = 113,
    ipv4 = 228,
    ipv6 = 229,
    upper_pdu = 252,
    linux_sll2 = 276,
};

// `bytes` is borrowed: valid until the source is asked for the next packet.
// bytes.size() < wire_length means that the capture was cut (snaplen): the difference is missing, not hidden.
struct Packet {
    Timestamp at;
    LinkType link_type = LinkType::ethernet;
    std::uint32_t interface = 0;    // number of the interface within this run (all files counted together)
    std::uint32_t wire_length = 0;  // bytes on the wire
    Bytes bytes;                    // bytes captured
    std::uint64_t frame = 0;        // number within its file, from 1, as Wireshark counts
    std::uint16_t file = 0;         // which file of this run, from 0
    std::uint64_t position = 0;     // where `bytes` stands for History (below); 0: nowhere
};

// Bytes of recent packets, for comparing a retransmission with what came first, without copying every payload.
// A source that still has the bytes at `position` (and `size` after it) in its buffer returns them, else an empty span.
// The span is valid until the source is asked for the next packet.
class History {
public:
    virtual ~History() = default;
    [[nodiscard]] virtual Bytes recent(std::uint64_t position, std::size_t size) const = 0;
};

}  // namespace hopscope
