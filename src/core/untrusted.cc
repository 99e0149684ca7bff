#include "core/untrusted.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace hopscope {
namespace {

struct Decoded {
    char32_t code = 0;
    std::size_t length = 0;  // 0: not well-formed here
};

// One code point at the front of `text` (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
Decoded decode_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return {first, 1};
    std::size_t length = 0;
    char32_t code = 0;
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
        code = first & 0x1fU;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        code = first & 0x0fU;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        code = first & 0x07U;
    } else {
        return {};
    }
    if (text.size() < length) return {};
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {};
        code = code << 6 | (byte(i) & 0x3fU);
    }
    if (length == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return {};
    if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return {};
    return {code, length};
}

// How many printable ASCII characters `text` begins with; eight at a time.
std::size_t plain_bytes(std::string_view text) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U, kHighs = kOnes * 0x80;
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + at, 8);
        // Below 0x20, or 0x7f: the byte is borrowed from or wraps; a byte is marked wrongly only above one marked
        // rightly, and then the loop ends all the same.
        const std::uint64_t del = eight ^ kOnes * 0x7f;
        if (((eight | ((eight - kOnes * 0x20) & ~eight) | ((del - kOnes) & ~del)) & kHighs) != 0) break;
    }
    while (at < text.size() && text[at] >= 0x20 && text[at] < 0x7f) ++at;
    return at;
}

struct Range {
    char32_t first, last;
};

template <std::size_t N>
bool in_ranges(const std::array<Range, N>& ranges, char32_t code) {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                        [](char32_t value, const Range& range) { return value < range.first; });
    return after != ranges.begin() && code <= std::prev(after)->last;
}

// Code points that change how neighbours look, or that nobody can see: C1, soft hyphen, bidi controls, zero width,
// line separators, tags, private use, noncharacters, variation selectors beyond the common ones.
constexpr std::array<Range, 23> kHidden{{
    {0x0080, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},    {0x061c, 0x061c},   {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e},   {0x2060, 0x206f},
    {0x3164, 0x3164},   {0xe000, 0xf8ff},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x13430, 0x1345f},  {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x3fffe, 0x10ffff},
}};

// Marks that are drawn over the character before them.
constexpr std::array<Range, 41> kCombining{{
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},   {0x05c4, 0x05c5},
    {0x05c7, 0x05c7}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc},   {0x06df, 0x06e4},
    {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0711, 0x0711}, {0x0730, 0x074a}, {0x07a6, 0x07b0},   {0x07eb, 0x07f3},
    {0x0816, 0x082d}, {0x0859, 0x085b}, {0x0898, 0x08ff}, {0x0900, 0x0902}, {0x093a, 0x093a},   {0x093c, 0x093c},
    {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0951, 0x0957}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},   {0x0e47, 0x0e4e},
    {0x0eb1, 0x0eb1}, {0x0eb4, 0x0ebc}, {0x0ec8, 0x0ece}, {0x0f18, 0x0f39}, {0x0f71, 0x0f84},   {0x135d, 0x135f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f}, {0x1e000, 0x1e8d6},
}};

// East Asian Wide and Fullwidth, and emoji that terminals draw on two columns (Unicode 15, UAX 11, condensed).
constexpr std::array<Range, 24> kWide{{
    {0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x25fd, 0x25fe}, {0x2614, 0x2615},
    {0x2648, 0x2653}, {0x267f, 0x267f}, {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26ce, 0x26ce}, {0x2705, 0x2705},
    {0x274c, 0x274c}, {0x2753, 0x2755}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0xa4cf},
    {0xa960, 0xa97c}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0x1f300, 0x1faff},
}};

void append_utf8(std::string& out, char32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

constexpr char kHexDigits[] = "0123456789abcdef";

void append_hex_byte(std::string& out, std::uint8_t byte) {
    out += "\\x";
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
}

void append_code(std::string& out, char32_t code) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u{%x}", static_cast<unsigned>(code));
    out += buffer;
}

// A control code as a picture of itself (U+2400 block), or as an escape that every terminal can draw.
void append_control(std::string& out, std::uint8_t code, Glyphs glyphs) {
    if (glyphs == Glyphs::unicode) {
        append_utf8(out, code == 0x7f ? 0x2421 : char32_t{0x2400} + code);
        return;
    }
    switch (code) {
        case 0x07: out += "\\a"; break;
        case 0x08: out += "\\b"; break;
        case 0x09: out += "\\t"; break;
        case 0x0a: out += "\\n"; break;
        case 0x0d: out += "\\r"; break;
        case 0x1b: out += "\\e"; break;
        default: append_hex_byte(out, code);
    }
}

std::size_t width_of(char32_t code) {
    if (code < 0x300) return 1;
    if (in_ranges(kCombining, code)) return 0;
    return in_ranges(kWide, code) ? 2 : 1;
}

// A character with the marks that stand on it.
struct Cluster {
    std::size_t bytes = 0, columns = 0;
};

Cluster next_cluster(std::string_view text) {
    Decoded first = decode_utf8(text);
    if (first.length == 0) first = {U'?', 1};
    Cluster cluster{first.length, width_of(first.code)};
    while (cluster.bytes < text.size()) {
        const Decoded next = decode_utf8(text.substr(cluster.bytes));
        if (next.length == 0 || next.code < 0x300 || !in_ranges(kCombining, next.code)) break;
        cluster.bytes += next.length;
    }
    return cluster;
}

std::size_t bytes_within(std::string_view text, std::size_t columns) {
    std::size_t at = 0, used = 0;
    while (at < text.size()) {
        const Cluster cluster = next_cluster(text.substr(at));
        if (used + cluster.columns > columns) break;
        used += cluster.columns;
        at += cluster.bytes;
    }
    return at;
}

// The longest tail that fits `columns`, as its first byte.
std::size_t tail_within(std::string_view text, std::size_t columns) {
    std::size_t width = display_width(text), at = 0;
    while (at < text.size() && width > columns) {
        const Cluster cluster = next_cluster(text.substr(at));
        width -= cluster.columns;
        at += cluster.bytes;
    }
    return at;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        bytes.remove_prefix(plain_bytes(bytes));
        if (bytes.empty()) break;
        const Decoded next = decode_utf8(bytes);
        if (next.length == 0) return false;
        bytes.remove_prefix(next.length);
    }
    return true;
}

std::string display(std::string_view hostile, Glyphs glyphs) {
    // Nearly all text that is shown is plain: it needs no look at its characters one by one.
    const std::size_t plain = plain_bytes(hostile);
    if (plain == hostile.size()) return std::string(hostile);
    std::string out;
    out.reserve(hostile.size());
    std::size_t marks = 0, marks_dropped = 0;
    const auto end_cluster = [&] {
        if (marks_dropped > 0) out += "+" + std::to_string(marks_dropped);
        marks = marks_dropped = 0;
    };
    while (!hostile.empty()) {
        if (const std::size_t run = plain_bytes(hostile); run > 0) {
            end_cluster();
            out += hostile.substr(0, run);
            hostile.remove_prefix(run);
            continue;
        }
        const Decoded next = decode_utf8(hostile);
        if (next.length == 0) {
            end_cluster();
            append_hex_byte(out, static_cast<std::uint8_t>(hostile[0]));
            hostile.remove_prefix(1);
            continue;
        }
        const std::string_view raw = hostile.substr(0, next.length);
        hostile.remove_prefix(next.length);
        if (next.code >= 0x300 && in_ranges(kCombining, next.code)) {
            if (++marks > 2) {
                ++marks_dropped;
            } else if (glyphs == Glyphs::ascii || out.empty()) {
                append_code(out, next.code);  // nothing to stand on, or not drawable
            } else {
                out += raw;
            }
            continue;
        }
        end_cluster();
        if (next.code < 0x20 || next.code == 0x7f) {
            append_control(out, static_cast<std::uint8_t>(next.code), glyphs);
        } else if (next.code >= 0x80 && (glyphs == Glyphs::ascii || in_ranges(kHidden, next.code))) {
            append_code(out, next.code);
        } else {
            out += raw;
        }
    }
    end_cluster();
    return out;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t clean = 0;  // [clean, at) needs no escape and is appended at once
    std::size_t at = 0;
    const auto flush = [&] { out.append(text.data() + clean, at - clean); };
    while (at < text.size()) {
        const auto byte = static_cast<std::uint8_t>(text[at]);
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            ++at;
            continue;
        }
        flush();
        Decoded next = decode_utf8(text.substr(at));
        if (next.length == 0) next = {0xfffd, 1};  // callers send such bytes elsewhere; never invalid JSON
        at += next.length;
        clean = at;
        switch (next.code) {
            case '"': out += "\\\""; continue;
            case '\\': out += "\\\\"; continue;
            case '\n': out += "\\n"; continue;
            case '\r': out += "\\r"; continue;
            case '\t': out += "\\t"; continue;
            default: break;
        }
        const auto append_unit = [&](std::uint32_t unit) {
            out += "\\u";
            for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[unit >> shift & 15];
        };
        if (next.code >= 0x10000) {
            append_unit(0xd800 + ((next.code - 0x10000) >> 10));
            append_unit(0xdc00 + ((next.code - 0x10000) & 0x3ff));
        } else {
            append_unit(next.code);
        }
    }
    flush();
    out += '"';
}

void append_base64(std::string& out, std::string_view bytes) {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<std::uint8_t>(bytes[i])}; };
    std::size_t at = 0;
    for (; at + 3 <= bytes.size(); at += 3) {
        const std::uint32_t group = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
        for (int shift = 18; shift >= 0; shift -= 6) out += kAlphabet[group >> shift & 63];
    }
    const std::size_t rest = bytes.size() - at;
    if (rest == 0) return;
    const std::uint32_t group = byte(at) << 16 | (rest == 2 ? byte(at + 1) << 8 : 0);
    out += kAlphabet[group >> 18 & 63];
    out += kAlphabet[group >> 12 & 63];
    out += rest == 2 ? kAlphabet[group >> 6 & 63] : '=';
    out += '=';
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Cluster cluster = next_cluster(text);
        width += cluster.columns;
        text.remove_prefix(cluster.bytes);
    }
    return width;
}

std::string elide_end(std::string_view text, std::size_t columns, Glyphs glyphs) {
    if (display_width(text) <= columns) return std::string(text);
    const std::string_view dots = glyphs == Glyphs::unicode ? "…" : "...";
    const std::size_t dots_width = display_width(dots);
    if (columns <= dots_width) return std::string(text.substr(0, bytes_within(text, columns)));
    return std::string(text.substr(0, bytes_within(text, columns - dots_width))) + std::string(dots);
}

std::string elide_middle(std::string_view text, std::size_t columns, Glyphs glyphs) {
    if (display_width(text) <= columns) return std::string(text);
    const std::string_view dots = glyphs == Glyphs::unicode ? "…" : "...";
    const std::size_t dots_width = display_width(dots);
    if (columns <= dots_width + 1) return std::string(text.substr(0, bytes_within(text, columns)));
    const std::size_t room = columns - dots_width;
    const std::size_t head = room / 2;
    return std::string(text.substr(0, bytes_within(text, head))) + std::string(dots) +
           std::string(text.substr(tail_within(text, room - head)));
}

}  // namespace hopscope
