#include "options.h"

#include <getopt.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace hopscope::gen {
namespace {

constexpr const char* kUsage =
    "Usage: gen [OPTION]... > FILE\n"
    "Writes a capture of Kubernetes streaming traffic. Same arguments, same bytes.\n\n"
    "traffic\n"
    "  -S SEED               seed of all chance [1]\n"
    "  -b MB                 payload in all, 1 MB = 1,000,000 bytes [1]\n"
    "  -c N, -C N            connections in all, at once [1, 1]\n"
    "  -m BYTES              largest TCP payload: 65483 = lo with GSO, 1448 = Ethernet [65483]\n"
    "  -f BYTES, -F BYTES    largest and smallest frame or body [32768, as -f]\n"
    "  -s 1|0                write frames as spdystream does (4, 4, N bytes), or each at once [1]\n"
    "  -q P                  probability that a frame is merged with the next (busy send queue) [0]\n"
    "  -a N                  ACK every N data segments [2]\n"
    "  -k E,P,H,T,W          percent of exec, port-forward, http, tls, websocket [100,0,0,0,0]\n"
    "  -R                    random instead of text payload\n"
    "  -n                    no FIN\n"
    "faults (probabilities)\n"
    "  -r P, -x P, -d P      reordered, retransmitted, lost by the capture, per data segment\n"
    "  --overlap P           retransmission of half a segment with other bytes\n"
    "  --zero-window P       window closed, probed, opened again\n"
    "  --keep-alive P        keep-alive probe and its answer\n"
    "  --late P              connections that began before the capture\n"
    "  --fin-lost P          connections whose FINs were not captured\n"
    "  --reset P             connections that end with RST\n"
    "  --client-ports N      use only N client ports, again and again\n"
    "file\n"
    "  --link L              ethernet vlan qinq sll sll2 raw null [ethernet]\n"
    "  --format F            pcap pcap-ns pcapng [pcap]\n"
    "  --ipv6  --big-endian  --copies (each packet twice, with sll and sll2)\n"
    "  --snaplen N           captured bytes per packet [262144]\n"
    "  --cut-last N          leave out the last N bytes of the file\n"
    "  -o FILE               where to [standard output]\n"
    "  --truth FILE          one JSON line with all counts [standard error]\n"
    "  --sessions FILE       one JSON line per session with the SHA-256 of every stream\n";

bool complain(std::string_view option, const char* value, std::string_view want) {
    std::fprintf(stderr, "gen: cannot use '%s' for %.*s: it must be %.*s\n", value, static_cast<int>(option.size()),
                 option.data(), static_cast<int>(want.size()), want.data());
    return false;
}

bool number(std::string_view option, const char* text, std::uint64_t low, std::uint64_t high, std::uint64_t& out) {
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, out);
    if (error == std::errc{} && stop == end && out >= low && out <= high) return true;
    return complain(option, text, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
}

bool number(std::string_view option, const char* text, std::uint32_t low, std::uint32_t high, std::uint32_t& out) {
    std::uint64_t wide = 0;
    if (!number(option, text, std::uint64_t{low}, std::uint64_t{high}, wide)) return false;
    out = static_cast<std::uint32_t>(wide);
    return true;
}

bool fraction(std::string_view option, const char* text, double high, double& out) {
    char* stop = nullptr;
    out = std::strtod(text, &stop);
    if (stop != text && *stop == 0 && out >= 0 && out <= high) return true;
    return complain(option, text, "a number from 0 to " + std::to_string(static_cast<long>(high)));
}

bool mix(const char* text, std::array<std::uint32_t, kKinds>& out) {
    std::uint32_t sum = 0;
    const char* at = text;
    const char* end = text + std::strlen(text);
    for (std::size_t i = 0; i < kKinds; ++i) {
        const auto [stop, error] = std::from_chars(at, end, out[i]);
        const bool last = i + 1 == kKinds;
        if (error != std::errc{} || out[i] > 100 || (last ? stop != end : stop == end || *stop != ','))
            return complain("-k", text, "five percentages with commas");
        sum += out[i];
        at = stop + 1;
    }
    return sum == 100 || complain("-k", text, "five percentages that add up to 100");
}

template <typename T, std::size_t N>
bool word(std::string_view option, const char* text, const std::array<std::string_view, N>& words, T& out) {
    std::string all;
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == text) {
            out = static_cast<T>(i);
            return true;
        }
        all += std::string(i > 0 ? ", " : "") + std::string(words[i]);
    }
    return complain(option, text, "one of " + all);
}

enum Long : int {
    kOverlap = 1000,
    kZeroWindow,
    kKeepAlive,
    kLate,
    kFinLost,
    kReset,
    kClientPorts,
    kLink,
    kFormat,
    kIpv6,
    kBigEndian,
    kCopies,
    kSnaplen,
    kCutLast,
    kTruth,
    kSessions,
};

const option kLongOptions[] = {
    {"overlap", required_argument, nullptr, kOverlap},
    {"zero-window", required_argument, nullptr, kZeroWindow},
    {"keep-alive", required_argument, nullptr, kKeepAlive},
    {"late", required_argument, nullptr, kLate},
    {"fin-lost", required_argument, nullptr, kFinLost},
    {"reset", required_argument, nullptr, kReset},
    {"client-ports", required_argument, nullptr, kClientPorts},
    {"link", required_argument, nullptr, kLink},
    {"format", required_argument, nullptr, kFormat},
    {"ipv6", no_argument, nullptr, kIpv6},
    {"big-endian", no_argument, nullptr, kBigEndian},
    {"copies", no_argument, nullptr, kCopies},
    {"snaplen", required_argument, nullptr, kSnaplen},
    {"cut-last", required_argument, nullptr, kCutLast},
    {"truth", required_argument, nullptr, kTruth},
    {"sessions", required_argument, nullptr, kSessions},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

bool take(int option, const char* value, Options& o) {
    using namespace std::string_view_literals;
    switch (option) {
        case 'S': return number("-S", value, 0, UINT64_MAX, o.seed);
        case 'b': {
            double megabytes = 0;
            if (!fraction("-b", value, 1e6, megabytes)) return false;
            o.payload_bytes = static_cast<std::uint64_t>(megabytes * 1e6);
            return true;
        }
        case 'c': return number("-c", value, 1U, 100'000'000U, o.connections);
        case 'C': return number("-C", value, 1U, 20'000U, o.at_once);
        case 'm': return number("-m", value, 16U, 65483U, o.mss);
        case 'f': return number("-f", value, 1U, 1'000'000U, o.frame_max);
        case 'F': return number("-F", value, 1U, 1'000'000U, o.frame_min);
        case 's': return word("-s", value, std::array{"0"sv, "1"sv}, o.split);
        case 'q': return fraction("-q", value, 1, o.busy);
        case 'a': return number("-a", value, 1U, 1000U, o.ack_every);
        case 'k': return mix(value, o.mix);
        case 'R': return o.random_payload = true;
        case 'n': return o.no_fin = true;
        case 'r': return fraction("-r", value, 1, o.reorder);
        case 'x': return fraction("-x", value, 1, o.retransmit);
        case 'd': return fraction("-d", value, 1, o.lost);
        case 'o': o.output = value; return true;
        case kOverlap: return fraction("--overlap", value, 1, o.overlap);
        case kZeroWindow: return fraction("--zero-window", value, 1, o.zero_window);
        case kKeepAlive: return fraction("--keep-alive", value, 1, o.keep_alive);
        case kLate: return fraction("--late", value, 1, o.late);
        case kFinLost: return fraction("--fin-lost", value, 1, o.fin_lost);
        case kReset: return fraction("--reset", value, 1, o.reset);
        case kClientPorts: return number("--client-ports", value, 1U, 28'000U, o.client_ports);
        case kLink:
            return word("--link", value,
                        std::array{"ethernet"sv, "vlan"sv, "qinq"sv, "sll"sv, "sll2"sv, "raw"sv, "null"sv}, o.link);
        case kFormat: return word("--format", value, std::array{"pcap"sv, "pcap-ns"sv, "pcapng"sv}, o.format);
        case kIpv6: return o.ipv6 = true;
        case kBigEndian: return o.big_endian = true;
        case kCopies: return o.copies = true;
        case kSnaplen: return number("--snaplen", value, 14U, 262144U, o.snaplen);
        case kCutLast: return number("--cut-last", value, 1U, 65536U, o.cut_last);
        case kTruth: o.truth = value; return true;
        case kSessions: o.sessions = value; return true;
        default: return false;
    }
}

}  // namespace

bool parse_options(int argc, char** argv, Options& options, int& exit_code) {
    exit_code = 2;
    for (;;) {
        const int option = getopt_long(argc, argv, "S:b:c:C:m:f:F:s:q:a:k:Rnr:x:d:o:h", kLongOptions, nullptr);
        if (option == -1) break;
        if (option == 'h') {
            std::fputs(kUsage, stdout);
            exit_code = 0;
            return false;
        }
        if (!take(option, optarg, options)) return false;
    }
    if (optind < argc) return complain("an argument", argv[optind], "an option (gen --help)");
    if (options.frame_min == 0) options.frame_min = options.frame_max;
    if (options.frame_min > options.frame_max)
        return complain("-F", std::to_string(options.frame_min).c_str(), "at most -f");
    if (options.at_once > options.connections) options.at_once = options.connections;
    if (options.client_ports != 0 && options.client_ports < options.at_once)
        return complain("--client-ports", std::to_string(options.client_ports).c_str(), "at least -C");
    if (options.copies && options.link != Link::sll && options.link != Link::sll2)
        return complain("--copies", "this link type", "sll or sll2");
    return true;
}

}  // namespace hopscope::gen
