// The frame header of ttrpc (github.com/containerd/ttrpc, channel.go), and how its first request looks.
//
//     length u32 BE | stream u32 BE | type u8 | flags u8, then `length` bytes of protobuf
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/bytes.h"

namespace hopscope::decode::grpc {

struct TtrpcHeader {
    static constexpr std::size_t kBytes = 10;
    static constexpr std::uint32_t kLengthMax = 4 * 1024 * 1024;  // ttrpc's own messageLengthMax
    static constexpr std::uint8_t kRequest = 1, kResponse = 2, kData = 3;
    static constexpr std::uint8_t kFlagsMax = 7;  // remote closed, remote open, no data

    std::uint32_t length = 0, stream = 0;
    std::uint8_t type = 0, flags = 0;

    // `bytes`: kBytes at least.
    static TtrpcHeader read(Bytes bytes) {
        return {read_be32(bytes.data()), read_be32(bytes.data() + 4), bytes[8], bytes[9]};
    }
    // Only clients open streams, with odd numbers.
    [[nodiscard]] bool possible() const {
        return length <= kLengthMax && stream % 2 == 1 && stream < 0x80000000U && type >= kRequest && type <= kData &&
               flags <= kFlagsMax;
    }
};

enum class TtrpcStart : std::uint8_t { no, maybe, yes };

// Are these the first bytes of a request: its header, and the names of service and method? `maybe`: more are needed.
inline TtrpcStart begins_ttrpc_request(Bytes bytes) {
    constexpr std::size_t kNameMax = 127;  // one byte of length; "containerd.runtime.sandbox.v1.Sandbox" has 37
    constexpr std::size_t kNamesMin =
        16;  // service and method; other protocols begin with a shorter length (Postgres: 8)
    const auto is_name = [](std::uint8_t b) {
        return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '.' || b == '_';
    };
    if (bytes.empty()) return TtrpcStart::maybe;
    if (bytes[0] != 0) return TtrpcStart::no;  // of the length: 4 MiB at most
    if (bytes.size() > 1 && bytes[1] > 0x40) return TtrpcStart::no;
    if (bytes.size() >= 4 && read_be32(bytes.data()) < kNamesMin) return TtrpcStart::no;
    if (bytes.size() >= 8 && read_be32(bytes.data() + 4) % 2 == 0) return TtrpcStart::no;
    if (bytes.size() < TtrpcHeader::kBytes) return TtrpcStart::maybe;
    const TtrpcHeader header = TtrpcHeader::read(bytes);
    if (!header.possible() || header.type != TtrpcHeader::kRequest) return TtrpcStart::no;
    Bytes payload = bytes.subspan(TtrpcHeader::kBytes);
    std::size_t needed = 0;
    for (const std::uint8_t field : {std::uint8_t{0x0a}, std::uint8_t{0x12}}) {  // fields 1 and 2, length-delimited
        if (payload.empty()) return TtrpcStart::maybe;
        if (payload[0] != field) return TtrpcStart::no;
        if (payload.size() < 2) return TtrpcStart::maybe;
        const std::size_t name = payload[1];
        needed += 2 + name;
        if (name == 0 || name > kNameMax || needed > header.length) return TtrpcStart::no;
        payload = payload.subspan(2);
        const Bytes text = payload.first(std::min(name, payload.size()));
        if (!std::all_of(text.begin(), text.end(), is_name)) return TtrpcStart::no;
        if (payload.size() < name) return TtrpcStart::maybe;
        payload = payload.subspan(name);
    }
    return TtrpcStart::yes;
}

}  // namespace hopscope::decode::grpc
