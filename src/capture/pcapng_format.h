// The numbers of pcapng (draft-ietf-opsawg-pcapng), for reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hopscope::capture::pcapng {

// Block types.
inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;  // reads the same in both byte orders
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kPacket = 2;  // obsolete
inline constexpr std::uint32_t kSimplePacket = 3;
inline constexpr std::uint32_t kNameResolution = 4;
inline constexpr std::uint32_t kInterfaceStatistics = 5;
inline constexpr std::uint32_t kEnhancedPacket = 6;
inline constexpr std::uint32_t kIrigTimestamp = 7;
inline constexpr std::uint32_t kArincAfdx = 8;
inline constexpr std::uint32_t kSystemdJournal = 9;
inline constexpr std::uint32_t kDecryptionSecrets = 10;
inline constexpr std::uint32_t kCustomCopyable = 0xbad;
inline constexpr std::uint32_t kCustom = 0x40000bad;
inline constexpr std::uint32_t kDarwinProcess = 0x80000001;

// Bytes of a block without options and data: type, length, fixed body, length.
inline constexpr std::size_t kBlockBytesMin = 12;
inline constexpr std::size_t kSectionHeaderBytesMin = 28;
inline constexpr std::size_t kInterfaceDescriptionBytesMin = 20;
inline constexpr std::size_t kPacketBytesMin = 32;  // of enhanced and of obsolete packet blocks
inline constexpr std::size_t kPacketDataAt = 28;    // where their data begin
inline constexpr std::size_t kSimplePacketBytesMin = 16;
inline constexpr std::size_t kSimplePacketDataAt = 12;
inline constexpr std::size_t kInterfaceStatisticsBytesMin = 24;
inline constexpr std::size_t kDecryptionSecretsBytesMin = 20;

inline constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
inline constexpr std::uint32_t kTlsKeyLog = 0x544c534b;  // "TLSK", of a decryption secrets block

// Option codes.
inline constexpr std::uint16_t kOptionEnd = 0;
inline constexpr std::uint16_t kOptionComment = 1;
inline constexpr std::uint16_t kOptionApplication = 4;     // of a section
inline constexpr std::uint16_t kOptionName = 2;            // of an interface
inline constexpr std::uint16_t kOptionDescription = 3;     // of an interface
inline constexpr std::uint16_t kOptionTimeResolution = 9;  // of an interface
inline constexpr std::uint16_t kOptionTimeOffset = 14;     // of an interface
inline constexpr std::uint16_t kOptionDropCount = 4;       // of an enhanced packet
inline constexpr std::uint16_t kOptionReceived = 4;        // of interface statistics
inline constexpr std::uint16_t kOptionInterfaceDrops = 5;  // of interface statistics
inline constexpr std::uint16_t kOptionSystemDrops = 7;     // of interface statistics

// Blocks that are in the format's registry, but hold nothing that hopscope reads.
constexpr bool is_passed_over(std::uint32_t type) {
    constexpr std::uint32_t kSysdigFirst = 0x201, kSysdigLast = 0x222;
    switch (type) {
        case kNameResolution:
        case kIrigTimestamp:
        case kArincAfdx:
        case kSystemdJournal:
        case kCustomCopyable:
        case kCustom:
        case kDarwinProcess: return true;
        default: return type >= kSysdigFirst && type <= kSysdigLast;
    }
}

constexpr bool is_read(std::uint32_t type) {
    switch (type) {
        case kSectionHeader:
        case kInterfaceDescription:
        case kPacket:
        case kSimplePacket:
        case kInterfaceStatistics:
        case kEnhancedPacket:
        case kDecryptionSecrets: return true;
        default: return false;
    }
}

// Blocks that Wireshark numbers as frames although they are no packets (journal and custom measured with 4.0.17; the
// six kinds of sysdig event as listed in its wiretap/pcapng.c).
constexpr bool is_numbered(std::uint32_t type) {
    switch (type) {
        case kSystemdJournal:
        case kCustomCopyable:
        case kCustom:
        case 0x204:
        case 0x208:
        case 0x216:
        case 0x217:
        case 0x221:
        case 0x222: return true;
        default: return false;
    }
}

constexpr std::size_t padded(std::size_t n) { return (n + 3) / 4 * 4; }

}  // namespace hopscope::capture::pcapng
