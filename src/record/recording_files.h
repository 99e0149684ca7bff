// The files of one recording: one, or a ring of them by size and time.
//
// With a ring the files are NAME_00001.pcapng, NAME_00002.pcapng … for "NAME.pcapng", and only the newest `files_max`
// of them stay; no file that was there before is touched. Each file is complete by itself: section comment and
// interfaces stand in every one. Mode 0600, owner and errors as capture/writer.h says.
//
// What was said on unix sockets goes into a file beside each (record/sidecar.h), which begins and goes when it does, or
// into the same file. Both sizes count for themselves: the first that is full begins both anew.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/writer.h"
#include "core/result.h"
#include "core/time.h"
#include "record/sidecar.h"

namespace hopscope::record {

enum class RecordUnix : std::uint8_t { off, sidecar, embed };

struct RecordingFilesOptions {
    std::string name;                   // "-": standard output, never a ring
    std::uint64_t file_bytes_max = 0;   // a new file after this size, by whole packets; 0: no limit
    std::optional<Duration> file_time;  // a new file when packets are this much later than the file's first
    std::size_t files_max = 0;          // older ones are removed; 0: all stay
    bool overwrite = false;
    std::string section_comment, application;
    RecordUnix unix_sockets = RecordUnix::off;
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
    // The same for a packet of LinkType::upper_pdu, and its interface's name ("unix:containerd.sock").
    [[nodiscard]] bool turns_over_unix(const Packet& packet) const;
    Status write_unix(const Packet& packet, const std::string& interface, const std::string& comment);
    // Into the file that is written, however full it is.
    Status add_unix(Packet packet, const std::string& interface, const std::string& comment);
    Status write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received, std::uint64_t dropped);
    Status flush();
    Status close();

    [[nodiscard]] std::uint64_t number() const { return number_; }  // of the file that is written, from 1
    [[nodiscard]] std::uint64_t bytes() const { return bytes_before_ + file_bytes_; }  // of all files, removed ones too
    [[nodiscard]] const std::string& file() const { return file_; }

private:
    explicit RecordingFiles(RecordingFilesOptions options);
    [[nodiscard]] bool is_ring() const;
    [[nodiscard]] bool is_due(std::uint64_t bytes, const Packet& packet) const;
    [[nodiscard]] std::string name_of(std::uint64_t number) const;
    [[nodiscard]] std::string comment_of(std::string_view unix_sockets) const;
    Result<std::unique_ptr<capture::PcapngWriter>> create(const std::string& name, std::string_view unix_sockets) const;
    Status begin_file();
    Status begin_sidecar();
    Result<std::uint32_t> unix_interface(const std::string& name);

    RecordingFilesOptions options_;
    std::uint64_t recording_ = 0;  // by chance: what belongs together
    std::vector<capture::InterfaceInfo> interfaces_;
    std::unique_ptr<capture::PcapngWriter> writer_, sidecar_;
    std::map<std::string, std::uint32_t> unix_interfaces_;  // of this file: their numbers
    std::uint64_t unix_bytes_ = 0;                          // of this file's sidecar
    std::string file_;
    std::deque<std::string> written_;  // names, oldest first, that still exist
    std::uint64_t number_ = 0, file_bytes_ = 0, bytes_before_ = 0;
    std::optional<Timestamp> first_;  // packet of this file
};

}  // namespace hopscope::record
