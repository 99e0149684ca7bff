#include "decode/grpc/huffman.h"

#include <array>

namespace hopscope::decode::grpc {
namespace {

constexpr unsigned kEos = 256;
constexpr unsigned kLongestCodeBits = 30;

// Bits of each symbol's code, in order of symbols, EOS last. The code is canonical: codes of one length are consecutive
// numbers in order of symbols, so the lengths are all there is to know.
constexpr std::array<std::uint8_t, 257> kCodeBits = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};

struct Code {
    std::array<std::uint32_t, kLongestCodeBits + 1> first{};  // first code of this length
    std::array<std::uint16_t, kLongestCodeBits + 1> count{};
    std::array<std::uint16_t, kLongestCodeBits + 1> at{};   // where this length begins in `symbols`
    std::array<std::uint16_t, kCodeBits.size()> symbols{};  // sorted by length, then by symbol
};

constexpr Code build() {
    Code code;
    for (const std::uint8_t bits : kCodeBits) ++code.count[bits];
    std::uint32_t next = 0;
    std::uint16_t at = 0;
    for (unsigned bits = 1; bits <= kLongestCodeBits; ++bits) {
        next <<= 1;
        code.first[bits] = next;
        code.at[bits] = at;
        std::uint16_t fill = at;
        for (unsigned symbol = 0; symbol < kCodeBits.size(); ++symbol)
            if (kCodeBits[symbol] == bits) code.symbols[fill++] = static_cast<std::uint16_t>(symbol);
        next += code.count[bits];
        at = fill;
    }
    return code;
}

constexpr Code kCode = build();

}  // namespace

bool huffman_decode(Bytes in, std::string& out) {
    out.clear();
    out.reserve(in.size() * 8 / 5);
    std::uint32_t value = 0;
    unsigned bits = 0;
    for (const std::uint8_t byte : in) {
        for (int shift = 7; shift >= 0; --shift) {
            value = value << 1 | (byte >> shift & 1U);
            ++bits;
            if (bits > kLongestCodeBits) return false;
            const std::uint32_t place = value - kCode.first[bits];
            if (value < kCode.first[bits] || place >= kCode.count[bits]) continue;
            const unsigned symbol = kCode.symbols[kCode.at[bits] + place];
            if (symbol == kEos) return false;
            out += static_cast<char>(symbol);
            value = 0;
            bits = 0;
        }
    }
    // What is left is padding: the first bits of EOS, which are ones.
    return bits < 8 && value == (1U << bits) - 1;
}

}  // namespace hopscope::decode::grpc
