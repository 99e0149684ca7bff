#include "pipeline/pod_legs.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::pipeline {
namespace {

using decode::net::FlowRef;

// After the last packet, by the clock: those that come in the kernel's ring with it are here.
constexpr std::int64_t kSettledNs = 300'000'000;

std::pair<Endpoint, Endpoint> key_of(const Endpoint& a, const Endpoint& b) {
    return a < b ? std::pair{a, b} : std::pair{b, a};
}

}  // namespace

PodLegs::PodLegs(std::uint64_t net_namespace, Tell tell) : net_namespace_(net_namespace), tell_(std::move(tell)) {}

bool PodLegs::is_wanted(const chain::ForwardLeg& leg) const {
    if (all_ports_ || ports_.contains(leg.server.port)) return true;
    return !leg.handshake_seen && ports_.contains(leg.client.port);
}

void PodLegs::forwarded(std::span<const std::uint16_t> ports) {
    all_ports_ = false;
    ports_ = {ports.begin(), ports.end()};
    for (auto& [key, open] : open_) open.changed = true;
    std::erase_if(over_, [&](const chain::ForwardLeg& leg) {
        const bool wanted = is_wanted(leg);
        if (wanted) tell_(leg);
        return wanted;
    });
}

// Which direction the segment is of, and whether it is one's first or last.
void PodLegs::look(Open& open, const decode::net::TcpSegment& segment) {
    const int side = segment.source == open.leg.client ? 0 : 1;
    const std::uint32_t first = segment.sequence + (segment.flags.syn ? 1 : 0);
    if (segment.flags.syn) open.begin[side] = first;
    if (segment.flags.fin) open.end[side] = first + segment.payload_wire_bytes;
}

// Both ends are known, and what is between them was not captured, on purpose perhaps: then nothing more will come. Good
// for less than 4 GiB that were not captured.
bool PodLegs::close_by_numbers(Open& open) {
    chain::ForwardLeg& leg = open.leg;
    for (int side = 0; side < 2; ++side) {
        if (!open.begin[side] || !open.end[side]) return false;
    }
    for (int side = 0; side < 2; ++side) {
        std::uint64_t& counted = side == 0 ? leg.bytes.in : leg.bytes.out;
        const std::uint32_t missing = *open.end[side] - *open.begin[side] - static_cast<std::uint32_t>(counted);
        counted += missing;
        leg.missing_bytes += missing;
    }
    leg.over = leg.end_seen = true;
    return true;
}

void PodLegs::on(const Packet& packet) {
    now_ = packet.at;
    frame_ = packet.frame;
    file_ = packet.file;
    last_ports_ = {0, 0};
    decode::net::TcpSegment segment;
    if (!parser_.parse(packet, segment)) return;
    last_ports_ = {segment.source.port, segment.destination.port};
    const Key key = key_of(segment.source, segment.destination);
    tcp_.on(segment, packet.at);
    const auto count = [&](Open& open) {
        ++open.leg.packets;
        open.leg.last = packet.at;
        open.changed = true;
        look(open, segment);
    };
    if (const auto known = open_.find(key); known != open_.end()) {
        count(known->second);
    } else {
        for (Open& open : ending_) {
            if (key_of(open.leg.client, open.leg.server) == key) count(open);
        }
    }
    tell_over();
}

void PodLegs::tell_over() {
    for (Open& open : ending_) {
        if (is_wanted(open.leg)) {
            tell_(open.leg);
        } else {
            if (over_.size() >= limits::kPodLegsMax) over_.pop_front();
            over_.push_back(open.leg);
        }
    }
    ending_.clear();
}

void PodLegs::tick(Timestamp now) {
    tcp_.advance(now);
    for (auto each = open_.begin(); each != open_.end();) {
        Open& open = each->second;
        if ((now - open.leg.last).ns < kSettledNs || !close_by_numbers(open)) {
            ++each;
            continue;
        }
        keys_[open.slot].second = false;
        ending_.push_back(std::move(open));
        each = open_.erase(each);
    }
    tell_over();
    for (auto& [key, open] : open_) {
        if (open.changed && is_wanted(open.leg)) tell_(open.leg);
        open.changed = false;
    }
    while (!over_.empty() && (now - over_.front().last).ns > limits::kPodPacketsWaitMs * 1'000'000) over_.pop_front();
}

void PodLegs::finish() {
    tcp_.finish();
    tell_over();
}

// --- the reassembler's

PodLegs::Open* PodLegs::at(FlowRef flow) {
    if (flow.slot >= keys_.size() || !keys_[flow.slot].second) return nullptr;
    const auto found = open_.find(keys_[flow.slot].first);
    return found == open_.end() ? nullptr : &found->second;
}

void PodLegs::opened(FlowRef flow, const Endpoint& client, const Endpoint& server, bool handshake) {
    if (flow.slot >= keys_.size()) keys_.resize(flow.slot + 1);
    const Key key = key_of(client, server);
    keys_[flow.slot] = {key, false};
    if (open_.size() >= limits::kPodLegsMax) {
        ++dropped_;
        return;
    }
    keys_[flow.slot].second = true;
    Open fresh;
    fresh.slot = flow.slot;
    fresh.leg.net_namespace = net_namespace_;
    fresh.leg.client = client;
    fresh.leg.server = server;
    fresh.leg.handshake_seen = handshake;
    fresh.leg.opened = fresh.leg.last = now_;
    fresh.leg.first_frame = frame_;
    fresh.leg.file = file_;
    open_[key] = std::move(fresh);
}

void PodLegs::bytes(FlowRef flow, Direction direction, Bytes bytes) {
    Open* open = at(flow);
    if (!open) return;
    (direction == Direction::to_server ? open->leg.bytes.in : open->leg.bytes.out) += bytes.size();
}

void PodLegs::gap(FlowRef flow, Direction direction, std::uint64_t, std::uint64_t missing) {
    Open* open = at(flow);
    if (!open) return;
    (direction == Direction::to_server ? open->leg.bytes.in : open->leg.bytes.out) += missing;
    open->leg.missing_bytes += missing;
}

void PodLegs::closing(FlowRef flow, Direction direction, FinKind kind) {
    Open* open = at(flow);
    if (!open) return;
    open->fins[direction == Direction::to_server ? 0 : 1] = kind == FinKind::fin;
}

void PodLegs::ended(FlowRef flow, bool capture_over) {
    Open* open = at(flow);
    if (!open) return;
    open->leg.over = !capture_over;
    // After a reset nobody knows what was still on its way.
    open->leg.end_seen = open->fins[0] && open->fins[1];
    ending_.push_back(std::move(*open));
    open_.erase(keys_[flow.slot].first);
    keys_[flow.slot].second = false;
}

}  // namespace hopscope::pipeline
