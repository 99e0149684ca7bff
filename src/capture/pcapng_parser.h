// pcapng (draft-ietf-opsawg-pcapng): blocks framed by their length at both ends, in sections that may
// differ in byte order. Packets come from EPB, SPB and the obsolete packet block; IDB, ISB, DSB and comments are told;
// NRB, custom and other known blocks are passed over. A block whose two lengths differ, or that cannot be one, makes
// the parser search byte by byte for the next block that can.
#pragma once

#include <optional>
#include <vector>

#include "capture/byte_order.h"
#include "capture/pcapng_options.h"
#include "capture/record_parser.h"
#include "capture/time_scale.h"

namespace hopscope::capture {

class PcapngParser final : public RecordParser {
public:
    PcapngParser(Window& window, FileLog& log);
    bool next(Packet& packet) override;
    [[nodiscard]] std::uint64_t packets() const override { return packets_; }

private:
    struct Interface {
        TimeScale scale;
        std::uint32_t number = 0;  // within the run
        std::uint32_t snaplen = 0;
        LinkType link_type{};
        bool met = false;  // has had a packet
        bool odd_time_told = false;
        std::uint64_t drops = 0;  // told so far
    };
    struct Block {
        std::uint32_t type = 0;
        std::uint32_t length = 0;  // whole block
        const std::uint8_t* bytes = nullptr;
    };
    enum class Found { packet, other, end };

    // The fields that EPB and the obsolete packet block share, in the host's byte order; the latter's interface is the
    // first half of the field here.
    struct PacketHeader {
        std::uint32_t type, length, interface, ticks_high, ticks_low, captured, wire;
    };
    [[nodiscard]] PacketHeader read_packet_header(const std::uint8_t* bytes) const;
    bool fill_packet(Packet& packet, const std::uint8_t* bytes, const PacketHeader& header, Interface& interface);
    void finish_packet(Packet& packet, Interface& interface, Bytes data, std::uint32_t wire_length);

    // Kept out of next(), which runs for every packet.
    [[gnu::noinline]] Found next_slowly(Packet& packet);
    Found read_block(const Block& block, Packet& packet);
    void read_section(const Block& block);
    void read_interface(const Block& block);
    void read_interface_option(std::uint16_t code, Bytes value, Interface& interface, std::string_view& name);
    bool read_simple_packet(const Block& block, Packet& packet);
    bool read_packet(const Block& block, std::uint32_t interface, Packet& packet);
    void read_statistics(const Block& block);
    void read_secrets(const Block& block);
    void read_packet_options(Bytes bytes, Interface& interface, bool enhanced);
    void unknown_block(const Block& block);

    [[gnu::cold]] void meet(Interface& interface);
    [[gnu::cold]] void tell_odd_time(Interface& interface);
    // The section's interface `id`, or nothing: told, and the block counted as lost.
    Interface* interface_of(std::uint32_t id, const Block& block);
    void senseless(const Block& block, std::string_view what);
    void tell_broken(const pcapng::Options& options);
    void tell_drops(std::uint64_t frame, Interface& interface, std::uint64_t total);
    void look_ahead();

    std::optional<std::uint32_t> block_length(const std::uint8_t* bytes) const;
    bool block_at_cursor();
    bool can_be_block(const std::uint8_t* bytes) const;
    std::uint64_t skip_to_block();
    Found search(bool may_be_cut);
    Found end(std::uint64_t offset, std::uint64_t rest);

    Window& window_;
    FileLog& log_;
    ByteOrder order_;  // of this section
    std::uint64_t position_;
    std::uint64_t packets_ = 0;
    std::uint64_t frame_ = 0;  // as Wireshark counts: also blocks that are records, but not packets
    std::uint16_t file_;
    Timestamp last_;
    std::vector<Interface> interfaces_;         // of the file
    std::size_t section_begin_ = 0;             // in interfaces_: of this section
    std::vector<std::uint32_t> unknown_types_;  // told
    bool missing_interface_told_ = false;       // in this section
    bool ended_ = false;
};

}  // namespace hopscope::capture
