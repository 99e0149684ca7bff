// Classic pcap, plain or packed: no crash, no loop, the same packets however the bytes come, every byte accounted for.
#include <algorithm>

#include "capture/pcap_format.h"
#include "capture/sniff.h"
#include "read_capture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hopscope;
    size = std::min(size, fuzz::kInputBytesMax);
    const Bytes input(data, size);
    const fuzz::CaptureDigest digest = fuzz::read_capture_twice(input);
    if (digest.opened && capture::sniff(input) == capture::Container::pcap) {
        const bool modified = capture::pcap_variant(read_le32(data))->modified;
        const std::size_t header = modified ? capture::kPcapModifiedRecordHeaderBytes : capture::kPcapRecordHeaderBytes;
        fuzz::require(capture::kPcapFileHeaderBytes + digest.packets * header + digest.packet_bytes + digest.lost ==
                      size);
    }
    return 0;
}
