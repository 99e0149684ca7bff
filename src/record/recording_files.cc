#include "record/recording_files.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>

namespace hopscope::record {
namespace {

constexpr std::uint64_t kPacketBlockBytes = 32, kHeadBytes = 160, kInterfaceBytes = 48;
constexpr std::string_view kSuffix = ".pcapng";
constexpr std::uint32_t kUnixInterfaceFirst = 0x10000;  // numbers that no capture interface has
constexpr std::size_t kUnixInterfacesMax = 256;         // sockets with an interface of their own: shims have many

std::uint64_t padded(std::uint64_t bytes) { return (bytes + 3) / 4 * 4; }

std::uint64_t block_bytes(const Packet& packet, const std::string& comment) {
    return kPacketBlockBytes + padded(packet.bytes.size()) + (comment.empty() ? 0 : 8 + padded(comment.size()));
}

}  // namespace

RecordingFiles::RecordingFiles(RecordingFilesOptions options) : options_(std::move(options)) {
    std::random_device chance;
    recording_ = std::uint64_t{chance()} << 32 | chance();
}

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

std::string RecordingFiles::comment_of(std::string_view unix_sockets) const {
    if (options_.unix_sockets == RecordUnix::off) return options_.section_comment;
    return options_.section_comment + "; " + std::string(unix_sockets) + ", " + to_text({recording_, number_});
}

Result<std::unique_ptr<capture::PcapngWriter>> RecordingFiles::create(const std::string& name,
                                                                      std::string_view unix_sockets) const {
    return capture::open_pcapng_writer(name, {.overwrite = options_.overwrite,
                                              .section_comment = comment_of(unix_sockets),
                                              .application = options_.application});
}

Status RecordingFiles::begin_file() {
    if (Status closed = close(); !closed) return closed;
    bytes_before_ += file_bytes_ + unix_bytes_;
    file_bytes_ = kHeadBytes;
    unix_bytes_ = 0;
    unix_interfaces_.clear();
    first_.reset();
    file_ = name_of(++number_);
    auto opened =
        create(file_, options_.unix_sockets == RecordUnix::embed ? "unix sockets in it" : "unix sockets beside it");
    if (!opened) {
        writer_.reset();
        sidecar_.reset();
        return unexpected(opened.error());
    }
    writer_ = std::move(*opened);
    for (const capture::InterfaceInfo& info : interfaces_) {
        file_bytes_ += kInterfaceBytes;
        if (Status added = writer_->add_interface(info); !added) return added;
    }
    if (options_.unix_sockets == RecordUnix::sidecar) {
        if (Status begun = begin_sidecar(); !begun) return begun;
    }
    if (!is_ring() || options_.files_max == 0) return Done{};
    written_.push_back(file_);
    while (written_.size() > options_.files_max) {
        // Gone already: somebody took it away.
        [[maybe_unused]] int removed = ::unlink(written_.front().c_str());
        if (options_.unix_sockets == RecordUnix::sidecar) removed = ::unlink(sidecar_name(written_.front()).c_str());
        written_.pop_front();
    }
    return Done{};
}

Status RecordingFiles::begin_sidecar() {
    auto beside = create(sidecar_name(file_), "what was said on unix sockets");
    if (!beside) {
        // The file of packets was made just now and is empty: it would only be in the way of the next try.
        writer_.reset();
        sidecar_.reset();
        [[maybe_unused]] const int removed = ::unlink(file_.c_str());
        return unexpected(beside.error());
    }
    sidecar_ = std::move(*beside);
    unix_bytes_ = kHeadBytes;
    return Done{};
}

Status RecordingFiles::add_interface(const capture::InterfaceInfo& info) {
    interfaces_.push_back(info);
    file_bytes_ += kInterfaceBytes;
    Status added = writer_->add_interface(info);
    return added ? writer_->flush() : added;
}

bool RecordingFiles::is_due(std::uint64_t bytes, const Packet& packet) const {
    if (!is_ring() || !first_) return false;  // a file has at least one packet
    if (options_.file_bytes_max > 0 && bytes + block_bytes(packet, {}) > options_.file_bytes_max) return true;
    return options_.file_time && packet.at.ns - first_->ns >= options_.file_time->ns;
}

bool RecordingFiles::turns_over(const Packet& packet) const { return is_due(file_bytes_, packet); }

bool RecordingFiles::turns_over_unix(const Packet& packet) const {
    return is_due(options_.unix_sockets == RecordUnix::sidecar ? unix_bytes_ : file_bytes_, packet);
}

Result<std::uint32_t> RecordingFiles::unix_interface(const std::string& wanted) {
    const auto known = unix_interfaces_.find(wanted);
    if (known != unix_interfaces_.end()) return known->second;
    const bool full = unix_interfaces_.size() >= kUnixInterfacesMax;
    if (full && wanted != "unix") return unix_interface("unix");
    const auto number = kUnixInterfaceFirst + static_cast<std::uint32_t>(unix_interfaces_.size());
    capture::PcapngWriter& writer = sidecar_ ? *sidecar_ : *writer_;
    if (Status added =
            writer.add_interface({.number = number, .link_type = LinkType::upper_pdu, .name = wanted, .snaplen = 0});
        !added)
        return unexpected(added.error());
    return unix_interfaces_[wanted] = number;
}

Status RecordingFiles::write_unix(const Packet& packet, const std::string& interface, const std::string& comment) {
    if (turns_over_unix(packet)) {
        if (Status begun = begin_file(); !begun) return begun;
    }
    return add_unix(packet, interface, comment);
}

Status RecordingFiles::add_unix(Packet packet, const std::string& interface, const std::string& comment) {
    if (!writer_ || options_.unix_sockets == RecordUnix::off) return Done{};
    const auto number = unix_interface(interface);
    if (!number) return unexpected(number.error());
    packet.interface = *number;
    if (!first_) first_ = packet.at;
    (sidecar_ ? unix_bytes_ : file_bytes_) += block_bytes(packet, comment);
    return (sidecar_ ? *sidecar_ : *writer_).write(packet, comment);
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

Status RecordingFiles::flush() {
    Status flushed = writer_ ? writer_->flush() : Status(Done{});
    if (flushed && sidecar_) flushed = sidecar_->flush();
    return flushed;
}

Status RecordingFiles::close() {
    Status closed = writer_ ? writer_->close() : Status(Done{});
    if (sidecar_) {
        if (Status beside = sidecar_->close(); closed && !beside) closed = beside;
    }
    return closed;
}

}  // namespace hopscope::record
