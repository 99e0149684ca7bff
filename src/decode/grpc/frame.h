// HTTP/2 frame headers (RFC 9113 section 4.1), and how to find one in the middle of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/bytes.h"

namespace hopscope::decode::grpc {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kFrameHeaderBytes = 9;

namespace frame_type {
inline constexpr std::uint8_t data = 0, headers = 1, priority = 2, rst_stream = 3, settings = 4, push_promise = 5,
                              ping = 6, goaway = 7, window_update = 8, continuation = 9;
}
namespace frame_flag {
inline constexpr std::uint8_t end_stream = 0x1, ack = 0x1, end_headers = 0x4, padded = 0x8, priority = 0x20;
}

struct FrameHeader {
    std::uint32_t length = 0;  // of the payload
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;  // 31 bits

    [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

FrameHeader read_frame_header(const std::uint8_t* p);

// What is wrong with this header by the rules of RFC 9113 section 6 (lengths, stream 0 or not); empty: nothing.
std::string_view fault_of(const FrameHeader& frame);

// Where a frame begins, looked for in bytes that may begin inside one.
struct Boundary {
    std::size_t skip = 0;  // bytes before it that are surely no frame boundary
    bool found = false;    // false: undecided at `skip`, more bytes are needed
};
// A place is believed when the frames that would begin there, one after the other, carry enough evidence; how the
// bytes were cut makes no difference. Frames above 16,384 bytes (the default maximum) are not recognised; the next ones
// are.
Boundary find_boundary(Bytes unread);
// How many bytes find_boundary() may want to see before it decides about a place.
inline constexpr std::size_t kBoundaryBytesMax = 3 * (16384 + kFrameHeaderBytes);

}  // namespace hopscope::decode::grpc
