// Segments of a few connections in any order, against the contract of TcpListener.
//
// Input: steps of 8 bytes: connection (2 bits), side (1), flags (FIN, SYN, RST, no ACK, window 0); place in the stream
// (u16, signed, or far away); acknowledged place (u16); payload size; bytes cut; time step.
#include <cstdlib>
#include <map>
#include <vector>

#include "decode/net/tcp.h"

namespace {

using namespace hopscope;
using namespace hopscope::decode::net;

void demand(bool holds) {
    if (!holds) std::abort();
}

struct Listener final : TcpListener {
    struct Flow {
        FlowId id = 0;
        std::uint64_t offset[2] = {};
        bool closed[2] = {};
    };
    void opened(FlowRef flow, const Endpoint&, const Endpoint&, bool) override {
        demand(flow.id > last_id && flows[flow.slot].id == 0);
        last_id = flow.id;
        flows[flow.slot] = Flow{.id = flow.id};
    }
    void bytes(FlowRef flow, Direction direction, Bytes bytes) override {
        demand(!bytes.empty());
        Flow& known = of(flow);
        demand(!known.closed[index_of(direction)]);
        known.offset[index_of(direction)] += bytes.size();
    }
    void gap(FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override {
        Flow& known = of(flow);
        demand(missing > 0 && offset == known.offset[index_of(direction)] && !known.closed[index_of(direction)]);
        known.offset[index_of(direction)] += missing;
        total_missing += missing;
    }
    void note(FlowRef flow, const NetNote&) override { of(flow); }
    void closing(FlowRef flow, Direction direction, FinKind kind) override {
        Flow& known = of(flow);
        if (kind == FinKind::fin) demand(!known.closed[index_of(direction)]);
        known.closed[index_of(direction)] = true;
    }
    void ended(FlowRef flow, bool) override {
        of(flow);
        flows.erase(flow.slot);
    }
    Flow& of(FlowRef flow) {
        demand(flow.id != 0 && flows[flow.slot].id == flow.id);
        return flows[flow.slot];
    }
    std::map<std::uint32_t, Flow> flows;
    FlowId last_id = 0;
    std::uint64_t total_missing = 0;
};

struct Everything final : History {
    Bytes recent(std::uint64_t position, std::size_t size) const override {
        if (position > bytes.size() || size > bytes.size() - position) return {};
        return Bytes(bytes).subspan(position, size);
    }
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(1 << 16, 'x');
};

Endpoint endpoint(std::uint16_t port) {
    return {IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}, port};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    LossCounters loss;
    Listener listener;
    Everything history;
    TcpReassembler tcp(listener, loss, &history);
    Timestamp at;
    constexpr std::size_t kStepBytes = 8;
    for (; size >= kStepBytes; data += kStepBytes, size -= kStepBytes) {
        const std::uint8_t what = data[0];
        const bool from_server = (what & 4) != 0;
        TcpSegment segment;
        const std::uint16_t client_port = 40000 + (what & 3U);
        segment.source = endpoint(from_server ? 80 : client_port);
        segment.destination = endpoint(from_server ? client_port : 80);
        const std::uint32_t isn[2] = {0xfffffff0, 5000};
        std::uint32_t place = read_be16(data + 1);
        if (place >= 0xf000) place = (place & 0xfff) << 20;  // far away
        segment.sequence = isn[from_server] + place;
        segment.acknowledgement = isn[!from_server] + read_be16(data + 3);
        segment.flags = {.fin = (what & 0xf8) == 0x08,
                         .syn = (what & 0xf8) == 0x10,
                         .rst = (what & 0xf8) == 0x18,
                         .ack = (what & 0xe0) != 0x20};
        segment.window = (what & 0xf8) == 0xf8 ? 0 : 100;
        segment.payload_wire_bytes = data[5] * std::uint32_t{data[5] > 250 ? 200U : 1U};
        const std::size_t cut = std::min<std::size_t>(data[6] & 15, segment.payload_wire_bytes);
        const std::vector<std::uint8_t> payload(segment.payload_wire_bytes - cut,
                                                static_cast<std::uint8_t>('a' + (data[6] >> 6)));
        segment.payload = payload;
        segment.position = data[6] >> 4;
        at.ns += std::int64_t{data[7]} << 23;
        tcp.on(segment, at);
    }
    tcp.finish();
    demand(listener.flows.empty());
    demand(listener.total_missing == loss[LossPlace::reassembly]);
    return 0;
}
