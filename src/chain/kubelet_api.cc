#include "chain/kubelet_api.h"

#include <array>

namespace hopscope::chain {
namespace {

constexpr std::array kEndpoints = {
    KubeletEndpoint{"/healthz/{check}", "one health check", "proxy or healthz", true, "", false, false},
    KubeletEndpoint{"/healthz", "health of the kubelet", "proxy or healthz", true, "", false, false},
    KubeletEndpoint{"/pods", "the pods of this node with their specs", "proxy or pods", true, "", true, false},
    KubeletEndpoint{"/runningpods", "pods as the container runtime sees them", "proxy or pods", false, "", true, false},
    KubeletEndpoint{"/stats/summary", "CPU, memory, disk and network of node, pods, containers", "stats", true, "",
                    true, false},
    KubeletEndpoint{"/stats/{…}", "statistics of one container", "stats", true, "up to 1.20", true, false},
    KubeletEndpoint{"/stats", "statistics of the node", "stats", true, "up to 1.20", false, false},
    KubeletEndpoint{"/metrics/cadvisor", "container metrics for Prometheus", "metrics", true, "", true, false},
    KubeletEndpoint{"/metrics/resource", "CPU and memory metrics", "metrics", true, "", true, false},
    KubeletEndpoint{"/metrics/probes", "results of probes as metrics", "metrics", true, "", true, false},
    KubeletEndpoint{"/metrics/slis", "health checks as metrics", "metrics", true, "1.26 and later", false, false},
    KubeletEndpoint{"/metrics", "the kubelet's own metrics", "metrics", true, "", false, false},
    KubeletEndpoint{"/spec", "hardware of the node", "spec", true, "up to 1.19", true, false},
    KubeletEndpoint{"/run/{namespace}/{pod}/{uid}/{container}", "runs a command and returns its output", "proxy", false,
                    "", true, true},
    KubeletEndpoint{"/run/{namespace}/{pod}/{container}", "runs a command and returns its output", "proxy", false, "",
                    true, true},
    KubeletEndpoint{"/exec/{namespace}/{pod}/{uid}/{container}", "exec in a container", "proxy", false, "", true, true},
    KubeletEndpoint{"/exec/{namespace}/{pod}/{container}", "exec in a container", "proxy", false, "", true, true},
    KubeletEndpoint{"/attach/{namespace}/{pod}/{uid}/{container}", "attach to a container", "proxy", false, "", true,
                    true},
    KubeletEndpoint{"/attach/{namespace}/{pod}/{container}", "attach to a container", "proxy", false, "", true, true},
    KubeletEndpoint{"/portForward/{namespace}/{pod}/{uid}", "connections to ports of a pod", "proxy", false, "", true,
                    false},
    KubeletEndpoint{"/portForward/{namespace}/{pod}", "connections to ports of a pod", "proxy", false, "", true, false},
    KubeletEndpoint{"/containerLogs/{namespace}/{pod}/{container}", "the log of a container", "proxy", false, "", true,
                    false},
    KubeletEndpoint{"/logs/{…}", "a file below /var/log of the node", "log", false, "", false, false},
    KubeletEndpoint{"/logs", "the files below /var/log of the node", "log", false, "", false, false},
    KubeletEndpoint{"/configz", "the kubelet's configuration in force", "proxy or configz", false, "", false, false},
    KubeletEndpoint{"/debug/pprof/{…}", "profiles of the kubelet", "proxy", false, "", false, false},
    KubeletEndpoint{"/debug/flags/v", "changes the log level", "proxy", false, "", false, false},
    KubeletEndpoint{"/checkpoint/{namespace}/{pod}/{container}", "checkpoint of a container to disk", "checkpoint",
                    false, "1.25 and later", true, false},
    KubeletEndpoint{"/flagz", "the kubelet's flags", "proxy", false, "1.32 and later", false, false},
    KubeletEndpoint{"/statusz", "version and uptime", "proxy", false, "1.32 and later", false, false},
    KubeletEndpoint{"/cri/{…}", "the Docker shim's streaming server", "proxy", false, "up to 1.19", true, true},
};

std::string_view next_segment(std::string_view& path) {
    while (path.starts_with('/')) path.remove_prefix(1);
    const std::size_t end = path.find('/');
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(segment.size());
    return segment;
}

// {name} stands for one segment, {…} for one or more. A trailing slash is as good as none.
bool matches(std::string_view pattern, std::string_view path) {
    while (true) {
        const std::string_view want = next_segment(pattern);
        const std::string_view got = next_segment(path);
        if (want.empty() || got.empty()) return want.empty() && got.empty();
        if (want == "{…}") return true;
        if (!want.starts_with('{') && want != got) return false;
    }
}

}  // namespace

const KubeletEndpoint* kubelet_endpoint(std::string_view path) {
    for (const KubeletEndpoint& endpoint : kEndpoints) {
        if (matches(endpoint.path, path)) return &endpoint;
    }
    return nullptr;
}

std::string_view node_proxy_target(std::string_view path) {
    std::string_view rest = path;
    for (std::string_view want : {"api", "v1", "nodes", "{node}", "proxy"}) {
        const std::string_view got = next_segment(rest);
        if (got.empty() || (want != "{node}" && got != want)) return {};
    }
    return rest;
}

}  // namespace hopscope::chain
