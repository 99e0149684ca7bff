#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "capture/output_file.h"
#include "capture/pcap_format.h"
#include "capture/writer.h"

namespace hopscope::capture {
namespace {

class PcapWriter final : public Writer {
public:
    PcapWriter(std::unique_ptr<OutputFile> file, std::string name, const WriterOptions& options)
        : file_(std::move(file)),
          name_(std::move(name)),
          link_type_(options.link_type),
          snaplen_(std::max(options.snaplen, 1U)),
          nanoseconds_(options.nanoseconds) {}

    Status begin() {
        constexpr std::uint32_t kVersion = 4U << 16 | 2U;  // u16 major 2, u16 minor 4
        const std::array<std::uint32_t, 6> header = {nanoseconds_ ? kPcapMagicNanoseconds : kPcapMagicMicroseconds,
                                                     kVersion,
                                                     0,
                                                     0,
                                                     snaplen_,
                                                     static_cast<std::uint32_t>(link_type_)};
        if (Status status = file_->append({bytes_of(header)}); !status) return status;
        return file_->flush();
    }

    Status write(const Packet& packet) override {
        if (packet.link_type != link_type_) {
            return does_not_fit("the packet has link type " + std::to_string(static_cast<unsigned>(packet.link_type)) +
                                    ", the file " + std::to_string(static_cast<unsigned>(link_type_)),
                                "write pcapng, which can hold both");
        }
        const std::int64_t ns = std::max<std::int64_t>(packet.at.ns, 0);
        const std::int64_t seconds = ns / kNanosecondsPerSecond,
                           fraction = ns % kNanosecondsPerSecond / (nanoseconds_ ? 1 : 1000);
        if (seconds > std::numeric_limits<std::uint32_t>::max())
            return does_not_fit("the packet's time is after the year 2106", "write pcapng");
        const Bytes data = packet.bytes.first(std::min<std::size_t>(packet.bytes.size(), snaplen_));
        const auto captured = static_cast<std::uint32_t>(data.size());
        const auto whole = static_cast<std::uint32_t>(packet.bytes.size());
        const std::array<std::uint32_t, 4> header = {static_cast<std::uint32_t>(seconds),
                                                     static_cast<std::uint32_t>(fraction), captured,
                                                     std::max(packet.wire_length, whole)};
        return file_->append({bytes_of(header), data});
    }
    Status flush() override { return file_->flush(); }
    Status close() override { return file_->close(); }

private:
    template <std::size_t N>
    static Bytes bytes_of(const std::array<std::uint32_t, N>& words) {
        return {reinterpret_cast<const std::uint8_t*>(words.data()), N * sizeof(std::uint32_t)};
    }
    [[nodiscard]] Status does_not_fit(std::string why, const char* hint) const {
        return unexpected(
            Error{.doing = "cannot write", .subject = name_, .why = std::move(why), .hint = hint, .code = "CAP-22"});
    }

    std::unique_ptr<OutputFile> file_;
    std::string name_;
    LinkType link_type_;
    std::uint32_t snaplen_;
    bool nanoseconds_;
};

}  // namespace

Result<std::unique_ptr<Writer>> open_pcap_writer(const std::string& name, const WriterOptions& options) {
    auto file = OutputFile::create(name, options.overwrite);
    if (!file) return unexpected(std::move(file.error()));
    auto writer = std::make_unique<PcapWriter>(std::move(*file), name, options);
    if (const Status status = writer->begin(); !status) return unexpected(status.error());
    return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace hopscope::capture
