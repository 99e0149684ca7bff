// Classic pcap: a header of 24 bytes, then records without any mark to find them by (pcap-savefile(5)).
//
// A record header that makes no sense is either damage or oddness. It is oddness when a possible header follows where
// the record says; else the bytes behind are searched for a sensible header that another one follows.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "capture/byte_order.h"
#include "capture/pcap_format.h"
#include "capture/record_parser.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

// Where a header is in doubt, its time may differ this much from those that are known.
constexpr std::int64_t kNearSeconds = 30LL * 24 * 3600;

struct RecordHeader {
    std::uint32_t seconds, fraction, captured, wire;
};

class PcapParser final : public RecordParser {
public:
    PcapParser(Window& window, FileLog& log, const PcapVariant& variant)
        : window_(window),
          log_(log),
          order_{variant.swapped},
          header_bytes_(variant.modified ? kPcapModifiedRecordHeaderBytes : kPcapRecordHeaderBytes),
          fraction_limit_(variant.nanoseconds ? 1'000'000'000 : 1'000'000),
          fraction_ns_(variant.nanoseconds ? 1 : 1000),
          position_(first_position(log.file())),
          file_(log.file()) {
        const std::uint8_t* header = window.cursor();
        major_ = order_.u16(header + 4);
        minor_ = order_.u16(header + 6);
        const std::uint32_t snaplen = order_.u32(header + 16);
        captured_max_ = std::clamp<std::uint32_t>(snaplen, limits::kPlainRecordBytesMax, limits::kRecordBytesMax);
        // The upper half tells about frame check sequences, which nothing here needs.
        const auto link_type = static_cast<LinkType>(order_.u32(header + 20) & 0xffff);
        interface_ = log.add_interface(link_type, {}, snaplen);
        window.advance(kPcapFileHeaderBytes);
    }

    bool next(Packet& packet) override {
        if (window_.available() < header_bytes_ && !window_.need(header_bytes_)) [[unlikely]]
            return end(window_.available());
        RecordHeader record = read_header(window_.cursor());
        if (!sensible(record)) [[unlikely]] {
            if (!odd_but_true(record) && !search_next(record)) return false;
            record = read_header(window_.cursor());
        }
        std::size_t whole = header_bytes_ + record.captured;
        if (window_.available() < whole && !window_.need(whole)) [[unlikely]] {
            if (!search_after_cut()) return false;
            record = read_header(window_.cursor());
            whole = header_bytes_ + record.captured;
        }
        const std::uint8_t* data = window_.cursor() + header_bytes_;
        seconds_ = record.seconds;
        if (packets_++ == 0) [[unlikely]]
            before_first_packet();
        packet.at = {std::int64_t{record.seconds} * kNanosecondsPerSecond +
                     std::int64_t{record.fraction} * fraction_ns_};
        packet.link_type = interface_.link_type;
        packet.interface = interface_.number;
        packet.wire_length = std::max(record.wire, record.captured);
        packet.bytes = {data, record.captured};
        packet.frame = packets_;
        packet.file = file_;
        packet.position = position_ + window_.offset_of(data);
        window_.advance(whole);
        return true;
    }

    [[nodiscard]] std::uint64_t packets() const override { return packets_; }

private:
    [[nodiscard]] RecordHeader read_header(const std::uint8_t* p) const {
        RecordHeader r;
        std::memcpy(&r, p, sizeof r);
        if (order_.big) [[unlikely]]
            r = {__builtin_bswap32(r.seconds), __builtin_bswap32(r.fraction), __builtin_bswap32(r.captured),
                 __builtin_bswap32(r.wire)};
        return r;
    }
    [[nodiscard]] bool sensible(const RecordHeader& r) const {
        return r.captured <= captured_max_ && r.captured <= r.wire && r.fraction < fraction_limit_ && r.wire != 0 &&
               r.wire <= limits::kRecordBytesMax;
    }
    // Stricter, for places where nothing says that a record begins.
    [[nodiscard]] bool convincing(const RecordHeader& r) const {
        return r.captured <= limits::kPlainRecordBytesMax && r.captured != 0 && sensible(r) &&
               (packets_ == 0 || near(r.seconds, seconds_) || near(r.seconds, first_seconds_));
    }
    // Less strict: as some programs write them all through a file.
    [[nodiscard]] bool possible(const RecordHeader& r, std::int64_t seconds) const {
        return r.captured <= captured_max_ && r.wire <= limits::kRecordBytesMax &&
               (r.seconds | r.fraction | r.captured | r.wire) != 0 && near(r.seconds, seconds);
    }
    static bool near(std::int64_t a, std::int64_t b) { return std::abs(a - b) <= kNearSeconds; }
    [[nodiscard]] bool ends_here(std::size_t n) { return window_.need(n) && !window_.need(n + 1); }

    // Kept out of next(), which runs for every packet.
    [[gnu::cold]] bool end(std::size_t rest);
    [[gnu::cold]] void before_first_packet();
    [[gnu::cold]] bool odd_but_true(const RecordHeader& record);
    [[gnu::cold]] bool search_next(const RecordHeader& bad);
    [[gnu::cold]] bool search_after_cut();
    bool record_pair_at_cursor();
    std::uint64_t skip_to_record_pair();
    void tell_damage(const RecordHeader& bad, std::uint64_t at, std::uint64_t skipped, bool found);

    Window& window_;
    FileLog& log_;
    ByteOrder order_;
    std::size_t header_bytes_;
    std::uint32_t captured_max_ = 0;
    std::uint32_t fraction_limit_;
    std::int64_t fraction_ns_;
    std::uint64_t position_;
    std::uint16_t file_;
    InterfaceInfo interface_;
    std::uint16_t major_ = 0, minor_ = 0;
    std::uint64_t packets_ = 0;
    std::int64_t seconds_ = 0;        // of the last packet
    std::int64_t first_seconds_ = 0;  // of the first one: the last one's time may be part of the damage
    bool oddness_told_ = false, ended_ = false;
};

// `rest` bytes stay that are no whole record.
bool PcapParser::end(std::size_t rest) {
    if (ended_) return false;
    ended_ = true;
    log_.ended(window_.source().ending(), packets_, window_.offset(), rest);
    window_.advance(rest);
    return false;
}

void PcapParser::before_first_packet() {
    first_seconds_ = seconds_;
    if (major_ != 2) {
        log_.trouble(1, "CAP-13",
                     "says that it is pcap version " + std::to_string(major_) + "." + std::to_string(minor_) +
                         ", where only 2.4 is known: reading it as that");
    }
    if (!is_known(interface_.link_type)) log_.unknown_link_type(1, interface_);
}

// Some programs write more than a second as fraction, captured above wire length, or no wire length: the packet is
// whole.
bool PcapParser::odd_but_true(const RecordHeader& r) {
    if (!possible(r, packets_ == 0 ? r.seconds : seconds_)) return false;
    const std::size_t whole = header_bytes_ + r.captured;
    if (window_.need(whole + header_bytes_)) {
        const RecordHeader following = read_header(window_.cursor() + whole);
        if (!sensible(following) && !possible(following, r.seconds)) return false;
    } else if (!ends_here(whole)) {
        return false;
    }
    if (!oddness_told_) {
        oddness_told_ = true;
        log_.trouble(packets_ + 1, "CAP-13",
                     "has records with odd headers, the first is frame " + grouped(packets_ + 1) + " (" +
                         grouped(r.captured) + " of " + grouped(r.wire) + " bytes captured, fraction " +
                         grouped(r.fraction) + "): taken as they are");
    }
    return true;
}

bool PcapParser::record_pair_at_cursor() {
    const std::size_t whole = header_bytes_ + read_header(window_.cursor()).captured;
    if (window_.need(whole + header_bytes_)) return convincing(read_header(window_.cursor() + whole));
    return ends_here(whole);
}

// Moves the cursor to the next place after this one where two records follow each other, or one and the end: the first
// of them is at hand then. Returns the bytes skipped; when no bytes are left nothing was found.
std::uint64_t PcapParser::skip_to_record_pair() {
    const std::uint64_t begin = window_.offset();
    window_.advance(1);
    while (window_.need(header_bytes_)) {
        const std::uint8_t* at = window_.cursor();
        const std::uint8_t* end = at + window_.available() - header_bytes_ + 1;
        while (at < end && !convincing(read_header(at))) ++at;
        window_.advance(static_cast<std::size_t>(at - window_.cursor()));
        if (at == end) continue;
        if (record_pair_at_cursor()) return window_.offset() - begin;
        window_.advance(1);
    }
    window_.advance(window_.available());
    return window_.offset() - begin;
}

bool PcapParser::search_next(const RecordHeader& bad) {
    const std::uint64_t at = window_.offset();
    const std::uint64_t skipped = skip_to_record_pair();
    const bool found = window_.available() > 0;
    log_.lost(skipped);
    tell_damage(bad, at, skipped, found);
    return found || end(0);
}

// The bytes end inside the record at the cursor: either the file is cut off, or the record claims too much.
bool PcapParser::search_after_cut() {
    const std::uint64_t at = window_.offset();
    const RecordHeader bad = read_header(window_.cursor());
    const std::uint64_t skipped = skip_to_record_pair();
    if (window_.available() == 0) {
        if (ended_) return false;
        ended_ = true;
        log_.ended(window_.source().ending(), packets_, at, skipped);
        return false;
    }
    log_.lost(skipped);
    tell_damage(bad, at, skipped, true);
    return true;
}

void PcapParser::tell_damage(const RecordHeader& bad, std::uint64_t at, std::uint64_t skipped, bool found) {
    log_.trouble(packets_ + 1, "CAP-13",
                 "has a record that makes no sense after frame " + grouped(packets_) + " (at byte " + grouped(at) +
                     ", it claims " + grouped(bad.captured) + " of " + grouped(bad.wire) +
                     " bytes): " + human_bytes(skipped) + " skipped, " +
                     (found ? "reading goes on with frame " + grouped(packets_ + 1) : "nothing after it can be read"));
}

}  // namespace

Result<std::unique_ptr<RecordParser>> make_pcap_parser(Window& window, FileLog& log) {
    if (!window.need(kPcapFileHeaderBytes)) {
        return unexpected(Error{.doing = "cannot read",
                                .why = "it begins like a pcap file, but only " + std::to_string(window.available()) +
                                       " of the 24 bytes of its header are there",
                                .hint = "the capture program was stopped before it wrote anything: capture again",
                                .code = "CAP-12"});
    }
    const auto variant = pcap_variant(read_le32(window.cursor()));
    return std::unique_ptr<RecordParser>(std::make_unique<PcapParser>(window, log, *variant));
}

}  // namespace hopscope::capture
