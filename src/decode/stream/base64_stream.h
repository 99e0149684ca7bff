// Base64 text (RFC 4648 section 4) undone as it comes, in pieces of any size; one object per text. Keeps three
// characters.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.h"

namespace hopscope::decode::stream {

class Base64Stream {
public:
    // Undoes what it can of `text` into `out`, which must have room for text.size() / 4 * 3 + 3 bytes. Returns how many
    // bytes were written. After a character that does not belong there nothing more comes out: bad().
    std::size_t decode(Bytes text, std::uint8_t* out) {
        std::size_t size = 0;
        for (const std::uint8_t c : text) {
            if (bad_ || skip_ > 0) {
                if (skip_ > 0) --skip_;
                continue;
            }
            if (c == '=') {
                // Padding: the last group has two or three characters before it.
                if (have_ < 2) bad_ = true;
                if (padding_ == 0) size += finish(out + size);
                if (++padding_ + have_ == 4) have_ = 0, padded_ = true;
                continue;
            }
            const int value = value_of(c);
            if (value < 0 || padding_ > 0) {
                bad_ = true;
                continue;
            }
            bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
            if (++have_ < 4) continue;
            out[size++] = static_cast<std::uint8_t>(bits_ >> 16);
            out[size++] = static_cast<std::uint8_t>(bits_ >> 8);
            out[size++] = static_cast<std::uint8_t>(bits_);
            have_ = 0;
            bits_ = 0;
        }
        return size;
    }
    // `missing` characters were not captured: goes on with the next whole group.
    void hole(std::uint64_t missing) {
        const auto place = static_cast<std::uint8_t>((have_ + skipped_into_group() + missing) % 4);
        skip_ = static_cast<std::uint8_t>((4 - place) % 4);
        have_ = 0;
        bits_ = 0;
    }
    [[nodiscard]] bool bad() const { return bad_; }
    // The text is over: true if it ended where base64 text may end.
    [[nodiscard]] bool whole() const { return !bad_ && (have_ == 0 || padded_); }

private:
    std::size_t finish(std::uint8_t* out) const {
        if (have_ == 2) {
            out[0] = static_cast<std::uint8_t>(bits_ >> 4);
            return 1;
        }
        if (have_ == 3) {
            out[0] = static_cast<std::uint8_t>(bits_ >> 10);
            out[1] = static_cast<std::uint8_t>(bits_ >> 2);
            return 2;
        }
        return 0;
    }
    [[nodiscard]] std::uint8_t skipped_into_group() const {
        return skip_ > 0 ? static_cast<std::uint8_t>(4 - skip_) : 0;
    }

    static int value_of(std::uint8_t c) {
        if (c >= 'A' && c <= 'Z') return c - 'A';
        if (c >= 'a' && c <= 'z') return c - 'a' + 26;
        if (c >= '0' && c <= '9') return c - '0' + 52;
        if (c == '+') return 62;
        if (c == '/') return 63;
        return -1;
    }

    std::uint32_t bits_ = 0;
    std::uint8_t have_ = 0;     // characters of the group in hand
    std::uint8_t padding_ = 0;  // '=' seen
    std::uint8_t skip_ = 0;     // characters until the next group, after a hole
    bool padded_ = false;       // padding is complete: nothing may follow
    bool bad_ = false;
};

}  // namespace hopscope::decode::stream
