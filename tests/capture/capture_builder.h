// Builds capture files byte by byte, in either byte order, right or wrong on purpose; and reads them for comparing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "capture/capture_file.h"
#include "capture/pcap_format.h"
#include "capture/pcapng_format.h"

namespace hopscope::capture::test {

inline std::string number(std::uint64_t value, std::size_t bytes, bool big) {
    std::string out(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) out[big ? bytes - 1 - i : i] = static_cast<char>(value >> 8 * i & 0xff);
    return out;
}

struct PcapShape {
    bool big = false;
    std::uint32_t magic = kPcapMagicMicroseconds;
    std::uint32_t snaplen = 262144;
    std::uint32_t link_type = 1;
    std::uint16_t major = 2, minor = 4;
};

class PcapFile {
public:
    explicit PcapFile(const PcapShape& shape = {}) : shape_(shape) {
        bytes = u32(shape.magic) + number(shape.major, 2, shape.big) + number(shape.minor, 2, shape.big) + u32(0) +
                u32(0) + u32(shape.snaplen) + u32(shape.link_type);
    }
    // A record whose header says the truth.
    PcapFile& packet(std::uint32_t seconds, std::uint32_t fraction, std::string_view data, std::uint32_t wire = 0) {
        return record(seconds, fraction, static_cast<std::uint32_t>(data.size()),
                      wire == 0 ? static_cast<std::uint32_t>(data.size()) : wire, data);
    }
    // A record whose header says anything.
    PcapFile& record(std::uint32_t seconds, std::uint32_t fraction, std::uint32_t captured, std::uint32_t wire,
                     std::string_view data) {
        bytes += u32(seconds) + u32(fraction) + u32(captured) + u32(wire);
        if (shape_.magic == kPcapMagicModified) bytes += u32(3) + number(0x0800, 2, shape_.big) + std::string(2, '\0');
        bytes += data;
        return *this;
    }
    std::string bytes;

private:
    [[nodiscard]] std::string u32(std::uint32_t v) const { return number(v, 4, shape_.big); }
    PcapShape shape_;
};

class PcapngFile {
public:
    explicit PcapngFile(bool big = false) : big_(big) {}

    [[nodiscard]] std::string u16(std::uint64_t v) const { return number(v, 2, big_); }
    [[nodiscard]] std::string u32(std::uint64_t v) const { return number(v, 4, big_); }
    [[nodiscard]] std::string u64(std::uint64_t v) const { return number(v, 8, big_); }
    static std::string padded(std::string_view data) {
        return std::string(data) + std::string((4 - data.size() % 4) % 4, '\0');
    }
    [[nodiscard]] std::string option(std::uint16_t code, std::string_view value) const {
        return u16(code) + u16(value.size()) + padded(value);
    }
    [[nodiscard]] std::string end_of_options() const { return u32(0); }

    PcapngFile& block(std::uint32_t type, std::string_view body) {
        const std::size_t length = 12 + padded(body).size();
        bytes += u32(type) + u32(length) + padded(body) + u32(length);
        return *this;
    }
    // From here on in the given byte order.
    PcapngFile& section(bool big, std::string_view options = {}) {
        big_ = big;
        return section(options);
    }
    PcapngFile& section(std::string_view options = {}) {
        return block(pcapng::kSectionHeader,
                     u32(pcapng::kByteOrderMagic) + u16(1) + u16(0) + u64(~0ULL) + std::string(options));
    }
    PcapngFile& interface(std::uint16_t link_type = 1, std::uint32_t snaplen = 262144, std::string_view options = {}) {
        return block(pcapng::kInterfaceDescription, u16(link_type) + u16(0) + u32(snaplen) + std::string(options));
    }
    PcapngFile& packet(std::uint32_t interface, std::uint64_t ticks, std::string_view data,
                       std::string_view options = {}, std::uint32_t wire = 0) {
        return block(pcapng::kEnhancedPacket, u32(interface) + u32(ticks >> 32) + u32(ticks & 0xffffffff) +
                                                  u32(data.size()) + u32(wire == 0 ? data.size() : wire) +
                                                  padded(data) + std::string(options));
    }
    PcapngFile& simple_packet(std::string_view data, std::uint32_t wire = 0) {
        return block(pcapng::kSimplePacket, u32(wire == 0 ? data.size() : wire) + std::string(data));
    }
    PcapngFile& obsolete_packet(std::uint16_t interface, std::uint64_t ticks, std::string_view data) {
        return block(pcapng::kPacket, u16(interface) + u16(0xffff) + u32(ticks >> 32) + u32(ticks & 0xffffffff) +
                                          u32(data.size()) + u32(data.size()) + std::string(data));
    }
    PcapngFile& statistics(std::uint32_t interface, std::string_view options) {
        return block(pcapng::kInterfaceStatistics, u32(interface) + u32(0) + u32(0) + std::string(options));
    }
    PcapngFile& secrets(std::uint32_t type, std::string_view text) {
        return block(pcapng::kDecryptionSecrets, u32(type) + u32(text.size()) + std::string(text));
    }

    std::string bytes;

private:
    bool big_;
};

// A packet whose bytes stay.
struct KeptPacket {
    std::int64_t ns = 0;
    unsigned link_type = 0;
    std::uint32_t interface = 0, wire_length = 0;
    std::uint64_t frame = 0, position = 0;
    std::uint16_t file = 0;
    std::string bytes;
    bool operator==(const KeptPacket&) const = default;
};
inline KeptPacket keep(const Packet& p) {
    return {p.at.ns, static_cast<unsigned>(p.link_type), p.interface, p.wire_length, p.frame, p.position,
            p.file,  std::string(as_text(p.bytes))};
}
inline void PrintTo(const KeptPacket& p, std::ostream* out) {
    *out << "{frame " << p.frame << " at " << p.ns << " link " << p.link_type << " interface "
         << p.interface << " wire " << p.wire_length << " captured " << p.bytes.size() << " position " << p.position
         << " file " << p.file << "}";
}

struct KeptNote {
    FileNote::Kind kind{};
    std::uint64_t frame = 0;
    std::string code, text;
    std::uint64_t count = 0;
    bool operator==(const KeptNote&) const = default;
};
inline void PrintTo(const KeptNote& n, std::ostream* out) {
    *out << "{" << static_cast<int>(n.kind) << " frame " << n.frame << " " << n.code << " '" << n.text << "' "
         << n.count << "}";
}

struct WholeRead {
    std::vector<KeptPacket> packets;
    std::vector<KeptNote> notes;
    std::uint64_t lost_bytes = 0;
    std::vector<FileSummary> files;
    bool may_hold_copies_at_once = false, may_hold_copies = false;
    std::string error_code, error_why;  // when it did not open

    [[nodiscard]] std::vector<std::string> codes() const {
        std::vector<std::string> out;
        for (const KeptNote& note : notes)
            if (note.kind == FileNote::Kind::trouble) out.push_back(note.code);
        return out;
    }
    [[nodiscard]] std::vector<std::string> texts(FileNote::Kind kind) const {
        std::vector<std::string> out;
        for (const KeptNote& note : notes)
            if (note.kind == kind) out.push_back(note.text);
        return out;
    }
    [[nodiscard]] std::vector<std::string> payloads() const {
        std::vector<std::string> out;
        for (const KeptPacket& packet : packets) out.push_back(packet.bytes);
        return out;
    }
};

inline void read_rest(Reader& reader, WholeRead& out) {
    out.may_hold_copies_at_once = reader.may_hold_copies();
    Packet packet;
    while (reader.next(packet)) out.packets.push_back(keep(packet));
    EXPECT_FALSE(reader.next(packet)) << "the end is the end";
    out.lost_bytes = reader.loss()[LossPlace::file];
    out.files = reader.files();
    out.may_hold_copies = reader.may_hold_copies();
}

inline auto note_keeper(std::vector<KeptNote>& notes) {
    return [&notes](const FileNote& n) { notes.push_back({n.kind, n.frame, n.code, n.text, n.count}); };
}

// Reads bytes that come in pieces of at most `piece_max`.
inline WholeRead read_bytes(std::string_view bytes, std::size_t piece_max = SIZE_MAX, const WindowSize& size = {}) {
    WholeRead out;
    auto reader = open_source(std::make_unique<MemorySource>(as_bytes(bytes), piece_max), "test.cap",
                              note_keeper(out.notes), size);
    if (reader) {
        read_rest(**reader, out);
    } else {
        out.error_code = reader.error().code;
        out.error_why = reader.error().why;
    }
    return out;
}

inline WholeRead read_files(const std::vector<std::string>& names) {
    WholeRead out;
    auto reader = Reader::open(names, note_keeper(out.notes));
    if (reader) {
        read_rest(**reader, out);
    } else {
        out.error_code = reader.error().code;
        out.error_why = reader.error().why;
    }
    return out;
}

inline std::string filled(std::size_t size, unsigned seed) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + seed * 7 + 1);
    return out;
}

}  // namespace hopscope::capture::test
