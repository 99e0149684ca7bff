// What does this connection speak? There is always an answer at the end, and a connection that grows piece by piece
// gets the answer of the whole unless it had one before.
#include <cstdlib>

#include "decode/stream/detect.h"
#include "decode/stream/detect_late.h"
#include "difference.h"

using namespace hopscope;
using namespace hopscope::decode::stream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const Bytes all(data + 2, size - 2);
    const Bytes first = all.first(all.size() * data[0] / 255), second = all.subspan(first.size());
    const std::size_t step = 1 + data[1];
    const auto require = [](bool holds) {
        if (!holds) std::abort();
    };
    for (const bool at_start : {true, false})
        require(detect(first, second, at_start, true).protocol != Protocol::undecided);

    LateDetector grown;
    for (std::size_t at = 0; at < std::max(first.size(), second.size()); at += step) {
        const Bytes a = first.first(std::min(at, first.size())), b = second.first(std::min(at, second.size()));
        if (grown.detect(a, b, false).protocol != Protocol::undecided) return 0;
    }
    const Verdict piecewise = grown.detect(first, second, true), whole = LateDetector().detect(first, second, true);
    if (piecewise.protocol != whole.protocol || piecewise.first_is_client != whole.first_is_client)
        fuzz::tell_difference(Bytes(data, size), "a connection that grew got another answer than the whole");
    return 0;
}
