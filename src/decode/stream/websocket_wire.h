// The shapes of WebSocket frames on the wire (RFC 6455 section 5.2), and what such a frame looks like among other
// bytes.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "decode/stream/frame_hunt.h"

namespace hopscope::decode::stream::ws {

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

struct FrameHead {
    std::size_t bytes = 0;  // of the head itself; 0: not all there yet
    bool fin = false, masked = false;
    std::uint8_t reserved = 0;  // RSV1 to RSV3 as 4, 2, 1
    std::uint8_t opcode = 0;
    std::uint64_t length = 0;
    std::array<std::uint8_t, 4> key{};

    [[nodiscard]] bool control() const { return (opcode & 8) != 0; }
};

inline FrameHead read_head(Bytes unread) {
    FrameHead head;
    if (unread.size() < 2) return head;
    head.fin = (unread[0] & 0x80) != 0;
    head.reserved = unread[0] >> 4 & 7;
    head.opcode = unread[0] & 0x0f;
    head.masked = (unread[1] & 0x80) != 0;
    const std::uint8_t short_length = unread[1] & 0x7f;
    const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    const std::size_t bytes = 2 + length_bytes + (head.masked ? 4 : 0);
    if (unread.size() < bytes) return head;
    head.length = length_bytes == 0   ? short_length
                  : length_bytes == 2 ? read_be16(unread.data() + 2)
                                      : read_be64(unread.data() + 2);
    if (head.masked) std::memcpy(head.key.data(), unread.data() + 2 + length_bytes, 4);
    head.bytes = bytes;
    return head;
}

// Undoes (or does) the masking of `payload`, whose first byte is number `phase` of its frame, into `out`.
inline void unmask(Bytes payload, const std::array<std::uint8_t, 4>& key, std::uint64_t phase, std::uint8_t* out) {
    std::array<std::uint8_t, 8> turned{};
    for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = key[(phase + i) % 4];
    std::uint64_t mask = 0;
    std::memcpy(&mask, turned.data(), sizeof mask);
    std::size_t at = 0;
    for (; at + 8 <= payload.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, payload.data() + at, sizeof word);
        word ^= mask;
        std::memcpy(out + at, &word, sizeof word);
    }
    for (; at < payload.size(); ++at) out[at] = payload[at] ^ turned[at % 8];
}

// Evidence in bits. One frame has little that is fixed: the first byte, the mask bit, the channel number.
inline constexpr std::uint32_t kHuntBits = 44;    // four frames in a row, two where a segment begins
inline constexpr std::uint32_t kDetectBits = 77;  // seven frames in a row, four where a segment begins
inline constexpr std::uint32_t kOriginBits = 33;

// A frame that Kubernetes sends in one direction: masked from the client only, no extensions.
class Sight {
public:
    explicit Sight(bool from_client) : from_client_(from_client) {}

    static bool may_begin(std::uint8_t byte) {
        return (byte & 0x70) == 0 && ((byte & 0x0f) <= kBinary || (byte >= 0x88 && byte <= 0x8a));
    }

    [[nodiscard]] Look look(Bytes at) const {
        if (!may_begin(at[0])) return Look::nothing();
        if (at.size() < 2) return Look::more_needed();
        if (((at[1] & 0x80) != 0) != from_client_) return Look::nothing();
        const FrameHead head = read_head(at);
        if (head.control() && (at[1] & 0x7f) > 125) return Look::nothing();
        if (head.bytes == 0) return Look::more_needed();
        const bool shortest = (at[1] & 0x7f) < 126 || head.length > ((at[1] & 0x7f) == 126 ? 125U : 0xffffU);
        if (!shortest || head.length > limits::kHuntBytesMax) return Look::nothing();
        const std::uint64_t whole = head.bytes + head.length;
        const auto payload = [&](std::size_t i) -> std::uint8_t {
            return head.masked ? at[head.bytes + i] ^ head.key[i % 4] : at[head.bytes + i];
        };
        switch (head.opcode) {
            // Pieces say little: any two small bytes look like one. An empty one only ends a message.
            case kContinuation:
                if (head.length == 0 && !head.fin) return Look::nothing();
                return Look::frame(whole, head.fin && head.length > 0 ? 3 : 0,
                                   head.fin ? Look::Part::ends : Look::Part::goes_on);
            case kPing:
            case kPong: return Look::frame(whole, head.length == 0 ? 16 : 9);
            case kClose: {
                if (head.length == 0) return Look::frame(whole, 16);
                if (head.length == 1) return Look::nothing();
                if (at.size() < head.bytes + 2) return Look::more_needed();
                const int code = payload(0) << 8 | payload(1);
                return code >= 1000 && code < 5000 ? Look::frame(whole, 22) : Look::nothing();
            }
            default: {
                const Look::Part part = head.fin ? Look::Part::whole : Look::Part::begins;
                // Only the tunnel sends empty messages.
                if (head.length == 0) return Look::frame(whole, 6, part);
                if (at.size() <= head.bytes) return Look::more_needed();
                const std::uint8_t first = payload(0);
                // A channel number, its ASCII digit, the close signal, or the first byte of a SPDY frame.
                const bool likely = first <= 9 || (first >= '0' && first <= '9') || first == 0xff || first == 0x80;
                return Look::frame(whole, likely ? 11 : 4, part);
            }
        }
    }

private:
    bool from_client_;
};

using Hunt = FrameHunt<Sight>;

}  // namespace hopscope::decode::stream::ws
