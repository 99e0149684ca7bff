// The client's side of HTTP/2 for a handful of unary gRPC calls: what to send, and what must be answered at once.
// Header fields are sent as literals without indexing (RFC 7541 section 6.2.2), so that no table has to be kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "decode/grpc/frame.h"

namespace hopscope::procmap::http2 {

// Preface, SETTINGS and a window of `window_bytes` for the connection and each stream: no further update is needed.
std::string greeting(std::uint32_t window_bytes);
// HEADERS and DATA of a call with an empty message. `path`: "/runtime.v1.RuntimeService/Version".
std::string empty_call(std::uint32_t stream, std::string_view path, std::int64_t timeout_ms);

// Follows the server's frames by their headers alone: answers SETTINGS and PING, notices the end.
class ServerFrames {
public:
    // Appends to `replies` what must be sent. False: these bytes are no HTTP/2, or a frame is larger than allowed.
    bool feed(Bytes bytes, std::string& replies);
    // GOAWAY came: streams above last_stream() will not be answered.
    [[nodiscard]] bool going_away() const { return going_away_; }
    [[nodiscard]] std::uint32_t last_stream() const { return last_stream_; }

private:
    static constexpr std::size_t kPayloadKept = 8;  // of PING and GOAWAY

    void frame_done(std::string& replies);

    std::array<std::uint8_t, decode::grpc::kFrameHeaderBytes> header_{};
    std::size_t header_have_ = 0;
    std::array<std::uint8_t, kPayloadKept> payload_{};
    decode::grpc::FrameHeader frame_;
    std::uint32_t taken_ = 0;  // of the frame's payload
    bool first_ = true;
    bool going_away_ = false;
    std::uint32_t last_stream_ = 0;
};

}  // namespace hopscope::procmap::http2
