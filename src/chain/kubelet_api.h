// The kubelet's HTTP API (ports 10250, 10255, 10248): which endpoint a request asks for, what it serves, which
// sub-resource of `nodes` it needs, and where it may be served.
//
// Source: pkg/kubelet/server/server.go and auth.go of Kubernetes 1.17 to 1.36. A path alone does not prove that the
// server is a kubelet: /metrics and /healthz are served by everybody.
#pragma once

#include <string_view>

namespace hopscope::chain {

struct KubeletEndpoint {
    std::string_view path;         // "/containerLogs/{namespace}/{pod}/{container}"
    std::string_view serves;       // "the log of a container"
    std::string_view subresource;  // of nodes, for authorisation: "proxy", "metrics" …
    bool on_read_only_port = false;
    std::string_view versions;   // "1.25 and later"; empty: all
    bool only_kubelet = false;   // no other component of a node serves this path
    bool runs_commands = false;  // executes something in a container
};

// The endpoint of a request path (without query), or null when the kubelet serves no such path.
const KubeletEndpoint* kubelet_endpoint(std::string_view path);

// For requests through the API server: "/api/v1/nodes/N/proxy/metrics" → "/metrics"; empty when it is no such path.
std::string_view node_proxy_target(std::string_view path);

}  // namespace hopscope::chain
