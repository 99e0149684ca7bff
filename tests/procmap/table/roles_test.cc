#include "procmap/table/roles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "procmap/table/elf_builder.h"
#include "procmap/table/fake_node.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {
namespace {

using namespace std::string_literals;

using test::FakeProcess;
using ::testing::HasSubstr;

std::string go(const std::string& path, const std::string& more = "") {
    return test::elf64({{".go.buildinfo", test::build_info("go1.19.8", "path\t" + path + "\n" + more)}});
}

Process read_one(const std::string& program, FakeProcess process) {
    const test::Tree tree;
    if (!program.empty()) tree.write(process.exe, program);
    process.pid = 42;
    test::add(tree, process);
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    EXPECT_TRUE(table);
    const Process* found = table ? find_process(*table, 42) : nullptr;
    EXPECT_NE(found, nullptr);
    return found != nullptr ? *found : Process{};
}

TEST(Roles, ByThePathOfTheMainPackage) {
    const std::map<std::string, ProcessRole> roles{
        {"k8s.io/kubernetes/cmd/kubelet", ProcessRole::kubelet},
        {"github.com/containerd/containerd/cmd/containerd", ProcessRole::containerd},
        {"github.com/containerd/containerd/v2/cmd/containerd", ProcessRole::containerd},
        {"github.com/containerd/containerd/cmd/containerd-shim-runc-v2", ProcessRole::containerd_shim},
        {"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", ProcessRole::containerd_shim},
        {"github.com/kata-containers/kata-containers/src/runtime/cmd/containerd-shim-kata-v2",
         ProcessRole::containerd_shim},
        {"github.com/docker/docker/cmd/dockerd", ProcessRole::dockerd},
        {"github.com/docker/docker/cmd/docker-proxy", ProcessRole::docker_proxy},
        {"github.com/docker/libnetwork/cmd/proxy", ProcessRole::docker_proxy},
        {"github.com/Mirantis/cri-dockerd", ProcessRole::cri_dockerd},
        {"github.com/cri-o/cri-o/cmd/crio", ProcessRole::crio},
        {"github.com/opencontainers/runc", ProcessRole::runc},
        {"k8s.io/kubernetes/cmd/kube-proxy", ProcessRole::kube_proxy},
        {"k8s.io/kubernetes/cmd/kube-apiserver", ProcessRole::apiserver},
        {"k8s.io/kubernetes/cmd/kube-controller-manager", ProcessRole::controller_manager},
        {"k8s.io/kubernetes/cmd/kube-scheduler", ProcessRole::scheduler},
        {"go.etcd.io/etcd/server/v3", ProcessRole::etcd},
        {"go.etcd.io/etcd", ProcessRole::etcd},
        // Near, but something else.
        {"go.etcd.io/etcd/etcdctl/v3", ProcessRole::unknown},
        {"github.com/containerd/containerd/cmd/ctr", ProcessRole::unknown},
        {"github.com/evil/containerd/cmd/containerd", ProcessRole::unknown},
        {"k8s.io/kubernetes/cmd/kubectl", ProcessRole::unknown},
    };
    for (const auto& [path, role] : roles) {
        const Process process =
            read_one(go(path), {.comm = "renamed", .arguments = {"renamed"}, .exe = "/opt/renamed"});
        EXPECT_EQ(to_string(process.role), to_string(role)) << path;
        if (role != ProcessRole::unknown) {
            ASSERT_FALSE(process.role_proof.empty()) << path;
            EXPECT_THAT(process.role_proof[0], HasSubstr(path));
        }
        EXPECT_EQ(process.role_doubt, "") << path;
    }
}

TEST(Roles, ADecoyGetsNoRole) {
    struct Decoy {
        std::string program;
        FakeProcess process;
        std::string doubt;
    };
    const std::vector<Decoy> decoys{
        {test::elf64({{".text", "python"}}),
         {.comm = "containerd", .arguments = {"python3", "-m", "http.server"}, .exe = "/usr/bin/python3.11"},
         "is named containerd, but its executable /usr/bin/python3.11 is not a Go program"},
        {go("example.com/miner"),
         {.comm = "kubelet", .arguments = {"/usr/bin/kubelet"}, .exe = "/usr/bin/kubelet"},
         "is named kubelet, but its executable /usr/bin/kubelet is the Go program example.com/miner"},
        {test::elf64({{".gopclntab", "main.main"}}),
         {.comm = "crio", .arguments = {"crio"}, .exe = "/usr/bin/crio"},
         "is named crio, but its executable /usr/bin/crio is a Go program that holds none of its packages"},
        {test::elf64({{".rodata", "no such texts"}}),
         {.comm = "conmon", .arguments = {"conmon"}, .exe = "/usr/bin/conmon"},
         "is named conmon, but its executable /usr/bin/conmon is not a Go program"},
        {"",
         {.comm = "dockerd", .arguments = {"dockerd"}, .exe = "/usr/bin/dockerd"},
         "is named dockerd, but its executable /usr/bin/dockerd may not be read: No such file or directory"},
        {test::elf64({{".text", "python"}}),
         {.comm = "k3s-server", .arguments = {"k3s-server"}, .exe = "/usr/bin/python3.11"},
         "is named k3s-server, but its executable /usr/bin/python3.11 is not a Go program"},
        {go("example.com/miner"),
         {.comm = "x", .arguments = {"k0s"}, .exe = "/opt/k0s"},
         "is named k0s, but its executable /opt/k0s is the Go program example.com/miner"},
        {test::elf64({}),
         {.comm = "kubelite", .arguments = {"kubelite"}, .exe = "/usr/bin/perl"},
         "is named kubelite, but its executable /usr/bin/perl is not a Go program"},
    };
    for (const Decoy& decoy : decoys) {
        const Process process = read_one(decoy.program, decoy.process);
        EXPECT_EQ(process.role, ProcessRole::unknown) << decoy.doubt;
        EXPECT_TRUE(process.role_proof.empty()) << decoy.doubt;
        EXPECT_EQ(process.role_doubt, decoy.doubt);
    }
}

// What is several programs in one has its name without being one of them.
TEST(Roles, ARealProductIsNoDecoy) {
    const std::pair<const char*, const char*> products[] = {{"k3s", "github.com/k3s-io/k3s/cmd/server"},
                                                            {"k3s-server", "github.com/k3s-io/k3s/cmd/k3s"},
                                                            {"rke2", "github.com/rancher/rke2"},
                                                            {"k0s", "github.com/k0sproject/k0s"},
                                                            {"k8s-dqlite", "github.com/canonical/k8s-dqlite"}};
    for (const auto& [name, path] : products) {
        const Process process = read_one(go(path), {.comm = name, .arguments = {"/opt/x", "kubectl"}, .exe = "/opt/x"});
        EXPECT_EQ(process.role, ProcessRole::unknown) << name;
        EXPECT_EQ(process.role_doubt, "") << name;
    }
    // Others only begin like them.
    EXPECT_EQ(read_one(test::elf64({}), {.comm = "k3s-killall.sh", .exe = "/usr/bin/bash"}).role_doubt, "");
}

TEST(Roles, WithoutModuleLines) {
    const Process kubelet =
        read_one(test::elf64({{".gopclntab", std::string("\0k8s.io/kubernetes/cmd/kubelet/app.Run\0"s)}}),
                 {.comm = "kubelet", .arguments = {"/usr/bin/kubelet"}, .exe = "/usr/bin/kubelet"});
    EXPECT_EQ(kubelet.role, ProcessRole::kubelet);
    EXPECT_EQ(kubelet.role_proof.at(0), "exe is a Go program that holds the package k8s.io/kubernetes/cmd/kubelet/app");
    EXPECT_EQ(kubelet.role_proof.at(1), "it is named kubelet");
    // containerd holds its shim's package as well.
    const Process containerd = read_one(test::elf64({{".gopclntab",
                                                      "github.com/containerd/containerd/runtime/v2/shim.Run "
                                                      "github.com/containerd/containerd/cmd/containerd/command.App"}}),
                                        {.comm = "x", .exe = "/x"});
    EXPECT_EQ(containerd.role, ProcessRole::containerd);
    const Process shim = read_one(test::elf64({{".gopclntab", "github.com/containerd/containerd/runtime/v2/shim.Run"}}),
                                  {.comm = "x", .exe = "/x"});
    EXPECT_EQ(shim.role, ProcessRole::containerd_shim);
    // All in one: hyperkube.
    const std::string all = test::elf64({{".gopclntab",
                                          "k8s.io/kubernetes/cmd/kubelet/app. k8s.io/kubernetes/cmd/kube-proxy/app. "
                                          "k8s.io/kubernetes/cmd/kube-apiserver/app."}});
    EXPECT_EQ(read_one(all, {.comm = "hyperkube", .arguments = {"/hyperkube", "proxy"}, .exe = "/hyperkube"}).role,
              ProcessRole::kube_proxy);
    EXPECT_EQ(read_one(all, {.comm = "hyperkube", .arguments = {"/hyperkube", "kubelet"}, .exe = "/hyperkube"}).role,
              ProcessRole::kubelet);
    EXPECT_EQ(read_one(all, {.comm = "hyperkube", .arguments = {"/hyperkube"}, .exe = "/hyperkube"}).role,
              ProcessRole::unknown);
}

TEST(Roles, ProgramsThatAreSeveralInOne) {
    const std::string k3s = go("github.com/k3s-io/k3s/cmd/server");
    const auto role = [&](std::vector<std::string> arguments) {
        return read_one(
                   k3s,
                   {.comm = "x", .arguments = std::move(arguments), .exe = "/var/lib/rancher/k3s/data/current/bin/k3s"})
            .role;
    };
    EXPECT_EQ(role({"/usr/local/bin/k3s", "server"}), ProcessRole::kubelet);
    EXPECT_EQ(role({"/usr/local/bin/k3s server"}), ProcessRole::kubelet);
    EXPECT_EQ(role({"/usr/local/bin/k3s", "agent"}), ProcessRole::kubelet);
    EXPECT_EQ(role({"/usr/local/bin/k3s", "server", "--disable-agent"}), ProcessRole::apiserver);
    EXPECT_EQ(role({"containerd", "-c", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"}),
              ProcessRole::containerd);
    EXPECT_EQ(role({"/usr/local/bin/k3s", "kubectl", "get", "pods"}), ProcessRole::unknown);
    EXPECT_EQ(read_one(go("k8s.io/kubernetes/cmd/kubelite"), {.comm = "kubelite", .exe = "/snap/kubelite"}).role,
              ProcessRole::kubelet);
    EXPECT_EQ(read_one(go("k8s.io/kubernetes/cmd/hyperkube"),
                       {.comm = "x", .arguments = {"hyperkube", "kube-apiserver"}, .exe = "/h"})
                  .role,
              ProcessRole::apiserver);
}

TEST(Roles, ConmonAndItsVersion) {
    const std::string conmon =
        test::elf64({{".rodata", std::string("conmon-pidfile\0conmon version 2.1.6\ncommit\0"s)}});
    const Process process =
        read_one(conmon, {.comm = "conmon",
                          .arguments = {"/usr/bin/conmon", "-c"},
                          .exe = "/usr/bin/conmon",
                          .cgroup = "/machine.slice/libpod-conmon-" + std::string(64, 'c') + ".scope"});
    EXPECT_EQ(process.role, ProcessRole::conmon);
    EXPECT_EQ(process.version, "2.1.6");
    EXPECT_TRUE(process.container_id.empty());
    EXPECT_THAT(process.role_proof, ::testing::Contains("its cgroup is that of a container's monitor"));
}

TEST(Roles, Versions) {
    EXPECT_EQ(read_one(go("k8s.io/kubernetes/cmd/kubelet", "mod\tk8s.io/kubernetes\tv1.33.1\th1:x=\n"),
                       {.comm = "kubelet", .exe = "/k"})
                  .version,
              "1.33.1");
    EXPECT_EQ(read_one(go("k8s.io/kubernetes/cmd/kubelet", "mod\tk8s.io/kubernetes\t(devel)\t\n"),
                       {.comm = "kubelet", .exe = "/k"})
                  .version,
              "");
    EXPECT_EQ(read_one(go("k8s.io/kubernetes/cmd/kubelet",
                          "build\t-ldflags=\"-X 'k8s.io/component-base/version.gitVersion=v1.26.1' -s\"\n"),
                       {.comm = "kubelet", .exe = "/k"})
                  .version,
              "1.26.1");
    EXPECT_EQ(read_one("go1.20\n\tpath\tgithub.com/cri-o/cri-o/cmd/crio\n\tmod\tgithub.com/cri-o/cri-o\tv1.26.3\n",
                       {.comm = "crio", .exe = "/c"})
                  .version,
              "1.26.3");
}

TEST(Roles, ContainerProcesses) {
    const std::string id(64, 'd');
    const Process shell =
        read_one(test::elf64({}), {.comm = "sh",
                                   .arguments = {"sh"},
                                   .exe = "/bin/busybox",
                                   .cgroup = "/kubepods/pod5cf1cf1d-0d3a-4f3c-9a41-52d0f4a6b1c2/" + id});
    EXPECT_EQ(shell.role, ProcessRole::in_container);
    EXPECT_TRUE(shell.container_id == id);
    EXPECT_TRUE(shell.pod_uid == "5cf1cf1d-0d3a-4f3c-9a41-52d0f4a6b1c2");
    EXPECT_EQ(shell.pid_namespace, 4026531836U);
    // etcd of a static pod is etcd, and in a container.
    const Process etcd =
        read_one(go("go.etcd.io/etcd/server/v3"),
                 {.comm = "etcd", .exe = "/etcd", .cgroup = "/kubepods/pod5cf1cf1d-0d3a-4f3c-9a41-52d0f4a6b1c2/" + id});
    EXPECT_EQ(etcd.role, ProcessRole::etcd);
    EXPECT_TRUE(etcd.container_id == id);
    // A decoy inside a container is a container's process, and doubtful.
    const Process decoy =
        read_one(test::elf64({}), {.comm = "kubelet", .exe = "/usr/bin/perl", .cgroup = "/docker/" + id});
    EXPECT_EQ(decoy.role, ProcessRole::in_container);
    EXPECT_THAT(decoy.role_doubt, HasSubstr("is named kubelet"));
}

TEST(Roles, SocketsAtTheirPlacesAreFurtherProof) {
    const test::Tree tree;
    tree.write("/usr/bin/containerd", go("github.com/containerd/containerd/cmd/containerd"));
    test::add(tree, {.pid = 7, .comm = "containerd", .exe = "/usr/bin/containerd", .sockets = {{8, 500}}});
    tree.write("/proc/net/unix", "Num\n0000: 00000002 00000000 00010000 0001 01 500 /run/containerd/containerd.sock\n");
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    EXPECT_THAT(find_process(*table, 7)->role_proof,
                ::testing::Contains("it listens on /run/containerd/containerd.sock"));
}

}  // namespace
}  // namespace hopscope::procmap
