#include "export/human.h"

#include <array>
#include <cstdio>
#include <utility>

namespace hopscope::exports {
namespace {

template <typename... Values>
std::string print(const char* format, Values... values) {
    char buffer[64];
    const int size = std::snprintf(buffer, sizeof buffer, format, values...);
    return {buffer, static_cast<std::size_t>(size)};
}

constexpr std::pair<std::string_view, const char*> kRoles[] = {
    {"cri-streaming-server", "CRI streaming server"},
    {"kubelet-api", "kubelet API"},
    {"kubelet-read-only", "kubelet read-only API"},
    {"kubelet-healthz", "kubelet healthz"},
    {"cri-socket", "CRI (gRPC)"},
    {"containerd-api", "containerd API"},
    {"containerd-ttrpc", "containerd (ttrpc)"},
    {"shim-socket", "shim (ttrpc)"},
    {"docker-api", "Docker API"},
    {"device-plugin", "device plugins"},
    {"pod-resources", "pod resources"},
    {"csi-socket", "CSI driver"},
    {"kube-proxy-healthz", "kube-proxy healthz"},
    {"kube-proxy-metrics", "kube-proxy metrics"},
    {"etcd-client", "etcd, clients"},
    {"etcd-peer", "etcd, peers"},
    {"apiserver", "API server"},
    {"metrics", "metrics"},
    {"pprof", "pprof"},
    {"cadvisor", "cAdvisor"},
    {"apiserver-insecure", "API server, insecure"},
    {"apiserver-proxy", "way to the API servers"},
    {"controller-manager", "controller manager"},
    {"controller-manager-insecure", "controller manager, insecure"},
    {"scheduler", "scheduler"},
    {"scheduler-insecure", "scheduler, insecure"},
    {"cloud-controller-manager", "cloud controller manager"},
    {"cloud-controller-webhook", "cloud controller webhook"},
    {"konnectivity", "konnectivity tunnel"},
    {"published-port", "published port"},
    {"conmon-attach", "attach of one container"},
    {"plugin-registration", "plugin registration"},
    {"plugin-socket", "kubelet plugin"},
    {"dra-socket", "DRA driver"},
    {"nri-socket", "NRI plugins"},
    {"docker-network", "Docker network helper"},
    {"docker-swarm", "Docker swarm"},
    {"edged-api", "edged API"},
    {"edged-stream", "edged streaming"},
    {"calico-health", "calico health"},
    {"calico-typha", "calico typha"},
    {"calico-socket", "calico"},
    {"cilium-health", "cilium health"},
    {"cilium-operator", "cilium operator"},
    {"cilium-socket", "cilium"},
    {"hubble", "Hubble flows"},
    {"hubble-relay", "Hubble relay"},
    {"gops", "Go diagnostics"},
    {"flannel-socket", "flannel"},
    {"bgp", "BGP"},
    {"overlay-network", "overlay network"},
    {"dns", "DNS"},
    {"coredns-health", "CoreDNS health"},
    {"node-problem-detector", "node problem detector"},
    {"supervisor", "supervisor, joining nodes"},
    {"cluster-agent", "cluster agent"},
    {"dqlite", "dqlite"},
};

const char* words_of_role(std::string_view role) {
    for (const auto& [name, words] : kRoles)
        if (role == name) return words;
    return nullptr;
}

}  // namespace

std::string grouped(std::uint64_t count) {
    std::string text = std::to_string(count);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return text;
}

std::string short_count(std::uint64_t bytes) {
    if (bytes < 1000) return std::to_string(bytes);
    constexpr char kUnits[] = "kMGTPE";
    const auto rounded = [bytes](std::uint64_t unit) { return bytes / unit + (bytes % unit >= unit / 2 ? 1 : 0); };
    std::uint64_t unit = 1000;
    std::size_t name = 0;
    // 999,500 is "1.0M", not "1000k".
    for (; rounded(unit) >= 1000; unit *= 1000) ++name;
    const std::uint64_t tenths = rounded(unit / 10);
    if (tenths < 100)
        return print("%u.%u%c", static_cast<unsigned>(tenths / 10), static_cast<unsigned>(tenths % 10), kUnits[name]);
    return print("%u%c", static_cast<unsigned>(rounded(unit)), kUnits[name]);
}

std::string file_size(std::uint64_t bytes) {
    if (bytes < 1024) return print("%u B", static_cast<unsigned>(bytes));
    constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return print(value < 99.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
}

std::string short_duration(Duration span) {
    if (span.ns < 0) return span.ns == INT64_MIN ? "-" : "-" + short_duration({-span.ns});
    const double milliseconds = static_cast<double>(span.ns) / 1e6;
    if (milliseconds < 99.95) return print("%.1fms", milliseconds);
    if (milliseconds < 999.5) return print("%.0fms", milliseconds);
    const double seconds = span.seconds();
    if (seconds < 99.95) return print("%.1fs", seconds);
    const std::int64_t whole = (span.ns + kNanosecondsPerSecond / 2) / kNanosecondsPerSecond;
    if (whole < 600) return print("%llds", static_cast<long long>(whole));
    if (whole < 3600)
        return print("%lldm%02llds", static_cast<long long>(whole / 60), static_cast<long long>(whole % 60));
    return print("%lldh%02lldm", static_cast<long long>(whole / 3600), static_cast<long long>(whole / 60 % 60));
}

std::string counted(std::uint64_t count, const char* word) {
    return grouped(count) + " " + word + (count == 1 ? "" : "s");
}

std::string date_time(Timestamp at) {
    std::string text = rfc3339(at).substr(0, 19);
    text[10] = ' ';
    return text;
}

std::string clock_ms(Timestamp at) { return clock_time(at).substr(0, 12); }

std::string proto_name(chain::Proto proto) {
    switch (proto) {
        case chain::Proto::unknown: return "-";
        case chain::Proto::http11: return "HTTP/1.1";
        case chain::Proto::spdy31: return "SPDY/3.1";
        case chain::Proto::websocket: return "WebSocket";
    }
    return "-";
}

std::string op_name(chain::Op op) { return op == chain::Op::unknown ? "-" : std::string(to_string(op)); }

std::string outcome(const chain::Session& session) {
    using chain::SessionState;
    if (session.state == SessionState::refused)
        return session.status != 0 ? "HTTP " + std::to_string(session.status) : "refused";
    if (session.exit_code) return "exit " + std::to_string(*session.exit_code);
    if (session.outcome == chain::Session::Outcome::failure) return "failed";
    if (session.outcome == chain::Session::Outcome::success) return "success";
    return std::string(to_string(session.state));
}

std::string pod_name(const chain::K8sNames& names, Glyphs glyphs) {
    std::string text;
    if (!names.namespace_.empty()) text = display(names.namespace_, glyphs) + "/";
    if (!names.pod.empty()) text += display(names.pod, glyphs);
    if (!names.container.empty()) text += (text.empty() ? "" : " ") + display(names.container, glyphs);
    return text;
}

std::string role_name(const std::string& role) {
    const char* words = words_of_role(role);
    return words != nullptr ? words : role.empty() ? "unknown" : role;
}

bool has_role_name(std::string_view role) { return words_of_role(role) != nullptr; }

}  // namespace hopscope::exports
