#include "tcp.h"

#include <algorithm>
#include <cstring>

namespace hopscope::gen {
namespace {

constexpr std::size_t kArenaBytes = 4 * 1024 * 1024;           // masked payload of one flush and all frame headers
constexpr std::uint64_t kStartNs = 1'795'280'400'000'000'000;  // 2026-11-21T17:00:00Z
constexpr std::uint16_t kWindow = 512;                         // with the scale of 7: 64 KiB
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;

void be16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
void be32(std::uint8_t* at, std::uint32_t value) {
    value = __builtin_bswap32(value);
    std::memcpy(at, &value, sizeof value);
}

// Writes the link header at `at`; returns its size. The place of the packet type (sll, sll2) is fixed, see record().
std::size_t link_header(Link link, bool ipv6, std::uint8_t* at) {
    const std::uint16_t ether_type = ipv6 ? 0x86dd : 0x0800;
    std::memset(at, 0, 32);
    switch (link) {
        case Link::ethernet: be16(at + 12, ether_type); return 14;
        case Link::vlan:
            be16(at + 12, 0x8100);
            be16(at + 14, 42);
            be16(at + 16, ether_type);
            return 18;
        case Link::qinq:
            be16(at + 12, 0x88a8);
            be16(at + 14, 7);
            be16(at + 16, 0x8100);
            be16(at + 18, 42);
            be16(at + 20, ether_type);
            return 22;
        case Link::sll:
            be16(at + 2, 772);  // ARPHRD_LOOPBACK
            be16(at + 4, 6);
            be16(at + 14, ether_type);
            return 16;
        case Link::sll2:
            be16(at, ether_type);
            be32(at + 4, 1);
            be16(at + 8, 772);
            at[11] = 6;
            return 20;
        case Link::raw: return 0;
        case Link::null: at[0] = ipv6 ? 10 : 2; return 4;  // AF_INET6, AF_INET in the order of a little-endian host
    }
    return 0;
}

std::size_t ip_header(bool ipv6, std::uint8_t* at) {
    if (ipv6) {
        at[0] = 0x60;
        at[6] = 6;
        at[7] = 64;
        at[8 + 15] = 1;
        at[24 + 15] = 1;
        return 40;
    }
    at[0] = 0x45;
    at[6] = 0x40;  // do not fragment
    at[8] = 64;
    at[9] = 6;
    be32(at + 12, 0x7f000001);
    be32(at + 16, 0x7f000001);
    return 20;
}

std::uint16_t ip_checksum(const std::uint8_t* header) {
    std::uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace

Tcp::Tcp(const Options& options, Random& random, CaptureFile& file, Truth& truth)
    : options_(options), random_(random), file_(file), truth_(truth), now_ns_(kStartNs), arena_(kArenaBytes) {
    link_bytes_ = link_header(options.link, options.ipv6, head_.data());
    ip_bytes_ = ip_header(options.ipv6, head_.data() + link_bytes_);
}

std::size_t Tcp::make_head(const TcpState& c, Side from, std::uint8_t flags, std::uint32_t sequence,
                           std::uint16_t window, std::uint32_t payload_bytes) {
    const bool syn = (flags & kSyn) != 0;
    const std::size_t tcp_bytes = syn ? 40 : 32;
    std::uint8_t* ip = head_.data() + link_bytes_;
    std::uint8_t* tcp = ip + ip_bytes_;
    if (options_.ipv6) {
        be16(ip + 4, static_cast<std::uint32_t>(tcp_bytes) + payload_bytes);
    } else {
        be16(ip + 2, static_cast<std::uint32_t>(20 + tcp_bytes) + payload_bytes);
        be16(ip + 4, c.ip_id[from]);
        be16(ip + 10, 0);
        be16(ip + 10, ip_checksum(ip));
    }
    be16(tcp, c.port[from]);
    be16(tcp + 2, c.port[other(from)]);
    be32(tcp + 4, sequence);
    be32(tcp + 8, (flags & kAck) != 0 ? c.acked[other(from)] : 0);
    tcp[12] = static_cast<std::uint8_t>(tcp_bytes / 4 << 4);
    tcp[13] = flags;
    be16(tcp + 14, window);
    be16(tcp + 16, syn ? 0xfe30 : 0xfe28);  // the partial checksum that captures on lo show
    be16(tcp + 18, 0);
    std::uint8_t* at = tcp + 20;
    const std::uint32_t milliseconds = static_cast<std::uint32_t>(now_ns_ / 1'000'000);
    if (syn) {
        static constexpr std::uint8_t kOptions[] = {2, 4, 0xff, 0xd7,
                                                    4, 2, 8,    10};  // MSS 65495, SACK permitted, timestamps
        std::memcpy(at, kOptions, sizeof kOptions);
        be32(at + 8, milliseconds);
        be32(at + 12, (flags & kAck) != 0 ? milliseconds : 0);
        static constexpr std::uint8_t kScale[] = {1, 3, 3, 7};
        std::memcpy(at + 16, kScale, sizeof kScale);
    } else {
        static constexpr std::uint8_t kOptions[] = {1, 1, 8, 10};
        std::memcpy(at, kOptions, sizeof kOptions);
        be32(at + 4, milliseconds);
        be32(at + 8, milliseconds);
    }
    return link_bytes_ + ip_bytes_ + tcp_bytes;
}

void Tcp::record(std::span<std::uint8_t> head, std::span<const Span> payload) {
    now_ns_ += 500 + (random_.next() >> 52);
    if (!options_.copies) {
        file_.record(now_ns_, head, payload);
        return;
    }
    std::uint8_t* type = head.data() + (options_.link == Link::sll ? 1 : 10);
    *type = 4;  // outgoing
    file_.record(now_ns_, head, payload);
    *type = 0;  // to us
    now_ns_ += 300;
    file_.record(now_ns_, head, payload);
}

void Tcp::packet(TcpState& c, Side from, std::uint8_t flags, std::uint32_t sequence, std::uint16_t window,
                 std::span<const Span> payload, bool captured) {
    std::uint32_t size = 0;
    for (const Span piece : payload) size += static_cast<std::uint32_t>(piece.size());
    ++c.ip_id[from];
    if (!captured || c.hidden) return;
    const std::size_t head = make_head(c, from, flags, sequence, window, size);
    record({head_.data(), head}, payload);
}

void Tcp::handshake(TcpState& c) {
    c.next = {static_cast<std::uint32_t>(random_.next() >> 32), static_cast<std::uint32_t>(random_.next() >> 32)};
    c.acked = c.next;
    packet(c, kClient, kSyn, c.next[kClient]++, 65495, {}, true);
    c.acked[kClient] = c.next[kClient];
    packet(c, kServer, kSyn | kAck, c.next[kServer]++, 65483, {}, true);
    c.acked[kServer] = c.next[kServer];
    acknowledge(c, kClient, kWindow);
}

void Tcp::acknowledge(TcpState& c, Side from, std::uint16_t window) {
    c.waiting[other(from)] = 0;
    c.acked[other(from)] = c.next[other(from)];
    packet(c, from, kAck, c.next[from], window, {}, true);
}

void Tcp::queue(TcpState& connection, Side from, Span bytes, bool ends) {
    if (queue_connection_ != &connection || queue_from_ != from) {
        flush();
        queue_connection_ = &connection;
        queue_from_ = from;
    }
    pieces_.push_back({bytes, ends});
    queued_bytes_ += bytes.size();
}

std::uint8_t* Tcp::reserve(TcpState& connection, Side from, std::size_t size) {
    if (queue_connection_ != &connection || queue_from_ != from || arena_used_ + size > arena_.size()) flush();
    std::uint8_t* at = arena_.data() + arena_used_;
    arena_used_ += size;
    return at;
}

void Tcp::put(TcpState& connection, Side from, Span bytes, bool ends) {
    std::uint8_t* at = reserve(connection, from, bytes.size());
    std::memcpy(at, bytes.data(), bytes.size());
    queue(connection, from, {at, bytes.size()}, ends);
}

void Tcp::lend(TcpState& connection, Side from, Span bytes, bool ends) { queue(connection, from, bytes, ends); }

void Tcp::flush() {
    if (pieces_.empty()) return;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const bool last = i + 1 == pieces_.size();
        // A busy queue sends the first write at once and merges what comes while it is on its way.
        const bool cut = pieces_[i].ends_write && (!busy_ || begin == 0);
        if (!cut && !last) continue;
        send_pieces(begin, i + 1);
        begin = i + 1;
    }
    release_held();
    pieces_.clear();
    queued_bytes_ = 0;
    arena_used_ = 0;
    probes();
    queue_connection_ = nullptr;
    busy_ = false;
}

// Cuts the pieces [begin, end) into segments.
void Tcp::send_pieces(std::size_t begin, std::size_t end) {
    std::size_t left = 0;
    for (std::size_t i = begin; i < end; ++i) left += pieces_[i].bytes.size();
    std::size_t room = options_.mss;
    segment_.clear();
    for (std::size_t i = begin; i < end; ++i) {
        Span bytes = pieces_[i].bytes;
        while (!bytes.empty()) {
            const std::size_t n = std::min(room, bytes.size());
            segment_.push_back(bytes.first(n));
            bytes = bytes.subspan(n);
            room -= n;
            left -= n;
            if (room > 0 && left > 0) continue;
            data_segment(left);
            segment_.clear();
            room = options_.mss;
        }
    }
}

void Tcp::data_segment(std::size_t left) {
    TcpState& c = *queue_connection_;
    const Side from = queue_from_;
    std::uint32_t size = 0;
    for (const Span piece : segment_) size += static_cast<std::uint32_t>(piece.size());
    const std::uint32_t sequence = c.next[from];
    c.next[from] += size;
    // Data carries the acknowledgement of what came from the other side.
    c.acked[other(from)] = c.next[other(from)];
    c.waiting[other(from)] = 0;
    const bool visible = !c.hidden;
    const bool lost = visible && random_.chance(options_.lost);
    const bool late = visible && !lost && left > 0 && !held_.used && random_.chance(options_.reorder);
    if (lost) {
        ++truth_.lost_segments;
        truth_.lost_bytes += size;
    }
    if (late) {
        ++truth_.reordered;
        ++c.ip_id[from];
        const std::size_t head = make_head(c, from, kPsh | kAck, sequence, kWindow, size);
        held_.bytes.assign(head_.begin(), head_.begin() + static_cast<std::ptrdiff_t>(head));
        for (const Span piece : segment_) held_.bytes.insert(held_.bytes.end(), piece.begin(), piece.end());
        held_.used = true;
        ++c.waiting[from];
        return;
    }
    packet(c, from, kPsh | kAck, sequence, kWindow, segment_, !lost);
    release_held();
    if (visible && random_.chance(options_.retransmit)) {
        ++truth_.retransmitted;
        packet(c, from, kPsh | kAck, sequence, kWindow, segment_, true);
    }
    if (visible && random_.chance(options_.overlap)) overlap(sequence, size);
    if (++c.waiting[from] >= options_.ack_every) acknowledge(c, other(from), kWindow);
}

// Sends the second half of the segment again with every byte changed: the first copy is what the receiver keeps.
void Tcp::overlap(std::uint32_t sequence, std::uint32_t size) {
    if (size < 2) return;
    std::vector<std::uint8_t> bytes;
    for (const Span piece : segment_) bytes.insert(bytes.end(), piece.begin(), piece.end());
    bytes.erase(bytes.begin(), bytes.begin() + size / 2);
    for (std::uint8_t& byte : bytes) byte ^= 0x20;
    ++truth_.overlapping;
    const Span whole(bytes);
    packet(*queue_connection_, queue_from_, kPsh | kAck, sequence + size / 2, kWindow, {&whole, 1}, true);
}

void Tcp::release_held() {
    if (!held_.used) return;
    held_.used = false;
    record(held_.bytes, {});
}

// Zero-window probes and keep-alives as Linux sends them: no data, one before the next sequence number; every other
// keep-alive carries one old byte, as some systems do.
void Tcp::probes() {
    TcpState& c = *queue_connection_;
    const Side from = queue_from_;
    if (c.hidden) return;
    if (random_.chance(options_.zero_window)) {
        ++truth_.zero_windows;
        acknowledge(c, other(from), 0);
        packet(c, from, kAck, c.next[from] - 1, kWindow, {}, true);
        acknowledge(c, other(from), 0);
        now_ns_ += 200'000'000;
        acknowledge(c, other(from), kWindow);
    }
    if (random_.chance(options_.keep_alive)) {
        static constexpr std::uint8_t kOld[1] = {0};
        const Span old(kOld);
        const bool with_byte = truth_.keep_alives++ % 2 == 1;
        acknowledge(c, other(from), kWindow);
        now_ns_ += 15'000'000'000;
        packet(c, from, kAck, c.next[from] - 1, kWindow, {&old, with_byte ? 1U : 0U}, true);
        acknowledge(c, other(from), kWindow);
    }
}

void Tcp::fin(TcpState& c, Side from) {
    flush();
    c.acked[other(from)] = c.next[other(from)];
    packet(c, from, kFin | kAck, c.next[from]++, kWindow, {}, true);
}

void Tcp::reset(TcpState& c, Side from) {
    flush();
    packet(c, from, kRst | kAck, c.next[from], 0, {}, true);
}

void Tcp::last_ack(TcpState& c, Side from) { acknowledge(c, from, kWindow); }

}  // namespace hopscope::gen
