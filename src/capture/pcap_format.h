// The numbers of the classic pcap format (pcap-savefile(5)), for reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hopscope::capture {

inline constexpr std::size_t kPcapFileHeaderBytes = 24;
inline constexpr std::size_t kPcapRecordHeaderBytes = 16;
inline constexpr std::size_t kPcapModifiedRecordHeaderBytes =
    24;  // ifindex, protocol, packet type behind the usual four

inline constexpr std::uint32_t kPcapMagicMicroseconds = 0xa1b2c3d4;
inline constexpr std::uint32_t kPcapMagicNanoseconds = 0xa1b23c4d;
inline constexpr std::uint32_t kPcapMagicModified = 0xa1b2cd34;  // Kuznetsov's tcpdump

struct PcapVariant {
    bool swapped = false;  // the file is big-endian
    bool nanoseconds = false;
    bool modified = false;
};

// `first`: the first four bytes of the file, read as little-endian.
constexpr std::optional<PcapVariant> pcap_variant(std::uint32_t first) {
    const auto variant = [](std::uint32_t magic, bool swapped) -> std::optional<PcapVariant> {
        switch (magic) {
            case kPcapMagicMicroseconds: return PcapVariant{swapped, false, false};
            case kPcapMagicNanoseconds: return PcapVariant{swapped, true, false};
            case kPcapMagicModified: return PcapVariant{swapped, false, true};
            default: return std::nullopt;
        }
    };
    if (const auto same = variant(first, false)) return same;
    return variant(__builtin_bswap32(first), true);
}

}  // namespace hopscope::capture
