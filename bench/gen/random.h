// xorshift64* (Marsaglia 2003, Vigna 2016): the one source of chance, so that one seed gives one file.
#pragma once

#include <cstdint>

namespace hopscope::gen {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0x1234567ULL) {
        if (state_ == 0) state_ = 1;
        for (int i = 0; i < 8; ++i) next();
    }

    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1DULL;
    }
    // 0 to limit - 1, for limits of up to 32 bits; limit 0 gives 0.
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(((next() >> 32) * limit) >> 32); }
    // low to high, both included.
    std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }
    // True with this probability. Draws nothing for 0, so that an unused option does not change the file.
    bool chance(double probability) {
        if (probability <= 0) return false;
        return static_cast<double>(next() >> 32) < probability * 4294967296.0;
    }

private:
    std::uint64_t state_;
};

}  // namespace hopscope::gen
