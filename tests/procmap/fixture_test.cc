// The fake nodes of testdata/proc, surveyed: what is set up where, who is named what.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "procmap/survey.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap::test {
namespace {

const std::string kFolder = HOPSCOPE_SOURCE_DIR "/testdata/proc/";

Node survey(const std::string& name) {
    Survey survey({.root = HostRoot(kFolder + name)}, {});
    Result<Node> node = survey.take();
    EXPECT_TRUE(node.has_value()) << name << ": " << (node ? "" : node.error().why);
    return node ? std::move(*node) : Node{};
}

// "value @path:line" or "value @default" of a setting of the first component of that role.
std::string setting(const Node& node, ProcessRole role, std::string_view key) {
    for (const ComponentConfig& config : node.configs) {
        if (config.role != role) continue;
        const ConfigValue* value = config.find(key);
        if (!value) return "none";
        if (value->is_default) return value->value.raw() + " @default";
        return value->value.raw() + " @" + value->source.raw() + ":" + std::to_string(value->line);
    }
    return "no such process";
}

ProcessRole role_of(const Node& node, std::uint32_t pid) {
    const Process* process = find_process(node.table, pid);
    EXPECT_NE(process, nullptr) << pid;
    return process ? process->role : ProcessRole::unknown;
}

// pids that own the TCP listener.
std::vector<std::uint32_t> owners_of(const Node& node, std::uint16_t port) {
    std::vector<std::uint32_t> pids;
    for (const Socket& socket : node.table.sockets)
        if (socket.transport == Transport::tcp && socket.state == SocketState::listen && socket.local.port == port)
            for (const SocketOwner& owner : socket.owners) pids.push_back(owner.process.pid);
    return pids;
}

const ContainerNames* names_with(const Node& node, std::string_view source) {
    for (const ContainerNames& names : node.containers)
        if (names.source == source) return &names;
    return nullptr;
}

using Pids = std::vector<std::uint32_t>;

TEST(Fixtures, kubelet_1_11_with_the_docker_shim) {
    const Node node = survey("kubelet-1.11-dockershim");
    EXPECT_EQ(role_of(node, 10107), ProcessRole::kubelet);
    EXPECT_EQ(role_of(node, 1186), ProcessRole::dockerd);
    EXPECT_EQ(role_of(node, 17784), ProcessRole::containerd_shim);
    EXPECT_EQ(owners_of(node, 35751), Pids{10107});
    EXPECT_EQ(owners_of(node, 10250), Pids{10107});
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "readOnlyPort"), "0 @/etc/kubernetes/kubelet/kubelet-config.json:20");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "container-runtime"), "docker @/proc/10107/cmdline:0");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "redirect-container-streaming"), "false @default");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "containerRuntimeEndpoint"),
              "unix:///var/run/dockershim.sock @default");
    EXPECT_EQ(setting(node, ProcessRole::dockerd, "hosts"), "unix:///var/run/docker.sock @default");
    ASSERT_NE(names_with(node, "shim arguments of process 17784"), nullptr);
    EXPECT_EQ(names_with(node, "shim arguments of process 17784")->runtime, "docker");
    EXPECT_EQ(node.ephemeral_low, 32768);
    EXPECT_EQ(node.host_net_namespace, 4026531840u);
    EXPECT_TRUE(node.runtimes.empty());  // a fake node is never asked
}

TEST(Fixtures, kubelet_1_26_with_containerd) {
    const Node node = survey("kubelet-1.26-containerd");
    EXPECT_EQ(role_of(node, 2685), ProcessRole::containerd);
    EXPECT_EQ(role_of(node, 3141), ProcessRole::kube_proxy);
    EXPECT_EQ(owners_of(node, 33821), Pids{2685});
    EXPECT_EQ(setting(node, ProcessRole::containerd, "stream_server_port"), "0 @/etc/containerd/config.toml:11");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "readOnlyPort"), "0 @/var/lib/kubelet/config.yaml:19");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "authentication.anonymous.enabled"),
              "false @/var/lib/kubelet/config.yaml:4");
    // Of the container's own file.
    EXPECT_EQ(setting(node, ProcessRole::kube_proxy, "bindAddress"), "0.0.0.0 @/var/lib/kube-proxy/config.conf:2");
    EXPECT_EQ(setting(node, ProcessRole::kube_proxy, "metricsBindAddress"), "127.0.0.1:10249 @default");
    ASSERT_EQ(node.execs.size(), 1u);
    EXPECT_EQ(node.execs[0].holders.size(), 6u);
    const ContainerNames* sandbox = names_with(node, "shim arguments of process 3001");
    const ContainerNames* container = names_with(node, "cgroup of process 3041");
    ASSERT_NE(sandbox, nullptr);
    ASSERT_NE(container, nullptr);
    EXPECT_EQ(sandbox->sandbox_id, sandbox->id);
    EXPECT_EQ(container->sandbox_id, sandbox->id);
    EXPECT_EQ(container->pod_uid.raw(), "6b1f6c2e-0d5a-4c62-9d6a-2f0a7b8c9d01");
    EXPECT_EQ(container->id, node.execs[0].container_id);
}

TEST(Fixtures, crio) {
    const Node node = survey("crio");
    EXPECT_EQ(role_of(node, 900), ProcessRole::crio);
    EXPECT_EQ(role_of(node, 1601), ProcessRole::conmon);
    EXPECT_EQ(owners_of(node, 43210), Pids{900});
    EXPECT_EQ(setting(node, ProcessRole::crio, "stream_port"), "0 @/etc/crio/crio.conf:6");
    EXPECT_EQ(setting(node, ProcessRole::crio, "metrics_port"), "9537 @/etc/crio/crio.conf.d/10-metrics.conf:3");
    const ContainerNames* names = names_with(node, "conmon arguments of process 1601");
    ASSERT_NE(names, nullptr);
    EXPECT_EQ(names->pod.raw(), "web");
    EXPECT_EQ(names->name.raw(), "main");
    EXPECT_EQ(names->runtime, "cri-o");
}

TEST(Fixtures, k3s) {
    const Node node = survey("k3s");
    EXPECT_EQ(role_of(node, 700), ProcessRole::kubelet);
    EXPECT_EQ(role_of(node, 760), ProcessRole::containerd);
    EXPECT_EQ(setting(node, ProcessRole::containerd, "stream_server_port"),
              "10010 @/var/lib/rancher/k3s/agent/etc/containerd/config.toml:9");
    EXPECT_EQ(setting(node, ProcessRole::containerd, "grpc.address"),
              "/run/k3s/containerd/containerd.sock @/proc/760/cmdline:0");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "authorization.mode"), "Webhook @default");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "https-listen-port"), "6443 @default");
    for (const ComponentConfig& config : node.configs)
        for (const ConfigValue& value : config.values)
            EXPECT_EQ(value.value.raw().find("not-for-anybody"), std::string::npos);
}

TEST(Fixtures, cri_dockerd) {
    const Node node = survey("cri-dockerd");
    EXPECT_EQ(role_of(node, 800), ProcessRole::cri_dockerd);
    EXPECT_EQ(owners_of(node, 40431), Pids{800});
    EXPECT_EQ(setting(node, ProcessRole::cri_dockerd, "streaming-bind-addr"), " @default");
    EXPECT_EQ(setting(node, ProcessRole::containerd, "disabled_plugins"), "cri @/etc/containerd/config.toml:1");
    EXPECT_EQ(setting(node, ProcessRole::dockerd, "hosts"), "fd:// @/proc/640/cmdline:0");
    EXPECT_EQ(setting(node, ProcessRole::dockerd, "metrics-addr"), "127.0.0.1:9323 @/etc/docker/daemon.json:3");
}

TEST(Fixtures, the_decoy_has_no_role_and_no_settings) {
    const Node node = survey("decoy");
    EXPECT_EQ(role_of(node, 2685), ProcessRole::containerd);
    EXPECT_EQ(role_of(node, 6666), ProcessRole::unknown);
    EXPECT_NE(find_process(node.table, 6666)->role_doubt, "");
    EXPECT_EQ(owners_of(node, 41555), Pids{6666});
    EXPECT_EQ(owners_of(node, 36001), Pids{2685});
    const auto containerds = std::ranges::count(node.configs, ProcessRole::containerd, &ComponentConfig::role);
    EXPECT_EQ(containerds, 1);
}

TEST(Fixtures, an_open_kubelet) {
    const Node node = survey("kubelet-open");
    EXPECT_EQ(owners_of(node, 10255), Pids{5714});
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "readOnlyPort"), "10255 @/var/lib/kubelet/config.yaml:19");
    EXPECT_EQ(setting(node, ProcessRole::kubelet, "authentication.anonymous.enabled"),
              "true @/var/lib/kubelet/config.yaml:4");
    EXPECT_EQ(setting(node, ProcessRole::containerd, "enable_tls_streaming"), "true @/etc/containerd/config.toml:5");
    EXPECT_EQ(setting(node, ProcessRole::containerd, "stream_server_address"), "127.0.0.1 @default");
}

TEST(Fixtures, a_fake_node_is_not_probed) {
    Survey survey({.root = HostRoot(kFolder + "decoy")}, {.probe = true});
    const Result<Node> node = survey.take();
    ASSERT_TRUE(node.has_value());
    EXPECT_TRUE(node->probes.empty());
    EXPECT_TRUE(
        std::ranges::any_of(node->limits, [](const std::string& s) { return s.find("probed") != std::string::npos; }));
}

// Everything in a tree, path by path: text of files, targets of links.
std::map<std::string, std::string> listing(const std::filesystem::path& top) {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
        const std::string path = entry.path().lexically_relative(top).string();
        if (entry.is_symlink()) {
            all[path] = "-> " + std::filesystem::read_symlink(entry.path()).string();
        } else if (entry.is_regular_file()) {
            std::ifstream in(entry.path(), std::ios::binary);
            all[path] = std::string(std::istreambuf_iterator<char>(in), {});
        }
    }
    return all;
}

TEST(Fixtures, are_what_the_script_makes) {
    if (std::system("python3 -c pass 2>/dev/null") != 0) GTEST_SKIP() << "python3 is not here";
    const Tree elsewhere;
    ASSERT_EQ(std::system(("python3 '" + kFolder + "make.py' '" + elsewhere.directory() + "'").c_str()), 0);
    int trees = 0;
    for (const auto& tree : std::filesystem::directory_iterator(elsewhere.directory())) {
        ++trees;
        EXPECT_EQ(listing(tree.path()), listing(kFolder + tree.path().filename().string())) << tree.path().filename();
    }
    EXPECT_EQ(trees, 7);
}

}  // namespace
}  // namespace hopscope::procmap::test
