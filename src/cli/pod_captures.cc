#include "cli/pod_captures.h"

#include <linux/capability.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "cli/live_sources.h"
#include "cli/privileges.h"
#include "cli/sandbox.h"
#include "core/limits.h"
#include "core/untrusted.h"
#include "export/human.h"
#include "procmap/host_root.h"

namespace hopscope::cli {
namespace {

using namespace std::chrono_literals;

// A token is good for a minute; what is on its way when a session ends is there within moments.
constexpr auto kTokenLives = 65s, kLinger = 3s;
constexpr std::uint32_t kInterfaceFirst = 0x1000;  // above those of LiveSources, below those of unix sockets
constexpr std::size_t kPacketsPerTurn = limits::kLivePacketsPerTurn / 4;

// SYN, FIN and RST (RFC 9293 section 3.1, bits 2 to 0 of byte 13); pcap-filter(7) knows tcp[…] for IPv4 only, and IPv6
// without extension headers has TCP's byte 13 at 53.
constexpr std::string_view kBeginningsAndEnds =
    "(tcp and tcp[13] & 7 != 0) or (ip6 and ip6[6] = 6 and ip6[53] & 7 != 0)";

}  // namespace

void PodCaptures::start(const std::string& host_root) {
    if (const std::string lacks = lacks_for_opener(); !lacks.empty()) {
        why_not_ = "not captured, " + lacks + " is missing";
        return;
    }
    if (const auto own = procmap::HostRoot().stat("/proc/self/ns/net")) own_namespace_ = own->inode;
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    auto started = capture::NamespaceOpener::start(host_root == "/" ? "/proc" : host_root + "/proc", confine_opener);
    if (!started || !epoll_.ok()) {
        why_not_ = "not captured, " + (started ? std::generic_category().message(errno) : started.error().why);
        return;
    }
    opener_ = std::move(*started);
}

std::string PodCaptures::missing() const {
    return works() ? std::string() : "packets in pods' networks, of port-forwards: " + why_not_;
}

void PodCaptures::also_tell(std::function<void(const capture::InterfaceInfo&)> network,
                            std::function<void(const Packet&)> packet) {
    also_network_ = std::move(network);
    also_packet_ = std::move(packet);
}

Status PodCaptures::add_to(pipeline::LiveRunner& runner) {
    if (!works()) return Done{};
    return runner.add(
        {.name = "pods' networks", .fd = epoll_.get(), .drain = [this]() -> Result<bool> {
             std::array<epoll_event, limits::kPodCapturesMax> ready{};
             const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
             for (int i = 0; i < count; ++i)
                 drain(*static_cast<Capture*>(ready[static_cast<std::size_t>(i)].data.ptr), kPacketsPerTurn);
             return false;  // what is left makes it readable again
         }});
}

// --- which pod

std::optional<PodCaptures::Pod> PodCaptures::pod_of(std::string_view sandbox_id, std::string_view uid) const {
    std::optional<Pod> by_uid;
    for (const Process& process : owners_.table().processes) {
        if (process.net_namespace == 0) continue;
        const Pod pod{process.id.pid, process.net_namespace};
        if (process.container_id == sandbox_id) return pod;
        if (!uid.empty() && process.pod_uid == uid) by_uid = pod;
    }
    return by_uid;
}

std::vector<PodCaptures::Pod> PodCaptures::all_pods() const {
    std::vector<Pod> pods;
    for (const Process& process : owners_.table().processes) {
        if (process.pod_uid.empty() || process.net_namespace == 0 || process.net_namespace == own_namespace_) continue;
        const bool known = std::any_of(pods.begin(), pods.end(),
                                       [&](const Pod& pod) { return pod.net_namespace == process.net_namespace; });
        if (!known) pods.push_back({process.id.pid, process.net_namespace});
    }
    return pods;
}

// --- when

void PodCaptures::on(const Event& event, const chain::Place& place) {
    if (works()) {
        const auto* call = std::get_if<CriMessage>(&event);
        if (call && !call->response && call->method == "PortForward") asked(call->sandbox_id, call->ports);
    }
    if (next_tap_) next_tap_->on(event, place);
}

void PodCaptures::asked(std::string_view sandbox_id, std::span<const std::uint16_t> ports) {
    const auto pod = pod_of(sandbox_id);
    if (!pod) {
        if (calls_.size() >= limits::kPodCallsWaitingMax) calls_.pop_front();
        calls_.push_back({std::string(sandbox_id), {ports.begin(), ports.end()}, Clock::now() + kTokenLives});
        owners_.look_soon();
        return;
    }
    Capture* capture = capture_in(*pod, false);
    if (!capture) return;
    capture->until = std::max(capture->until, Clock::now() + kTokenLives);
    add_ports(*capture, ports);
}

void PodCaptures::follow() {
    const std::deque<Call> waiting = std::exchange(calls_, {});
    for (const Call& call : waiting) {
        if (pod_of(call.sandbox_id))
            asked(call.sandbox_id, call.ports);
        else if (call.until > Clock::now())
            calls_.push_back(call);
    }
}

void PodCaptures::place(const chain::Session& session) {
    if (!works() || session.op != chain::Op::portforward || session.hop != chain::HopKind::runtime) return;
    const auto need = [&](Capture* capture) {
        if (capture) capture->sessions.insert(session.number);
    };
    if (!session.container.sandbox_id.empty()) {
        const std::string& sandbox = session.container.sandbox_id.raw();  // raw-ok: compared only
        if (const auto pod = pod_of(sandbox, session.k8s.uid.raw()))      // raw-ok: compared only
            need(capture_in(*pod, false));
        else
            asked(sandbox, {});
    } else if (!kernel_.sight().calls.empty()) {
        // No call tells which pod it is.
        for (const Pod& pod : all_pods()) need(capture_in(pod, true));
    }
}

void PodCaptures::session_opened(const chain::Session& session, const chain::Place& where) {
    place(session);
    if (next_) next_->session_opened(session, where);
}

void PodCaptures::stream_opened(const chain::Session& session, const chain::Stream& stream, const chain::Place& where) {
    if (session.op == chain::Op::portforward && stream.kind == StreamKind::data && stream.has_port) {
        const auto is_placed = [&](const auto& capture) { return capture->sessions.contains(session.number); };
        // Its call may have been told after the session had begun.
        if (std::none_of(captures_.begin(), captures_.end(), is_placed)) place(session);
        for (const auto& capture : captures_) {
            if (is_placed(capture)) add_ports(*capture, {&stream.port, 1});
        }
    }
    if (next_) next_->stream_opened(session, stream, where);
}

void PodCaptures::session_ended(const chain::Session& session, const chain::Place& where) {
    for (const auto& capture : captures_) {
        // Another call may have been made meanwhile: its session opens what it needs.
        if (capture->sessions.erase(session.number) > 0 && capture->sessions.empty())
            capture->until = Clock::now() + kLinger;
    }
    if (next_) next_->session_ended(session, where);
}

// --- captures

std::string PodCaptures::filter_of(const Capture& capture) const {
    if (!capture.ports.empty())
        return capture_filter(std::vector(capture.ports.begin(), capture.ports.end()), false, {});
    return capture.guessed || capture.busy ? std::string(kBeginningsAndEnds) : "tcp";
}

PodCaptures::Capture* PodCaptures::capture_in(const Pod& pod, bool guessed) {
    if (pod.net_namespace == own_namespace_) return nullptr;
    const auto known = std::find_if(captures_.begin(), captures_.end(), [&](const auto& capture) {
        return capture->pod.net_namespace == pod.net_namespace;
    });
    if (known == captures_.end()) return open(pod, guessed);
    if ((*known)->guessed && !guessed) {
        (*known)->guessed = false;
        narrow(**known);
    }
    return known->get();
}

PodCaptures::Capture* PodCaptures::open(const Pod& pod, bool guessed) {
    const bool is_new = !numbers_.contains(pod.net_namespace);
    const bool full = captures_.size() >= limits::kPodCapturesMax;
    if (full || (is_new && numbers_.size() >= limits::kPodNetworksMax)) {
        ++counts_.over_limit;
        kernel_.forwards().no_packets(pod.net_namespace,
                                      full ? std::to_string(captures_.size()) + " other captures were open"
                                           : "too many different pods in one run");
        return nullptr;
    }
    auto fresh = std::make_unique<Capture>();
    fresh->pod = pod;
    fresh->guessed = guessed;
    fresh->until = Clock::now() + kLinger;
    fresh->number =
        is_new ? kInterfaceFirst + static_cast<std::uint32_t>(numbers_.size()) : numbers_.at(pod.net_namespace);
    const auto refuse = [&](const Error& error) {
        ++counts_.refused;
        last_refusal_ = error.why;
        kernel_.forwards().no_packets(pod.net_namespace, error.why);
        return nullptr;
    };
    auto socket = opener_->open(pod.pid, pod.net_namespace);
    if (!socket) return refuse(socket.error());
    auto ring = capture::PacketRing::open(
        *socket, {.number = fresh->number, .filter = filter_of(*fresh), .ring_bytes = limits::kPodRingBytes});
    if (!ring) return refuse(ring.error());
    fresh->ring = std::move(*ring);
    fresh->legs = std::make_unique<pipeline::PodLegs>(
        pod.net_namespace, [this](const chain::ForwardLeg& leg) { kernel_.forwards().on(leg); });
    fresh->legs->forwarded({});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = fresh.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fresh->ring->fd(), &event) != 0)
        return refuse(Error{
            .doing = {}, .subject = {}, .why = std::generic_category().message(errno), .hint = {}, .code = "CAP-26"});
    kernel_.forwards().packets_from(pod.net_namespace, pipeline::wall_clock());
    if (is_new) {
        numbers_[pod.net_namespace] = fresh->number;
        if (also_network_)
            also_network_({.number = fresh->number,
                           .link_type = LinkType::ethernet,
                           .name = "lo",
                           .snaplen = 0,
                           .description = capture::pod_network_description(pod.net_namespace)});
    }
    ++counts_.captures;
    return captures_.emplace_back(std::move(fresh)).get();
}

void PodCaptures::add_ports(Capture& capture, std::span<const std::uint16_t> ports) {
    const std::size_t before = capture.ports.size();
    for (const std::uint16_t port : ports) {
        if (port != 0 && capture.ports.size() < limits::kLivePortsMax) capture.ports.insert(port);
    }
    if (capture.ports.size() != before) narrow(capture);
}

// After the ports, or how much there is to see, have changed.
void PodCaptures::narrow(Capture& capture) {
    if (const Status changed = capture.ring->set_filter(filter_of(capture)); !changed)
        last_refusal_ = changed.error().why;
    const std::vector<std::uint16_t> ports(capture.ports.begin(), capture.ports.end());
    capture.legs->forwarded(ports);
    for (const Capture::Waiting& each : std::exchange(capture.waiting, {})) {
        if (capture.ports.contains(each.ports.first) || capture.ports.contains(each.ports.second)) pass(each.packet);
    }
    capture.waiting_bytes = 0;
}

void PodCaptures::drain(Capture& capture, std::size_t packets_max) {
    capture.ring->drain(packets_max, [&](const Packet& packet) { take(capture, packet); });
}

void PodCaptures::take(Capture& capture, const Packet& packet) {
    ++capture.taken_in_tick;
    capture.legs->on(packet);
    const auto ports = capture.legs->last_ports();
    if (capture.ports.contains(ports.first) || capture.ports.contains(ports.second)) return pass(packet);
    if (!also_packet_) return;
    auto& waiting = capture.waiting;
    while (!waiting.empty() && (capture.waiting_bytes > limits::kPodPacketsWaitBytesMax ||
                                (packet.at - waiting.front().packet.at).ns > limits::kPodPacketsWaitMs * 1'000'000)) {
        capture.waiting_bytes -= waiting.front().bytes.size();
        waiting.pop_front();
    }
    auto& kept = waiting.emplace_back(
        Capture::Waiting{.packet = packet, .bytes = {packet.bytes.begin(), packet.bytes.end()}, .ports = ports});
    kept.packet.bytes = kept.bytes;
    capture.waiting_bytes += kept.bytes.size();
}

void PodCaptures::pass(const Packet& packet) {
    ++counts_.packets;
    if (also_packet_) also_packet_(packet);
}

void PodCaptures::tick(Timestamp now) {
    for (const auto& capture : captures_) {
        capture->legs->tick(now);
        count(*capture);
        if (std::exchange(capture->taken_in_tick, 0) <= limits::kPodPacketsPerTickMax || capture->busy ||
            !capture->ports.empty())
            continue;
        capture->busy = true;
        narrow(*capture);
    }
    std::erase_if(captures_, [&](const auto& capture) {
        if (!capture->sessions.empty() || Clock::now() < capture->until) return false;
        close(*capture);
        return true;
    });
}

void PodCaptures::close(Capture& capture) {
    drain(capture, SIZE_MAX);
    capture.legs->finish();
    count(capture);
}

void PodCaptures::finish() {
    for (const auto& capture : captures_) close(*capture);
}

void PodCaptures::count(Capture& capture) {
    const capture::LiveCounters now = capture.ring->counters(), before = std::exchange(capture.counted, now);
    capture::LiveCounters& total = totals_[capture.number];
    total.received += now.received - before.received;
    total.dropped += now.dropped - before.dropped;
    dropped_ += now.dropped - before.dropped;
}

std::uint64_t PodCaptures::newly_dropped() { return dropped_ - std::exchange(told_dropped_, dropped_); }

std::string PodCaptures::trouble() const {
    const std::uint64_t all = counts_.over_limit + counts_.refused;
    if (all == 0) return {};
    std::string text = exports::counted(all, "capture") + " in pods' networks not opened: ";
    if (counts_.over_limit > 0)
        text +=
            exports::grouped(counts_.over_limit) + " beyond " + std::to_string(limits::kPodCapturesMax) + " at once";
    if (counts_.refused > 0)
        text += (counts_.over_limit > 0 ? ", " : "") + exports::grouped(counts_.refused) +
                " refused, the last: " + last_refusal_;
    return text;
}

}  // namespace hopscope::cli
