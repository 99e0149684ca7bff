// Which file holds what was said on unix sockets beside the packets of a recording, and whether it belongs to it.
//
// Both files name the recording and their part of it in the section comment ("recording 1f0e… part 3"), so that a file
// of another recording under the same name is not taken for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hopscope::record {

// "node.pcapng" → "node.unix.pcapng"; other names get ".unix.pcapng" behind them.
std::string sidecar_name(std::string_view file);

// One file, or pair of files, of a recording.
struct RecordingPart {
    std::uint64_t recording = 0;  // by chance
    std::uint64_t part = 0;       // from 1
    bool operator==(const RecordingPart&) const = default;
};
std::string to_text(const RecordingPart& part);
// From a section comment; nothing where it names none.
std::optional<RecordingPart> parse_recording_part(std::string_view comment);

enum class SidecarState : std::uint8_t {
    none,  // the file is no recording that has one
    found,
    missing,  // there is no such file, or it cannot be read
    foreign,  // it belongs to another recording, or another part
};
struct Sidecar {
    SidecarState state = SidecarState::none;
    std::string name;                   // of the file; empty for none
    std::optional<RecordingPart> part;  // that the recording itself is
};
// Looks at the beginning of both files; what is no regular file has none.
Sidecar find_sidecar(const std::string& file);
// What to say about one that cannot be taken: "node.unix.pcapng is not there: …". Printable; empty: nothing.
std::string trouble_of(const Sidecar& sidecar);

}  // namespace hopscope::record
