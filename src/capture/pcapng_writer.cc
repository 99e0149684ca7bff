// Writes pcapng: one section, its interfaces as they come, enhanced packets (draft-ietf-opsawg-pcapng).
#include <algorithm>
#include <utility>
#include <vector>

#include "capture/output_file.h"
#include "capture/pcapng_format.h"
#include "capture/writer.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

using namespace pcapng;

constexpr std::size_t kOptionBytesMax = 65535;  // its length has 16 bits
constexpr std::size_t kPacketBytesMax =
    limits::kRecordBytesMax - kPacketBytesMin - kOptionBytesMax - 16;  // what our reader takes as one block

// Little-endian numbers and options, one after the other.
class BlockBytes {
public:
    void clear() { bytes_.clear(); }
    void u16(std::uint16_t v) { integer(v, 2); }
    void u32(std::uint32_t v) { integer(v, 4); }
    void u64(std::uint64_t v) { integer(v, 8); }
    void zeros(std::size_t n) { bytes_.resize(bytes_.size() + n); }
    void bytes(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
    // Cut to what an option can hold, not inside a UTF-8 character.
    void text_option(std::uint16_t code, std::string_view text) {
        if (text.empty()) return;
        if (text.size() > kOptionBytesMax) {
            std::size_t size = kOptionBytesMax;
            while (size > kOptionBytesMax - 3 && (static_cast<std::uint8_t>(text[size]) & 0xc0) == 0x80) --size;
            text = text.substr(0, size);
        }
        u16(code);
        u16(static_cast<std::uint16_t>(text.size()));
        bytes(text);
        zeros(padded(text.size()) - text.size());
        has_options_ = true;
    }
    void u8_option(std::uint16_t code, std::uint8_t value) {
        u16(code);
        u16(1);
        u32(value);  // and three bytes of padding
        has_options_ = true;
    }
    void u64_option(std::uint16_t code, std::uint64_t value) {
        u16(code);
        u16(8);
        u64(value);
        has_options_ = true;
    }
    void end_options() {
        if (std::exchange(has_options_, false)) u32(kOptionEnd);
    }
    [[nodiscard]] Bytes view() const { return bytes_; }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
    void set_u32(std::size_t at, std::uint32_t v) {
        for (std::size_t i = 0; i < 4; ++i) bytes_[at + i] = static_cast<std::uint8_t>(v >> 8 * i);
    }

private:
    void integer(std::uint64_t v, int bytes) {
        for (int i = 0; i < bytes; ++i) bytes_.push_back(static_cast<std::uint8_t>(v >> 8 * i));
    }
    std::vector<std::uint8_t> bytes_;
    bool has_options_ = false;
};

class PcapngFileWriter final : public PcapngWriter {
public:
    PcapngFileWriter(std::unique_ptr<OutputFile> file, std::string name, const WriterOptions& options)
        : file_(std::move(file)), name_(std::move(name)), options_(options) {}

    Status begin() {
        begin_block(kSectionHeader);
        head_.u32(kByteOrderMagic);
        head_.u16(1);
        head_.u16(0);
        head_.u64(~std::uint64_t{0});  // length of the section: not told
        head_.text_option(kOptionComment, options_.section_comment);
        head_.text_option(kOptionApplication, options_.application);
        if (Status status = end_block(); !status) return status;
        return file_->flush();
    }

    Status add_interface(const InterfaceInfo& info) override {
        if (find(info.number) != nullptr)
            return does_not_fit("interface " + std::to_string(info.number) + " is declared twice");
        if (interfaces_.size() >= limits::kInterfacesMax)
            return does_not_fit("more than " + std::to_string(limits::kInterfacesMax) + " interfaces");
        begin_block(kInterfaceDescription);
        head_.u16(static_cast<std::uint16_t>(info.link_type));
        head_.u16(0);
        head_.u32(info.snaplen);
        head_.text_option(kOptionName, info.name);
        head_.text_option(kOptionDescription, info.description);
        if (options_.nanoseconds) head_.u8_option(kOptionTimeResolution, 9);
        Status status = end_block();
        if (status)
            interfaces_.push_back(
                {info.number, static_cast<std::uint32_t>(interfaces_.size()), info.snaplen, info.link_type});
        return status;
    }

    using PcapngWriter::write;
    Status write(const Packet& packet, std::string_view comment) override {
        const Declared* interface = find(packet.interface);
        if (interface == nullptr) {
            if (Status status = add_interface({packet.interface, packet.link_type, {}, std::max(options_.snaplen, 1U)});
                !status)
                return status;
            interface = find(packet.interface);
        }
        if (interface->link_type != packet.link_type) {
            return does_not_fit("the packet has link type " + std::to_string(static_cast<unsigned>(packet.link_type)) +
                                ", its interface " + std::to_string(static_cast<unsigned>(interface->link_type)));
        }
        const std::size_t snaplen = interface->snaplen == 0 ? packet.bytes.size() : interface->snaplen;
        const Bytes data = packet.bytes.first(std::min(packet.bytes.size(), snaplen));
        if (data.size() > kPacketBytesMax)
            return does_not_fit("the packet has " + std::to_string(data.size()) + " bytes");
        begin_block(kEnhancedPacket);
        head_.u32(interface->id);
        put_time(packet.at);
        head_.u32(static_cast<std::uint32_t>(data.size()));
        head_.u32(std::max(packet.wire_length, static_cast<std::uint32_t>(packet.bytes.size())));
        tail_.clear();
        tail_.zeros(padded(data.size()) - data.size());
        tail_.text_option(kOptionComment, comment);
        tail_.end_options();
        const auto length = static_cast<std::uint32_t>(head_.size() + data.size() + tail_.size() + 4);
        head_.set_u32(4, length);
        tail_.u32(length);
        return file_->append({head_.view(), data, tail_.view()});
    }

    Status write_secrets(std::string_view tls_key_log) override {
        if (tls_key_log.size() > limits::kRecordBytesMax - kDecryptionSecretsBytesMin - 4)
            return does_not_fit("the key log has " + std::to_string(tls_key_log.size()) + " bytes");
        begin_block(kDecryptionSecrets);
        head_.u32(kTlsKeyLog);
        head_.u32(static_cast<std::uint32_t>(tls_key_log.size()));
        head_.bytes(tls_key_log);
        head_.zeros(padded(tls_key_log.size()) - tls_key_log.size());
        return end_block();
    }

    Status write_statistics(std::uint32_t number, Timestamp at, std::uint64_t received,
                            std::uint64_t dropped) override {
        const Declared* interface = find(number);
        if (interface == nullptr)
            return does_not_fit("statistics of interface " + std::to_string(number) + ", which is not declared");
        begin_block(kInterfaceStatistics);
        head_.u32(interface->id);
        put_time(at);
        head_.u64_option(kOptionReceived, received);
        head_.u64_option(kOptionInterfaceDrops, dropped);
        return end_block();
    }

    Status flush() override { return file_->flush(); }

    Status close() override {
        // libpcap refuses a file without any interface.
        if (!std::exchange(closed_, true) && interfaces_.empty()) {
            if (Status status = add_interface({0, options_.link_type, {}, std::max(options_.snaplen, 1U)}); !status)
                return status;
        }
        return file_->close();
    }

    ~PcapngFileWriter() override { static_cast<void>(PcapngFileWriter::close()); }

private:
    struct Declared {
        std::uint32_t number, id, snaplen;  // within the run; within the section
        LinkType link_type;
    };

    const Declared* find(std::uint32_t number) const {
        const auto found =
            std::find_if(interfaces_.begin(), interfaces_.end(), [&](const Declared& i) { return i.number == number; });
        return found == interfaces_.end() ? nullptr : &*found;
    }
    void begin_block(std::uint32_t type) {
        head_.clear();
        head_.u32(type);
        head_.u32(0);  // the length, when it is known
    }
    // For blocks that are in head_ as a whole.
    Status end_block() {
        head_.end_options();
        const std::uint32_t length = head_.size() + 4;
        head_.set_u32(4, length);
        head_.u32(length);
        return file_->append({head_.view()});
    }
    void put_time(Timestamp at) {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(at.ns, 0));
        const std::uint64_t ticks = options_.nanoseconds ? ns : ns / 1000;
        head_.u32(static_cast<std::uint32_t>(ticks >> 32));
        head_.u32(static_cast<std::uint32_t>(ticks));
    }
    [[nodiscard]] Status does_not_fit(std::string why) const {
        return unexpected(Error{.doing = "cannot write",
                                .subject = name_,
                                .why = std::move(why),
                                .hint = "write another file for it",
                                .code = "CAP-22"});
    }

    std::unique_ptr<OutputFile> file_;
    std::string name_;
    WriterOptions options_;
    std::vector<Declared> interfaces_;
    BlockBytes head_, tail_;
    bool closed_ = false;
};

}  // namespace

Result<std::unique_ptr<PcapngWriter>> open_pcapng_writer(const std::string& name, const WriterOptions& options) {
    auto file = OutputFile::create(name, options.overwrite);
    if (!file) return unexpected(std::move(file.error()));
    auto writer = std::make_unique<PcapngFileWriter>(std::move(*file), name, options);
    if (const Status status = writer->begin(); !status) return unexpected(status.error());
    return std::unique_ptr<PcapngWriter>(std::move(writer));
}

}  // namespace hopscope::capture
