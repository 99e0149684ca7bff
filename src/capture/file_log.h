// What parsers tell about a file besides packets: notes, loss, interfaces. One RunContext per run, one FileLog per
// file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "capture/byte_source.h"
#include "capture/reader.h"

namespace hopscope::capture {

// What the files of one run share.
struct RunContext {
    std::function<void(const FileNote&)> note;  // may be empty
    LossCounters loss;
    std::uint32_t interfaces = 0;         // met so far
    std::uint32_t packet_interfaces = 0;  // of them, those that carry packets
    bool may_hold_copies = false;
};

// A link type that the rest of hopscope can make sense of.
bool is_known(LinkType type);
bool is_cooked(LinkType type);

// "5,119", as people read numbers.
std::string grouped(std::uint64_t number);
// "0x0000000a"
std::string hex(std::uint32_t number);
// "1.2 GiB"
std::string human_bytes(std::uint64_t bytes);

class FileLog {
public:
    FileLog(RunContext& run, std::uint16_t file, std::string name) : run_(&run), file_(file), name_(std::move(name)) {}

    // `text` goes on after the file's name: "is cut off after …". Beyond kTroubleNotesMax it is counted only.
    void trouble(std::uint64_t frame, std::string_view code, std::string_view text);
    void comment(std::uint64_t frame, std::string_view text) {
        note({FileNote::Kind::comment, file_, frame, {}, std::string(text), 0});
    }
    void secrets(std::uint64_t frame, std::string_view text) {
        note({FileNote::Kind::secrets, file_, frame, {}, std::string(text), 0});
    }
    void drops(std::uint64_t frame, std::uint64_t count) { note({FileNote::Kind::drops, file_, frame, {}, {}, count}); }

    // `bytes` could not be read as records.
    void lost(std::uint64_t bytes) { run_->loss.add(LossPlace::file, bytes); }
    // The bytes are over. Tells when that is not how the file should end: the source failed, or `rest` bytes of a
    // record stay whose end is missing. `frame` is the last one read, `offset` where reading stopped.
    void ended(const SourceEnd& source, std::uint64_t frame, std::uint64_t offset, std::uint64_t rest);

    // Gives the interface its number within the run.
    const InterfaceInfo& add_interface(LinkType type, std::string_view name, std::uint32_t snaplen,
                                       std::string_view description = {});
    // Interfaces are declared ahead, though not read yet.
    void expect_interfaces(std::size_t count, bool cooked);
    void unknown_link_type(std::uint64_t frame, const InterfaceInfo& info);

    [[nodiscard]] std::uint16_t file() const { return file_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool cut_off() const { return cut_off_; }
    [[nodiscard]] const std::vector<InterfaceInfo>& interfaces() const { return interfaces_; }

private:
    void note(const FileNote& note);

    RunContext* run_;
    std::uint16_t file_;
    std::string name_;
    std::vector<InterfaceInfo> interfaces_;
    std::size_t troubles_ = 0;
    bool cut_off_ = false;
};

}  // namespace hopscope::capture
