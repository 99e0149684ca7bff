// The TLS record header (RFC 8446 section 5.1, RFC 5246 section 6.2.1).
#pragma once

#include "core/bytes.h"
#include "core/limits.h"

namespace hopscope::decode::tls {

inline constexpr std::size_t kHeaderBytes = 5;

enum ContentType : std::uint8_t {
    kChangeCipherSpec = 20,
    kAlert = 21,
    kHandshake = 22,
    kApplicationData = 23,
    kHeartbeat = 24,
};

struct RecordHeader {
    std::uint8_t type = 0;
    std::uint16_t version = 0;
    std::uint16_t length = 0;  // of the body
    [[nodiscard]] std::size_t record_bytes() const { return kHeaderBytes + length; }
};

inline RecordHeader read_header(const std::uint8_t* p) { return {p[0], read_be16(p + 1), read_be16(p + 3)}; }

// Whether a TLS stack could have sent this header. Empty records exist, but only of application data.
inline bool is_plausible(const RecordHeader& header) {
    return header.type >= kChangeCipherSpec && header.type <= kHeartbeat && header.version >= 0x0300 &&
           header.version <= 0x0304 && header.length <= limits::kTlsRecordBytesMax &&
           (header.length > 0 || header.type == kApplicationData);
}

}  // namespace hopscope::decode::tls
