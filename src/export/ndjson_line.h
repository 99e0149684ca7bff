// Building blocks of lines that are written in place: the caller has made room, each block returns the new end.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace hopscope::exports {

// Longest line written in place: fixed words and at most a dozen numbers, together below half of this.
inline constexpr std::size_t kLineBytesMax = 1024;

template <std::size_t N>
char* put(char* out, const char (&literal)[N]) {
    std::memcpy(out, literal, N - 1);
    return out + (N - 1);
}

// Our own short words only.
inline char* put_text(char* out, std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

// "00" to "99", for two digits at a time.
inline constexpr auto kDigitPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

inline char* put_pair(char* out, std::uint32_t below_100) {
    std::memcpy(out, &kDigitPairs[std::size_t{below_100} * 2], 2);
    return out + 2;
}

// `value` below 100,000,000 with leading zeros.
inline char* put_eight_digits(char* out, std::uint32_t value) {
    const std::uint32_t high = value / 10'000, low = value % 10'000;
    out = put_pair(put_pair(out, high / 100), high % 100);
    return put_pair(put_pair(out, low / 100), low % 100);
}

// `value` below 1,000,000,000 with leading zeros.
inline char* put_nine_digits(char* out, std::uint32_t value) {
    *out++ = static_cast<char>('0' + value / 100'000'000);
    return put_eight_digits(out, value % 100'000'000);
}

// Decimal, at most 20 digits; short numbers are by far the most frequent. May write up to 8 bytes in any case.
inline char* put_number(char* out, std::uint64_t value) {
    if (value < 10) {
        *out = static_cast<char>('0' + value);
        return out + 1;
    }
    if (value >= 100'000'000) return std::to_chars(out, out + 20, value).ptr;
    // Eight digits with leading zeros, and then without them.
    char digits[8];
    const auto small = static_cast<std::uint32_t>(value);
    put_eight_digits(digits, small);
    const std::size_t zeros = small < 10'000 ? (small < 100     ? 6
                                                : small < 1'000 ? 5
                                                                : 4)
                                             : (small < 100'000      ? 3
                                                : small < 1'000'000  ? 2
                                                : small < 10'000'000 ? 1
                                                                     : 0);
    // All eight are written, which is one store; what follows overwrites those behind the end.
    std::uint64_t word = 0;
    std::memcpy(&word, digits, sizeof word);
    word >>= 8 * zeros;  // x86-64 and arm64 are little-endian
    std::memcpy(out, &word, sizeof word);
    return out + (sizeof digits - zeros);
}

}  // namespace hopscope::exports
