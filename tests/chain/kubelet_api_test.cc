#include "chain/kubelet_api.h"

#include <gtest/gtest.h>

namespace hopscope::chain {
namespace {

struct Row {
    std::string_view path, endpoint, subresource;
    bool read_only;
};

TEST(KubeletApi, names_the_endpoint) {
    const Row rows[] = {
        {"/pods", "/pods", "proxy or pods", true},
        {"/pods/", "/pods", "proxy or pods", true},
        {"/metrics/cadvisor", "/metrics/cadvisor", "metrics", true},
        {"/metrics", "/metrics", "metrics", true},
        {"/healthz/syncloop", "/healthz/{check}", "proxy or healthz", true},
        {"/exec/default/web/main", "/exec/{namespace}/{pod}/{container}", "proxy", false},
        {"/exec/default/web/uid-1/main", "/exec/{namespace}/{pod}/{uid}/{container}", "proxy", false},
        {"/portForward/default/web", "/portForward/{namespace}/{pod}", "proxy", false},
        {"/containerLogs/default/web/main", "/containerLogs/{namespace}/{pod}/{container}", "proxy", false},
        {"/logs/kubelet.log", "/logs/{…}", "log", false},
        {"/logs/", "/logs", "log", false},
        {"/run/default/web/main", "/run/{namespace}/{pod}/{container}", "proxy", false},
        {"/cri/exec/6cBPriL6", "/cri/{…}", "proxy", false},
        {"/debug/pprof/heap", "/debug/pprof/{…}", "proxy", false},
    };
    for (const Row& row : rows) {
        const KubeletEndpoint* endpoint = kubelet_endpoint(row.path);
        ASSERT_NE(endpoint, nullptr) << row.path;
        EXPECT_EQ(endpoint->path, row.endpoint) << row.path;
        EXPECT_EQ(endpoint->subresource, row.subresource) << row.path;
        EXPECT_EQ(endpoint->on_read_only_port, row.read_only) << row.path;
    }
}

TEST(KubeletApi, other_paths_are_not_the_kubelets) {
    for (std::string_view path :
         {"/", "", "/exec/6cBPriL6", "/api/v1/pods", "/podsX", "/metrics/other", "/exec/a/b/c/d/e"})
        EXPECT_EQ(kubelet_endpoint(path), nullptr) << path;
}

TEST(KubeletApi, the_api_server_proxies_to_it) {
    EXPECT_EQ(node_proxy_target("/api/v1/nodes/worker-1/proxy/metrics/cadvisor"), "/metrics/cadvisor");
    EXPECT_EQ(node_proxy_target("/api/v1/nodes/worker-1/proxy/exec/default/web/main"), "/exec/default/web/main");
    EXPECT_EQ(node_proxy_target("/api/v1/nodes/worker-1"), "");
    EXPECT_EQ(node_proxy_target("/api/v1/namespaces/default/pods"), "");
}

}  // namespace
}  // namespace hopscope::chain
