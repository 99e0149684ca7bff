#include "capture/sniff.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "capture/pcap_format.h"
#include "capture/pcapng_format.h"

namespace hopscope::capture {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMakeOne = "capture with: tcpdump -i lo -w FILE";
constexpr std::string_view kUnpack = "unpack it first; hopscope reads gzip and zstd as they are";
constexpr std::string_view kConvert = "convert it with: editcap IN OUT";

struct Signature {
    std::size_t at;
    std::string_view bytes;
    std::string_view like;
    std::string_view hint;
};

constexpr Signature kSignatures[] = {
    {0,
     "\x7f"
     "ELF"sv,
     "an ELF program or core file", kMakeOne},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "an xz file", kUnpack},
    {0, "BZh"sv, "a bzip2 file", kUnpack},
    {0, "PK\x03\x04"sv, "a zip archive", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    {0, "\x04\x22\x4d\x18"sv, "an lz4 file", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "snoop\0\0\0"sv, "a Solaris snoop capture", kConvert},
    {0, "GMBU"sv, "a Microsoft Network Monitor capture", kConvert},
    {0, "RTSS"sv, "a Microsoft Network Monitor 1 capture", kConvert},
    {0, "\xa1\x2b\x3c\x4d"sv, "a pcap variant of Navtel, which hopscope does not read", kConvert},
    {0, "\x4d\x3c\x2b\xa1"sv, "a pcap variant of Navtel, which hopscope does not read", kConvert},
    {0, "\xa1\xb2\x34\xcd"sv, "a pcap variant of FMESQUID, which hopscope does not read", kConvert},
    {0, "\xcd\x34\xb2\xa1"sv, "a pcap variant of FMESQUID, which hopscope does not read", kConvert},
    {0, "\xac\x01\x00\x1c"sv, "a pcap variant of IXIA, which hopscope does not read", kConvert},
    {0, "\x1c\x00\x01\xac"sv, "a pcap variant of IXIA, which hopscope does not read", kConvert},
    {0, "%PDF"sv, "a PDF document", kMakeOne},
    {0, "\x89PNG"sv, "a PNG image", kMakeOne},
    {0, "SQLite format 3"sv, "an SQLite database", kMakeOne},
    {0, "#!"sv, "a script", kMakeOne},
    {0, "CLIENT_RANDOM "sv, "a TLS key log", "name the capture file, and the key log with --tls-keys"},
    {0, "CLIENT_HANDSHAKE_TRAFFIC_SECRET "sv, "a TLS key log",
     "name the capture file, and the key log with --tls-keys"},
    {0, "SERVER_HANDSHAKE_TRAFFIC_SECRET "sv, "a TLS key log",
     "name the capture file, and the key log with --tls-keys"},
};

bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }

// "17:01:43.880571 IP …", perhaps behind a date.
bool is_tcpdump_text(Bytes head) {
    constexpr std::size_t kDateBytes = 11;
    for (const std::size_t at : {std::size_t{0}, kDateBytes}) {
        if (head.size() < at + 9) return false;
        const std::uint8_t* p = head.data() + at;
        if (is_digit(p[0]) && is_digit(p[1]) && p[2] == ':' && is_digit(p[3]) && is_digit(p[4]) && p[5] == ':' &&
            p[8] == '.')
            return true;
    }
    return false;
}

bool is_text(Bytes head) {
    std::size_t strange = 0;
    for (const std::uint8_t c : head) {
        if (c == 0) return false;
        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b) ++strange;
        if (c >= 0x80) ++strange;  // UTF-8 or Latin-1: fine when there is little of it
    }
    return strange * 4 <= head.size();
}

std::string hex(Bytes bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const std::uint8_t b : bytes) {
        if (!out.empty()) out += ' ';
        out += kDigits[b >> 4];
        out += kDigits[b & 15];
    }
    return out;
}

}  // namespace

Container sniff(Bytes head) {
    if (head.size() >= 2 && head[0] == 0x1f && head[1] == 0x8b) return Container::gzip;
    if (head.size() < kSniffBytes) return Container::other;
    const std::uint32_t first = read_le32(head.data());
    if (pcap_variant(first)) return Container::pcap;
    if (first == pcapng::kSectionHeader) return Container::pcapng;
    // RFC 8878: a frame, or a skippable frame, with which pzstd begins.
    if (first == 0xfd2fb528 || (first & 0xfffffff0U) == 0x184d2a50) return Container::zstd;
    return Container::other;
}

Looks describe(Bytes head) {
    if (head.empty()) {
        return {"an empty file (0 bytes)",
                "nothing was captured, or the capture program has not written yet (tcpdump -U writes at once)"};
    }
    for (const Signature& s : kSignatures) {
        if (head.size() >= s.at + s.bytes.size() && as_text(head.subspan(s.at, s.bytes.size())) == s.bytes)
            return {std::string(s.like), std::string(s.hint)};
    }
    if (std::all_of(head.begin(), head.end(), [](std::uint8_t b) { return b == 0; }))
        return {"a file of zeros, at least at its beginning",
                "the file was lost in a crash or never written to: capture again"};
    if (is_tcpdump_text(head)) return {"text that tcpdump printed", "let tcpdump write packets: tcpdump -i lo -w FILE"};
    if (is_text(head)) {
        if (head[0] == '{' || head[0] == '[') return {"JSON", std::string(kMakeOne)};
        if (head[0] == '<') return {"XML or HTML", std::string(kMakeOne)};
        return {"text", std::string(kMakeOne)};
    }
    return {
        "no format that hopscope knows (it begins with " + hex(head.first(std::min<std::size_t>(head.size(), 8))) + ")",
        std::string(kMakeOne)};
}

}  // namespace hopscope::capture
