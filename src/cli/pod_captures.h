// Captures in the network namespaces of pods, for the last leg of port-forwards: opened by themselves when a runtime is
// asked to forward into a pod, closed some seconds after the last forward to it has ended.
//
// When: the CRI call PortForward names the sandbox and comes before the runtime connects. Without calls (no eBPF) the
// session alone tells that something is forwarded, not where: then all pods are looked at, as far as the limit goes.
// What: the forwarded ports, where the call or a stream has named them. Until then all of TCP on the pod's loopback, of
// which what is not forwarded is dropped again; on a busy one, and where the pod is a guess, beginnings and ends only.
// Which process enters the namespaces: capture/namespace_opener.h, started before privileges are given up.
//
// Pods that share the node's network have none of their own: what is forwarded to them is not captured here. At most
// limits::kPodCapturesMax at once; one that is not opened is counted, and its chain says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/interface_info.h"
#include "capture/namespace_opener.h"
#include "capture/packet_ring.h"
#include "cli/live_kernel.h"
#include "cli/live_owners.h"
#include "core/descriptor.h"
#include "pipeline/live_runner.h"
#include "pipeline/pipeline.h"
#include "pipeline/pod_legs.h"

namespace hopscope::cli {

struct PodCounts {
    std::uint64_t captures = 0, packets = 0;
    std::uint64_t over_limit = 0;  // captures that were not opened, for want of room …
    std::uint64_t refused = 0;     // … or because the kernel refused
};

class PodCaptures final : public pipeline::EventTap, public chain::Observer {
public:
    // Both borrowed. What they know is asked for after they have been started.
    PodCaptures(LiveOwners& owners, LiveKernel& kernel) : owners_(owners), kernel_(kernel) {}

    // Forks: before there are other threads, and before eBPF programs are loaded, which the new process must not hold.
    // Where it cannot be, missing() says why.
    void start(const std::string& host_root);
    // Not wanted: nothing is opened.
    void off() { why_not_ = "not captured, --pod-netns off"; }
    [[nodiscard]] bool works() const { return opener_ != nullptr; }
    // Why no packets are captured there; empty: they are.
    [[nodiscard]] std::string missing() const;

    // Told of each namespace before its first packet, and of each packet that is forwarded traffic.
    void also_tell(std::function<void(const capture::InterfaceInfo&)> network,
                   std::function<void(const Packet&)> packet);
    // The tap and the observer that the pipeline would have without us; borrowed.
    void pass_on_to(pipeline::EventTap& tap, chain::Observer& observer) {
        next_tap_ = &tap;
        next_ = &observer;
    }
    Status add_to(pipeline::LiveRunner& runner);

    // pipeline::EventTap
    void on(const Event& event, const chain::Place& place) override;
    void flow(const chain::FlowInfo& info) override {
        if (next_tap_) next_tap_->flow(info);
    }
    // chain::Observer
    void session_opened(const chain::Session& session, const chain::Place& place) override;
    void stream_opened(const chain::Session& session, const chain::Stream& stream, const chain::Place& place) override;
    void stream_data(const chain::Session& session, const chain::Stream& stream, Direction direction, Bytes bytes,
                     const chain::Place& place) override {
        if (next_) next_->stream_data(session, stream, direction, bytes, place);
    }
    void stream_closed(const chain::Session& session, const chain::Stream& stream, const chain::Place& place) override {
        if (next_) next_->stream_closed(session, stream, place);
    }
    void resized(const chain::Session& session, const chain::Stream& stream, const chain::Resize& resize,
                 const chain::Place& place) override {
        if (next_) next_->resized(session, stream, resize, place);
    }
    void session_ended(const chain::Session& session, const chain::Place& place) override;
    void finding(const chain::Finding& finding) override {
        if (next_) next_->finding(finding);
    }
    // The owners' table was read again: pods that were not in it are looked for.
    void follow();
    // Before chains are told.
    void tick(Timestamp now);
    // The run is over: what is in the rings is taken, connections are told as they are.
    void finish();
    // Packets that the kernel dropped since the last call.
    std::uint64_t newly_dropped();
    // What passed the filters and what was dropped, by interface, of all captures so far.
    [[nodiscard]] std::map<std::uint32_t, capture::LiveCounters> totals() const { return totals_; }
    [[nodiscard]] const PodCounts& counts() const { return counts_; }
    // "3 captures in pods' networks were not opened: …"; empty: all were.
    [[nodiscard]] std::string trouble() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Pod {
        std::uint32_t pid = 0;  // of a process in it
        std::uint64_t net_namespace = 0;
    };
    struct Capture {
        Pod pod;
        std::uint32_t number = 0;  // of its interface
        std::unique_ptr<capture::PacketRing> ring;
        std::unique_ptr<pipeline::PodLegs> legs;
        std::set<std::uint16_t> ports;     // forwarded
        std::set<std::uint32_t> sessions;  // open ones that need it
        Clock::time_point until;           // kept open without any
        bool guessed = false, busy = false;
        capture::LiveCounters counted;
        std::uint64_t taken_in_tick = 0;
        struct Waiting {
            Packet packet;  // its bytes are `bytes`
            std::vector<std::uint8_t> bytes;
            std::pair<std::uint16_t, std::uint16_t> ports;
        };
        std::deque<Waiting> waiting;  // whose ports may turn out to be forwarded
        std::size_t waiting_bytes = 0;
    };
    struct Call {
        std::string sandbox_id;
        std::vector<std::uint16_t> ports;
        Clock::time_point until;
    };

    // By its sandbox; a runtime may keep no process in that (cri-o), then by a container of the pod, if its uid is
    // known.
    [[nodiscard]] std::optional<Pod> pod_of(std::string_view sandbox_id, std::string_view uid = {}) const;
    [[nodiscard]] std::vector<Pod> all_pods() const;
    [[nodiscard]] std::string filter_of(const Capture& capture) const;
    // Captures for this session, where it is known what it forwards into.
    void place(const chain::Session& session);
    void asked(std::string_view sandbox_id, std::span<const std::uint16_t> ports);
    // Null: it cannot be opened.
    Capture* capture_in(const Pod& pod, bool guessed);
    Capture* open(const Pod& pod, bool guessed);
    void add_ports(Capture& capture, std::span<const std::uint16_t> ports);
    void narrow(Capture& capture);
    void drain(Capture& capture, std::size_t packets_max);
    void take(Capture& capture, const Packet& packet);
    void pass(const Packet& packet);
    void close(Capture& capture);
    void count(Capture& capture);

    LiveOwners& owners_;
    LiveKernel& kernel_;
    std::unique_ptr<capture::NamespaceOpener> opener_;
    std::string why_not_;
    std::uint64_t own_namespace_ = 0;
    Descriptor epoll_;  // of the rings: one input for the live loop, whatever comes and goes
    std::vector<std::unique_ptr<Capture>> captures_;
    std::unordered_map<std::uint64_t, std::uint32_t> numbers_;  // of interfaces, by namespace
    std::deque<Call> calls_;                                    // about sandboxes that are not known yet
    std::function<void(const capture::InterfaceInfo&)> also_network_;
    std::function<void(const Packet&)> also_packet_;
    pipeline::EventTap* next_tap_ = nullptr;
    chain::Observer* next_ = nullptr;
    PodCounts counts_;
    std::map<std::uint32_t, capture::LiveCounters> totals_;
    std::uint64_t dropped_ = 0, told_dropped_ = 0;
    std::string last_refusal_;
};

}  // namespace hopscope::cli
