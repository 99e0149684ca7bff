#include "decode/stream/late_sights.h"

namespace hopscope::decode::stream {
namespace {

// Positive: the frames of `bytes` from `start` on are a client's; negative: a server's.
int http2_client_signs(Bytes bytes, std::optional<std::size_t> start) {
    int signs = 0;
    std::uint64_t at = start.value_or(bytes.size());
    while (at + 9 < bytes.size()) {
        const Look look = Http2Sight().look(bytes.subspan(at));
        if (look.kind != Look::Kind::frame) break;
        const std::uint8_t flags = bytes[at + 4];
        // Padding and priority fields would come before the block; gRPC sends neither.
        if (bytes[at + 3] == 1 && (flags & 0x28) == 0) {
            const std::uint8_t field = bytes[at + 9];
            if (field >= 0x88 && field <= 0x8e) --signs;
            if (field >= 0x82 && field <= 0x87) ++signs;
        }
        at += look.frame_bytes;
    }
    return signs;
}

}  // namespace

bool http2_first_is_client(Bytes first, std::optional<std::size_t> first_start, Bytes second,
                           std::optional<std::size_t> second_start) {
    return http2_client_signs(first, first_start) >= http2_client_signs(second, second_start);
}

}  // namespace hopscope::decode::stream
