// The preset dictionary of SPDY/3 header compression ("SPDY Protocol - Draft 3" section 2.6.10.1).
#pragma once

#include <cstdint>

#include "core/bytes.h"

namespace hopscope::decode::stream::spdy {

inline constexpr std::uint32_t kDictionaryAdler32 = 0xE3C6A7C2;  // the DICTID on the wire

// 1423 bytes, for the life of the program.
Bytes dictionary();

}  // namespace hopscope::decode::stream::spdy
