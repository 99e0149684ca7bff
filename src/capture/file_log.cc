#include "capture/file_log.h"

#include <array>
#include <cstdio>
#include <utility>

#include "core/limits.h"

namespace hopscope::capture {

bool is_known(LinkType type) {
    switch (type) {
        case LinkType::null:
        case LinkType::ethernet:
        case LinkType::raw_bsd:
        case LinkType::raw_openbsd:
        case LinkType::raw:
        case LinkType::loop:
        case LinkType::linux_sll:
        case LinkType::ipv4:
        case LinkType::ipv6:
        case LinkType::upper_pdu:
        case LinkType::linux_sll2: return true;
    }
    return false;
}

bool is_cooked(LinkType type) { return type == LinkType::linux_sll || type == LinkType::linux_sll2; }

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
    return text;
}

std::string hex(std::uint32_t number) {
    std::array<char, 11> text{};
    std::snprintf(text.data(), text.size(), "0x%08x", number);
    return text.data();
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) return std::to_string(bytes) + " bytes";
    auto value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
    return text.data();
}

void FileLog::note(const FileNote& note) {
    if (run_->note) run_->note(note);
}

void FileLog::trouble(std::uint64_t frame, std::string_view code, std::string_view text) {
    if (troubles_ > limits::kTroubleNotesMax) return;
    const std::string subject = name_ == "-" ? "standard input" : name_;
    if (troubles_++ < limits::kTroubleNotesMax) {
        note({FileNote::Kind::trouble, file_, frame, std::string(code), subject + ' ' + std::string(text), 0});
    } else {
        note({FileNote::Kind::trouble, file_, frame, std::string(code),
              subject + " has more damage: it is counted from here on, not listed", 0});
    }
}

void FileLog::ended(const SourceEnd& source, std::uint64_t frame, std::uint64_t offset, std::uint64_t rest) {
    lost(rest);
    const std::string after = " after frame " + grouped(frame);
    const std::string going_on = ": reporting on what is there";
    switch (source.kind) {
        case SourceEnd::Kind::clean:
            if (rest == 0) return;
            trouble(frame + 1, "CAP-11",
                    "is cut off" + after + " (" + human_bytes(offset + rest) + " read)" + going_on);
            break;
        case SourceEnd::Kind::failed:
            trouble(frame + 1, "CAP-10", "cannot be read on" + after + " (" + source.why + ")" + going_on);
            break;
        case SourceEnd::Kind::cut:
        case SourceEnd::Kind::damaged:
            trouble(frame + 1, "CAP-11", "is cut off" + after + ", " + source.why + going_on);
            break;
    }
    cut_off_ = true;
}

const InterfaceInfo& FileLog::add_interface(LinkType type, std::string_view name, std::uint32_t snaplen,
                                            std::string_view description) {
    interfaces_.push_back({run_->interfaces++, type, std::string(name), snaplen, std::string(description)});
    // What was said on unix sockets, or inside of pods, is no copy of packets.
    if (type != LinkType::upper_pdu && pod_network_of(description) == 0) ++run_->packet_interfaces;
    if (run_->packet_interfaces > 1 || is_cooked(type)) run_->may_hold_copies = true;
    return interfaces_.back();
}

void FileLog::expect_interfaces(std::size_t count, bool cooked) {
    if (run_->packet_interfaces + count > 1 || cooked) run_->may_hold_copies = true;
}

void FileLog::unknown_link_type(std::uint64_t frame, const InterfaceInfo& info) {
    const std::string of = info.name.empty() ? "" : " of interface '" + info.name + "'";
    trouble(frame, "CAP-14",
            "holds packets" + of + " with link type " + std::to_string(static_cast<unsigned>(info.link_type)) +
                ", which hopscope does not know: they are counted, not decoded");
}

}  // namespace hopscope::capture
