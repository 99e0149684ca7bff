#include "record/stream_masker.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "core/limits.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"

namespace hopscope::record {
namespace {

using decode::net::FlowRef;
using decode::net::TcpSegment;

using Key = std::pair<Endpoint, Endpoint>;
Key key_of(const Endpoint& a, const Endpoint& b) { return a < b ? Key{a, b} : Key{b, a}; }

// What each stream is, as the decoders find out; asked by the walkers at the frame that comes next.
class KindTap final : public pipeline::EventTap {
public:
    void flow(const chain::FlowInfo& flow) override {
        if (flow.is_unix) return;
        if (flow.slot >= by_slot_.size()) by_slot_.resize(flow.slot + 1);
        by_slot_[flow.slot] = {flow.id, key_of(flow.client, flow.server)};
        Kinds& kinds = kinds_[by_slot_[flow.slot].key];
        // The same again when it turned out to be the other way round; else the addresses are used anew.
        if (kinds.flow != flow.id) kinds = {flow.id, {}};
        if (kinds_.size() > limits::kMaskedKindsMax) kinds_.erase(kinds_.begin());
    }
    void on(const Event& event, const chain::Place& place) override {
        if (const auto* opened = std::get_if<StreamOpened>(&event)) learn(place, *opened);
        if (const auto* named = std::get_if<StreamNamed>(&event)) learn(place, named->stream);
    }
    [[nodiscard]] StreamKind kind(const Key& key, std::uint32_t stream) const {
        const auto connection = kinds_.find(key);
        if (connection == kinds_.end()) return StreamKind::unknown;
        const auto found = connection->second.streams.find(stream);
        return found == connection->second.streams.end() ? StreamKind::unknown : found->second;
    }
    void forget(const Key& key) { kinds_.erase(key); }

private:
    struct Kinds {
        FlowId flow = 0;
        std::map<std::uint32_t, StreamKind> streams;
    };
    struct Slot {
        FlowId flow = 0;
        Key key;
    };
    void learn(const chain::Place& place, const StreamOpened& stream) {
        // A kind that was only inferred is not proof enough to leave bytes standing.
        if (stream.grade != Grade::decoded || place.slot >= by_slot_.size() || by_slot_[place.slot].flow != place.flow)
            return;
        const auto found = kinds_.find(by_slot_[place.slot].key);
        if (found == kinds_.end() || found->second.flow != place.flow) return;
        auto& streams = found->second.streams;
        // Stream numbers grow: the lowest is the oldest.
        if (streams.size() >= limits::kMaskedStreamsMax) streams.erase(streams.begin());
        streams[stream.id] = stream.kind;
    }
    std::map<Key, Kinds> kinds_;
    std::vector<Slot> by_slot_;
};

// Where a connection's bytes lie in sequence space, and what may stay of them.
struct MaskedFlow {
    MaskedFlow(Endpoint c, Endpoint s, std::uint64_t frame, ConnectionWalker w)
        : client(c), server(s), first_frame(frame), walker(std::move(w)) {}
    Endpoint client, server;
    std::uint64_t first_frame;
    ConnectionWalker walker;
    std::optional<std::uint32_t> base[2];  // sequence number of stream offset 0
    std::uint64_t delivered[2] = {0, 0};   // first reading: next stream offset
    std::uint64_t cursor[2] = {0, 0};      // second reading: last offset seen, for unwrapping sequence numbers
};

class Collector final : public decode::net::TcpListener {
public:
    Collector(MaskCounts& counts, Pseudonyms& pseudonyms, KindTap& kinds, bool live)
        : counts_(counts), kinds_(kinds), pseudonyms_(pseudonyms), live_(live) {}

    TcpSegment segment;  // in hand
    std::uint64_t frame = 0;

    void opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool) override {
        const Key key = key_of(client, server);
        ConnectionWalker walker([this, key](std::uint32_t stream) { return kinds_.kind(key, stream); }, pseudonyms_,
                                counts_);
        auto& list = flows_[key];
        list.push_back(std::make_unique<MaskedFlow>(client, server, frame, std::move(walker)));
        if (flow.slot >= by_slot_.size()) by_slot_.resize(flow.slot + 1);
        by_slot_[flow.slot] = list.back().get();
        ++connections;
    }
    void bytes(FlowRef flow, Direction direction, Bytes bytes) override {
        MaskedFlow& masked = *by_slot_[flow.slot];
        const std::size_t side = index_of(direction);
        const std::uint8_t* begin = segment.payload.data();
        const bool straight = bytes.data() >= begin && bytes.data() < begin + segment.payload.size();
        if (!masked.base[side] && straight) {
            const auto into = static_cast<std::uint32_t>(bytes.data() - begin);
            const std::uint32_t sequence = segment.sequence + (segment.flags.syn ? 1U : 0U) + into;
            masked.base[side] = sequence - static_cast<std::uint32_t>(masked.delivered[side]);
        }
        masked.walker.bytes(direction, masked.delivered[side], bytes);
        masked.delivered[side] += bytes.size();
    }
    void gap(FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override {
        MaskedFlow& masked = *by_slot_[flow.slot];
        masked.walker.gap(direction);
        masked.delivered[index_of(direction)] = offset + missing;
    }
    void note(FlowRef, const NetNote&) override {}
    void closing(FlowRef, Direction, FinKind) override {}
    void ended(FlowRef flow, bool) override {
        MaskedFlow& masked = *by_slot_[flow.slot];
        masked.walker.end();
        if (live_) over_.push_back({frame, &masked});
    }

    // Everything up to frame `at` was masked: connections that were over before it are not asked for any more.
    void forget_before(std::uint64_t at) {
        for (; !over_.empty() && over_.front().frame < at; over_.pop_front()) {
            const Key key = key_of(over_.front().flow->client, over_.front().flow->server);
            const auto found = flows_.find(key);
            std::erase_if(found->second, [&](const auto& each) { return each.get() == over_.front().flow; });
            if (!found->second.empty()) continue;
            flows_.erase(found);
            kinds_.forget(key);
        }
    }

    // The connection that a segment of frame `at` belongs to, and its direction in it.
    MaskedFlow* find(const TcpSegment& of, std::uint64_t at, Direction& direction) {
        const auto found = flows_.find(key_of(of.source, of.destination));
        if (found == flows_.end()) return nullptr;
        auto& list = found->second;
        const auto after =
            std::find_if(list.begin(), list.end(), [&](const auto& flow) { return flow->first_frame > at; });
        if (after == list.begin()) return nullptr;
        MaskedFlow* flow = std::prev(after)->get();
        direction = of.source == flow->client ? Direction::to_server : Direction::to_client;
        return flow;
    }

    std::uint64_t connections = 0;

private:
    MaskCounts& counts_;
    KindTap& kinds_;
    Pseudonyms& pseudonyms_;
    const bool live_;
    std::map<Key, std::vector<std::unique_ptr<MaskedFlow>>> flows_;
    std::vector<MaskedFlow*> by_slot_;
    struct Over {
        std::uint64_t frame = 0;
        MaskedFlow* flow = nullptr;
    };
    std::deque<Over> over_;
};

// The sum of big-endian 16-bit words, as RFC 1071 section 2 allows it: in the machine's order, many at once.
std::uint32_t sum_words(Bytes bytes, std::uint32_t before) {
    std::uint64_t sum = 0;
    std::size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        sum += word;
    }
    std::uint8_t rest[4] = {};
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.end(), rest);
    std::uint32_t word = 0;
    std::memcpy(&word, rest, sizeof word);
    sum += word;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    std::uint32_t swapped = before + __builtin_bswap16(static_cast<std::uint16_t>(sum));
    while (swapped >> 16) swapped = (swapped & 0xffff) + (swapped >> 16);
    return swapped;
}

// RFC 9293 section 3.1, for a segment that lies whole in `tcp` (header and payload).
void fix_checksum(const TcpSegment& segment, std::span<std::uint8_t> tcp) {
    tcp[16] = tcp[17] = 0;
    std::uint32_t sum =
        6 + static_cast<std::uint32_t>(tcp.size() & 0xffff) + static_cast<std::uint32_t>(tcp.size() >> 16);
    for (const Endpoint& end : {segment.source, segment.destination}) {
        const bool v4 = end.address.is_v4();
        sum = sum_words(Bytes(end.address.bytes).subspan(v4 ? 12 : 0), sum);
    }
    const auto checksum = static_cast<std::uint16_t>(~sum_words(tcp, sum));
    tcp[16] = static_cast<std::uint8_t>(checksum >> 8);
    tcp[17] = static_cast<std::uint8_t>(checksum);
}

std::size_t overwrite(std::vector<std::uint8_t>& copy, std::size_t at, std::size_t size) {
    std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(at), size, std::uint8_t{'x'});
    return size;
}

bool is_udp_or_icmp(std::uint8_t protocol) { return protocol == 17 || protocol == 1 || protocol == 58; }

}  // namespace

std::size_t harmless_bytes(const Packet& packet) {
    const std::size_t size = packet.bytes.size();
    std::size_t link = 0;
    switch (packet.link_type) {
        case LinkType::ethernet: link = 14; break;
        case LinkType::linux_sll: link = 16; break;
        case LinkType::linux_sll2: link = 20; break;
        case LinkType::null:
        case LinkType::loop: link = 4; break;
        case LinkType::raw:
        case LinkType::raw_bsd:
        case LinkType::raw_openbsd:
        case LinkType::ipv4:
        case LinkType::ipv6: break;
        case LinkType::upper_pdu: return 0;
    }
    if (link >= size) return size;
    const bool v6 = packet.bytes[link] >> 4 == 6;
    const bool later_fragment = !v6 && size >= link + 8 && (read_be16(packet.bytes.data() + link + 6) & 0x1fff) != 0;
    const bool udp_or_icmp = size >= link + 10 && is_udp_or_icmp(packet.bytes[link + (v6 ? 6 : 9)]);
    return std::min(size, link + (v6 ? 40U : 20U) + (udp_or_icmp && !later_fragment ? 8U : 0U));
}

struct StreamMasker::State {
    State(MaskCounts& counts, Pseudonyms& pseudonyms, bool is_live)
        : live(is_live), collector(counts, pseudonyms, kinds, is_live) {}

    const bool live;
    KindTap kinds;
    Collector collector;
    LossCounters loss;  // counted by whoever decodes: not told again
    decode::net::PacketParser first{loss}, second{loss};
    decode::net::TcpReassembler tcp{collector, loss, nullptr};
};

StreamMasker::StreamMasker(MaskCounts& counts, Pseudonyms& pseudonyms, const StreamMaskerOptions& options)
    : state_(std::make_unique<State>(counts, pseudonyms, options.live)) {}
StreamMasker::~StreamMasker() = default;

pipeline::EventTap& StreamMasker::tap() { return state_->kinds; }

void StreamMasker::collect(const Packet& packet) {
    Collector& collector = state_->collector;
    collector.frame = packet.frame;
    if (state_->first.parse(packet, collector.segment)) state_->tcp.on(collector.segment, packet.at);
    collector.segment = {};
}

void StreamMasker::advance(Timestamp now) { state_->tcp.advance(now); }
void StreamMasker::ended_unseen(const Endpoint& client, const Endpoint& server) {
    static_cast<void>(state_->tcp.give_up(client, server));
}
void StreamMasker::expect_copies() { state_->first.expect_copies(); }
void StreamMasker::finish() { state_->tcp.finish(); }
std::uint64_t StreamMasker::connections() const { return state_->collector.connections; }

std::size_t StreamMasker::mask(const Packet& packet, std::vector<std::uint8_t>& copy) {
    decode::net::PacketParser& parser = state_->second;
    if (state_->live) state_->collector.forget_before(packet.frame);
    TcpSegment segment;
    const bool tcp = parser.parse(packet, segment);
    const std::uint8_t* begin = segment.payload.data();
    const bool here = tcp && begin >= copy.data() && begin <= copy.data() + copy.size();
    if (!here) {
        // No TCP, or a fragment: the payload of the whole datagram is content.
        const std::size_t kept = harmless_bytes(packet);
        std::fill(copy.begin() + static_cast<std::ptrdiff_t>(kept), copy.end(), std::uint8_t{'x'});
        return copy.size() - kept;
    }
    const auto at = static_cast<std::size_t>(begin - copy.data());
    std::size_t changed = 0;
    Direction direction{};
    MaskedFlow* flow = state_->collector.find(segment, packet.frame, direction);
    const std::size_t side = index_of(direction);
    if (!segment.payload.empty() && flow && flow->base[side]) {
        const std::uint32_t sequence = segment.sequence + (segment.flags.syn ? 1U : 0U);
        std::uint64_t& cursor = flow->cursor[side];
        const auto step =
            static_cast<std::int32_t>(sequence - (*flow->base[side] + static_cast<std::uint32_t>(cursor)));
        const std::int64_t offset = static_cast<std::int64_t>(cursor) + step;
        if (offset >= 0) {
            changed = flow->walker.plan(direction).apply(static_cast<std::uint64_t>(offset), copy.data() + at,
                                                         segment.payload.size());
            cursor = static_cast<std::uint64_t>(offset);
            if (state_->live) flow->walker.plan(direction).forget_before(cursor);
        } else {
            changed = overwrite(copy, at, segment.payload.size());
        }
    } else if (!segment.payload.empty()) {
        changed = overwrite(copy, at, segment.payload.size());
    }
    // Bytes behind the TCP payload (Ethernet padding) belong to nobody.
    const std::size_t end = at + segment.payload.size();
    std::fill(copy.begin() + static_cast<std::ptrdiff_t>(end), copy.end(), std::uint8_t{0});
    if (changed > 0 && segment.payload.size() == segment.payload_wire_bytes && segment.header_bytes >= 20 &&
        at >= segment.header_bytes)
        fix_checksum(segment,
                     std::span(copy).subspan(at - segment.header_bytes, segment.header_bytes + segment.payload.size()));
    return changed;
}

}  // namespace hopscope::record
