// One capture file: its source, its decompressor where there is one, its window and its parser.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capture/record_parser.h"

namespace hopscope::capture {

class CaptureFile {
public:
    struct Opened {
        std::unique_ptr<ByteSource> source;
        std::optional<std::uint64_t> bytes_total;  // absent for pipes and devices
    };
    // Opens the file, or standard input for "-". CAP-10.
    static Result<Opened> open_source(const std::string& name);
    // Finds out what the bytes are and begins to read them. Borrows `run`. CAP-12, or CAP-10 when reading fails.
    static Result<std::unique_ptr<CaptureFile>> begin(Opened opened, const std::string& name, std::uint16_t file,
                                                      RunContext& run, const WindowSize& size);
    static Result<std::unique_ptr<CaptureFile>> open(const std::string& name, std::uint16_t file, RunContext& run,
                                                     const WindowSize& size);

    RecordParser& parser() { return *parser_; }
    // `position` as in Packet::position, of this file.
    [[nodiscard]] Bytes recent(std::uint64_t position, std::size_t size) const {
        return window_->recent(position - first_position(log_.file()), size);
    }
    [[nodiscard]] FileSummary summary() const;
    [[nodiscard]] bool is_regular() const { return bytes_total_.has_value(); }

private:
    CaptureFile(RunContext& run, std::uint16_t file, const std::string& name) : log_(run, file, name) {}
    Status unpack(const WindowSize& size);
    Status begin_parser();

    FileLog log_;
    std::optional<std::uint64_t> bytes_total_;
    std::string format_, packed_;  // "pcap", " (gzip)"
    std::unique_ptr<Window> window_;
    std::unique_ptr<RecordParser> parser_;
};

// For tests and fuzzers: a Reader over one source that is no file.
Result<std::unique_ptr<Reader>> open_source(std::unique_ptr<ByteSource> source, const std::string& name,
                                            std::function<void(const FileNote&)> note, const WindowSize& size = {});

}  // namespace hopscope::capture
