#include "cli/live_sources.h"

#include <algorithm>

#include "core/limits.h"
#include "core/untrusted.h"

namespace hopscope::cli {
namespace {

constexpr std::uint16_t kKubeletPort = 10250;
constexpr std::int64_t kGonePortNs = 60 * kNanosecondsPerSecond;

struct Place {
    std::string net_namespace, interface;
};

Result<std::vector<Place>> places_of(const LiveSourceOptions& options, std::span<const IpAddress> kubelet_addresses) {
    std::vector<Place> places;
    std::vector<std::string> net_namespaces = options.net_namespaces;
    if (net_namespaces.empty()) net_namespaces.emplace_back();
    for (const std::string& net_namespace : net_namespaces) {
        std::vector<std::string> names = options.interfaces;
        if (names.empty()) {
            const auto all = capture::list_interfaces(net_namespace);
            if (!all) return unexpected(all.error());
            if (net_namespace.empty()) {
                names = capture::interfaces_for(*all, kubelet_addresses);
            } else {
                for (const capture::InterfaceFacts& each : *all) {
                    if (each.up) names.push_back(each.name);
                }
            }
        }
        for (std::string& name : names) places.push_back({net_namespace, std::move(name)});
    }
    return places;
}

}  // namespace

std::string capture_filter(std::span<const std::uint16_t> ports, bool all_ports, const std::string& bpf) {
    std::string filter = "tcp";
    if (!all_ports && ports.size() <= limits::kLivePortsMax) {
        std::string list;
        for (const std::uint16_t port : ports) list += (list.empty() ? "port " : " or port ") + std::to_string(port);
        if (!list.empty()) filter += " and (" + list + ")";
    }
    if (!bpf.empty()) filter += " and (" + bpf + ")";
    return filter;
}

std::vector<std::uint16_t> LiveSources::ports_at(Timestamp now) const {
    std::vector<std::uint16_t> ports = options_.ports;
    ports.push_back(kKubeletPort);
    for (const auto& [port, at] : seen_) {
        if ((now - at).ns < kGonePortNs) ports.push_back(port);
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    return ports;
}

Result<std::unique_ptr<LiveSources>> LiveSources::open(const LiveSourceOptions& options,
                                                       std::span<const std::uint16_t> component_ports,
                                                       std::span<const IpAddress> kubelet_addresses,
                                                       const std::function<void(const Error&)>& passed_over) {
    std::unique_ptr<LiveSources> all(new LiveSources);
    all->options_ = options;
    for (const std::uint16_t port : component_ports) all->seen_[port] = {};
    all->filter_ = capture_filter(all->ports_at({}), options.all_ports, options.bpf);
    const auto places = places_of(options, kubelet_addresses);
    if (!places) return unexpected(places.error());
    std::optional<Error> last;
    for (const Place& place : *places) {
        auto source = capture::LiveSource::open({.interface = place.interface,
                                                 .number = static_cast<std::uint32_t>(all->sources_.size()),
                                                 .filter = all->filter_,
                                                 .snaplen = options.snaplen,
                                                 .ring_bytes = options.ring_bytes,
                                                 .net_namespace = place.net_namespace});
        if (source) {
            all->sources_.push_back(std::move(*source));
            all->names_.push_back(display(place.interface) +
                                  (place.net_namespace.empty() ? "" : " in " + display(place.net_namespace)));
            continue;
        }
        // A filter that is none is nobody's but the user's.
        if (!options.interfaces.empty() || source.error().code == "CAP-25") return unexpected(source.error());
        if (last) passed_over(*last);
        last = source.error();
    }
    if (all->sources_.empty()) {
        if (last) return unexpected(*last);
        return unexpected(Error{.doing = "nothing to capture on:",
                                .subject = {},
                                .why = "no interface is up",
                                .hint = "sudo ip link set lo up",
                                .code = "CAP-24"});
    }
    if (last) passed_over(*last);
    return all;
}

std::vector<std::string> LiveSources::names() const { return names_; }

Result<bool> LiveSources::follow(std::span<const std::uint16_t> component_ports, Timestamp now) {
    for (auto& [port, at] : seen_) {
        if (at.ns == 0) at = now;  // found before the clock was asked
    }
    for (const std::uint16_t port : component_ports) seen_[port] = now;
    std::erase_if(seen_, [&](const auto& each) { return (now - each.second).ns >= kGonePortNs; });
    std::string wanted = capture_filter(ports_at(now), options_.all_ports, options_.bpf);
    if (wanted == filter_) return false;
    for (const auto& source : sources_) {
        if (const Status changed = source->set_filter(wanted); !changed) return unexpected(changed.error());
    }
    filter_ = std::move(wanted);
    return true;
}

std::uint64_t LiveSources::newly_dropped() {
    capture::LiveCounters now;
    for (const auto& source : sources_) {
        const capture::LiveCounters each = source->counters();
        now.received += each.received;
        now.dropped += each.dropped;
        now.delivered += each.delivered;
    }
    const std::uint64_t dropped = now.dropped - sum_.dropped;
    sum_ = now;
    return dropped;
}

}  // namespace hopscope::cli
