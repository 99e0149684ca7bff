// The shapes of SPDY/3.1 frames on the wire (draft-mbelshe-httpbis-spdy-00, section 2). Constants only; all integers
// are big-endian.
#pragma once

#include <cstdint>

#include "core/bytes.h"

namespace hopscope::decode::stream::spdy {

inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::uint16_t kVersion = 3;  // also of SPDY/3.1
inline constexpr std::uint8_t kFlagFin = 0x01;
inline constexpr std::uint32_t kStreamIdMask = 0x7fffffff;

enum Type : std::uint16_t {
    kData = 0,  // our own number for frames without a type
    kSynStream = 1,
    kSynReply = 2,
    kRstStream = 3,
    kSettings = 4,
    kNoop = 5,  // SPDY/2 only
    kPing = 6,
    kGoaway = 7,
    kHeaders = 8,
    kWindowUpdate = 9,
    kCredential = 10,  // draft 3 only
};

// Bytes between the 8-byte header and the compressed block.
inline constexpr std::size_t kSynStreamFixedBytes = 10;
inline constexpr std::size_t kSynReplyFixedBytes = 4;  // HEADERS too

// The first 8 bytes of any frame.
struct FrameHead {
    bool control = false;
    std::uint16_t version = 0;  // control only
    std::uint16_t type = kData;
    std::uint32_t stream = 0;  // data only
    std::uint8_t flags = 0;
    std::uint32_t length = 0;  // bytes after these eight
};

inline FrameHead read_head(const std::uint8_t* p) {
    FrameHead head;
    const std::uint32_t first = read_be32(p);
    head.control = (first >> 31) != 0;
    if (head.control) {
        head.version = static_cast<std::uint16_t>(first >> 16 & 0x7fff);
        head.type = static_cast<std::uint16_t>(first);
    } else {
        head.stream = first;
    }
    head.flags = p[4];
    head.length = read_be24(p + 5);
    return head;
}

}  // namespace hopscope::decode::stream::spdy
