// Reads numbers of a file in the byte order that the file chose.
#pragma once

#include "core/bytes.h"

namespace hopscope::capture {

struct ByteOrder {
    bool big = false;

    [[nodiscard]] std::uint16_t u16(const std::uint8_t* p) const { return big ? read_be16(p) : read_le16(p); }
    [[nodiscard]] std::uint32_t u32(const std::uint8_t* p) const { return big ? read_be32(p) : read_le32(p); }
    [[nodiscard]] std::uint64_t u64(const std::uint8_t* p) const {
        const std::uint64_t first = u32(p), second = u32(p + 4);
        return big ? first << 32 | second : second << 32 | first;
    }
};

}  // namespace hopscope::capture
