#include "capture/pcapng_parser.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"

namespace hopscope::capture {
namespace {

using namespace pcapng;

std::size_t block_bytes_min(std::uint32_t type) {
    switch (type) {
        case kSectionHeader: return kSectionHeaderBytesMin;
        case kInterfaceDescription: return kInterfaceDescriptionBytesMin;
        case kPacket:
        case kEnhancedPacket: return kPacketBytesMin;
        case kSimplePacket: return kSimplePacketBytesMin;
        case kInterfaceStatistics: return kInterfaceStatisticsBytesMin;
        case kDecryptionSecrets: return kDecryptionSecretsBytesMin;
        default: return kBlockBytesMin;
    }
}

}  // namespace

PcapngParser::PcapngParser(Window& window, FileLog& log)
    : window_(window), log_(log), position_(first_position(log.file())), file_(log.file()) {
    look_ahead();
}

PcapngParser::PacketHeader PcapngParser::read_packet_header(const std::uint8_t* bytes) const {
    PacketHeader h;
    std::memcpy(&h, bytes, sizeof h);
    if (order_.big) [[unlikely]] {
        h = {__builtin_bswap32(h.type),       __builtin_bswap32(h.length),    __builtin_bswap32(h.interface),
             __builtin_bswap32(h.ticks_high), __builtin_bswap32(h.ticks_low), __builtin_bswap32(h.captured),
             __builtin_bswap32(h.wire)};
    }
    return h;
}

// last_ and frame_ are those of the packet.
void PcapngParser::finish_packet(Packet& packet, Interface& interface, Bytes data, std::uint32_t wire_length) {
    if (!interface.met) [[unlikely]]
        meet(interface);
    ++packets_;
    packet.at = last_;
    packet.link_type = interface.link_type;
    packet.interface = interface.number;
    packet.wire_length = std::max(wire_length, static_cast<std::uint32_t>(data.size()));
    packet.bytes = data;
    packet.frame = frame_;
    packet.file = file_;
    packet.position = position_ + window_.offset_of(data.data());
}

bool PcapngParser::fill_packet(Packet& packet, const std::uint8_t* bytes, const PacketHeader& header,
                               Interface& interface) {
    if (header.captured > header.length - kPacketBytesMin) [[unlikely]]
        return false;
    ++frame_;
    if (!interface.scale.to_timestamp(std::uint64_t{header.ticks_high} << 32 | header.ticks_low, last_) &&
        !interface.odd_time_told) [[unlikely]]
        tell_odd_time(interface);
    const std::size_t options_at = kPacketDataAt + padded(header.captured);
    if (header.length - options_at > 4) [[unlikely]]
        read_packet_options({bytes + options_at, header.length - options_at - 4}, interface,
                            header.type == kEnhancedPacket);
    finish_packet(packet, interface, {bytes + kPacketDataAt, header.captured}, header.wire);
    return true;
}

// Enhanced packets take the short way; everything else, and everything strange, the long one.
bool PcapngParser::next(Packet& packet) {
    while (true) {
        if (window_.available() >= kPacketBytesMin) [[likely]] {
            const std::uint8_t* bytes = window_.cursor();
            const PacketHeader header = read_packet_header(bytes);
            if (header.type == kEnhancedPacket && header.length >= kPacketBytesMin &&
                header.length <= window_.available() && header.length % 4 == 0 &&
                std::memcmp(bytes + header.length - 4, bytes + 4, 4) == 0) [[likely]] {
                const std::size_t interface = section_begin_ + header.interface;
                if (interface < interfaces_.size() && fill_packet(packet, bytes, header, interfaces_[interface]))
                    [[likely]] {
                    window_.advance(header.length);
                    return true;
                }
            }
        }
        const Found found = next_slowly(packet);
        if (found != Found::other) return found == Found::packet;
    }
}

// EPB and the obsolete packet block: the interface is found, the rest of the fields is at the same places.
bool PcapngParser::read_packet(const Block& block, std::uint32_t id, Packet& packet) {
    Interface* interface = interface_of(id, block);
    if (interface == nullptr) return false;
    if (fill_packet(packet, block.bytes, read_packet_header(block.bytes), *interface)) return true;
    senseless(block, "claims more packet bytes than it has room for");
    return false;
}

void PcapngParser::meet(Interface& interface) {
    interface.met = true;
    const auto index = static_cast<std::size_t>(&interface - interfaces_.data());
    if (!is_known(interface.link_type)) log_.unknown_link_type(frame_, log_.interfaces()[index]);
}

void PcapngParser::tell_odd_time(Interface& interface) {
    interface.odd_time_told = true;
    log_.trouble(frame_, "CAP-13",
                 "has a time beyond the year 2262 in frame " + grouped(frame_) +
                     ": such packets take the time of the one before");
}

// ---------------------------------------------------------------------------------------------------- framing

// The length that a block at `bytes` (kBlockBytesMin of them) claims, if a block can have it.
std::optional<std::uint32_t> PcapngParser::block_length(const std::uint8_t* bytes) const {
    const std::uint32_t type = order_.u32(bytes);
    ByteOrder order = order_;
    if (type == kSectionHeader) {
        // A section says its byte order itself, in the field after its length.
        order.big = read_be32(bytes + 8) == kByteOrderMagic;
        if (order.u32(bytes + 8) != kByteOrderMagic) return std::nullopt;
    }
    const std::uint32_t length = order.u32(bytes + 4);
    if (length < block_bytes_min(type) || length % 4 != 0 || length > limits::kRecordBytesMax) return std::nullopt;
    return length;
}

// True when a whole block is at the cursor, with the same length at both ends.
bool PcapngParser::block_at_cursor() {
    const auto length = block_length(window_.cursor());
    if (!length || !window_.need(*length)) return false;
    const std::uint8_t* block = window_.cursor();
    return std::equal(block + 4, block + 8, block + *length - 4);
}

PcapngParser::Found PcapngParser::next_slowly(Packet& packet) {
    if (!window_.need(kBlockBytesMin)) {
        const std::size_t rest = window_.available();
        const std::uint64_t offset = window_.offset();
        window_.advance(rest);
        return end(offset, rest);
    }
    if (!block_at_cursor()) {
        const auto length = block_length(window_.cursor());
        return search(length && window_.available() < *length);
    }
    Block block;
    block.type = order_.u32(window_.cursor());
    block.length = *block_length(window_.cursor());
    block.bytes = window_.cursor();
    const Found found = read_block(block, packet);
    window_.advance(block.length);
    return found;
}

// ---------------------------------------------------------------------------------------------------- damage

// While searching: a type that files really have, and a length that a packet may need.
bool PcapngParser::can_be_block(const std::uint8_t* bytes) const {
    constexpr std::uint32_t kLengthMax = limits::kPlainRecordBytesMax + 65536;
    const std::uint32_t type = order_.u32(bytes);
    if (!is_read(type) && !is_passed_over(type)) return false;
    const auto length = block_length(bytes);
    return length && *length <= kLengthMax;
}

// Moves the cursor to the next whole block after this place. Returns the bytes skipped; when none are left nothing was
// found.
std::uint64_t PcapngParser::skip_to_block() {
    const std::uint64_t begin = window_.offset();
    window_.advance(1);
    while (window_.need(kBlockBytesMin)) {
        const std::uint8_t* at = window_.cursor();
        const std::uint8_t* end = at + window_.available() - kBlockBytesMin + 1;
        while (at < end && !can_be_block(at)) ++at;
        window_.advance(static_cast<std::size_t>(at - window_.cursor()));
        if (at == end) continue;
        if (block_at_cursor()) return window_.offset() - begin;
        window_.advance(1);
    }
    window_.advance(window_.available());
    return window_.offset() - begin;
}

PcapngParser::Found PcapngParser::search(bool may_be_cut) {
    const std::uint64_t at = window_.offset();
    const std::uint32_t type = order_.u32(window_.cursor()), claimed = order_.u32(window_.cursor() + 4);
    const std::uint64_t skipped = skip_to_block();
    const bool found = window_.available() > 0;
    if (!found && may_be_cut) return end(at, skipped);
    log_.lost(skipped);
    log_.trouble(frame_ + 1, "CAP-13",
                 "has a block that makes no sense after frame " + grouped(frame_) + " (at byte " + grouped(at) +
                     ", type " + hex(type) + ", it claims " + grouped(claimed) + " bytes): " + human_bytes(skipped) +
                     " skipped, " + (found ? "reading goes on behind it" : "nothing after it can be read"));
    return found ? Found::other : end(window_.offset(), 0);
}

PcapngParser::Found PcapngParser::end(std::uint64_t offset, std::uint64_t rest) {
    if (!ended_) log_.ended(window_.source().ending(), frame_, offset, rest);
    ended_ = true;
    return Found::end;
}

}  // namespace hopscope::capture
