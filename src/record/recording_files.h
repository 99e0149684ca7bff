// The files of one recording: one, or a ring of them by size and time.
//
// With a ring the files are NAME_00001.pcapng, NAME_00002.pcapng … for "NAME.pcapng", and only the newest `files_max`
// of them stay; no file that was there before is touched. Each file is complete by itself: section comment and
// interfaces stand in every one. Mode 0600, owner and errors as capture/writer.h says.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/writer.h"
#include "core/result.h"
#include "core/time.h"

namespace hopscope::record {

struct RecordingFilesOptions {
    std::string name;                   // "-": standard output, never a ring
    std::uint64_t file_bytes_max = 0;   // a new file after this size, by whole packets; 0: no limit
    std::optional<Duration> file_time;  // a new file when packets are this much later than the file's first
    std::size_t files_max = 0;          // older ones are removed; 0: all stay
    bool overwrite = false;
    std::string section_comment, application;
};

class RecordingFiles {
public:
    // Creates the first file.
    static Result<std::unique_ptr<RecordingFiles>> open(RecordingFilesOptions options);

    Status add_interface(const capture::InterfaceInfo& info);
    // True: the packet will be the first of a new file.
    [[nodiscard]] bool turns_over(const Packet& packet) const;
    // Begins the new file where turns_over() says so.
    Status write(const Packet& packet, const std::string& comment);
    Status write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received, std::uint64_t dropped);
    Status flush();
    Status close();

    [[nodiscard]] std::uint64_t number() const { return number_; }  // of the file that is written, from 1
    [[nodiscard]] std::uint64_t bytes() const { return bytes_before_ + file_bytes_; }  // of all files, removed ones too
    [[nodiscard]] const std::string& file() const { return file_; }

private:
    explicit RecordingFiles(RecordingFilesOptions options) : options_(std::move(options)) {}
    [[nodiscard]] bool is_ring() const;
    [[nodiscard]] std::string name_of(std::uint64_t number) const;
    Status begin_file();

    RecordingFilesOptions options_;
    std::vector<capture::InterfaceInfo> interfaces_;
    std::unique_ptr<capture::PcapngWriter> writer_;
    std::string file_;
    std::deque<std::string> written_;  // names, oldest first, that still exist
    std::uint64_t number_ = 0, file_bytes_ = 0, bytes_before_ = 0;
    std::optional<Timestamp> first_;  // packet of this file
};

}  // namespace hopscope::record
