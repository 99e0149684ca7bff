// Writes WebSocket frames (RFC 6455) for tests that decode what was encoded.
#pragma once

#include <string>
#include <string_view>

#include "support/spdy_writer.h"

namespace hopscope::tests {

struct WsFrame {
    std::uint8_t opcode = 2;
    bool fin = true;
    bool masked = false;
    std::uint32_t key = 0x37fa213d;  // RFC 6455 section 5.7
    std::uint8_t reserved = 0;
    int length_bytes = 0;  // 0: the shortest; 1, 2 or 8 to write a longer form
};

inline std::string ws_frame(std::string_view payload, WsFrame frame = {}) {
    const int form = frame.length_bytes > 0   ? frame.length_bytes
                     : payload.size() < 126   ? 1
                     : payload.size() < 65536 ? 2
                                              : 8;
    std::string out;
    out += static_cast<char>((frame.fin ? 0x80 : 0) | frame.reserved << 4 | frame.opcode);
    const std::size_t short_length = form == 1 ? payload.size() : form == 2 ? 126 : 127;
    out += static_cast<char>((frame.masked ? 0x80 : 0) | static_cast<int>(short_length));
    if (form > 1) out += big_endian(payload.size(), form);
    if (!frame.masked) return out + std::string(payload);
    const std::string key = big_endian(frame.key, 4);
    out += key;
    for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
    return out;
}
// Whole messages: the client's are masked.
inline std::string ws_client(std::string_view payload, std::uint8_t opcode = 2) {
    return ws_frame(payload, {.opcode = opcode, .masked = true});
}
inline std::string ws_server(std::string_view payload, std::uint8_t opcode = 2) {
    return ws_frame(payload, {.opcode = opcode});
}
inline std::string ws_close(int code) { return big_endian(static_cast<std::uint64_t>(code), 2); }

}  // namespace hopscope::tests
