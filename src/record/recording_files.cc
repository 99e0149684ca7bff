#include "record/recording_files.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace hopscope::record {
namespace {

constexpr std::uint64_t kPacketBlockBytes = 32, kHeadBytes = 160, kInterfaceBytes = 48;
constexpr std::string_view kSuffix = ".pcapng";

std::uint64_t padded(std::uint64_t bytes) { return (bytes + 3) / 4 * 4; }

std::uint64_t block_bytes(const Packet& packet, const std::string& comment) {
    return kPacketBlockBytes + padded(packet.bytes.size()) + (comment.empty() ? 0 : 8 + padded(comment.size()));
}

}  // namespace

Result<std::unique_ptr<RecordingFiles>> RecordingFiles::open(RecordingFilesOptions options) {
    std::unique_ptr<RecordingFiles> files(new RecordingFiles(std::move(options)));
    if (const Status begun = files->begin_file(); !begun) return unexpected(begun.error());
    return files;
}

bool RecordingFiles::is_ring() const {
    return options_.name != "-" && (options_.file_bytes_max > 0 || options_.file_time.has_value());
}

std::string RecordingFiles::name_of(std::uint64_t number) const {
    if (!is_ring()) return options_.name;
    char digits[24];
    std::snprintf(digits, sizeof digits, "_%05llu", static_cast<unsigned long long>(number));
    const bool usual = options_.name.ends_with(kSuffix);
    const std::string stem = usual ? options_.name.substr(0, options_.name.size() - kSuffix.size()) : options_.name;
    return stem + digits + (usual ? std::string(kSuffix) : std::string());
}

Status RecordingFiles::begin_file() {
    if (writer_) {
        if (Status closed = writer_->close(); !closed) return closed;
    }
    bytes_before_ += file_bytes_;
    file_bytes_ = kHeadBytes;
    first_.reset();
    file_ = name_of(++number_);
    auto opened = capture::open_pcapng_writer(file_, {.overwrite = options_.overwrite,
                                                      .section_comment = options_.section_comment,
                                                      .application = options_.application});
    if (!opened) {
        writer_.reset();
        return unexpected(opened.error());
    }
    writer_ = std::move(*opened);
    for (const capture::InterfaceInfo& info : interfaces_) {
        file_bytes_ += kInterfaceBytes;
        if (Status added = writer_->add_interface(info); !added) return added;
    }
    if (!is_ring() || options_.files_max == 0) return Done{};
    written_.push_back(file_);
    while (written_.size() > options_.files_max) {
        // Gone already: somebody took it away.
        [[maybe_unused]] const int removed = ::unlink(written_.front().c_str());
        written_.pop_front();
    }
    return Done{};
}

Status RecordingFiles::add_interface(const capture::InterfaceInfo& info) {
    interfaces_.push_back(info);
    file_bytes_ += kInterfaceBytes;
    Status added = writer_->add_interface(info);
    return added ? writer_->flush() : added;
}

bool RecordingFiles::turns_over(const Packet& packet) const {
    if (!is_ring() || !first_) return false;  // a file has at least one packet
    if (options_.file_bytes_max > 0 && file_bytes_ + block_bytes(packet, {}) > options_.file_bytes_max) return true;
    return options_.file_time && packet.at.ns - first_->ns >= options_.file_time->ns;
}

Status RecordingFiles::write(const Packet& packet, const std::string& comment) {
    if (turns_over(packet)) {
        if (Status begun = begin_file(); !begun) return begun;
    }
    if (!writer_) return Done{};  // the error was told when the file could not be begun
    if (!first_) first_ = packet.at;
    file_bytes_ += block_bytes(packet, comment);
    return writer_->write(packet, comment);
}

Status RecordingFiles::write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received,
                                        std::uint64_t dropped) {
    return writer_ ? writer_->write_statistics(interface, at, received, dropped) : Status(Done{});
}

Status RecordingFiles::flush() { return writer_ ? writer_->flush() : Status(Done{}); }
Status RecordingFiles::close() { return writer_ ? writer_->close() : Status(Done{}); }

}  // namespace hopscope::record
