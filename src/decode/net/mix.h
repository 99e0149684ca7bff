// Mixing of words into hash values.
//
// The secrets are not constants of the program: a hostile capture must not be able to choose addresses that all fall
// into one place of a table. They come from where an object lies in memory, so no clock and no file is asked; nothing
// that is told to anyone depends on the order of a table, so equal input still gives equal output.
#pragma once

#include <cstdint>

namespace hopscope::decode::net {

__extension__ using Wide = unsigned __int128;

// Both halves of the product of `a` and `b`, folded.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    const Wide product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct HashSecrets {
    explicit HashSecrets(const void* place) {
        std::uint64_t state = mix(reinterpret_cast<std::uintptr_t>(place) ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93);
        for (std::uint64_t* word : {&first, &second, &third, &fourth}) {
            state += 0x9e3779b97f4a7c15;
            *word = mix(state ^ 0xa0761d6478bd642f, state ^ 0xe7037ed1a0b428db) | 1;
        }
    }
    std::uint64_t first = 0, second = 0, third = 0, fourth = 0;
};

}  // namespace hopscope::decode::net
