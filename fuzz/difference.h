// Two ways of reading the same bytes told different stories: a finding.
//
// It ends the run, as a crash does. Where HOPSCOPE_FUZZ_DIFFERENCES is set to the beginning of a path the input is
// written there and the run goes on: for runs that test a change, which must not fail for what chance finds in old code
// (fuzz/run.sh).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/bytes.h"

namespace hopscope::fuzz {

inline void tell_difference(Bytes input, const std::string& difference) {
    constexpr int kToldMax = 5;  // mutations of one finding would fill the disk
    static int told = 0;
    const char* place = std::getenv("HOPSCOPE_FUZZ_DIFFERENCES");
    if (!place || told < kToldMax) std::fprintf(stderr, "difference: %s\n", difference.c_str());
    if (!place) std::abort();
    if (told == kToldMax) return;
    std::ofstream out(place + std::to_string(++told), std::ios::binary);
    out << as_text(input);
}

}  // namespace hopscope::fuzz
