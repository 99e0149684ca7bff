#include "record/sidecar.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdio>

#include "capture/reader.h"
#include "core/untrusted.h"

namespace hopscope::record {
namespace {

constexpr std::string_view kUsualSuffix = ".pcapng", kSidecarSuffix = ".unix.pcapng";
constexpr std::string_view kRecording = "recording ", kPart = " part ", kBeside = "unix sockets beside it";

struct SectionComments {
    std::string first;
    bool readable = false;
};

SectionComments comments_of(const std::string& file) {
    SectionComments found;
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return found;
    auto reader = capture::Reader::open({file}, [&](const capture::FileNote& note) {
        if (note.kind == capture::FileNote::Kind::comment && note.frame <= 1 && found.first.empty())
            found.first = note.text;
    });
    if (!reader) return found;
    found.readable = true;
    Packet packet;
    (*reader)->next(packet);
    return found;
}

}  // namespace

std::string sidecar_name(std::string_view file) {
    if (file.ends_with(kUsualSuffix)) file.remove_suffix(kUsualSuffix.size());
    return std::string(file) + std::string(kSidecarSuffix);
}

std::string to_text(const RecordingPart& part) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(part.recording));
    return std::string(kRecording) + digits + std::string(kPart) + std::to_string(part.part);
}

std::optional<RecordingPart> parse_recording_part(std::string_view comment) {
    const std::size_t begin = comment.find(kRecording);
    if (begin == std::string_view::npos) return std::nullopt;
    comment.remove_prefix(begin + kRecording.size());
    RecordingPart part;
    const auto recording = std::from_chars(comment.data(), comment.data() + comment.size(), part.recording, 16);
    comment.remove_prefix(static_cast<std::size_t>(recording.ptr - comment.data()));
    if (recording.ec != std::errc() || !comment.starts_with(kPart)) return std::nullopt;
    comment.remove_prefix(kPart.size());
    if (std::from_chars(comment.data(), comment.data() + comment.size(), part.part).ec != std::errc())
        return std::nullopt;
    return part;
}

Sidecar find_sidecar(const std::string& file) {
    const SectionComments main = comments_of(file);
    const auto part = parse_recording_part(main.first);
    if (!part || main.first.find(kBeside) == std::string::npos) return {SidecarState::none, {}, part};
    Sidecar sidecar{SidecarState::missing, sidecar_name(file), part};
    const SectionComments beside = comments_of(sidecar.name);
    if (!beside.readable) return sidecar;
    sidecar.state = parse_recording_part(beside.first) == part ? SidecarState::found : SidecarState::foreign;
    return sidecar;
}

std::string trouble_of(const Sidecar& sidecar) {
    const std::string lost = ": what this recording knows of CRI calls and of processes in containers is missing";
    switch (sidecar.state) {
        case SidecarState::none:
        case SidecarState::found: return {};
        case SidecarState::missing: return display(sidecar.name) + " is not there, or cannot be read" + lost;
        case SidecarState::foreign:
            return display(sidecar.name) + " belongs to another recording and is not read" + lost;
    }
    return {};
}

}  // namespace hopscope::record
