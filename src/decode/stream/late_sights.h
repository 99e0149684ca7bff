// What records of TLS and frames of HTTP/2 look like in the middle of a connection, and which side sent them.
#pragma once

#include <optional>

#include "decode/stream/frame_hunt.h"

namespace hopscope::decode::stream {

// TLS records (RFC 8446 section 5.1): type, version and length leave little to chance; three in a row, two from the
// beginning on.
inline constexpr std::uint32_t kTlsBits = 60;
inline constexpr std::uint32_t kTlsOriginBits = 20;

class TlsSight {
public:
    static bool may_begin(std::uint8_t byte) { return byte >= 20 && byte <= 23; }
    [[nodiscard]] Look look(Bytes at) const {
        if (!may_begin(at[0])) return Look::nothing();
        if (at.size() > 1 && at[1] != 3) return Look::nothing();
        if (at.size() > 2 && (at[2] == 0 || at[2] > 4)) return Look::nothing();
        if (at.size() < 5) return Look::more_needed();
        const std::uint16_t length = read_be16(at.data() + 3);
        if (length == 0 || length > limits::kTlsRecordBytesMax) return Look::nothing();
        return Look::frame(5U + length, 20);
    }
};

// False if the bytes say that `first` is the server: its hello begins one of the sides.
inline bool tls_first_is_client(Bytes first, Bytes second) {
    const auto hello = [](Bytes bytes, std::uint8_t kind) {
        return bytes.size() > 5 && bytes[0] == 22 && bytes[5] == kind;
    };
    return !hello(first, 2) && !hello(second, 1);
}

// HTTP/2 frames (RFC 9113 sections 4.1 and 6), as gRPC and browsers send them.
inline constexpr std::uint32_t kHttp2Bits = 110;
inline constexpr std::uint32_t kHttp2OriginBits = 30;

class Http2Sight {
public:
    static bool may_begin(std::uint8_t byte) { return byte == 0; }
    [[nodiscard]] Look look(Bytes at) const {
        if (!may_begin(at[0])) return Look::nothing();
        if (at.size() > 3 && (at[3] > 9 || at[3] == 5)) return Look::nothing();
        if (at.size() < 9) return Look::more_needed();
        const std::uint32_t length = read_be24(at.data());
        const std::uint8_t type = at[3], flags = at[4];
        const std::uint32_t stream = read_be32(at.data() + 5);
        const bool of_stream = stream % 2 == 1 && stream < 0x1000000;
        const auto frame = [&](bool fits, std::uint32_t bits) {
            return fits ? Look::frame(9 + length, bits) : Look::nothing();
        };
        switch (type) {
            case 0: return frame(of_stream && (flags & ~0x09) == 0 && length <= 16384, 30);
            case 1: return frame(of_stream && (flags & ~0x2d) == 0 && length > 0 && length <= 16384, 30);
            case 2: return frame(of_stream && flags == 0 && length == 5, 50);
            case 3: return frame(of_stream && flags == 0 && length == 4, 50);
            case 4:
                return frame(
                    stream == 0 && flags <= 1 && length % 6 == 0 && length <= 6 * 16 && (flags == 0 || length == 0),
                    60);
            case 6: return frame(stream == 0 && flags <= 1 && length == 8, 70);
            case 7: return frame(stream == 0 && flags == 0 && length >= 8 && length < 1024, 60);
            case 8: return frame((of_stream || stream == 0) && flags == 0 && length == 4, 45);
            default: return frame(of_stream && (flags & ~0x04) == 0 && length <= 16384, 25);
        }
    }
};

// Whether `first` is the client, by the first field of header blocks: requests begin with a method or a scheme, answers
// with a status (RFC 7541 appendix A). True where nothing tells.
bool http2_first_is_client(Bytes first, std::optional<std::size_t> first_start, Bytes second,
                           std::optional<std::size_t> second_start);

}  // namespace hopscope::decode::stream
