#include "cli/live_options.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "cli/node_reader.h"
#include "cli/offline.h"
#include "core/limits.h"

namespace hopscope::cli {
namespace {

constexpr std::uint64_t kRingBytesMin = 64 * 1024, kRingBytesMax = 1ULL << 30;
constexpr std::uint64_t kTapRingBytesMin = 64 * 1024, kTapRingBytesMax = 256 * 1024 * 1024;
// Tokens and CRI calls of a live run. A token may be used for one minute, but a refusal later is explained; 100 a
// second for so long are fewer than limits::kTokensMax.
constexpr std::int64_t kForgetAfterNs = 900 * kNanosecondsPerSecond;
constexpr std::uint64_t kSnaplenMin = 96, kSnaplenMax = 262144;

Unexpected<Error> usage(std::string_view option, std::string_view text, std::string why, std::string hint) {
    return unexpected(Error{.doing = "--" + std::string(option),
                            .subject = std::string(text),
                            .why = std::move(why),
                            .hint = std::move(hint),
                            .code = "USE-01"});
}

}  // namespace

Result<Duration> parse_duration(std::string_view option, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
        {{"", 1e9}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
    double total_ns = 0;
    std::string_view rest = text;
    bool good = !text.empty();
    while (good && !rest.empty()) {
        double number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        good = error == std::errc() && std::isfinite(number) && number >= 0;
        if (!good) break;
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
        const auto known =
            std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& each) { return each.first == unit; });
        good = known != kUnits.end();
        if (good) total_ns += number * known->second;
        rest.remove_prefix(unit.size());
    }
    if (!good || total_ns <= 0 || total_ns > 9e18)
        return usage(option, text, "not a span of time", "for example 90s, 250ms, 10m, 1h30m");
    return Duration{static_cast<std::int64_t>(total_ns)};
}

std::vector<OptionSpec> live_option_specs() {
    return {
        {.name = "interface",
         .letter = 'i',
         .value = "IFACE",
         .text = "capture here; default: lo and the interfaces that carry port 10250",
         .repeat = true},
        {.name = "port", .value = "N", .text = "capture this TCP port, too; all: every port", .repeat = true},
        {.name = "bpf", .value = "EXPR", .text = "only packets that match this, too (as tcpdump takes it)"},
        {.name = "snaplen",
         .value = "N",
         .text = "bytes kept of a packet; less than 65536 breaks framing",
         .fallback = "262144"},
        {.name = "buffer",
         .value = "SIZE",
         .text = "kernel memory per interface for packets not yet read",
         .fallback = "32MiB"},
        {.name = "netns",
         .value = "NS",
         .text = "capture in this network namespace: a pid, a name or a path",
         .repeat = true},
        {.name = "pod-netns",
         .value = "WHEN",
         .text = "capture in pods that ports are forwarded into",
         .fallback = "auto",
         .choices = {"auto", "off"}},
        {.name = "for", .value = "TIME", .text = "end after this time (90s, 10m)"},
        {.name = "ebpf",
         .value = "WHEN",
         .text = "processes of short connections; observe: CRI calls and programs in containers, too",
         .fallback = "auto",
         .choices = {"auto", "off", "require"}},
        {.name = "ebpf-ring",
         .value = "SIZE",
         .text = "kernel memory for bytes on runtimes' sockets not yet read, a power of two; default: 16MiB, less by "
                 "--mem"},
    };
}

// A ring is a power of two, of which no more than half of --mem is taken.
Result<std::uint32_t> tap_ring_bytes(const Invocation& invocation, std::uint64_t memory_bytes_max) {
    const std::uint64_t at_most = std::bit_floor(std::min(memory_bytes_max / 2, kTapRingBytesMax));
    if (!invocation.given("ebpf-ring"))
        return static_cast<std::uint32_t>(
            std::max<std::uint64_t>(std::min<std::uint64_t>(limits::kTapRingBytes, at_most), kTapRingBytesMin));
    const std::string text = invocation.text("ebpf-ring");
    const auto size = parse_size("ebpf-ring", text);
    if (!size) return unexpected(size.error());
    if (*size < kTapRingBytesMin || *size > kTapRingBytesMax || !std::has_single_bit(*size))
        return usage("ebpf-ring", text, "not a size that the kernel can make such a ring of",
                     "64KiB, 128KiB … 256MiB, doubling; 16MiB is usual");
    if (*size > at_most)
        return usage("ebpf-ring", text, "more than half of --mem " + invocation.text("mem"),
                     "a larger --mem, or at most " + std::to_string(at_most / 1024) + "KiB");
    return static_cast<std::uint32_t>(*size);
}

Result<LiveOptions> live_options(const Invocation& invocation) {
    LiveOptions options;
    options.sources.interfaces = invocation.all("interface");
    for (const std::string& name : invocation.all("netns"))
        options.sources.net_namespaces.push_back(capture::net_namespace_path(name));
    options.sources.bpf = invocation.text("bpf");
    for (const std::string& port : invocation.all("port")) {
        if (port == "all") {
            options.sources.all_ports = true;
            continue;
        }
        const auto number = parse_number("port", port, 65535);
        if (!number) return unexpected(number.error());
        if (*number == 0) return usage("port", port, "not a port", "1 to 65535, or all");
        options.sources.ports.push_back(static_cast<std::uint16_t>(*number));
    }
    const auto snaplen = parse_number("snaplen", invocation.text("snaplen"), kSnaplenMax);
    if (!snaplen) return unexpected(snaplen.error());
    options.sources.snaplen = static_cast<std::uint32_t>(std::max(*snaplen, kSnaplenMin));
    const auto ring = parse_size("buffer", invocation.text("buffer"));
    if (!ring) return unexpected(ring.error());
    if (*ring < kRingBytesMin || *ring > kRingBytesMax)
        return usage("buffer", invocation.text("buffer"), "too small or too large",
                     "64KiB to 1GiB; 16MiB to 64MiB is usual");
    options.sources.ring_bytes = *ring;
    if (invocation.given("for")) {
        const auto span = parse_duration("for", invocation.text("for"));
        if (!span) return unexpected(span.error());
        options.at_most = *span;
    }
    if (invocation.given("count")) {
        const auto count = parse_number("count", invocation.text("count"), std::numeric_limits<std::int64_t>::max());
        if (!count) return unexpected(count.error());
        options.lines_max = *count;
    }
    options.host_root = host_directory(invocation);
    options.ebpf = invocation.text("ebpf");
    options.pod_networks = invocation.text("pod-netns") != "off";
    options.tls_key_files = invocation.all("tls-keys");
    const auto memory = parse_size("mem", invocation.text("mem"));
    if (!memory) return unexpected(memory.error());
    options.memory_bytes_max = *memory;
    const auto tap_ring = tap_ring_bytes(invocation, *memory);
    if (!tap_ring) return unexpected(tap_ring.error());
    options.tap_ring_bytes = *tap_ring;
    return options;
}

chain::Retention live_retention(std::size_t memory_bytes_max) {
    return {.sessions_max = kJoinableSessions,
            .memory_bytes_max = memory_bytes_max,
            .findings_max = 0,
            .forget_after_ns = kForgetAfterNs};
}

}  // namespace hopscope::cli
