// pcapng: no crash, no loop, the same packets and notes however the bytes come, and never more than the file holds.
// What is not pcapng by itself is read as blocks behind a section header and an interface, so that few inputs are
// wasted.
#include <algorithm>

#include "capture/pcapng_format.h"
#include "read_capture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hopscope;
    size = std::min(size, fuzz::kInputBytesMax);
    std::vector<std::uint8_t> input;
    if (size < 4 || read_le32(data) != capture::pcapng::kSectionHeader) {
        input = {0x0a, 0x0d, 0x0d, 0x0a, 28,  0,   0,   0,   0x4d, 0x3c, 0x2b, 0x1a, 1,  0, 0, 0,
                 255,  255,  255,  255,  255, 255, 255, 255, 28,   0,    0,    0,    1,  0, 0, 0,
                 20,   0,    0,    0,    1,   0,   0,   0,   0,    0,    0,    0,    20, 0, 0, 0};
    }
    input.insert(input.end(), data, data + size);
    const fuzz::CaptureDigest digest = fuzz::read_capture_twice(input);
    fuzz::require(digest.packet_bytes + digest.lost <= input.size());
    return 0;
}
