// What a file is, from its first bytes.
#pragma once

#include <cstddef>
#include <string>

#include "core/bytes.h"

namespace hopscope::capture {

enum class Container { pcap, pcapng, gzip, zstd, other };

inline constexpr std::size_t kSniffBytes = 4;  // enough for sniff()

// `head`: at least kSniffBytes, or all there is.
Container sniff(Bytes head);

struct Looks {
    std::string like;  // "text", "an ELF program or core file": completes "it looks like …"; plain ASCII
    std::string hint;  // what to do about it
};
// For what sniff() calls other: never fails, says at least with which bytes it begins. `head` may be empty (empty
// file).
Looks describe(Bytes head);

}  // namespace hopscope::capture
