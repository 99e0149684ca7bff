// The options that live, observe and record share: what to capture, for how long, with which keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/builder.h"
#include "cli/command_line.h"
#include "cli/live_sources.h"
#include "core/time.h"

namespace hopscope::cli {

struct LiveOptions {
    LiveSourceOptions sources;
    std::optional<Duration> at_most;  // --for
    std::uint64_t lines_max = 0;      // --count; 0: no limit
    std::string host_root = "/";
    std::string ebpf = "auto";         // auto, off, require
    bool pod_networks = true;          // --pod-netns auto
    std::uint32_t tap_ring_bytes = 0;  // --ebpf-ring: a power of two
    std::vector<std::string> tls_key_files;
    std::uint64_t memory_bytes_max = 0;
};

// Rows for the command table.
std::vector<OptionSpec> live_option_specs();
Result<LiveOptions> live_options(const Invocation& invocation);

// "90s", "250ms", "10m", "1h", "1h30m"; a bare number is seconds. USE-01 names the units.
Result<Duration> parse_duration(std::string_view option, std::string_view text);

// What a run without an end keeps of what is over: enough to join chains. Findings are told as they come.
chain::Retention live_retention(std::size_t memory_bytes_max);

}  // namespace hopscope::cli
