// Decodes a conversation whole and in crumbs (decode_twice.h has its form) and demands the same events, compared as
// tests/support/event_log.h does: in order per direction and per stream. HOPSCOPE_FUZZ_EVENTS=1 prints both stories.
#pragma once

#include "../tests/support/event_log.h"
#include "decode_twice.h"
#include "difference.h"

namespace hopscope::fuzz {

// The first byte of `input` says how `make` begins, the rest is the conversation.
inline void decode_cut(Bytes input, const MakeDecoder& make) {
    const Bytes conversation = input.subspan(1);
    tests::EventLog whole, cut;
    decode::Road a(make()), b(make());
    play(conversation, a, SIZE_MAX, whole);
    play(conversation, b, 1 + conversation.size() % 7, cut);
    const std::string difference = tests::first_difference(whole, cut);
    if (difference.empty()) return;
    if (std::getenv("HOPSCOPE_FUZZ_EVENTS")) {
        std::fprintf(stderr, "--- whole\n");
        for (const std::string& line : whole.lines()) std::fprintf(stderr, "%s\n", line.c_str());
        std::fprintf(stderr, "--- cut\n");
        for (const std::string& line : cut.lines()) std::fprintf(stderr, "%s\n", line.c_str());
    }
    tell_difference(input, difference);
}

}  // namespace hopscope::fuzz
