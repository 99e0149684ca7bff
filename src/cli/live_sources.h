// The interfaces that a live command captures on, with one filter that follows the node's streaming ports.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capture/live_source.h"
#include "core/loss.h"
#include "core/result.h"
#include "core/time.h"

namespace hopscope::cli {

struct LiveSourceOptions {
    std::vector<std::string> interfaces;  // empty: found by themselves
    std::vector<std::string>
        net_namespaces;                // paths; empty: our own. In others every interface that is up, unless named
    std::string bpf;                   // added with "and"; empty: nothing
    std::vector<std::uint16_t> ports;  // watched besides those that are found
    bool all_ports = false;
    std::uint32_t snaplen = 262144;
    std::uint64_t ring_bytes = 32ULL << 20;
};

// "tcp and (port 10250 or port 33821)", and `bpf` with "and (…)"; "tcp" alone for `all_ports` or too many ports.
std::string capture_filter(std::span<const std::uint16_t> ports, bool all_ports, const std::string& bpf);

class LiveSources {
public:
    // Opens what can be opened; an error when an interface that was named cannot, or none of those that were found.
    // `kubelet_addresses`: where port 10250 is served, for finding interfaces.
    static Result<std::unique_ptr<LiveSources>> open(const LiveSourceOptions& options,
                                                     std::span<const std::uint16_t> component_ports,
                                                     std::span<const IpAddress> kubelet_addresses,
                                                     const std::function<void(const Error&)>& passed_over);

    [[nodiscard]] std::span<const std::unique_ptr<capture::LiveSource>> all() const { return sources_; }
    [[nodiscard]] std::vector<std::string> names() const;  // "lo", "eth0", "lo in /run/netns/x"
    [[nodiscard]] const std::string& filter() const { return filter_; }
    // The ports that components listen on now. A port that is gone stays in the filter for a minute: connections that
    // were made while it was open live on. True: the filter was changed.
    Result<bool> follow(std::span<const std::uint16_t> component_ports, Timestamp now);
    // Packets that the kernel dropped since the last call.
    std::uint64_t newly_dropped();
    [[nodiscard]] capture::LiveCounters counters() const { return sum_; }

private:
    LiveSources() = default;
    [[nodiscard]] std::vector<std::uint16_t> ports_at(Timestamp now) const;

    LiveSourceOptions options_;
    std::vector<std::unique_ptr<capture::LiveSource>> sources_;
    std::vector<std::string> names_;
    std::map<std::uint16_t, Timestamp> seen_;  // when a component last listened there
    std::string filter_;
    capture::LiveCounters sum_;
};

}  // namespace hopscope::cli
