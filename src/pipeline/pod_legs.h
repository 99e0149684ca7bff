// The connections on loopback of one pod's network namespace, for port-forwards: who connected to which port, when, and
// how many bytes went which way. What they carry is the pod's own affair: it is counted, not decoded.
//
// It stands beside the Pipeline and not in it, one for each namespace: the same addresses are in use in every pod, so
// connections of two namespaces never meet. Counts come from the sequence numbers: where beginning and end were
// captured they are exact even if packets between them were not. Pure: no clock, no I/O. Bounded by limits::kPodLegs….
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "chain/joins_forward.h"
#include "core/loss.h"
#include "core/packet.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"

namespace hopscope::pipeline {

class PodLegs final : decode::net::TcpListener {
public:
    using Tell = std::function<void(const chain::ForwardLeg&)>;
    // `tell` is called when a connection has begun or ended, or has changed at a tick.
    PodLegs(std::uint64_t net_namespace, Tell tell);

    // Which ports are forwarded. Until it is called every connection is told; a connection whose port comes later is
    // told then, if it has not been over for limits::kPodPacketsWaitMs.
    void forwarded(std::span<const std::uint16_t> ports);
    void on(const Packet& packet);
    // The ports of the packet that on() was given last; 0: it was no TCP.
    [[nodiscard]] std::pair<std::uint16_t, std::uint16_t> last_ports() const { return last_ports_; }
    void tick(Timestamp now);
    // No more packets come: what is open is told as it is.
    void finish();
    [[nodiscard]] std::uint64_t legs_dropped() const { return dropped_; }

private:
    using Key = std::pair<Endpoint, Endpoint>;  // the lower one first
    struct Open {
        chain::ForwardLeg leg;
        std::uint32_t slot = 0;
        bool changed = false;
        bool fins[2] = {false, false};
        // Sequence numbers of the first byte and behind the last one, by direction, where they were seen.
        std::optional<std::uint32_t> begin[2], end[2];
    };

    void opened(decode::net::FlowRef flow, const Endpoint& client, const Endpoint& server, bool handshake) override;
    void bytes(decode::net::FlowRef flow, Direction direction, Bytes bytes) override;
    void gap(decode::net::FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override;
    void note(decode::net::FlowRef, const NetNote&) override {}
    void closing(decode::net::FlowRef flow, Direction direction, FinKind kind) override;
    void ended(decode::net::FlowRef flow, bool capture_over) override;

    [[nodiscard]] bool is_wanted(const chain::ForwardLeg& leg) const;
    Open* at(decode::net::FlowRef flow);
    static void look(Open& open, const decode::net::TcpSegment& segment);
    static bool close_by_numbers(Open& open);
    void tell_over();

    std::uint64_t net_namespace_;
    Tell tell_;
    LossCounters loss_;  // of decoders that see part of the packets on purpose: a leg says itself what it lacks
    decode::net::PacketParser parser_{loss_};
    decode::net::TcpReassembler tcp_{*this, loss_, nullptr};
    std::map<Key, Open> open_;
    std::vector<std::pair<Key, bool>> keys_;  // by slot; false: not followed
    std::vector<Open> ending_;                // within one packet
    std::deque<chain::ForwardLeg> over_;      // whose ports are not known to be forwarded, yet
    std::set<std::uint16_t> ports_;
    bool all_ports_ = true;
    std::pair<std::uint16_t, std::uint16_t> last_ports_;
    Timestamp now_;
    std::uint64_t frame_ = 0;
    std::uint16_t file_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace hopscope::pipeline
