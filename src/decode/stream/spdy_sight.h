// What a SPDY frame looks like among other bytes: for finding the boundary again and for recognising
// SPDY in a capture that began late. Strict: only frames that Kubernetes sends and ids that it uses.
#pragma once

#include <algorithm>

#include "decode/stream/frame_hunt.h"
#include "decode/stream/spdy_wire.h"

namespace hopscope::decode::stream::spdy {

// Evidence in bits. A DATA head alone counts 40, two in a row may be an accident in binary payload, three are not.
// Control frames carry a magic number and hardly anything that is free: one of them is enough.
inline constexpr std::uint32_t kDataBits = 40;
inline constexpr std::uint32_t kEmptyFinBits = 56;
// A DATA head behind one of another stream, in a connection that is known to be SPDY, and in one that is not.
inline constexpr std::uint32_t kOtherStreamBits = 24;
inline constexpr std::uint32_t kOtherStreamGuessBits = 8;
inline constexpr std::uint32_t kControlBits = 121;
inline constexpr std::uint32_t kSynStreamBits = 150;
inline constexpr std::uint32_t kHuntBits = 110;    // needed to go on in a connection that is known to be SPDY
inline constexpr std::uint32_t kDetectBits = 150;  // needed to call a connection SPDY
inline constexpr std::uint32_t kOriginBits = 40;

inline constexpr std::uint32_t kLikelyStreamIdMax = 0xfffff;  // half a million forwarded connections

class Sight {
public:
    explicit Sight(std::uint32_t other_bits = kOtherStreamBits) : other_bits_(other_bits) {}

    static bool may_begin(std::uint8_t byte) { return byte == 0x00 || byte == 0x80; }
    [[nodiscard]] Look look(Bytes at) const { return at[0] == 0x80 ? control(at) : data(at); }

private:
    static bool likely_id(std::uint32_t id) { return id % 2 == 1 && id <= kLikelyStreamIdMax; }

    [[nodiscard]] Look data(Bytes at) const {
        // Refused as soon as a byte says so: most places are.
        if (at.size() > 1 && at[1] > 0x0f) return Look::nothing();
        if (at.size() > 3 && at[3] % 2 == 0) return Look::nothing();
        if (at.size() > 4 && at[4] > kFlagFin) return Look::nothing();
        if (at.size() < kHeaderBytes) return Look::more_needed();
        const FrameHead head = read_head(at.data());
        if (!likely_id(head.stream)) return Look::nothing();
        // Nobody writes an empty DATA frame without FIN.
        if (head.length == 0)
            return head.flags == kFlagFin ? Look::frame(kHeaderBytes, kEmptyFinBits) : Look::nothing();
        const std::uint32_t unlikely_id = head.stream > 0xffff ? 20 : head.stream > 0xff ? 8 : 0;
        const std::uint32_t unlikely_length = head.length > 0xffff ? 8 : 0;
        const std::uint32_t bits = kDataBits - unlikely_id - unlikely_length;
        return Look::stream_frame(kHeaderBytes + head.length, bits, head.stream, std::min(bits, other_bits_));
    }

    static Look control(Bytes at) {
        if (at.size() > 1 && at[1] != kVersion) return Look::nothing();
        if (at.size() > 2 && at[2] != 0) return Look::nothing();
        if (at.size() > 3 && (at[3] < kSynStream || at[3] > kWindowUpdate || at[3] == kNoop)) return Look::nothing();
        if (at.size() < kHeaderBytes) return Look::more_needed();
        const FrameHead head = read_head(at.data());
        const std::uint64_t whole = kHeaderBytes + head.length;
        const auto id_at = [&](std::size_t place) { return read_be32(at.data() + place); };
        const auto fixed = [&](std::uint32_t length, auto&& body_fits) {
            if (head.length != length || head.flags != 0) return Look::nothing();
            if (at.size() < whole) return Look::more_needed();
            return body_fits() ? Look::frame(whole, kControlBits) : Look::nothing();
        };
        const auto block_fits = [&](std::size_t fixed_bytes) {
            return head.length > fixed_bytes && head.length <= fixed_bytes + limits::kSpdyHeaderBlockBytesMax;
        };
        switch (head.type) {
            case kSynStream:
                if (!block_fits(kSynStreamFixedBytes) || head.flags > 3) return Look::nothing();
                if (at.size() < kHeaderBytes + kSynStreamFixedBytes) return Look::more_needed();
                if (!likely_id(id_at(8)) || id_at(12) != 0 || (at[16] & 0x1f) != 0) return Look::nothing();
                return Look::frame(whole, kSynStreamBits);
            case kSynReply:
            case kHeaders:
                if (!block_fits(kSynReplyFixedBytes) || head.flags > 1) return Look::nothing();
                if (at.size() < kHeaderBytes + kSynReplyFixedBytes) return Look::more_needed();
                return likely_id(id_at(8)) ? Look::frame(whole, kControlBits) : Look::nothing();
            case kRstStream: return fixed(8, [&] { return likely_id(id_at(8)) && id_at(12) >= 1 && id_at(12) <= 11; });
            case kPing: return fixed(4, [&] { return id_at(8) != 0 && id_at(8) <= 0xffffff; });
            case kGoaway: return fixed(8, [&] { return id_at(8) <= kLikelyStreamIdMax && id_at(12) <= 2; });
            case kWindowUpdate: return fixed(8, [&] { return id_at(8) <= kLikelyStreamIdMax; });
            case kSettings:
                if (head.length < 4 || (head.length - 4) % 8 != 0 || head.length > 4 + 8 * 64 || head.flags > 1)
                    return Look::nothing();
                if (at.size() < kHeaderBytes + 4) return Look::more_needed();
                return id_at(8) == (head.length - 4) / 8 ? Look::frame(whole, kControlBits) : Look::nothing();
            default: return Look::nothing();
        }
    }

    std::uint32_t other_bits_;
};

using Hunt = FrameHunt<Sight>;

}  // namespace hopscope::decode::stream::spdy
