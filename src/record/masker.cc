#include "record/masker.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "capture/reader.h"
#include "capture/writer.h"
#include "core/untrusted.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"
#include "pipeline/pipeline.h"

namespace hopscope::record {
namespace {

using decode::net::FlowRef;
using decode::net::TcpSegment;

// What each stream is, as the decoders find out; asked by the walkers at the frame that comes next.
class KindTap final : public pipeline::EventTap {
public:
    void on(const Event& event, const chain::Place& place) override {
        if (const auto* opened = std::get_if<StreamOpened>(&event)) learn(place.flow, *opened);
        if (const auto* named = std::get_if<StreamNamed>(&event)) learn(place.flow, named->stream);
    }
    [[nodiscard]] StreamKind kind(FlowId flow, std::uint32_t stream) const {
        const auto found = kinds_.find(key(flow, stream));
        return found == kinds_.end() ? StreamKind::unknown : found->second;
    }

private:
    static std::uint64_t key(FlowId flow, std::uint32_t stream) { return std::uint64_t{flow} << 32 | stream; }
    void learn(FlowId flow, const StreamOpened& stream) {
        // A kind that was only inferred is not proof enough to leave bytes standing.
        if (stream.grade == Grade::decoded) kinds_[key(flow, stream.id)] = stream.kind;
    }
    std::unordered_map<std::uint64_t, StreamKind> kinds_;
};

// Where a connection's bytes lie in sequence space, and what may stay of them.
struct MaskedFlow {
    MaskedFlow(Endpoint c, Endpoint s, std::uint64_t frame, ConnectionWalker w) : client(c), server(s), first_frame(frame), walker(std::move(w)) {}
    Endpoint client, server;
    std::uint64_t first_frame;
    ConnectionWalker walker;
    std::optional<std::uint32_t> base[2];   // sequence number of stream offset 0
    std::uint64_t delivered[2] = {0, 0};    // first reading: next stream offset
    std::uint64_t cursor[2] = {0, 0};       // second reading: last offset seen, for unwrapping sequence numbers
};

using Key = std::pair<Endpoint, Endpoint>;
Key key_of(const Endpoint& a, const Endpoint& b) { return a < b ? Key{a, b} : Key{b, a}; }

class Collector final : public decode::net::TcpListener {
public:
    Collector(MaskCounts& counts, const KindTap& kinds) : counts_(counts), kinds_(kinds) {}

    TcpSegment segment;  // in hand
    std::uint64_t frame = 0;

    void opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool) override {
        ConnectionWalker walker([this, id = flow.id](std::uint32_t stream) { return kinds_.kind(id, stream); }, pseudonyms_, counts_);
        auto& list = flows_[key_of(client, server)];
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
    void ended(FlowRef flow, bool) override { by_slot_[flow.slot]->walker.end(); }

    // The connection that a segment of frame `at` belongs to, and its direction in it.
    MaskedFlow* find(const TcpSegment& of, std::uint64_t at, Direction& direction) {
        const auto found = flows_.find(key_of(of.source, of.destination));
        if (found == flows_.end()) return nullptr;
        auto& list = found->second;
        const auto after = std::find_if(list.begin(), list.end(), [&](const auto& flow) { return flow->first_frame > at; });
        if (after == list.begin()) return nullptr;
        MaskedFlow* flow = std::prev(after)->get();
        direction = of.source == flow->client ? Direction::to_server : Direction::to_client;
        return flow;
    }

    std::uint64_t connections = 0;

private:
    MaskCounts& counts_;
    const KindTap& kinds_;
    Pseudonyms pseudonyms_;
    std::map<Key, std::vector<std::unique_ptr<MaskedFlow>>> flows_;
    std::vector<MaskedFlow*> by_slot_;
};

std::uint32_t sum_words(Bytes bytes, std::uint32_t sum) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += read_be16(bytes.data() + i);
    if (bytes.size() % 2) sum += std::uint32_t{bytes.back()} << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

// RFC 9293 section 3.1, for a segment that lies whole in `tcp` (header and payload).
void fix_checksum(const TcpSegment& segment, std::span<std::uint8_t> tcp) {
    tcp[16] = tcp[17] = 0;
    std::uint32_t sum = 6 + static_cast<std::uint32_t>(tcp.size() & 0xffff) + static_cast<std::uint32_t>(tcp.size() >> 16);
    for (const Endpoint& end : {segment.source, segment.destination}) {
        const bool v4 = end.address.is_v4();
        sum = sum_words(Bytes(end.address.bytes).subspan(v4 ? 12 : 0), sum);
    }
    const auto checksum = static_cast<std::uint16_t>(~sum_words(tcp, sum));
    tcp[16] = static_cast<std::uint8_t>(checksum >> 8);
    tcp[17] = static_cast<std::uint8_t>(checksum);
}

// Bytes of link and network headers that say who talks; the rest of a packet that is not TCP is content.
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
    return std::min(size, link + (v6 ? 40U : 20U) + 8U);  // 8: ports and length of UDP, type of ICMP
}

class Masking {
public:
    Masking(std::string in, std::string out, const MaskOptions& options) : in_(std::move(in)), out_(std::move(out)), options_(options) {}

    Result<MaskSummary> run() {
        if (auto first = collect(); !first) return unexpected(first.error());
        if (auto second = rewrite(); !second) return unexpected(second.error());
        summary_.connections = collector_.connections;
        return std::move(summary_);
    }

private:
    Result<std::unique_ptr<capture::Reader>> open(bool first) {
        return capture::Reader::open({in_}, [this, first](const capture::FileNote& note) {
            if (!first) return;
            if (note.kind == capture::FileNote::Kind::secrets) ++summary_.secrets_left_out;
            if (note.kind == capture::FileNote::Kind::comment) ++summary_.comments_left_out;
            if (note.kind == capture::FileNote::Kind::trouble && summary_.trouble.size() < 100)
                summary_.trouble.push_back(display(note.text) + "  [" + note.code + "]");
        });
    }

    Status collect() {
        struct stat info {};
        if (in_ == "-" || (stat(in_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)))
            return unexpected(Error{.doing = "cannot mask", .subject = in_, .why = "it can be read only once, and masking reads twice",
                                    .hint = "save it to a file first", .code = "CAP-23"});
        auto reader = open(true);
        if (!reader) return unexpected(reader.error());
        chain::Retention retention;
        retention.sessions_max = 0;
        retention.findings_max = 0;
        pipeline::Pipeline pipeline({.retention = retention, .history = reader->get(), .tap = &kinds_, .may_hold_copies = (*reader)->may_hold_copies()});
        LossCounters loss;
        decode::net::PacketParser parser(loss);
        decode::net::TcpReassembler tcp(collector_, loss, nullptr);
        Packet packet;
        while ((*reader)->next(packet)) {
            link_types_.insert(packet.link_type);
            pipeline.on(packet);
            if (!parser.parse(packet, collector_.segment)) continue;
            collector_.frame = packet.frame;
            tcp.on(collector_.segment, packet.at);
        }
        collector_.segment = {};
        tcp.finish();
        return Done{};
    }

    Status rewrite() {
        auto reader = open(false);
        if (!reader) return unexpected(reader.error());
        const bool classic = out_.ends_with(".pcap") && link_types_.size() <= 1;
        capture::WriterOptions options;
        options.overwrite = options_.overwrite;
        options.application = std::string("hopscope ") + HOPSCOPE_VERSION;
        options.section_comment = "masked: payload auth token command";
        if (!link_types_.empty()) options.link_type = *link_types_.begin();
        std::unique_ptr<capture::Writer> writer;
        if (classic) {
            auto opened = capture::open_pcap_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            writer = std::move(*opened);
        } else {
            auto opened = capture::open_pcapng_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            writer = std::move(*opened);
        }
        LossCounters loss;
        decode::net::PacketParser parser(loss);
        Packet packet;
        std::vector<std::uint8_t> copy;
        while ((*reader)->next(packet)) {
            copy.assign(packet.bytes.begin(), packet.bytes.end());
            packet.bytes = copy;
            const std::size_t changed = mask(packet, copy, parser);
            ++summary_.packets;
            summary_.packets_changed += changed > 0 ? 1 : 0;
            summary_.bytes_overwritten += changed;
            if (auto written = writer->write(packet); !written) return written;
        }
        return writer->close();
    }

    std::size_t mask(const Packet& packet, std::vector<std::uint8_t>& copy, decode::net::PacketParser& parser) {
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
        MaskedFlow* flow = collector_.find(segment, packet.frame, direction);
        const std::size_t side = index_of(direction);
        if (!segment.payload.empty() && flow && flow->base[side]) {
            const std::uint32_t sequence = segment.sequence + (segment.flags.syn ? 1U : 0U);
            std::uint64_t& cursor = flow->cursor[side];
            const auto step = static_cast<std::int32_t>(sequence - (*flow->base[side] + static_cast<std::uint32_t>(cursor)));
            const std::int64_t offset = static_cast<std::int64_t>(cursor) + step;
            if (offset >= 0) {
                changed = flow->walker.plan(direction).apply(static_cast<std::uint64_t>(offset), copy.data() + at, segment.payload.size());
                cursor = static_cast<std::uint64_t>(offset);
            } else {
                changed = overwrite(copy, at, segment.payload.size());
            }
        } else if (!segment.payload.empty()) {
            changed = overwrite(copy, at, segment.payload.size());
        }
        // Bytes behind the TCP payload (Ethernet padding) belong to nobody.
        const std::size_t end = at + segment.payload.size();
        std::fill(copy.begin() + static_cast<std::ptrdiff_t>(end), copy.end(), std::uint8_t{0});
        if (changed > 0 && segment.payload.size() == segment.payload_wire_bytes && segment.header_bytes >= 20 && at >= segment.header_bytes)
            fix_checksum(segment, std::span(copy).subspan(at - segment.header_bytes, segment.header_bytes + segment.payload.size()));
        return changed;
    }

    static std::size_t overwrite(std::vector<std::uint8_t>& copy, std::size_t at, std::size_t size) {
        std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(at), size, std::uint8_t{'x'});
        return size;
    }

    std::string in_, out_;
    MaskOptions options_;
    MaskSummary summary_;
    KindTap kinds_;
    Collector collector_{summary_.counts, kinds_};
    std::set<LinkType> link_types_;
};

}  // namespace

Result<MaskSummary> mask_capture(const std::string& in, const std::string& out, const MaskOptions& options) {
    return Masking(in, out, options).run();
}

}  // namespace hopscope::record
