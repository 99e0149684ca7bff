// What the blocks of pcapng hold, one function each. Framing and damage: pcapng_parser.cc.
#include <algorithm>

#include "capture/pcapng_parser.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

using namespace pcapng;

constexpr std::size_t kUnknownTypesMax = 64;  // told one by one

// What lies between the fixed part of a block and its last length.
Bytes options_of(const std::uint8_t* block, std::uint32_t length, std::size_t bytes_min) {
    return {block + bytes_min - 4, length - bytes_min};
}

}  // namespace

PcapngParser::Found PcapngParser::read_block(const Block& block, Packet& packet) {
    switch (block.type) {
        case kSectionHeader: read_section(block); return Found::other;
        case kInterfaceDescription: read_interface(block); return Found::other;
        case kInterfaceStatistics: read_statistics(block); return Found::other;
        case kDecryptionSecrets: read_secrets(block); return Found::other;
        case kSimplePacket: return read_simple_packet(block, packet) ? Found::packet : Found::other;
        case kPacket: return read_packet(block, order_.u16(block.bytes + 8), packet) ? Found::packet : Found::other;
        case kEnhancedPacket:
            return read_packet(block, order_.u32(block.bytes + 8), packet) ? Found::packet : Found::other;
        default:
            if (is_numbered(block.type)) ++frame_;
            if (!is_passed_over(block.type)) unknown_block(block);
            return Found::other;
    }
}

void PcapngParser::read_section(const Block& block) {
    order_.big = read_be32(block.bytes + 8) == kByteOrderMagic;
    section_begin_ = interfaces_.size();
    missing_interface_told_ = false;
    const std::uint16_t major = order_.u16(block.bytes + 12);
    if (major != 1) {
        log_.trouble(frame_ + 1, "CAP-13",
                     "says that it is pcapng version " + std::to_string(major) + "." +
                         std::to_string(order_.u16(block.bytes + 14)) +
                         ", where only 1.0 is known: reading it as that");
    }
    Options options(options_of(block.bytes, block.length, kSectionHeaderBytesMin), order_);
    std::uint16_t code = 0;
    Bytes value;
    while (options.next(code, value))
        if (code == kOptionComment) log_.comment(frame_ + 1, as_text(value));
    tell_broken(options);
}

void PcapngParser::read_interface(const Block& block) {
    if (interfaces_.size() >= limits::kInterfacesMax) {
        senseless(block, "is one interface too many (" + grouped(limits::kInterfacesMax) + " are read per file)");
        return;
    }
    Interface interface;
    interface.link_type = static_cast<LinkType>(order_.u16(block.bytes + 8));
    interface.snaplen = order_.u32(block.bytes + 12);
    std::string_view name, description;
    Options options(options_of(block.bytes, block.length, kInterfaceDescriptionBytesMin), order_);
    std::uint16_t code = 0;
    Bytes value;
    std::optional<std::int64_t> offset;
    while (options.next(code, value)) {
        if (code == kOptionTimeOffset && value.size() == 8)
            offset = static_cast<std::int64_t>(order_.u64(value.data()));
        else if (code == kOptionDescription)
            description = as_text(value);
        else
            read_interface_option(code, value, interface, name);
    }
    tell_broken(options);
    if (offset && !interface.scale.set_offset(*offset))
        log_.trouble(
            frame_ + 1, "CAP-13",
            "has an interface whose time offset is " + std::to_string(*offset) + " s, which cannot be: ignored");
    interface.number = log_.add_interface(interface.link_type, name, interface.snaplen, description).number;
    interfaces_.push_back(interface);
}

void PcapngParser::read_interface_option(std::uint16_t code, Bytes value, Interface& interface,
                                         std::string_view& name) {
    switch (code) {
        case kOptionComment: log_.comment(frame_ + 1, as_text(value)); break;
        case kOptionName: name = as_text(value); break;
        case kOptionTimeResolution:
            if (const auto scale = value.size() == 1 ? TimeScale::from_option(value[0]) : std::nullopt) {
                interface.scale = *scale;
            } else {
                log_.trouble(frame_ + 1, "CAP-13",
                             "has an interface whose time resolution makes no sense (" +
                                 (value.empty() ? "empty" : grouped(value[0])) + "): taken as microseconds");
            }
            break;
        default: break;
    }
}

// A simple packet has no time, and belongs to the section's first interface.
bool PcapngParser::read_simple_packet(const Block& block, Packet& packet) {
    Interface* interface = interface_of(0, block);
    if (interface == nullptr) return false;
    const std::uint32_t wire_length = order_.u32(block.bytes + 8);
    std::uint32_t captured =
        std::min<std::uint32_t>(wire_length, block.length - static_cast<std::uint32_t>(kSimplePacketBytesMin));
    if (interface->snaplen != 0) captured = std::min(captured, interface->snaplen);
    ++frame_;
    finish_packet(packet, *interface, {block.bytes + kSimplePacketDataAt, captured}, wire_length);
    return true;
}

void PcapngParser::read_packet_options(Bytes bytes, Interface& interface, bool enhanced) {
    Options options(bytes, order_);
    std::uint16_t code = 0;
    Bytes value;
    while (options.next(code, value)) {
        if (code == kOptionComment) log_.comment(frame_, as_text(value));
        if (code == kOptionDropCount && enhanced && value.size() == 8)
            tell_drops(frame_, interface, interface.drops + order_.u64(value.data()));
    }
    tell_broken(options);
}

void PcapngParser::read_statistics(const Block& block) {
    Interface* interface = interface_of(order_.u32(block.bytes + 8), block);
    if (interface == nullptr) return;
    Options options(options_of(block.bytes, block.length, kInterfaceStatisticsBytesMin), order_);
    std::uint16_t code = 0;
    Bytes value;
    std::uint64_t drops = 0;
    while (options.next(code, value)) {
        if (code == kOptionComment) log_.comment(frame_ + 1, as_text(value));
        if ((code == kOptionInterfaceDrops || code == kOptionSystemDrops) && value.size() == 8)
            drops += order_.u64(value.data());
    }
    tell_broken(options);
    tell_drops(frame_ + 1, *interface, drops);
}

// Totals are told as what was added since the last time, so that a reader of notes may add them up.
void PcapngParser::tell_drops(std::uint64_t frame, Interface& interface, std::uint64_t total) {
    if (total <= interface.drops) return;
    log_.drops(frame, total - interface.drops);
    interface.drops = total;
}

void PcapngParser::read_secrets(const Block& block) {
    const std::uint32_t type = order_.u32(block.bytes + 8), size = order_.u32(block.bytes + 12);
    if (size > block.length - kDecryptionSecretsBytesMin) {
        senseless(block, "claims more secrets than it has room for");
    } else if (type == kTlsKeyLog) {
        log_.secrets(frame_ + 1, as_text({block.bytes + 16, size}));
    }
}

void PcapngParser::unknown_block(const Block& block) {
    log_.lost(block.length);
    if (unknown_types_.size() >= kUnknownTypesMax ||
        std::find(unknown_types_.begin(), unknown_types_.end(), block.type) != unknown_types_.end())
        return;
    unknown_types_.push_back(block.type);
    log_.trouble(frame_ + 1, "CAP-15",
                 "has a block of unknown type " + hex(block.type) + " after frame " + grouped(frame_) +
                     ": blocks of this type are skipped");
}

PcapngParser::Interface* PcapngParser::interface_of(std::uint32_t id, const Block& block) {
    const std::size_t count = interfaces_.size() - section_begin_;
    if (id < count) return &interfaces_[section_begin_ + id];
    log_.lost(block.length);
    if (missing_interface_told_) return nullptr;
    missing_interface_told_ = true;
    log_.trouble(frame_ + 1, "CAP-13",
                 "has a block after frame " + grouped(frame_) + " that names interface " + grouped(id) + ", but only " +
                     grouped(count) + " were described in this section: such blocks are skipped");
    return nullptr;
}

// The block has the right ends, but not the right inside.
void PcapngParser::senseless(const Block& block, std::string_view what) {
    log_.lost(block.length);
    log_.trouble(frame_ + 1, "CAP-13",
                 "has a block after frame " + grouped(frame_) + " (at byte " + grouped(window_.offset_of(block.bytes)) +
                     ") that " + std::string(what) + ": skipped");
}

void PcapngParser::tell_broken(const Options& options) {
    if (options.broken())
        log_.trouble(frame_ + 1, "CAP-13",
                     "has a block with an option that is longer than its block, near frame " + grouped(frame_ + 1) +
                         ": the option is skipped");
}

// Interfaces usually stand in front of all packets: what is at hand of them already tells whether packets may be there
// twice.
void PcapngParser::look_ahead() {
    const std::uint8_t* at = window_.cursor();
    std::size_t left = window_.available(), interfaces = 0;
    bool cooked = false;
    ByteOrder order;
    while (left >= kInterfaceDescriptionBytesMin) {
        const std::uint32_t type = order.u32(at);
        if (type == kSectionHeader) order.big = read_be32(at + 8) == kByteOrderMagic;
        if (type == kEnhancedPacket || type == kPacket || type == kSimplePacket) break;
        if (type == kInterfaceDescription) {
            const auto link_type = static_cast<LinkType>(order.u16(at + 8));
            interfaces += link_type == LinkType::upper_pdu ? 0 : 1;
            cooked = cooked || is_cooked(link_type);
        }
        const std::uint32_t length = order.u32(at + 4);
        if (length < kBlockBytesMin || length > left) break;
        at += length;
        left -= length;
    }
    log_.expect_interfaces(interfaces, cooked);
}

Result<std::unique_ptr<RecordParser>> make_pcapng_parser(Window& window, FileLog& log) {
    const auto not_readable = [](std::string why) {
        return unexpected(
            Error{.doing = "cannot read", .why = std::move(why), .hint = "capture again", .code = "CAP-12"});
    };
    if (!window.need(kSectionHeaderBytesMin)) {
        return not_readable("it begins like a pcapng file, but only " + std::to_string(window.available()) +
                            " of the 28 bytes of its section header are there");
    }
    const std::uint8_t* header = window.cursor();
    if (read_le32(header + 8) != kByteOrderMagic && read_be32(header + 8) != kByteOrderMagic)
        return not_readable("it begins like a pcapng file, but its byte-order mark is damaged");
    return std::unique_ptr<RecordParser>(std::make_unique<PcapngParser>(window, log));
}

}  // namespace hopscope::capture
