// Decodes a conversation whole and in crumbs (decode_twice.h has its form) and demands the same events, compared as
// tests/support/event_log.h does: in order per direction and per stream.
#pragma once

#include <cstdio>

#include "../tests/support/event_log.h"
#include "decode_twice.h"

namespace hopscope::fuzz {

inline void decode_cut(Bytes input, const MakeDecoder& make) {
    tests::EventLog whole, cut;
    decode::Road a(make()), b(make());
    play(input, a, SIZE_MAX, whole);
    play(input, b, 1 + input.size() % 7, cut);
    const std::string difference = tests::first_difference(whole, cut);
    if (difference.empty()) return;
    std::fprintf(stderr, "%s\n", difference.c_str());
    std::abort();
}

}  // namespace hopscope::fuzz
