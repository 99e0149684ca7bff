// What the streams carry: endless text (or random bytes) with a period of 65,521 bytes, so that the byte at any place
// of any stream is known without keeping it, and payload can be lent instead of copied.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "random.h"

namespace hopscope::gen {

using Span = std::span<const std::uint8_t>;

class Content {
public:
    static constexpr std::uint32_t kPeriodBytes = 65521;  // prime: no frame size keeps step with it

    Content(Random& random, bool random_bytes);

    // Up to kPeriodBytes bytes from place `at` on (any number), lent for the life of this object.
    [[nodiscard]] Span at(std::uint64_t place, std::uint32_t bytes) const {
        return {table_.data() + place % kPeriodBytes, bytes < kPeriodBytes ? bytes : kPeriodBytes};
    }

private:
    std::vector<std::uint8_t> table_;  // the period twice
};

}  // namespace hopscope::gen
