// What the fuzzers of capture formats share: a whole read of one input, checked while it goes.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "capture/capture_file.h"

namespace hopscope::fuzz {

// Longer inputs are read up to here: searching behind damage goes byte by byte, and rings are small.
inline constexpr std::size_t kInputBytesMax = 8192;

inline void require(bool holds) {
    if (!holds) std::abort();
}

struct CaptureDigest {
    bool opened = false;
    std::uint64_t packets = 0, packet_bytes = 0, lost = 0, notes = 0, hash = 0;
    bool operator==(const CaptureDigest&) const = default;

    void mix(std::uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15; }
    void mix(std::string_view text) { mix(std::hash<std::string_view>{}(text)); }
};

inline CaptureDigest read_capture(Bytes input, std::size_t piece_max, const capture::WindowSize& size) {
    CaptureDigest digest;
    const auto note = [&](const capture::FileNote& n) {
        ++digest.notes;
        digest.mix(n.text);
        digest.mix(n.frame + n.count);
    };
    auto reader = capture::open_source(std::make_unique<capture::MemorySource>(input, piece_max), "fuzz", note, size);
    if (!reader) {
        require(reader.error().code == "CAP-12" && !reader.error().why.empty() && !reader.error().hint.empty());
        return digest;
    }
    digest.opened = true;
    Packet packet;
    while ((*reader)->next(packet)) {
        ++digest.packets;
        digest.packet_bytes += packet.bytes.size();
        digest.mix(as_text(packet.bytes));
        digest.mix(static_cast<std::uint64_t>(packet.at.ns));
        digest.mix(packet.position ^ packet.frame << 20 ^ packet.interface);
        require(packet.wire_length >= packet.bytes.size());
        require(packet.bytes.empty() ||
                (*reader)->recent(packet.position, packet.bytes.size()).data() == packet.bytes.data());
    }
    require(!(*reader)->next(packet));
    digest.lost = (*reader)->loss()[LossPlace::file];
    const auto file = (*reader)->files().at(0);
    require(file.packets == digest.packets);
    require(file.interfaces.size() <= limits::kInterfacesMax);
    return digest;
}

// The same however the bytes come.
inline CaptureDigest read_capture_twice(Bytes input) {
    // Small rings: laps are where mistakes would be, and large ones cost the fuzzer most of its time.
    const CaptureDigest whole = read_capture(input, SIZE_MAX, {65536, 32768});
    const CaptureDigest pieces = read_capture(input, 1 + input.size() % 1500, {8192, 4096});
    require(whole == pieces);
    return whole;
}

}  // namespace hopscope::fuzz
